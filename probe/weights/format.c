#include "probe/weights/format.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

/* X(name): a file of probe/weights/ defines ns_weights_format_NAME. */
#define FORMATS(X) X(safetensors) X(gguf) X(pytorch) X(pytorch_old)

#define DECLARE(name) extern const ns_weights_format ns_weights_format_##name;
FORMATS(DECLARE)

#define ROW(name) &ns_weights_format_##name,
static const ns_weights_format *const formats[] = {FORMATS(ROW)};
enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

const ns_weights_format *ns_weights_format_at(size_t i) {
    return i < FORMAT_COUNT ? formats[i] : NULL;
}

const char *ns_weights_formats(char text[128]) {
    size_t used = 0;
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        const char *before = !i ? "" : i + 1 < FORMAT_COUNT ? ", " : " or ";
        int n = snprintf(text + used, 128 - used, "%s%s", before, formats[i]->title);
        used += (size_t)n < 128 - used ? (size_t)n : 127 - used;
    }
    return text;
}

/* ---- what is no checkpoint ---- */

const char *ns_weights_way_out(const char *looks_like) {
    static const struct {
        const char *what, *way;
    } ways[] = {
        {"an ONNX model", "give the checkpoint that it was exported from, or write its "
                          "initializers as safetensors under the names of that checkpoint"},
        {"a Git-LFS pointer: the file itself was not fetched", "git lfs pull fetches it"},
        {"an HTML page", "a server sent it in place of the file: fetch it again, logged in where "
                         "that is needed"},
        {"a TensorFlow Lite model", "give the checkpoint that it was converted from"},
        {"a TensorFlow SavedModel", "give the checkpoint that it was converted from, or "
                                    "from_pretrained(..., from_tf=True).save_pretrained(...)"},
        {"a Core ML model", "give the checkpoint that it was converted from"},
        {"a Keras .h5 file", "from_pretrained(..., from_tf=True).save_pretrained(...) of "
                             "transformers writes safetensors"},
        {"an HDF5 file", "normscope info shows what is in a run's file"},
        {"a PyTorch file from before 1.6", "torch.save(torch.load(PATH, weights_only=True), NEW) "
                                           "writes one of today's"},
        {"a Python pickle", "torch.save(its tensors by name, NEW) writes what is read here"},
        {"MessagePack data (Flax)", "from_pretrained(..., from_flax=True).save_pretrained(...) of "
                                    "transformers writes safetensors"},
        {"a GGML file (llama.cpp, before GGUF)", "llama.cpp's convert_llama_ggml_to_gguf.py "
                                                 "writes a GGUF file"},
        {"gzip data", "unpack it"},
        {"a tar archive", "unpack it"},
        {"zstd data", "unpack it"},
        {"xz data", "unpack it"},
        {"bzip2 data", "unpack it"},
        {"a 7z archive", "unpack it"}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(ways[i].what, looks_like)) return ways[i].way;
    return NULL;
}

/* A file of bytes that nobody knows is taken for the first format, which says what it misses in it. */
static int find_format(ns_weights_file *file, ns_error *err) {
    const unsigned char *bytes = file->mapped.bytes;
    const size_t size = file->mapped.size;
    for (size_t i = 0; i < FORMAT_COUNT && !file->format; i++)
        if (formats[i]->recognise(bytes, size)) file->format = formats[i];
    if (file->format) return NS_OK;
    const char *what = ns_looks_like(bytes, size);
    if (!strcmp(what, "an unknown format")) {
        file->format = formats[0];
        return NS_OK;
    }
    char known[128];
    const char *way = ns_weights_way_out(what);
    return ns_fail(err, NS_EINPUT, "%s: expected a checkpoint (%s), found %s%s%s", file->path,
                   ns_weights_formats(known), what, way ? "; " : "", way ? way : "");
}

/* ---- tensors ---- */

/* Bytes from the first element to behind the last. False where that overflows or blocks are not whole. */
static bool extent_of(const ns_stored *t, size_t *bytes) {
    size_t items = 1;
    int64_t count = 1, last = 0;
    const int dims = t->info.dims;
    for (int i = 0; i < dims; i++)
        if (t->info.shape[i] < 0 || __builtin_mul_overflow(count, t->info.shape[i], &count))
            return false;
    if (count != t->count) return false;
    if (!t->strided) {
        const int64_t row = dims ? t->info.shape[dims - 1] : 1, values = (int64_t)t->type->values;
        items = (size_t)(count / values);
        if (row % values != 0) return false;
    } else if (t->type->values != 1) {
        return false;
    } else {
        for (int i = 0; i < dims && count; i++) {
            int64_t reach;
            if (t->strides[i] < 0 ||
                __builtin_mul_overflow(t->info.shape[i] - 1, t->strides[i], &reach) ||
                __builtin_add_overflow(last, reach, &last))
                return false;
        }
        items = count ? (size_t)last + 1 : 0;
    }
    return !__builtin_mul_overflow(items, t->type->bytes, bytes) && *bytes <= PTRDIFF_MAX;
}

static int check_tensors(const ns_weights_file *file, ns_error *err) {
    for (int i = 0; i < file->count; i++) {
        const ns_stored *t = &file->tensors[i];
        size_t bytes = 0;
        if (!extent_of(t, &bytes) || bytes > t->size)
            return ns_fail(err, NS_EINPUT,
                           "%s: tensor %s: expected its shape and strides within the %zu bytes of "
                           "%s that it has",
                           file->path, t->info.name, t->size, t->type->name);
    }
    return NS_OK;
}

void ns_stored_free(ns_stored *tensors, int count) {
    if (!tensors) return;
    for (int i = 0; i < count; i++) {
        free((void *)(uintptr_t)tensors[i].info.name);
        free(tensors[i].own);
    }
    free(tensors);
}

/* ---- files ---- */

int ns_weights_file_open(ns_weights_file *file, char *path, const char *key, ns_error *err) {
    *file = (ns_weights_file){.path = path, .key = key};
    if (!path) return NS_EFAIL;
    int status = ns_map_file(&file->mapped, path, err);
    if (!status) status = find_format(file, err);
    if (!status && key && !file->format->keyed)
        status =
            ns_fail(err, NS_EINPUT,
                    "%s: expected no key (%s) behind the name of a file of %s, which holds one "
                    "model",
                    path, key, file->format->title);
    if (!status) status = file->format->open(file, err);
    return status ? status : check_tensors(file, err);
}

void ns_weights_file_close(ns_weights_file *file) {
    ns_stored_free(file->tensors, file->count);
    if (file->format && file->format->close) file->format->close(file);
    json_decref(file->config);
    json_decref(file->config_keys);
    json_decref(file->metadata);
    ns_unmap(&file->mapped);
    free(file->path);
    *file = (ns_weights_file){0};
}
