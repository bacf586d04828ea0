/* normscope verify: whether a file holds what its sites compute. */
#include <inttypes.h>
#include <stdio.h>

#include "probe/base/cli.h"
#include "probe/base/stop.h"
#include "probe/base/table.h"
#include "probe/sketch/sketch.h"
#include "probe/capture/verify.h"

static const ns_column columns[] = {
    {"site", "1", NS_INT, 0, false, NULL},
    {"name", NULL, NS_TEXT, 0, false, NULL},
    {"kind", NULL, NS_TEXT, 0, false, NULL},
    {"rows", "1", NS_INT, 0, false, NULL},
    {"nonfinite", "1", NS_INT, 0, false, NULL},
    {"padding", "1", NS_INT, 0, true, NULL},
    {"misplaced", "1", NS_INT, 0, true, NULL},
    {"largest_y", "1", NS_REAL, 0, false, "max |y|"},
    {"difference", "1", NS_REAL, 2, false, "max diff"},
    {"tolerance", "1", NS_REAL, 2, false, NULL},
    {"good", NULL, NS_BOOL, 0, false, NULL},
};

static void add_row(ns_table *table, const ns_store_site *site, const ns_verify_result *r) {
    ns_table_int(table, site->site.index);
    ns_table_text(table, site->site.name);
    ns_table_text(table, site->site.norm.kind->name);
    ns_table_int(table, (int64_t)r->rows);
    ns_table_int(table, (int64_t)r->nonfinite);
    ns_table_int(table, (int64_t)r->padding);
    ns_table_int(table, (int64_t)r->misplaced);
    ns_table_real(table, r->largest);
    ns_table_real(table, r->difference);
    ns_table_real(table, r->tolerance);
    ns_table_int(table, r->good);
}

/* A sketch cannot be computed again, but its parts must tell of the same points. */
static int verify_sketch(const ns_store *store, int i, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    ns_sketch sketch = {0};
    int status = ns_sketch_read(&sketch, store, i, err);
    const char *wrong = status ? NULL : ns_sketch_check(&sketch, site->rows_seen);
    ns_sketch_free(&sketch);
    if (!wrong) return status;
    return ns_fail(err, NS_EFAIL, "%s: site %d (%s): sketch/%s", ns_store_path(store),
                   site->site.index, site->site.name, wrong);
}

static int verify_file(ns_store *store, ns_table_format format, ns_error *err) {
    ns_table *table = ns_table_new(columns, sizeof columns / sizeof columns[0], err);
    if (!table) return NS_EFAIL;
    int status = NS_OK, bad = 0, verified = 0, sketches = 0;
    for (int i = 0; i < ns_store_site_count(store) && !status; i++) {
        const ns_store_site *site = ns_store_site_at(store, i);
        if (ns_stop_requested()) {
            status = ns_fail(err, NS_ESTOP, "stopped by request");
            break;
        }
        if (site->has_sketch && ns_store_samples(store)) {
            status = verify_sketch(store, i, err);
            sketches++;
            if (status) break;
        }
        if (!site->rows && site->has_sketch) continue; /* no rows to look at */
        ns_verify_result result;
        status = ns_verify_site(store, i, &result, err);
        if (status) break;
        add_row(table, site, &result);
        bad += !result.good;
        verified++;
    }
    if (!status) status = ns_table_print(table, stdout, format, err);
    ns_table_free(table);
    if (status) return status;
    uint64_t done = ns_store_samples(store), all = ns_store_samples_planned(store);
    if (bad)
        return ns_fail(err, NS_EFAIL, "%s: %d of %d sites do not hold what they compute",
                       ns_store_path(store), bad, verified);
    bool sealed;
    status = ns_store_check_seal(store, &sealed, err);
    if (status) return status;
    if (format == NS_ALIGNED) {
        printf("%d %s on %" PRIu64 " samples", verified,
               verified == 1 ? "site agrees" : "sites agree", done);
        if (sketches) printf("; %d sketch%s whole", sketches, sketches == 1 ? " is" : "es are");
        if (sealed) printf("; nothing else has changed");
        if (done < all)
            printf("; the file is incomplete: %" PRIu64 " were planned, dump --resume goes on",
                   all);
        printf("\n");
    }
    return NS_OK;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    int format = NS_ALIGNED;
    const ns_option options[] = {
        {"format", 0, NS_OPT_CHOICE, &format, NS_TABLE_FORMATS, "form of the table", "table", 0, 0},
        {0},
    };
    ns_list rest;
    ns_store *store = NULL;
    int status = ns_cli_parse(self, options, argc, argv, 1, 1, &rest, err);
    if (!status) status = ns_store_open(&store, rest.items[0], err);
    if (!status) status = verify_file(store, (ns_table_format)format, err);
    ns_store_close(store);
    ns_list_free(&rest);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_verify = {
    .name = "verify",
    .group = "Capture",
    .summary = "recompute y from x at every site of a file",
    .usage = "[options] FILE",
    .details = "Computes every stored output again from the stored input, by the definition in "
               "double precision, and compares. The "
               "tolerance of a row is 1e-5 of its largest |y|, and more where the file holds "
               "float16. Exit status 1 where a site "
               "disagrees. Of a sketch, the parts must tell of the same points. Everything else, "
               "as names, parameters, "
               "places of rows and counters, must be as it was when the run was complete. An "
               "incomplete file "
               "is verified as far as it is committed.",
    .examples = "  normscope verify run.h5\n",
    .run = run,
};
