/* A tokenizer's file: tokenizer.json, vocab.txt, vocab.json with merges.txt, or a GGUF file's metadata, by the first byte; and a text through it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static const char text[] = "Hello, w\xc3\xb6rld  \xe4\xbd\xa0\xe5\xa5\xbd e\xcc\x81 \xe2\x96\x81x "
                           "[SEP] it's 1234\n\xff\xe2\x96 <s>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void use(ns_tokenizer *t) {
    ns_error err = {0};
    ns_tokens tokens;
    if (ns_tokenizer_encode(t, text, sizeof text - 1, true, &tokens, &err) == NS_OK) {
        for (size_t i = 0; i < tokens.count; i++) {
            if (tokens.ids[i] < 0 || tokens.ids[i] >= ns_tokenizer_size(t) ||
                tokens.begin[i] > tokens.end[i] || tokens.end[i] > sizeof text - 1)
                abort();
            free(ns_tokenizer_text(t, tokens.ids[i], &err));
        }
        ns_tokens_free(&tokens);
    }
    for (int role = 0; role < NS_TOKEN_ROLES; role++)
        if (ns_tokenizer_role(t, (ns_token_role)role) >= ns_tokenizer_size(t)) abort();
    ns_tokenizer_close(t);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    static const char *const names[] = {"tokenizer.json", "vocab.txt", "vocab.json"};
    ns_error err = {0};
    ns_tokenizer *t = NULL;
    if (!size) return;
    int kind = data[0] % 4;
    data++;
    size--;
    if (kind == 3) {
        json_t *metadata = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
        if (ns_tokenizer_open_gguf(&t, metadata, "fuzz.gguf", &err) == NS_OK) use(t);
        json_decref(metadata);
        return;
    }
    ns_fuzz_clean();
    if (kind == 2) { /* the merges behind a line that ends the words */
        const uint8_t *line = memchr(data, '\n', size);
        size_t first = line ? (size_t)(line - data) : size;
        ns_fuzz_file("merges.txt", line ? line + 1 : data, line ? size - first - 1 : 0);
        size = first;
    }
    if (ns_tokenizer_open(&t, ns_fuzz_file(names[kind], data, size), &err) == NS_OK) use(t);
}
NS_FUZZ("tokenizer")
