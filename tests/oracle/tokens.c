/* Tokens of texts, for scripts/oracle_tokens.py.
 *
 * usage: oracle-tokens TOKENIZER [offsets|time|gguf]
 *
 * Reads records from stdin, each four bytes of size (little-endian) and so many bytes of text, and prints a line for each: its ids, with
 * the template; with `offsets` each as id:begin:end; a text that fails is "error: ...". With `time` all records are read first and the
 * processor seconds that their tokens take are printed alone. TOKENIZER is a folder, a file, or with `gguf` the metadata of one as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datasets/tokenizers/tokenizer.h"

static int open_it(ns_tokenizer **out, const char *path, bool gguf, ns_error *err) {
    if (!gguf) return ns_tokenizer_open(out, path, err);
    json_t *metadata = json_load_file(path, JSON_ALLOW_NUL, NULL);
    int status = ns_tokenizer_open_gguf(out, metadata, path, err);
    json_decref(metadata);
    return status;
}

/* The next record, NULL at the end; the caller frees it. */
static char *next(size_t *size) {
    unsigned char n[4];
    if (fread(n, 1, 4, stdin) != 4) return NULL;
    *size = n[0] | (size_t)n[1] << 8 | (size_t)n[2] << 16 | (size_t)n[3] << 24;
    char *text = malloc(*size + 1);
    if (!text || fread(text, 1, *size, stdin) != *size) abort();
    return text;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    const char *how = argc > 2 ? argv[2] : "";
    bool offsets = strstr(how, "offsets"), timed = strstr(how, "time");
    double spent = 0;
    ns_tokenizer *t = NULL;
    ns_error err = {0};
    if (argc < 2 || open_it(&t, argv[1], strstr(how, "gguf"), &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 3;
    }
    size_t size;
    for (char *text; (text = next(&size)); free(text)) {
        ns_tokens tokens;
        double begin = seconds();
        int status = ns_tokenizer_encode(t, text, size, true, &tokens, &err);
        spent += seconds() - begin;
        if (status) printf("error: %s", err.message);
        for (size_t i = 0; i < tokens.count && !timed; i++) {
            printf("%s%d", i ? " " : "", tokens.ids[i]);
            if (offsets) printf(":%zu:%zu", tokens.begin[i], tokens.end[i]);
        }
        if (!timed) putchar('\n');
        ns_tokens_free(&tokens);
    }
    if (timed) printf("%.6f\n", spent);
    ns_tokenizer_close(t);
    return 0;
}
