/* PyTorch's files. The first byte says what the rest is: a file, which is opened and whose tensors are read; or, without the way through an
 * archive and its checksums, a pickle, whose tensors lie in storages of zeros. */
#include <stdlib.h>
#include <string.h>

#include "probe/weights/state_dict.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_COUNT = 1 << 16, ROOM = 4096 };

static volatile double seen; /* so that no sum is left out */

static void whole_file(const uint8_t *data, size_t size) {
    ns_error err = {0};
    ns_weights *w;
    if (ns_weights_open(&w, ns_fuzz_file("model.pt", data, size), &err)) return;
    for (int i = 0; i < ns_weights_count(w); i++) {
        const ns_tensor_info *info = ns_weights_info(w, i);
        const float *values;
        double sum = 0;
        int64_t count = 1;
        for (int d = 0; d < info->dims && count <= MOST_COUNT; d++) count *= info->shape[d];
        if (count > MOST_COUNT ||
            ns_weights_get(w, info->name, info->dims, info->shape, &values, &err))
            continue;
        for (int64_t k = 0; k < count; k++) sum += (double)values[k];
        seen = sum;
    }
    ns_weights_close(w);
}

static int find(void *user, const ns_py_storage *storage, const unsigned char **bytes,
                uint64_t *size, void **later, ns_error *err) {
    int64_t asked;
    *later = NULL;
    *bytes = user;
    if (__builtin_mul_overflow(storage->count, (int64_t)storage->item, &asked) || asked > ROOM)
        return ns_fail(err, NS_EINPUT, "%s: too large", storage->key);
    *size = (uint64_t)asked;
    return NS_OK;
}

/* The first and the last byte of a tensor. */
static int ends_of(const ns_stored *t) {
    int64_t last = 0;
    for (int d = 0; d < t->info.dims && t->count; d++)
        last += (t->info.shape[d] - 1) * t->strides[d];
    return t->count ? t->bytes[0] + t->bytes[(size_t)(last + 1) * t->type->bytes - 1] : 0;
}

static void pickle(const uint8_t *data, size_t size) {
    ns_error err = {0};
    ns_weights_file file = {.path = (char[]){"fuzz"}};
    ns_pickle *p = NULL;
    ns_py root;
    const ns_py *dict;
    size_t used;
    char *where = NULL;
    unsigned char *zeros = calloc(ROOM, 1);
    int sum = 0;
    if (!zeros) abort();
    int status = ns_pickle_read(&p, data, size, "fuzz", &root, &used, &err);
    if (!status && (used > size || used == 0)) abort();
    if (!status) status = ns_state_dict_find(&file, &root, &dict, &where, &err);
    if (!status) status = ns_state_dict_tensors(&file, dict, find, zeros, &err);
    for (int i = 0; i < file.count && !status; i++) sum += ends_of(&file.tensors[i]);
    if (sum) abort();
    ns_stored_free(file.tensors, file.count);
    free(where);
    free(zeros);
    ns_pickle_free(p);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    if (!size) return;
    if (data[0] % 2)
        pickle(data + 1, size - 1);
    else
        whole_file(data + 1, size - 1);
}
NS_FUZZ("pytorch")
