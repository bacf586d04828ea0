/* normscope info: where a file comes from, how complete it is, and what is in it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/cli.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"
#include "probe/store/store.h"

enum { ROWS_SEEN = 8, COLUMNS = 12 };
static const ns_column all_columns[COLUMNS] = {
    {"site", "1", NS_INT, 0, false, NULL},      {"name", NULL, NS_TEXT, 0, false, NULL},
    {"role", NULL, NS_TEXT, 0, false, NULL},    {"kind", NULL, NS_TEXT, 0, false, NULL},
    {"eps", "x^2", NS_REAL, 2, true, NULL},     {"channels", "1", NS_INT, 0, false, NULL},
    {"positions", "1", NS_INT, 0, false, NULL}, {"rows", "1", NS_INT, 0, false, NULL},
    {"rows_seen", "1", NS_INT, 0, true, "of"},  {"stored_as", NULL, NS_TEXT, 0, true, NULL},
    {"bytes", "B", NS_INT, 0, true, NULL},      {"size", NULL, NS_TEXT, 0, false, NULL},
};

static int add_row(ns_table *table, const ns_store *store, int i, ns_error *err) {
    char size[24];
    const ns_store_site *s = ns_store_site_at(store, i);
    uint64_t item = s->dtype == NS_F16 ? 2 : 4, bytes;
    int status = ns_store_site_bytes(store, i, &bytes, err);
    if (status) return status;
    ns_table_int(table, s->site.index);
    ns_table_text(table, s->site.name);
    ns_table_text(table, ns_role_name(s->site.role));
    ns_table_text(table, s->site.norm.kind->name);
    ns_table_real(table, (double)s->site.norm.eps);
    ns_table_int(table, s->site.norm.channels);
    ns_table_int(table, s->site.positions);
    ns_table_int(table, (int64_t)s->rows);
    ns_table_int(table, (int64_t)s->rows_seen);
    ns_table_text(table,
                  s->rows || !s->has_sketch ? (item == 2 ? "float16" : "float32") : "sketch");
    ns_table_int(table, (int64_t)bytes);
    ns_table_text(table, ns_human_bytes((double)bytes, size));
    return NS_OK;
}

/* Of how many rows those kept are a sample is for people to see where one is. The columns must live as long as the table. */
static int make_table(ns_table **out, ns_column columns[COLUMNS], const ns_store *store,
                      ns_error *err) {
    memcpy(columns, all_columns, sizeof all_columns);
    int sites = ns_store_site_count(store), status = NS_OK;
    for (int i = 0; i < sites; i++)
        if (ns_store_site_at(store, i)->rows < ns_store_site_at(store, i)->rows_seen)
            columns[ROWS_SEEN].machine_only = false;
    ns_table *table = *out = ns_table_new(columns, COLUMNS, err);
    if (!table) return NS_EFAIL;
    for (int i = 0; i < sites && !status; i++) status = add_row(table, store, i, err);
    return status;
}

/* How right the model was, where it was judged. */
static int print_score(const ns_store *store, ns_error *err) {
    ns_store_score score;
    int status = ns_store_read_score(store, &score, err);
    if (status || !score.judged) return status;
    printf("%-14s %.2f %% (%" PRIu64 " of %" PRIu64 "%s)\n", "top-1",
           100.0 * (double)score.hits / (double)score.judged, score.hits, score.judged,
           score.of_words ? " next words" : "");
    if (score.has_loss) printf("%-14s %.4f nats\n", "loss", score.loss / (double)score.judged);
    return NS_OK;
}

/* What the file names, and which files are not in it. */
static int print_names(const ns_store *store, ns_error *err) {
    ns_store_names names;
    int status = ns_store_read_names(store, &names, err);
    if (status) return status;
    if (names.class_count) printf("%-14s %" PRId64 " named\n", "classes", names.class_count);
    if (names.token_count) printf("%-14s %" PRId64 " named\n", "tokens", names.token_count);
    ns_store_names_free(&names);
    static const char *const counts[][2] = {{"files_unknown", "no images by their names"},
                                            {"files_unreadable", "unreadable"}};
    for (int k = 0; k < 2; k++) {
        const char *count = ns_store_attribute(store, counts[k][0]);
        if (count) printf("%-14s %s files, %s\n", "left out", count, counts[k][1]);
    }
    return NS_OK;
}

static int print_provenance(const ns_store *store, ns_error *err) {
    printf("%s\n", ns_store_path(store));
    for (const char *const *name = ns_store_provenance; *name; name++) {
        const char *value = ns_store_attribute(store, *name);
        if (value && *value && !(!strcmp(*name, "sample_rows") && !strcmp(value, "0")))
            printf("%-14s %s\n", *name, value);
    }
    uint64_t done = ns_store_samples(store), all = ns_store_samples_planned(store);
    printf("%-14s %" PRIu64 " of %" PRIu64 " complete%s\n", "samples", done, all,
           done < all ? " (interrupted, or being written; dump --resume goes on)" : "");
    int status = print_score(store, err);
    if (!status) status = print_names(store, err);
    for (int k = 0; k < NS_RESULTS && !status; k++) {
        char *text, size[24];
        status = ns_store_get_result(store, (ns_result)k, &text, err);
        if (!status && text)
            printf("%-14s /results/%s (%s of JSON)\n", k ? "" : "stored", ns_result_names[k],
                   ns_human_bytes((double)strlen(text), size));
        if (!status) free(text);
    }
    printf("\n");
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    int format = NS_ALIGNED;
    const ns_option options[] = {
        {"format", 0, NS_OPT_CHOICE, &format, NS_TABLE_FORMATS, "form of the table of sites",
         "table", 0, 0},
        {0},
    };
    ns_list rest;
    ns_store *store = NULL;
    ns_table *table = NULL;
    ns_column columns[COLUMNS];
    int status = ns_cli_parse(self, options, argc, argv, 1, 1, &rest, err);
    if (!status) status = ns_store_open(&store, rest.items[0], err);
    if (!status) status = make_table(&table, columns, store, err);
    if (!status && format == NS_ALIGNED) status = print_provenance(store, err);
    if (!status) status = ns_table_print(table, stdout, (ns_table_format)format, err);
    ns_table_free(table);
    ns_store_close(store);
    ns_list_free(&rest);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_info = {
    .name = "info",
    .group = "Capture",
    .summary = "provenance, progress, sites and sizes of a file",
    .usage = "[options] FILE",
    .examples = "  normscope info run.h5\n",
    .run = run,
};
