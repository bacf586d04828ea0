/* What a figure was made from, put into the files that gnuplot wrote. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "plots/gnuplot/gnuplot_internal.h"
#include "probe/base/hash.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/version.h"

static const size_t MOST_BYTES = (size_t)1 << 30;

typedef struct file_bytes {
    char *data;
    size_t size;
} file_bytes;

/* Where `what` begins within [from, end), or NULL. */
static char *find(const char *from, const char *end, const char *what) {
    return from < end ? memmem(from, (size_t)(end - from), what, strlen(what)) : NULL;
}

static void add_big_endian(ns_bytes *out, uint32_t value) {
    const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    ns_bytes_add(out, bytes, 4);
}

static void add_chunk(ns_bytes *out, const char *type, const ns_bytes *content) {
    size_t begin = out->size + 4;
    add_big_endian(out, (uint32_t)content->size);
    ns_bytes_add(out, type, 4);
    if (content->size) ns_bytes_add(out, content->data, content->size);
    if (content->failed) out->failed = true;
    if (!out->failed)
        add_big_endian(out, (uint32_t)crc32(0, out->data + begin, (uInt)(out->size - begin)));
}

static void add_png_text(ns_bytes *out, const char *key, const char *text) {
    ns_bytes content = {0};
    if (!text || !*text) return;
    ns_bytes_add(&content, key, strlen(key) + 1);
    ns_bytes_add(&content, "\0\0\0\0", 4); /* not compressed; no language, no translated key */
    ns_bytes_add(&content, text, strlen(text));
    add_chunk(out, "iTXt", &content);
    free(content.data);
}

/* Behind the header, which is 8 + 25 bytes long. */
static void stamp_png(ns_bytes *out, file_bytes in, const ns_document *d) {
    enum { HEAD = 33 };
    if (in.size < HEAD || memcmp(in.data + 12, "IHDR", 4) != 0) {
        ns_bytes_add(out, in.data, in.size);
        return;
    }
    ns_bytes_add(out, in.data, HEAD);
    ns_bytes size = {0};
    uint32_t per_metre = (uint32_t)(d->dpi / 0.0254 + 0.5);
    add_big_endian(&size, per_metre);
    add_big_endian(&size, per_metre);
    ns_bytes_add(&size, "\1", 1);
    if (!find(in.data, in.data + in.size, "pHYs")) add_chunk(out, "pHYs", &size);
    free(size.data);
    add_png_text(out, "Title", d->title);
    add_png_text(out, "Software", "normscope " NS_VERSION);
    add_png_text(out, "Comment", d->command_line);
    add_png_text(out, "Source", d->source);
    ns_bytes_add(out, in.data + HEAD, in.size - HEAD);
}

/* Of an attribute of PDF: UTF-16 in hexadecimal digits. */
static void add_pdf_text(ns_bytes *out, const char *key, const char *text) {
    if (!text || !*text) return;
    glong length = 0;
    gunichar2 *wide = g_utf8_to_utf16(text, -1, NULL, &length, NULL);
    if (!wide) return;
    ns_bytes_print(out, "   /%s <FEFF", key);
    for (glong i = 0; i < length; i++) ns_bytes_print(out, "%04X", (unsigned)wide[i]);
    ns_bytes_print(out, ">\n");
    g_free(wide);
}

