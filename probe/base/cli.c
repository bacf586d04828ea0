#include "probe/base/cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe/base/mem.h"
#include "probe/base/near.h"

#define HELP_COLUMN 28 /* where the explanations begin */
#define HELP_WIDTH  80

void ns_list_free(ns_list *list) {
    free(list->items);
    *list = (ns_list){0};
}

static int list_add(ns_list *list, const char *item, ns_error *err) {
    const char **items = ns_realloc(list->items, (size_t)list->count + 1, sizeof *items, err);
    if (!items) return NS_EFAIL;
    items[list->count++] = item;
    list->items = items;
    return NS_OK;
}

/* Words wrapped between two columns; the cursor stands at column `at`. A line break in the text stands. */
static void print_wrapped(const char *text, int at, int indent) {
    while (*text) {
        size_t word = strcspn(text, " \n");
        if (at > indent && at + 1 + (int)word > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)word, text);
        at += (int)word;
        text += word;
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            at = indent;
        }
        if (*text) text++;
    }
    putchar('\n');
}

static void print_option(const ns_option *option) {
    char left[160];
    bool valued = option->type != NS_OPT_FLAG;
    snprintf(left, sizeof left, "  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
             option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
             valued ? " " : "", valued ? option->value : "");
    int at = (int)strlen(left);
    fputs(left, stdout);
    if (at + 2 > HELP_COLUMN) {
        putchar('\n');
        at = 0;
    }
    printf("%*s", HELP_COLUMN - at, "");
    char help[1024];
    snprintf(help, sizeof help, "%s%s%s%s", option->help, option->default_text ? " [" : "",
             option->default_text ? option->default_text : "", option->default_text ? "]" : "");
    print_wrapped(help, HELP_COLUMN, HELP_COLUMN);
}

static void print_help(const ns_command *command, const ns_option *options) {
    printf("Usage: normscope %s %s\n\n", command->name, command->usage);
    if (command->details) {
        print_wrapped(command->details, 0, 0);
        putchar('\n');
    }
    printf("Options:\n");
    for (const ns_option *o = options; o->name || o->type == NS_OPT_HEADING; o++) {
        if (o->type == NS_OPT_HEADING)
            printf("\n%s:\n", o->help);
        else
            print_option(o);
    }
    printf("  -h, --help%*sshow this and end\n", HELP_COLUMN - 12, "");
    if (command->examples) printf("\nExamples:\n%s", command->examples);
}

static int set_number(const ns_option *option, const char *text, ns_error *err) {
    char *end;
    errno = 0;
    double value;
    if (option->type == NS_OPT_INT) {
        long long whole = strtoll(text, &end, 10);
        value = (double)whole;
        *(int64_t *)option->target = whole;
    } else {
        value = strtod(text, &end);
        *(double *)option->target = value;
    }
    const char *expected = option->type == NS_OPT_INT ? "a whole number" : "a number";
    if (end == text || *end || errno == ERANGE || isnan(value))
        return ns_fail(err, NS_EUSAGE, "--%s: expected %s, found '%s'", option->name, expected,
                       text);
    if ((option->least != 0 || option->most != 0) &&
        !(value >= option->least && value <= option->most))
        return ns_fail(err, NS_EUSAGE, "--%s: expected %s between %.12g and %.12g, found %s",
                       option->name, expected, option->least, option->most, text);
    return NS_OK;
}

static int set_choice(const ns_option *option, const char *text, ns_error *err) {
    const char *word = option->value;
    for (int i = 0;; i++) {
        size_t n = strcspn(word, "|");
        if (strlen(text) == n && strncmp(word, text, n) == 0) {
            *(int *)option->target = i;
            return NS_OK;
        }
        if (!word[n]) break;
        word += n + 1;
    }
    return ns_fail(err, NS_EUSAGE, "--%s: expected %s, found '%s'", option->name, option->value,
                   text);
}

static int set_option(const ns_option *option, const char *text, ns_error *err) {
    switch (option->type) {
    case NS_OPT_FLAG:
        *(bool *)option->target = true;
        return NS_OK;
    case NS_OPT_INT:
    case NS_OPT_REAL:
        return set_number(option, text, err);
    case NS_OPT_TEXT:
        *(const char **)option->target = text;
        return NS_OK;
    case NS_OPT_CHOICE:
        return set_choice(option, text, err);
    case NS_OPT_LIST:
        return list_add(option->target, text, err);
    case NS_OPT_HEADING:
        break;
    }
    return NS_OK;
}

static const char *option_name(const void *user, size_t i) {
    const ns_option *o = (const ns_option *)user + i;
    return o->name ? o->name : "";
}

static const ns_option *find_option(const ns_option *options, const char *name, size_t length,
                                    char letter) {
    for (const ns_option *o = options; o->name || o->type == NS_OPT_HEADING; o++) {
        if (o->type == NS_OPT_HEADING) continue;
        if (letter ? o->letter == letter
                   : strlen(o->name) == length && !strncmp(o->name, name, length))
            return o;
    }
    return NULL;
}

static int unknown_option(const ns_command *command, const ns_option *options, const char *argument,
                          ns_error *err) {
    ns_fail(err, NS_EUSAGE, "unknown option '%s'", argument);
    size_t count = 0;
    while (options[count].name || options[count].type == NS_OPT_HEADING) count++;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + (argument[1] == '-' ? 2 : 1), "="),
             argument + (argument[1] == '-' ? 2 : 1));
    ns_near_names(err, name, count, option_name, options, 3);
    ns_fail_more(err, "; see normscope %s --help", command->name);
    return NS_EUSAGE;
}

