/* Text, plain or gzip, as tokens: a file, or a folder of them. A sample is a stretch of the stream of tokens, a line, a paragraph or a
 * file (ns_text_split); what is shorter than the longest is filled up with padding. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/kinds.h"
#include "datasets/text.h"
#include "datasets/text_internal.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

typedef struct text {
    ns_encoder encoder;
    ns_ids ids;    /* of all samples, one after the other, without what a template adds */
    size_t *first; /* [samples + 1], where those of each begin; NULL: every `body` ids are one */
    char **names;  /* [samples], or NULL */
    size_t samples, room;
    size_t body;  /* most ids of a sample */
    bool wrapped; /* the template stands around each */
} text;

/* A file that is read. */
typedef struct source {
    const char *path, *name; /* the name is what samples are called by */
    unsigned char *bytes;
    size_t size;
} source;

/* Only where text is asked for, by the shape: any file may be text. */
static bool text_recognise(const char *path) {
    return ns_is_file(path) || ns_is_folder(path);
}

/* ---- samples of their own ---- */

static bool is_blank(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!bytes[i] || !strchr(" \t\r\n\f\v", bytes[i])) return false;
    return true;
}

/* The sample that consists of these bytes of a file, by the name NAME or NAME:LINE. What holds no word is none. */
static int add_sample(ns_dataset *d, const source *s, size_t at, size_t size, size_t line,
                      ns_error *err) {
    text *t = d->state;
    size_t before = t->ids.count;
    if (is_blank(s->bytes + at, size)) return NS_OK;
    if (t->samples + 2 > t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        size_t *first = ns_realloc(t->first, room, sizeof *first, err);
        if (first) t->first = first;
        char **names = first ? ns_realloc(t->names, room, sizeof *names, err) : NULL;
        if (!names) return NS_EFAIL;
        t->names = names;
        t->room = room;
    }
    int status = ns_encode(&t->encoder, s->bytes + at, size, at, s->path, &t->ids, err);
    if (status || t->ids.count == before) return status;
    if (t->ids.count - before > t->body) {
        t->ids.count = before + t->body;
        d->cut++;
    }
    char *name = line ? ns_asprintf(err, "%s:%zu", s->name, line) : ns_strdup(s->name, err);
    if (!name) return NS_EFAIL;
    t->first[t->samples] = before;
    t->names[t->samples++] = name;
    t->first[t->samples] = t->ids.count;
    return NS_OK;
}

/* Lines, or lines up to one that is blank. The end of a line is no part of it. */
static int add_lines(ns_dataset *d, const source *s, bool paragraphs, ns_error *err) {
    size_t begin = 0, end = 0, number = 0, first_line = 0;
    bool open = false;
    int status = NS_OK;
    for (size_t at = 0; at < s->size && !status;) {
        const unsigned char *stop = memchr(s->bytes + at, '\n', s->size - at);
        size_t next = stop ? (size_t)(stop - s->bytes) : s->size, line_end = next;
        number++;
        if (line_end > at && s->bytes[line_end - 1] == '\r') line_end--;
        bool blank = is_blank(s->bytes + at, line_end - at);
        if (open && (blank || !paragraphs)) {
            status = add_sample(d, s, begin, end - begin, first_line, err);
            open = false;
        }
        if (!blank) {
            if (!open) begin = at, first_line = number;
            open = true;
            end = line_end;
        }
        at = next + 1;
    }
    return !status && open ? add_sample(d, s, begin, end - begin, first_line, err) : status;
}

/* ---- reading ---- */

static int add_file(ns_dataset *d, source *s, ns_text_split split, ns_error *err) {
    text *t = d->state;
    int status = ns_text_bytes(s->path, &s->bytes, &s->size, err);
    if (!status && split == NS_SPLIT_STREAM)
        status = ns_encode(&t->encoder, s->bytes, s->size, 0, s->path, &t->ids, err);
    else if (!status && split == NS_SPLIT_FILE)
        status = add_sample(d, s, 0, s->size, 0, err);
    else if (!status)
        status = add_lines(d, s, split == NS_SPLIT_PARAGRAPH, err);
    free(s->bytes);
    return status;
}

static int add_folder(ns_dataset *d, ns_text_split split, ns_error *err) {
    char **names = NULL;
    size_t count;
    int status = ns_text_files(d->path, &names, &count, &d->unknown, err);
    for (size_t i = 0; i < count; i++) {
        char *path = status ? NULL : ns_path_join(d->path, names[i], err);
        source s = {.path = path, .name = names[i]};
        if (!status) status = path ? add_file(d, &s, split, err) : NS_EFAIL;
        free(path);
        free(names[i]);
    }
    free(names);
    return status;
}

/* A template that closes a text (BERT's [SEP]) stands around every stretch of a stream, one that only opens it around none: a stretch is
 * the beginning of nothing. */
static int choose_body(ns_dataset *d, ns_text_split split, ns_error *err) {
    text *t = d->state;
    const ns_encoder *e = &t->encoder;
    size_t added = e->before_count + e->behind_count, length = (size_t)d->text.length;
    t->wrapped = split != NS_SPLIT_STREAM || e->behind_count > 0;
    if (!t->wrapped) added = 0;
    if (length <= added)
        return ns_fail(err, NS_EUSAGE,
                       "%s: expected samples of more than the %zu words that the tokenizer adds to "
                       "each, found %zu",
                       d->path, added, length);
    t->body = length - added;
    return NS_OK;
}

