/* Text from any file, plain or gzip, as tokens: bytes, or the characters of a vocabulary. A sample is a stretch of
 * text.length tokens. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/gzip_internal.h"
#include "datasets/kinds.h"
#include "datasets/text.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

#define MOST_BYTES ((size_t)1 << 31)

typedef struct text {
    int32_t *tokens; /* [count] */
    int64_t count;
} text;

/* ---- bytes of a file ---- */

static int unpack(gzFile file, const char *path, unsigned char **out, size_t *size, ns_error *err) {
    size_t room = 0;
    for (int got = 1; got > 0; *size += got > 0 ? (size_t)got : 0) {
        if (*size > MOST_BYTES)
            return ns_fail(err, NS_EINPUT, "%s: expected at most %zu bytes of text, found more",
                           path, MOST_BYTES);
        if (*size == room) {
            room = room ? 2 * room : 1 << 16;
            unsigned char *grown = ns_realloc(*out, room, 1, err);
            if (!grown) return NS_EFAIL;
            *out = grown;
        }
        got =
            gzread(file, *out + *size, (unsigned)(room - *size < 1 << 20 ? room - *size : 1 << 20));
    }
    return ns_gzip_failed(file, path, *size, err) ? NS_EINPUT : NS_OK;
}

/* Any bytes may be text, but images under the name of a data set come as IDX, and no text begins so. */
static int refuse_idx(const unsigned char *bytes, size_t size, const char *path, ns_error *err) {
    if (size < 4 || memcmp(bytes, "\0\0\x08", 3) != 0 || bytes[3] < 1 || bytes[3] > 4) return NS_OK;
    return ns_fail(err, NS_EINPUT, "%s: expected text, found an IDX file (images or labels)", path);
}

/* The whole file, to be freed, also after a failure. */
static int read_bytes(const char *path, unsigned char **out, size_t *size, ns_error *err) {
    gzFile file;
    *out = NULL;
    *size = 0;
    int status = ns_gzip_open(&file, path, err);
    if (status) return status;
    status = unpack(file, path, out, size, err);
    gzclose(file);
    return status ? status : refuse_idx(*out, *size, path, err);
}

/* ---- characters ---- */

/* The code point at bytes[*at], which is moved behind it; -1 where it is no UTF-8 (overlong forms and surrogates are none: RFC 3629). */
static int32_t next_character(const unsigned char *bytes, size_t size, size_t *at) {
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

static int no_character(const char *path, size_t at, ns_error *err) {
    return ns_fail(err, NS_EINPUT, "%s: expected UTF-8, found none at byte %zu", path, at);
}

enum { CODE_POINTS = 0x110000 };

/* The token of every code point, -1 where it has none, from a vocabulary; [CODE_POINTS], to be freed. */
static int32_t *table_of(const char *vocabulary, int *classes, ns_error *err) {
    int32_t *table = ns_calloc(CODE_POINTS, sizeof *table, err);
    size_t size = strlen(vocabulary);
    if (!table) return NULL;
    for (int i = 0; i < CODE_POINTS; i++) table[i] = -1;
    *classes = 0;
    for (size_t at = 0; at < size;) {
        int32_t c = next_character((const unsigned char *)vocabulary, size, &at);
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
    int status = read_bytes(path, &bytes, &size, err);
    bool *seen = status ? NULL : ns_calloc(CODE_POINTS, sizeof *seen, err);
    if (!status && !seen) status = NS_EFAIL;
    size_t room = 1;
    for (size_t at = 0, from = 0; at < size && !status; from = at) {
        int32_t c = next_character(bytes, size, &at);
        if (c <= 0) /* a zero byte is no text either */
            status = no_character(path, from, err);
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

static int tokenize(ns_dataset *d, const unsigned char *bytes, size_t size, ns_error *err) {
    text *t = d->state;
    const char *vocabulary = d->text.vocabulary;
    int32_t *table = NULL;
    d->classes = 256;
    if (vocabulary && !(table = table_of(vocabulary, &d->classes, err))) return NS_EINPUT;
    t->tokens = ns_calloc(size ? size : 1, sizeof *t->tokens, err);
    int status = t->tokens ? NS_OK : NS_EFAIL;
    for (size_t at = 0; at < size && !status;) {
        size_t from = at;
        int32_t c = table ? next_character(bytes, size, &at) : bytes[at++];
        int32_t token = c < 0 || !table ? c : table[c];
        if (c < 0)
            status = no_character(d->path, from, err);
        else if (token < 0)
            status = ns_fail(err, NS_EINPUT,
                             "%s: byte %zu: expected one of the %d characters of the vocabulary, "
                             "found U+%04X",
                             d->path, from, d->classes, (unsigned)c);
        else
            t->tokens[t->count++] = token;
    }
    free(table);
    return status;
}

/* ---- as a data set ---- */

/* Only where text is asked for, by the shape: any file may be text. */
static bool text_recognise(const char *path) {
    return ns_is_file(path);
}

static int text_open(ns_dataset *d, const char *labels_path, ns_error *err) {
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (labels_path)
        return ns_fail(err, NS_EUSAGE, "%s: text has no labels but its own next tokens", d->path);
    if (!(d->state = ns_calloc(1, sizeof(text), err))) return NS_EFAIL;
    int status = read_bytes(d->path, &bytes, &size, err);
    if (!status) status = tokenize(d, bytes, size, err);
    free(bytes);
    if (status) return status;
    if (d->text.words && d->text.words != d->classes)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected the model's %d words, found %d %s: words of several letters "
                       "are not made here, give their ids as a .npy file [samples, words]",
                       d->path, d->text.words, d->classes,
                       d->text.vocabulary ? "characters" : "bytes");
    if (d->text.length < 1)
        return ns_fail(err, NS_EUSAGE, "%s: expected how many tokens a sample of text has",
                       d->path);
    d->count = ((const text *)d->state)->count / d->text.length;
    if (d->count) return NS_OK;
    return ns_fail(err, NS_EINPUT, "%s: expected a sample of %d tokens, found %lld", d->path,
                   d->text.length, (long long)((const text *)d->state)->count);
}

static void text_close(ns_dataset *d) {
    text *t = d->state;
    free(t->tokens);
    free(t);
}

static int text_words(const ns_dataset *d, int64_t id, int32_t *words, ns_error *err) {
    const text *t = d->state;
    size_t n = (size_t)d->text.length;
    (void)err;
    memcpy(words, t->tokens + (size_t)id * n, n * sizeof *words);
    return NS_OK;
}

/* Of all tokens: they are in memory. */
static int text_hash(const ns_dataset *d, const int64_t *ids, size_t n, ns_hash *hash,
                     ns_error *err) {
    const text *t = d->state;
    (void)ids;
    (void)n;
    (void)err;
    ns_hash_add(hash, t->tokens, (size_t)t->count * sizeof *t->tokens);
    return NS_OK;
}

int64_t ns_text_count(const ns_dataset *dataset) {
    return dataset->kind == &ns_dataset_text ? ((const text *)dataset->state)->count : 0;
}

const int32_t *ns_text_tokens(const ns_dataset *dataset) {
    return dataset->kind == &ns_dataset_text ? ((const text *)dataset->state)->tokens : NULL;
}

const ns_dataset_kind ns_dataset_text = {.name = "text",
                                         .summary = "text, plain or gzip, for a language model",
                                         .recognise = text_recognise,
                                         .open = text_open,
                                         .close = text_close,
                                         .words = text_words,
                                         .hash = text_hash};
