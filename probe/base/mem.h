/* Memory: checked sizes and aligned blocks. Every block is freed with free(). */
#ifndef NS_MEM_H
#define NS_MEM_H

#include <stddef.h>
#include <stdlib.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* count * size bytes, zeroed; NULL and a described NS_EFAIL when the product overflows or memory is out. A
 * count of 0 gives a block that may be freed. */
void *ns_calloc(size_t count, size_t size, ns_error *err);

/* The same, not zeroed and aligned to 64 bytes: for arrays that vector loops read. */
void *ns_alloc_aligned(size_t count, size_t size, ns_error *err);

/* Grows `block` to count * size bytes; on failure the old block stays valid and NULL is returned. */
void *ns_realloc(void *block, size_t count, size_t size, ns_error *err);

/* A copy of the string; NULL on failure. The caller frees it. */
char *ns_strdup(const char *s, ns_error *err);

/* The formatted string; NULL on failure. The caller frees it. */
char *ns_asprintf(ns_error *err, const char *format, ...) NS_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
