/* Text by characters: a vocabulary of them, and the code points of UTF-8. */
#include <stdlib.h>
#include <string.h>

#include "datasets/text.h"
#include "datasets/text_internal.h"
#include "probe/base/mem.h"

/* Overlong forms and surrogates are no UTF-8: RFC 3629. */
int32_t ns_next_character(const unsigned char *bytes, size_t size, size_t *at) {
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
    int32_t c = bytes[(*at)++];
    if (c < 0x80) return c;
    int more = c >= 0xf0 && c < 0xf8 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0;
    if (!more || c >= 0xf8 || *at + (size_t)more > size) return -1;
    c &= 0x3f >> more;
    for (int i = 0; i < more; i++) {
        int32_t b = bytes[(*at)++];
        if ((b & 0xc0) != 0x80) return -1;
        c = c << 6 | (b & 0x3f);
    }
    bool fits = c >= least[more] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
    return fits ? c : -1;
}

int ns_no_character(const char *path, size_t at, ns_error *err) {
    return ns_fail(err, NS_EINPUT, "%s: expected UTF-8, found none at byte %zu", path, at);
}

enum { CODE_POINTS = 0x110000 };

int32_t *ns_character_table(const char *vocabulary, int *classes, ns_error *err) {
    int32_t *table = ns_calloc(CODE_POINTS, sizeof *table, err);
    size_t size = strlen(vocabulary);
    if (!table) return NULL;
    for (int i = 0; i < CODE_POINTS; i++) table[i] = -1;
    *classes = 0;
    for (size_t at = 0; at < size;) {
        int32_t c = ns_next_character((const unsigned char *)vocabulary, size, &at);
        if (c < 0 || table[c] >= 0) {
            ns_fail(err, NS_EINPUT, "vocabulary: expected UTF-8 with each character once");
            free(table);
            return NULL;
        }
        table[c] = (*classes)++;
    }
    return table;
}

int ns_text_vocabulary(const char *path, char **out, ns_error *err) {
    unsigned char *bytes;
    size_t size = 0;
    *out = NULL;
    int status = ns_text_bytes(path, &bytes, &size, err);
    bool *seen = status ? NULL : ns_calloc(CODE_POINTS, sizeof *seen, err);
    if (!status && !seen) status = NS_EFAIL;
    size_t room = 1;
    for (size_t at = 0, from = 0; at < size && !status; from = at) {
        int32_t c = ns_next_character(bytes, size, &at);
        if (c <= 0) /* a zero byte is no text either */
            status = ns_no_character(path, from, err);
        else if (!seen[c]) {
            seen[c] = true;
            room += 4;
        }
    }
    char *list = status ? NULL : ns_calloc(room, 1, err), *to = list;
    if (!status && !list) status = NS_EFAIL;
    for (int32_t c = 1; c < CODE_POINTS && !status; c++) {
        if (!seen[c]) continue;
        if (c < 0x80) {
            *to++ = (char)c;
            continue;
        }
        int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        *to++ = (char)((0xff00 >> (more + 1) & 0xff) | c >> 6 * more);
        while (more--) *to++ = (char)(0x80 | (c >> 6 * more & 0x3f));
    }
    free(seen);
    free(bytes);
    *out = list;
    return status;
}
