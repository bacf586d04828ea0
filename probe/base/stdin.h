/* Standard input as a file. */
#ifndef NS_STDIN_H
#define NS_STDIN_H

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_STDIN "/dev/stdin"

/* Reads standard input to its end, where it is no file already, into an unnamed one in memory that takes its place: NS_STDIN can then be opened,
 * mapped and opened again like any file. Called by the program, never by the library. NS_EFAIL where it cannot be read or is larger than
 * NS_STDIN_MOST bytes. */
#define NS_STDIN_MOST ((size_t)1 << 32)
int ns_stdin_whole(ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
