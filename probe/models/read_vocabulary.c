/* Vocabularies whose embedding was cut to the words that somebody needs, so that a network to be shown is small. */
#include <jansson.h>
#include <stdlib.h>

#include "probe/base/mem.h"
#include "probe/models/reading.h"

/* Fills in row_of from the rising ids of the rows. */
static int read_rows(ns_reading *r, const json_t *ids, const ns_origin from, int64_t rows,
                     int64_t words, int32_t *row_of) {
    for (int64_t i = 0; i < words; i++) row_of[i] = -1;
    if (!json_is_array(ids) || json_array_size(ids) != (size_t)rows)
        return ns_fail(
            r->err, NS_EINPUT,
            "%s: %s: expected an array of %lld ids, as the embedding has rows, found %zu",
            ns_weights_path(r->model->weights), from, (long long)rows, json_array_size(ids));
    json_int_t last = -1;
    for (int64_t i = 0; i < rows; i++) {
        const json_t *id = json_array_get(ids, (size_t)i);
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value <= last || value >= words)
            return ns_fail(r->err, NS_EINPUT,
                           "%s: %s: expected rising ids below %lld, found %lld after %lld",
                           ns_weights_path(r->model->weights), from, (long long)words,
                           (long long)value, (long long)last);
        row_of[value] = (int32_t)i;
        last = value;
    }
    return NS_OK;
}

int ns_read_vocabulary(ns_reading *r, int64_t rows, int64_t *words, const int32_t **row_of) {
    enum { MOST_WORDS = 1 << 24 };
    ns_origin from, count_from;
    bool found;
    *words = rows;
    *row_of = NULL;
    if (!r->may_cut_vocabulary) return NS_OK;
    const json_t *ids = ns_config_find(&r->config, "vocabulary_rows", from);
    if (!ids) return NS_OK;
    int status =
        ns_config_int(&r->config, "vocab_size", rows, MOST_WORDS, words, &found, count_from);
    if (status) return status;
    int32_t *map = ns_calloc((size_t)*words, sizeof *map, r->err);
    if (!map) return NS_EFAIL;
    status = read_rows(r, ids, from, rows, *words, map);
    ns_builder b = {.network = &r->model->network, .err = r->err};
    if (!status) *row_of = ns_build_options(&b, map, (size_t)*words * sizeof *map);
    free(map);
    if (status || b.status) return status ? status : b.status;
    return ns_reading_fact(r, "embeddings", from, "of %lld words alone", (long long)rows);
}
