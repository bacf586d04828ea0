#include "probe/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 && *s != '\n') *s = '?';
}

int ns_fail(ns_error *err, int status, const char *format, ...) {
    if (!err) return status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    make_printable(err->message);
    err->status = status;
    return status;
}

void ns_fail_more(ns_error *err, const char *format, ...) {
    if (!err) return;
    size_t used = strlen(err->message);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message + used, sizeof err->message - used, format, args);
    va_end(args);
    make_printable(err->message + used);
}

void ns_fail_context(ns_error *err, const char *format, ...) {
    if (!err) return;
    char prefix[512];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    make_printable(prefix);
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    int n = snprintf(err->message, sizeof err->message, "%s: ", prefix);
    snprintf(err->message + n, sizeof err->message - (size_t)n, "%.*s",
             (int)(sizeof err->message - (size_t)n - 1), old);
}
