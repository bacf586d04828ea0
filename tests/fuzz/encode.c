/* Texts through the tokenizers of tests/golden/tokens; the first byte chooses one. */
#include <glob.h>
#include <stdlib.h>

#include "datasets/tokenizers/tokenizer.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 64 };
static ns_tokenizer *tokenizers[MOST];
static size_t count;

static void close_all(void) {
    for (size_t i = 0; i < count; i++) ns_tokenizer_close(tokenizers[i]);
}

static void open_all(void) {
    glob_t found;
    ns_error err = {0};
    if (glob("tests/golden/tokens/*.json", 0, NULL, &found) != 0) abort();
    for (; count < found.gl_pathc && count < MOST; count++)
        if (ns_tokenizer_open(&tokenizers[count], found.gl_pathv[count], &err)) abort();
    globfree(&found);
    atexit(close_all);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    ns_error err = {0};
    ns_tokens tokens;
    if (!count) open_all();
    if (!size) return;
    const ns_tokenizer *t = tokenizers[data[0] % count];
    if (ns_tokenizer_encode(t, (const char *)data + 1, size - 1, data[0] & 1, &tokens, &err))
        return;
    for (size_t i = 0; i < tokens.count; i++)
        if (tokens.ids[i] < 0 || tokens.ids[i] >= ns_tokenizer_size(t) ||
            tokens.begin[i] > tokens.end[i] || tokens.end[i] > size - 1)
            abort();
    ns_tokens_free(&tokens);
}
NS_FUZZ("encode")
