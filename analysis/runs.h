/* One piece of work for every chosen site of many files: what fit, stats and correlate share. */
#ifndef NS_RUNS_H
#define NS_RUNS_H

#include "analysis/stats.h"
#include "probe/base/cli.h"
#include "probe/base/error.h"
#include "probe/base/table.h"
#include "probe/norms/site.h"
#include "probe/store/store.h"
#include "probe/store/training.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_runs {
    const char *const *files; /* in the order given */
    int file_count;
    ns_selection selection;
    /* Before a file's first site, `file` its place in the list; may be NULL. */
    int (*file_begin)(void *user, int file, ns_error *err);
    /* Site i of an open store. */
    int (*site)(void *user, ns_store *store, int i, ns_error *err);
    /* A training run instead of a store, wanted [its sites]. NULL: only stores are taken. file_failed may follow, file_done does not. */
    int (*training)(void *user, const ns_training *training, const bool *wanted, ns_error *err);
    /* After a file's last site; may be NULL. Not called where the file failed: file_failed is, to take back what its sites gave. */
    int (*file_done)(void *user, ns_store *store, ns_error *err);
    void (*file_failed)(void *user);
    void *user;
} ns_runs;

/* A file that cannot be read does not stop the others; one that is given twice would count twice and is NS_EUSAGE, before any is read. Returns NS_OK; where none can be used, the status that all have in common; else NS_EFAIL,
 * with every one's message; NS_ESTOP at once. */
int ns_runs_each(const ns_runs *runs, ns_error *err);

/* Stores a table, as its JSON, in the run's file, which is what --store does, and empties it for the next file. */
int ns_runs_store_table(ns_table *table, const ns_store *store, ns_result which, ns_error *err);
#define NS_STORE_OPTION(target)                                                                    \
    {                                                                                              \
        "store", 0, NS_OPT_FLAG, &(target), NULL,                                                  \
            "also store the result in the run's file, as JSON in /results, in place of an "        \
            "earlier one",                                                                         \
            NULL, 0, 0                                                                             \
    }

/* The options --select, --exclude and --layers, for a command's table. */
#define NS_SELECTION_OPTIONS(s)                                                                    \
    {"select",    's',    NS_OPT_LIST,                                                             \
     &(s).select, "GLOB", "sites whose name matches; may be repeated",                             \
     "all",       0,      0},                                                                      \
        {"exclude",    'x',    NS_OPT_LIST,                                                        \
         &(s).exclude, "GLOB", "sites to leave out; may be repeated",                              \
         NULL,         0,      0},                                                                 \
    {                                                                                              \
        "layers", 'l', NS_OPT_TEXT, &(s).layers, "LIST", "sites by index: 5,15,20-25", "all", 0, 0 \
    }

/* What a site is read from: all rows are better than a sketch of them, a sketch of all better than a sample of rows. */
typedef enum ns_source_choice { NS_FROM_BEST, NS_FROM_ROWS, NS_FROM_SKETCH } ns_source_choice;
bool ns_source_is_sketch(ns_source_choice choice, const ns_store_site *site);
#define NS_SOURCE_OPTION(target)                                                                   \
    {                                                                                              \
        "from", 0, NS_OPT_CHOICE, &(target), "best|rows|sketch",                                   \
            "the rows where all are there, else the sketch where there is one, else the sample; "  \
            "or one of them",                                                                      \
            "best", 0, 0                                                                           \
    }

/* How many rows stand for how many, over the sites of a table that came from samples of rows; begins as {0}. */
typedef struct ns_sampled {
    int sites;
    uint64_t rows[2], of[2]; /* least and most */
} ns_sampled;
/* Notes the site where its rows are a sample. */
void ns_sampled_note(ns_sampled *sampled, const ns_store_site *site);
/* The line for people below such a table, to stdout; nothing where no site was noted. */
void ns_sampled_print(const ns_sampled *sampled);

/* The statistics of site i (from 0), from rows or a sketch as `from` says; options->progress shows the rows. ns_stats_free(out)
 * afterwards, also after a failure; the caller adds which site it was. */
int ns_runs_stats(ns_stats *out, ns_store *store, int i, ns_source_choice from,
                  const ns_stats_options *options, ns_error *err);

typedef struct ns_selection_words {
    ns_list select, exclude;
    const char *layers;
} ns_selection_words;
ns_selection ns_selection_of(const ns_selection_words *words);
void ns_selection_free(ns_selection_words *words);

#ifdef __cplusplus
}
#endif
#endif
