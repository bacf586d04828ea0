/* The command line: a command is a row of a table, its options are rows of a table, and the help is made from both.
 *
 * Options stand in any position, long (`--samples 100`, `--samples=100`) or by letter (`-n 100`, `-n100`); `--` ends
 * them. Each subcommand lives in one file, which exports one ns_command. */
#ifndef NS_CLI_H
#define NS_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_command ns_command;
struct ns_command {
    const char *name;
    const char *group;    /* heading in `normscope help`: "Capture", "Analyse", "Draw" */
    const char *summary;  /* one line, no full stop */
    const char *usage;    /* what follows the name: "[options] FILE..." */
    const char *details;  /* paragraphs below the usage, or NULL */
    const char *examples; /* lines, each a command that works as it stands, or NULL */
    /* Returns an exit status; a failure is described in err, which the program prints. */
    int (*run)(const ns_command *self, int argc, char **argv, ns_error *err);
};

/* Repeated values of one option, or the arguments that are no options. Points into argv; ns_list_free frees it. */
typedef struct ns_list {
    const char **items;
    int count;
} ns_list;
NS_API void ns_list_free(ns_list *list);

typedef enum ns_option_type {
    NS_OPT_FLAG,   /* bool *: set to true */
    NS_OPT_INT,    /* int64_t * */
    NS_OPT_REAL,   /* double * */
    NS_OPT_TEXT,   /* const char ** */
    NS_OPT_CHOICE, /* int *: index into `choices`, a list of words separated by '|' */
    NS_OPT_LIST,   /* ns_list *: may be repeated */
    NS_OPT_HEADING /* no option: a heading in the help, its text in `help` */
} ns_option_type;

typedef struct ns_option {
    const char *name; /* without the dashes; NULL ends the table */
    char letter;      /* short form, or 0 */
    ns_option_type type;
    void *target; /* holds the default before, the value after */
    const char
        *value; /* name of the value in the help: "N", "FILE"; for a choice the words "a|b|c" */
    const char *help;         /* with unit; the default is added from `default_text` */
    const char *default_text; /* or NULL */
    double least, most;       /* range of a number; both 0: any */
} ns_option;

enum { NS_HELP_SHOWN = -1 };

/* Reads argv[1..argc-1]. Returns 0; NS_HELP_SHOWN after --help, when the help stands on stdout and the command is
 * to return 0; or NS_EUSAGE. `rest` receives the arguments that are no options (free with ns_list_free), between
 * `least_rest` and `most_rest` of them (most_rest < 0: no limit); NULL where there can be none. */
NS_API int ns_cli_parse(const ns_command *command, const ns_option *options, int argc, char **argv,
                        int least_rest, int most_rest, ns_list *rest, ns_error *err);

/* "5,15,20-25" as numbers in rising order without repeats; the caller frees *out. NS_EUSAGE where the text is no such list, NS_EINPUT where a
 * number is not between least and most: what they are may be a file's to say. */
NS_API int ns_parse_numbers(const char *text, int least, int most, int **out, int *count,
                            ns_error *err);

/* Now, in UTC and ISO 8601; SOURCE_DATE_EPOCH where that is set, so that a run can be repeated to the byte. */
NS_API void ns_cli_timestamp(char text[32]);

/* The command line quoted for a shell, for provenance; the caller frees it. */
NS_API char *ns_command_line(int argc, char **argv, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
