/* Names in a run's file: of samples, of classes, and the text of the tokens that occur. Text of fixed length, padded with zeros, as
 * HDF5 and h5py have it; written whole when the file is laid out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/store/store_reader_internal.h"

#define MOST_LENGTH ((size_t)1 << 16)
#define MOST_BYTES  ((size_t)1 << 31)

/* ---- writing ---- */

static int put_texts(hid_t file, const char *name, uint64_t count, const char *const *texts,
                     ns_error *err) {
    size_t length = 1, bytes;
    for (uint64_t i = 0; i < count; i++) {
        size_t n = texts[i] ? strlen(texts[i]) : 0;
        length = n > length ? n : length;
    }
    if (length > MOST_LENGTH || __builtin_mul_overflow(length, count, &bytes) || bytes > MOST_BYTES)
        return ns_fail(err, NS_EINPUT, "%llu names of up to %zu bytes are too many for a file",
                       (unsigned long long)count, length);
    char *all = ns_calloc(count, length, err);
    if (!all) return NS_EFAIL;
    for (uint64_t i = 0; i < count; i++)
        if (texts[i]) memcpy(all + i * length, texts[i], strlen(texts[i]));
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, length);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    int status = ns_h5_put(file, name, type, 1, &count, NULL, all, err);
    H5Tclose(type);
    free(all);
    return status;
}

int ns_names_put(hid_t file, const ns_store_plan *plan, ns_error *err) {
    const ns_names_plan *n = &plan->names;
    const uint64_t classes = (uint64_t)n->class_count, tokens = (uint64_t)n->token_count;
    int status = NS_OK;
    if (n->samples && plan->samples)
        status = put_texts(file, "/samples/name", plan->samples, n->samples, err);
    if ((classes || tokens) && !status) status = ns_h5_make_group(file, "names/class", err);
    if (classes && !status) status = put_texts(file, "/names/class", classes, n->classes, err);
    if (tokens && !status)
        status = ns_h5_put(file, "/names/token_id", H5T_NATIVE_INT32, 1, &tokens, NULL,
                           n->token_ids, err);
    if (tokens && !status) status = put_texts(file, "/names/token", tokens, n->tokens, err);
    return status;
}

/* ---- reading ---- */

static bool find(const ns_store *s, const char *group, const char *name, ns_h5_place *place) {
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    ns_h5_quiet quiet = ns_h5_hush();
    bool found = ns_h5_has(s->file, group) && ns_h5_find(s->file, name, place);
    ns_h5_unhush(quiet);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    uint64_t bytes;
    return found && place->raw && place->dims == 1 && place->item >= 1 &&
           !__builtin_mul_overflow((uint64_t)place->item, place->extents[0], &bytes) &&
           place->offset <= s->file_size && bytes <= s->file_size - place->offset;
}

/* NULL in *out with no error where the file has none. `most` of them are read. */
static int read_texts(const ns_store *s, const char *group, const char *name, uint64_t most,
                      char ***out, int64_t *count, ns_error *err) {
    ns_h5_place place;
    *out = NULL;
    *count = 0;
    if (!find(s, group, name, &place) || place.type != H5T_STRING || place.item > MOST_LENGTH)
        return NS_OK;
    uint64_t n = place.extents[0] < most ? place.extents[0] : most;
    char *bytes = ns_calloc(n, place.item, err), **texts = ns_calloc(n, sizeof *texts, err);
    int status = bytes && texts
                     ? ns_pread_all(s->fd, bytes, n * place.item, place.offset, s->path, err)
                     : NS_EFAIL;
    for (uint64_t i = 0; i < n && !status; i++) {
        size_t length = strnlen(bytes + i * place.item, place.item);
        if (!(texts[i] = ns_calloc(length + 1, 1, err))) status = NS_EFAIL;
        if (!status) memcpy(texts[i], bytes + i * place.item, length);
        *count = (int64_t)i + 1;
    }
    free(bytes);
    *out = texts;
    return status;
}

static int read_token_ids(const ns_store *s, ns_store_names *names, ns_error *err) {
    ns_h5_place place;
    uint64_t n = (uint64_t)names->token_count;
    if (!find(s, "names", "names/token_id", &place) || place.type != H5T_INTEGER ||
        place.item != sizeof(int32_t) || !place.little || place.extents[0] != n)
        return ns_fail(err, NS_EINPUT,
                       "%s: /names/token_id: expected %llu whole numbers of 4 bytes", s->path,
                       (unsigned long long)n);
    if (!(names->token_ids = ns_calloc(n, sizeof *names->token_ids, err))) return NS_EFAIL;
    int status = ns_pread_all(s->fd, names->token_ids, n * sizeof *names->token_ids, place.offset,
                              s->path, err);
    for (uint64_t i = 1; i < n && !status; i++)
        if (names->token_ids[i] <= names->token_ids[i - 1])
            status =
                ns_fail(err, NS_EINPUT, "%s: /names/token_id: expected rising numbers", s->path);
    return status;
}

int ns_store_read_names(const ns_store *s, ns_store_names *out, ns_error *err) {
    *out = (ns_store_names){0};
    int status = read_texts(s, "samples", "samples/name", s->committed, &out->samples,
                            &out->sample_count, err);
    if (!status)
        status =
            read_texts(s, "names", "names/class", INT32_MAX, &out->classes, &out->class_count, err);
    if (!status)
        status =
            read_texts(s, "names", "names/token", INT32_MAX, &out->tokens, &out->token_count, err);
    if (!status && out->token_count) status = read_token_ids(s, out, err);
    if (status) ns_store_names_free(out);
    return status;
}

static void free_texts(char **texts, int64_t count) {
    for (int64_t i = 0; texts && i < count; i++) free(texts[i]);
    free(texts);
}

void ns_store_names_free(ns_store_names *names) {
    free_texts(names->samples, names->sample_count);
    free_texts(names->classes, names->class_count);
    free_texts(names->tokens, names->token_count);
    free(names->token_ids);
    *names = (ns_store_names){0};
}

const char *ns_store_token(const ns_store_names *names, int32_t id) {
    int64_t low = 0, high = names->token_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (names->token_ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->token_count && names->token_ids[low] == id ? names->tokens[low] : NULL;
}
