/* Errors as values.
 *
 * Every library function that can fail returns an int: 0 for success, else one of the codes below, and
 * describes the failure in the caller's ns_error. The codes are the exit statuses of the command line.
 * Library code never prints and never exits. */
#ifndef NS_ERROR_H
#define NS_ERROR_H

#include <stdbool.h>

#include "probe/base/api.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    NS_OK = 0,
    NS_EFAIL = 1,  /* a run that failed: full disk, no memory, a number that is not finite */
    NS_EUSAGE = 2, /* wrong use of the command line or of a function */
    NS_EINPUT = 3, /* bad input: the message names the file, what was expected and what was found */
    NS_ESTOP = 4   /* stopped by request (SIGINT, SIGTERM, or an observer that said so) */
};

typedef struct ns_error {
    int status;         /* one of the codes above */
    char message[2048]; /* UTF-8, no trailing newline; cut, never overrun */
} ns_error;

#if defined(__GNUC__)
#define NS_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#else
#define NS_PRINTF(format_at, args_at)
#endif

/* Fills `err` (which may be NULL) with `status` and the formatted message, and returns `status`, so that a
 * failing function can end in `return ns_fail(err, NS_EINPUT, "%s: ...", path)`. The message is made printable. */
NS_API int ns_fail(ns_error *err, int status, const char *format, ...) NS_PRINTF(3, 4);
#ifdef __clang_analyzer__
/* clang-tidy looks at one file at a time, so that it must be told which value comes back: else it follows failures that ended well. */
#define ns_fail(err, status, ...) (ns_fail(err, status, __VA_ARGS__), (status))
#endif

/* Appends to the message that is there (a hint, a list of near names). Keeps the status. */
NS_API void ns_fail_more(ns_error *err, const char *format, ...) NS_PRINTF(2, 3);

/* Puts "prefix: " before the message that is there, unless that begins with it: the context that only the caller knows. */
NS_API void ns_fail_context(ns_error *err, const char *format, ...) NS_PRINTF(2, 3);

/* Text out of a file, which may be anybody's, made safe for terminals, JSON and Pango: control characters and bytes that are no
 * UTF-8 become '?'. `lines`: line breaks stay. */
NS_API void ns_printable(char *text, bool lines);

#ifdef __cplusplus
}
#endif
#endif