static long number_behind(const char *from, const char *end, const char *key) {
    const char *at = find(from, end, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

/* An update behind the end of the file, as PDF knows it: another dictionary of information in place of cairo's. */
static void stamp_pdf(ns_bytes *out, file_bytes in, const ns_document *d) {
    char *end = in.data + in.size, *tail = in.size > 1024 ? end - 1024 : in.data,
         *trailer = find(tail, end, "trailer"), date[32];
    long info = number_behind(trailer, end, "/Info "), root = number_behind(trailer, end, "/Root "),
         size = number_behind(trailer, end, "/Size "),
         table = number_behind(trailer, end, "startxref\n");
    static const char key[] = "/CreationDate (D:";
    char *created = in.data;
    for (char *at; (at = find(created, end, key));) created = at + sizeof key - 1;
    if (!trailer || info < 0 || root < 0 || size < 0 || table < 0 || created == in.data) {
        ns_bytes_add(out, in.data, in.size);
        return;
    }
    ns_document_date(d, date); /* "2001-09-09T01:46:40Z" to "20010909014640" */
    char digits[15] = "", *next = digits;
    for (const char *c = date; *c && next < digits + 14; c++)
        if (*c >= '0' && *c <= '9') *next++ = *c;
    memcpy(created, digits, 14);
    ns_bytes_add(out, in.data, in.size);
    size_t object = out->size;
    ns_bytes_print(out, "%ld 0 obj\n<< /Producer (cairo, gnuplot)\n", info);
    ns_bytes_print(out, "   /Creator (normscope " NS_VERSION ")\n");
    ns_bytes_print(out, "   /CreationDate (D:%sZ)\n   /ModDate (D:%sZ)\n", digits, digits);
    add_pdf_text(out, "Title", d->title);
    add_pdf_text(out, "Subject", d->command_line);
    add_pdf_text(out, "Keywords", d->source);
    ns_bytes_print(out, ">>\nendobj\n");
    size_t update = out->size;
    ns_bytes_print(out, "xref\n%ld 1\n%010zu 00000 n \ntrailer\n<< /Size %ld\n", info, object,
                   size);
    ns_bytes_print(out, "   /Root %ld 0 R\n   /Info %ld 0 R\n   /Prev %ld\n>>\n", root, info,
                   table);
    ns_bytes_print(out, "startxref\n%zu\n%%%%EOF\n", update);
}

static void add_comment(ns_bytes *out, const char *key, const char *text) {
    char line[240];
    if (!text || !*text) return;
    snprintf(line, sizeof line, "%%%%%s: %s", key, text);
    for (char *c = line; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    ns_bytes_print(out, "%s\n", line);
}

static void stamp_eps(ns_bytes *out, file_bytes in, const ns_document *d) {
    char *end = in.data + in.size, *date = find(in.data, end, "\n%%CreationDate: "),
         *behind = date ? find(date + 1, end, "\n") : NULL,
         *head = behind ? find(behind, end, "\n%%EndComments") : NULL, text[32];
    if (!head) {
        ns_bytes_add(out, in.data, in.size);
        return;
    }
    ns_bytes_add(out, in.data, (size_t)(date - in.data));
    ns_bytes_print(out, "\n%%%%CreationDate: %s", ns_document_date(d, text));
    ns_bytes_add(out, behind, (size_t)(head + 1 - behind));
    add_comment(out, "Title", d->title);
    add_comment(out, "NormscopeVersion", NS_VERSION);
    add_comment(out, "NormscopeCommand", d->command_line);
    add_comment(out, "NormscopeSource", d->source);
    ns_bytes_add(out, head + 1, (size_t)(end - head - 1));
}

/* Copies with the prefix before every id, and before what refers to one; of text between tags, only "]]>" is changed, which gnuplot lets
 * stand and XML does not. */
static void add_prefixed(ns_bytes *out, const char *from, const char *end, const char *prefix) {
    static const char *const before[] = {" id='", " id=\"", "href='#", "href=\"#", "url(#"};
    bool tag = false;
    const char *copied = from;
    for (const char *at = from; at < end; at++) {
        if (!tag && end - at > 2 && !memcmp(at, "]]>", 3)) {
            ns_bytes_add(out, copied, (size_t)(at + 2 - copied));
            ns_bytes_print(out, "&gt;");
            copied = at + 3;
        }
        if (*at == '<' || *at == '>') tag = *at == '<';
        for (size_t k = 0; tag && k < sizeof before / sizeof *before; k++) {
            size_t length = strlen(before[k]);
            if ((size_t)(end - at) < length || memcmp(at, before[k], length) != 0) continue;
            ns_bytes_add(out, copied, (size_t)(at + length - copied));
            ns_bytes_print(out, "%s-", prefix);
            copied = at + length;
        }
    }
    ns_bytes_add(out, copied, (size_t)(end - copied));
}

static int stamp_svg(ns_bytes *out, file_bytes in, const ns_document *d, ns_error *err) {
    static const char title[] = "<title>Gnuplot</title>";
    char *end = in.data + in.size, *at = find(in.data, end, title), hex[NS_HASH_HEX];
    ns_hash *hash = ns_hash_begin(err);
    if (!hash) return NS_EFAIL;
    if (d->salt) ns_hash_add(hash, d->salt, strlen(d->salt));
    ns_hash_add(hash, in.data, in.size);
    ns_hash_end(hash, hex);
    char prefix[16];
    snprintf(prefix, sizeof prefix, "ns%.8s", hex);
    if (at) {
        ns_bytes_add(out, in.data, (size_t)(at - in.data));
        ns_svg_about(out, d);
    }
    add_prefixed(out, at ? at + sizeof title - 1 : in.data, end, prefix);
    return NS_OK;
}

int ns_gnuplot_stamp(const char *path, const ns_gnuplot_terminal *terminal,
                     const ns_document *document, ns_error *err) {
    file_bytes in = {0};
    ns_bytes out = {0};
    ns_output file = {0};
    int status = ns_read_text(&in.data, &in.size, path, MOST_BYTES, err);
    if (status) return status;
    if (!strcmp(terminal->ending, "png"))
        stamp_png(&out, in, document);
    else if (!strcmp(terminal->ending, "pdf"))
        stamp_pdf(&out, in, document);
    else if (!strcmp(terminal->ending, "eps"))
        stamp_eps(&out, in, document);
    else
        status = stamp_svg(&out, in, document, err);
    if (!status) status = ns_output_open(&file, path, true, err);
    if (!status) status = ns_bytes_write(&out, file.file, err);
    if (!status) status = ns_output_commit(&file, err);
    ns_output_drop(&file);
    free(out.data);
    free(in.data);
    return status;
}
