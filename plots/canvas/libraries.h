/* The libraries at work, for provenance and for reports of defects. In the last room, since that one sees them all. */
#ifndef NS_LIBRARIES_H
#define NS_LIBRARIES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A line for each library, "HDF5 1.10.8", as it was loaded, not as it was built against; cut at size - 1. Returns text. */
char *ns_libraries(char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
