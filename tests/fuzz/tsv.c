/* A table of tab-separated values. */
#include <string.h>

#include "plots/tsv.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(const uint8_t *data, size_t size) {
    ns_fuzz_clean();
    ns_tsv t;
    ns_error err = {0};
    volatile double sum = 0;
    if (!ns_tsv_open(&t, ns_fuzz_file("table.tsv", data, size), &err))
        for (int i = 0; i < t.rows; i++)
            for (int c = 0; c < t.columns; c++) {
                double value;
                sum += (double)strlen(ns_tsv_cell(&t, i, c));
                if (!ns_tsv_number(&t, i, c, &value, &err)) sum += value;
                if (ns_tsv_column(&t, t.names[c], &err) > c || ns_tsv_column(&t, "z", &err) >= 0)
                    sum++;
            }
    ns_tsv_close(&t);
}
NS_FUZZ("tsv")