/* One argument that begins with a dash, and its value, which may be the next argument. */
static int parse_option(const ns_command *command, const ns_option *options, int argc, char **argv,
                        int *at, ns_error *err) {
    char *argument = argv[*at];
    const ns_option *option;
    const char *value = NULL;
    if (argument[1] == '-') {
        size_t length = strcspn(argument + 2, "=");
        option = find_option(options, argument + 2, length, 0);
        if (argument[2 + length]) value = argument + 2 + length + 1;
        if (option && option->type == NS_OPT_FLAG && value)
            return ns_fail(err, NS_EUSAGE, "--%s takes no value, found '%s'", option->name, value);
    } else {
        option = find_option(options, NULL, 0, argument[1]);
        if (argument[2]) value = argument + 2;
        if (option && option->type == NS_OPT_FLAG && value)
            return unknown_option(command, options, argument, err);
    }
    if (!option) return unknown_option(command, options, argument, err);
    if (option->type != NS_OPT_FLAG && !value) {
        if (*at + 1 >= argc)
            return ns_fail(err, NS_EUSAGE, "--%s: expected a value (%s), found none", option->name,
                           option->value);
        value = argv[++*at];
    }
    return set_option(option, value, err);
}

int ns_cli_parse(const ns_command *command, const ns_option *options, int argc, char **argv,
                 int least_rest, int most_rest, ns_list *rest, ns_error *err) {
    int status = NS_OK;
    bool ended = false;
    ns_list unasked;
    if (!rest) rest = &unasked;
    *rest = (ns_list){0};
    for (int i = 1; i < argc && !status; i++) {
        bool dashed = !ended && argv[i][0] == '-' && argv[i][1];
        if (dashed && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
            print_help(command, options);
            status = NS_HELP_SHOWN;
        } else if (dashed && !strcmp(argv[i], "--")) {
            ended = true;
        } else if (dashed) {
            status = parse_option(command, options, argc, argv, &i, err);
        } else {
            status = list_add(rest, argv[i], err);
        }
    }
    if (!status && rest->count < least_rest)
        status = ns_fail(err, NS_EUSAGE, "too few arguments\nUsage: normscope %s %s", command->name,
                         command->usage);
    if (!status && most_rest >= 0 && rest->count > most_rest)
        status = ns_fail(err, NS_EUSAGE, "unexpected argument '%s'\nUsage: normscope %s %s",
                         rest->items[most_rest], command->name, command->usage);
    if (status || rest == &unasked) ns_list_free(rest);
    return status;
}

static int compare_ints(const void *a, const void *b) {
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

int ns_parse_numbers(const char *text, int least, int most, int **out, int *count, ns_error *err) {
    int *numbers = NULL, used = 0;
    *out = NULL;
    *count = 0;
    for (const char *at = text;;) {
        char *end;
        long first = strtol(at, &end, 10), last = first;
        bool good = end != at && isdigit((unsigned char)*at);
        if (good && *end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
            good = end != at && isdigit((unsigned char)*at) && last >= first;
        }
        if (!good || (*end && *end != ',')) {
            free(numbers);
            return ns_fail(err, NS_EUSAGE, "expected numbers like 5,15,20-25, found '%s'", text);
        }
        if (first < least || last > most) {
            free(numbers);
            return ns_fail(err, NS_EINPUT, "expected numbers between %d and %d, found %ld", least,
                           most, first < least ? first : last);
        }
        int *grown = ns_realloc(numbers, (size_t)(used + last - first + 1), sizeof *grown, err);
        if (!grown) {
            free(numbers);
            return NS_EFAIL;
        }
        numbers = grown;
        for (long i = first; i <= last; i++) numbers[used++] = (int)i;
        if (!*end) break;
        at = end + 1;
    }
    qsort(numbers, (size_t)used, sizeof *numbers, compare_ints);
    int kept = 0;
    for (int i = 0; i < used; i++)
        if (!kept || numbers[kept - 1] != numbers[i]) numbers[kept++] = numbers[i];
    *out = numbers;
    *count = kept;
    return NS_OK;
}

char *ns_command_line(int argc, char **argv, ns_error *err) {
    size_t size = 1;
    for (int i = 0; i < argc; i++) size += 4 * strlen(argv[i]) + 3;
    char *line = ns_calloc(size, 1, err), *to = line;
    if (!line) return NULL;
    for (int i = 0; i < argc; i++) {
        const char *from = argv[i];
        if (i) *to++ = ' ';
        bool plain = *from && strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789_-+=./,:@%") == strlen(from);
        if (!plain) *to++ = '\'';
        for (; *from; from++) {
            if (*from == '\'') {
                memcpy(to, "'\\''", 4);
                to += 4;
            } else {
                *to++ = *from;
            }
        }
        if (!plain) *to++ = '\'';
    }
    return line;
}

void ns_cli_timestamp(char text[32]) {
    const char *given = getenv("SOURCE_DATE_EPOCH");
    time_t now = given && *given ? (time_t)strtoll(given, NULL, 10) : time(NULL);
    struct tm utc = {.tm_year = 70, .tm_mday = 1}; /* of a time beyond all years */
    gmtime_r(&now, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
