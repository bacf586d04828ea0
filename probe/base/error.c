#include "probe/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character that begins at s, if it is well-formed UTF-8 (Unicode, table 3-7) and no control character; else 0. */
static size_t printable_at(const unsigned char *s) {
    if (s[0] < 0x80) return s[0] >= 0x20 && s[0] != 0x7f;
    size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    unsigned char least = s[0] == 0xc2 ? 0xa0 : s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char most = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (!n || s[1] < least || s[1] > most) return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return n;
}

void ns_printable(char *text, bool lines) {
    for (unsigned char *s = (unsigned char *)text; *s;) {
        size_t n = printable_at(s);
        if (!n && !(lines && *s == '\n')) *s = '?';
        s += n ? n : 1;
    }
}

int(ns_fail)(ns_error *err, int status, const char *format, ...) {
    if (!err) return status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    ns_printable(err->message, true);
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
    ns_printable(err->message + used, true);
}

void ns_fail_context(ns_error *err, const char *format, ...) {
    if (!err) return;
    char prefix[512];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    if (!strncmp(err->message, prefix, strlen(prefix))) return;
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    int n = snprintf(err->message, sizeof err->message, "%s: ", prefix);
    snprintf(err->message + n, sizeof err->message - (size_t)n, "%.*s",
             (int)(sizeof err->message - (size_t)n - 1), old);
    ns_printable(err->message, true);
}
