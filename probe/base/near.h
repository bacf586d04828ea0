/* Names: which ones come near a name that was not found, and whether a name matches a pattern. */
#ifndef NS_NEAR_H
#define NS_NEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends to err->message up to `most` of the `count` names nearest to `wanted` by edit distance: "; near: a, b".
 * Appends nothing where none is nearer than half of the length of `wanted`. name(user, i) gives the i-th name. */
void ns_near_names(ns_error *err, const char *wanted, size_t count,
                   const char *(*name)(const void *user, size_t i), const void *user, int most);

/* Whether the dotted `name` matches `pattern`. Components are what stands between dots. `*` and `?` match within one
 * component, `**` matches any number of components. A pattern that matches the first components of the name whole
 * matches the name, as a folder matches what is in it: `blocks.1` matches `blocks.1.norm2`, and not `blocks.10`. */
bool ns_glob_match(const char *pattern, const char *name);

#ifdef __cplusplus
}
#endif
#endif
