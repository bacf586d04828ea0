#include "probe/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int too_large(size_t count, size_t size) {
    return size != 0 && count > (SIZE_MAX - 64) / size;
}

static void *out_of_memory(size_t count, size_t size, ns_error *err) {
    ns_fail(err, NS_EFAIL, "out of memory: %zu elements of %zu bytes were asked for", count, size);
    return NULL;
}

void *ns_calloc(size_t count, size_t size, ns_error *err) {
    if (too_large(count, size)) return out_of_memory(count, size, err);
    void *block = calloc(count ? count : 1, size ? size : 1);
    return block ? block : out_of_memory(count, size, err);
}

void *ns_alloc_aligned(size_t count, size_t size, ns_error *err) {
    if (too_large(count, size)) return out_of_memory(count, size, err);
    size_t bytes = (count * size + 63) / 64 * 64;
    void *block = aligned_alloc(64, bytes ? bytes : 64);
    return block ? block : out_of_memory(count, size, err);
}

void *ns_realloc(void *block, size_t count, size_t size, ns_error *err) {
    if (too_large(count, size)) return out_of_memory(count, size, err);
    size_t bytes = count * size;
    void *grown = realloc(block, bytes ? bytes : 1);
    return grown ? grown : out_of_memory(count, size, err);
}

char *ns_strdup(const char *s, ns_error *err) {
    size_t bytes = strlen(s) + 1;
    char *copy = ns_calloc(bytes, 1, err);
    if (copy) memcpy(copy, s, bytes);
    return copy;
}

char *ns_asprintf(ns_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *s = n < 0 ? NULL : ns_calloc((size_t)n + 1, 1, err);
    if (!s) return NULL;
    va_start(args, format);
    vsnprintf(s, (size_t)n + 1, format, args);
    va_end(args);
    return s;
}
