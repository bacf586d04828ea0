/* What the files that write a report share. */
#ifndef NS_REPORT_INTERNAL_H
#define NS_REPORT_INTERNAL_H

#include "plots/report/report.h"
#include "probe/base/table.h"

/* plots/report/page.css and page.js, made into strings by the Makefile. */
extern const char ns_report_page_css[], ns_report_page_js[];

/* Markup on its way into the file. The first failure is kept. */
typedef struct ns_page {
    FILE *file;
    ns_bytes text;
} ns_page;

/* Text from anywhere, cleaned and escaped. */
void ns_page_text(ns_page *page, const char *text);
/* Writes what has gathered. */
int ns_page_flush(ns_page *page, ns_error *err);

void ns_page_head(ns_page *page, const char *title, const ns_plot_request *request);
/* Where a run comes from; run `k`, from 0. */
int ns_page_run(ns_page *page, const ns_plot_request *r, int k, ns_error *err);
void ns_page_foot(ns_page *page, const char *command_line);

/* "site-2-15": layer 15 of the second run, as an id of the page. */
enum { NS_SITE_ID = 32 };
void ns_page_site_id(char id[NS_SITE_ID], const ns_plot_run *run, int run_number, int site);

/* A section with a heading; NULL ends it. */
void ns_page_section(ns_page *page, const char *id, const char *heading);

/* ---- the table of sites ---- */

typedef struct ns_site_column {
    ns_column column;
    const char *help; /* what it is */
} ns_site_column;

typedef struct ns_site_table {
    const ns_site_column *about; /* [count] */
    ns_column *columns;          /* [count], the same; machine_only: not shown for these runs */
    int count;
    ns_table *table; /* a row a chosen site, in the order of the runs and sites */
} ns_site_table;

/* Reads every chosen site of all runs. Free with ns_site_table_free, also after a failure. */
int ns_site_table_make(ns_site_table *out, const ns_plot_request *request, ns_progress *progress,
                       ns_error *err);
void ns_site_table_free(ns_site_table *sites);
void ns_page_sites(ns_page *page, const ns_plot_request *request, const ns_site_table *sites);

#endif