/* How many samples there are, and how long the longest is, which all others are filled up to. */
static int count_samples(ns_dataset *d, ns_error *err) {
    text *t = d->state;
    size_t longest = 0, added = (size_t)d->text.length - t->body;
    if (!t->first) {
        bool one = d->text.tokenizer && t->ids.count && t->ids.count < t->body;
        if (one) t->body = t->ids.count;
        d->count = (int64_t)(t->ids.count / t->body);
        longest = t->body;
    } else {
        d->count = (int64_t)t->samples;
        for (size_t i = 0; i < t->samples; i++) {
            size_t n = t->first[i + 1] - t->first[i];
            longest = n > longest ? n : longest;
        }
    }
    d->text.length = (int)(longest + added);
    if (d->count) return NS_OK;
    return ns_fail(err, NS_EINPUT, "%s: expected a sample of %d tokens, found %zu", d->path,
                   d->text.length, t->ids.count);
}

/* Where sample `id` begins among the ids. */
static size_t begin_of(const text *t, int64_t id) {
    return t->first ? t->first[id] : (size_t)id * t->body;
}

static size_t words_of(const text *t, int64_t id) {
    return t->first ? t->first[id + 1] - t->first[id] : t->body;
}

static int check_words(const ns_dataset *d, ns_error *err) {
    const text *t = d->state;
    int64_t added = t->wrapped ? (int64_t)t->encoder.before_count : 0;
    int status = NS_OK;
    for (int64_t s = 0; s < d->count && !status && d->text.tokenizer; s++)
        for (size_t k = 0; k < words_of(t, s) && !status; k++)
            status = ns_check_word(&d->text, d->path, s, added + (int64_t)k,
                                   t->ids.items[begin_of(t, s) + k], err);
    return status;
}

static int text_open(ns_dataset *d, const char *labels_path, ns_error *err) {
    ns_text_split split = d->text.split;
    bool folder = ns_is_folder(d->path);
    if (labels_path)
        return ns_fail(err, NS_EUSAGE, "%s: text has no labels but its own next tokens", d->path);
    if (d->text.length < 1)
        return ns_fail(err, NS_EUSAGE, "%s: expected how many tokens a sample of text has",
                       d->path);
    text *t = d->state = ns_calloc(1, sizeof *t, err);
    if (!t) return NS_EFAIL;
    if (split == NS_SPLIT_USUAL) split = folder ? NS_SPLIT_FILE : NS_SPLIT_STREAM;
    int status = ns_encoder_open(&t->encoder, &d->text, d->path, err);
    d->classes = t->encoder.classes;
    if (!status) status = choose_body(d, split, err);
    if (status) return status;
    const char *slash = strrchr(d->path, '/');
    source s = {.path = d->path, .name = slash ? slash + 1 : d->path};
    status = folder ? add_folder(d, split, err) : add_file(d, &s, split, err);
    if (!status) status = count_samples(d, err);
    return status ? status : check_words(d, err);
}

static void text_close(ns_dataset *d) {
    text *t = d->state;
    for (size_t i = 0; i < t->samples; i++) free(t->names[i]);
    ns_encoder_close(&t->encoder);
    free(t->names);
    free(t->first);
    free(t->ids.items);
    free(t);
}

static int32_t *put(int32_t *to, const int32_t *ids, size_t count) {
    if (count) memcpy(to, ids, count * sizeof *ids);
    return to + count;
}

static int text_words(const ns_dataset *d, int64_t id, int32_t *words, ns_error *err) {
    const text *t = d->state;
    const ns_encoder *e = &t->encoder;
    int32_t *to = words, *end = words + d->text.length;
    (void)err;
    if (t->wrapped) to = put(to, e->before, e->before_count);
    to = put(to, t->ids.items + begin_of(t, id), words_of(t, id));
    if (t->wrapped) to = put(to, e->behind, e->behind_count);
    while (to < end) *to++ = -1;
    return NS_OK;
}

/* Of all tokens: they are in memory. */
static int text_hash(const ns_dataset *d, const int64_t *ids, size_t n, ns_hash *hash,
                     ns_error *err) {
    const text *t = d->state;
    const ns_encoder *e = &t->encoder;
    (void)ids;
    (void)n;
    (void)err;
    ns_hash_add(hash, t->ids.items, t->ids.count * sizeof *t->ids.items);
    if (t->wrapped) ns_hash_add(hash, e->before, e->before_count * sizeof *e->before);
    if (t->wrapped) ns_hash_add(hash, e->behind, e->behind_count * sizeof *e->behind);
    for (size_t i = 0; i < t->samples; i++) {
        uint64_t end = t->first[i + 1];
        ns_hash_add(hash, &end, sizeof end);
    }
    return NS_OK;
}

static const char *text_sample_name(const ns_dataset *d, int64_t id) {
    const text *t = d->state;
    return t->names ? t->names[id] : NULL;
}

int64_t ns_text_count(const ns_dataset *d) {
    return d->kind == &ns_dataset_text ? (int64_t)((const text *)d->state)->ids.count : 0;
}

const int32_t *ns_text_tokens(const ns_dataset *d) {
    return d->kind == &ns_dataset_text ? ((const text *)d->state)->ids.items : NULL;
}

const ns_dataset_kind ns_dataset_text = {.name = "text",
                                         .summary = "text, plain or gzip, or a folder of .txt",
                                         .recognise = text_recognise,
                                         .open = text_open,
                                         .close = text_close,
                                         .words = text_words,
                                         .hash = text_hash,
                                         .sample_name = text_sample_name};
