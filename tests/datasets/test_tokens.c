/* Ids of tokens against Hugging Face's package: the tokenizers, texts and answers of tests/golden/tokens, made by scripts/oracle_tokens.py. */
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/tokenizer.h"
#include "probe/base/io.h"
#include "tests/runner.h"

#define GOLDEN "tests/golden/tokens/"

/* The ids of a line of numbers against tokens. */
static void compare(const char *name, int line, const char *ids, const ns_tokens *tokens,
                    size_t text_size) {
    size_t count = 0;
    if (*ids == '?') return; /* nobody knows */
    while (*ids && *ids != '\n') {
        char *end;
        long id = strtol(ids, &end, 10);
        if (count >= tokens->count || tokens->ids[count] != id)
            fail_msg("%s: text %d: token %zu: expected %ld, found %d", name, line, count, id,
                     count < tokens->count ? tokens->ids[count] : -1);
        if (tokens->begin[count] > tokens->end[count] || tokens->end[count] > text_size)
            fail_msg("%s: text %d: token %zu lies outside", name, line, count);
        count++;
        ids = *end == ' ' ? end + 1 : end;
    }
    if (count != tokens->count)
        fail_msg("%s: text %d: expected %zu tokens, found %zu", name, line, count, tokens->count);
}

/* A tokenizer.json, or a GGUF file's metadata as JSON. */
static ns_tokenizer *open_one(const char *path) {
    ns_error err = {0};
    ns_tokenizer *t = NULL;
    json_t *metadata = strstr(path, ".gguf") ? json_load_file(path, 0, NULL) : NULL;
    if (metadata ? ns_tokenizer_open_gguf(&t, metadata, path, &err)
                 : ns_tokenizer_open(&t, path, &err))
        fail_msg("%s", err.message);
    json_decref(metadata);
    return t;
}

static void check_one(const char *json, const char *texts, size_t size) {
    char path[300], *answers;
    size_t answers_size;
    ns_error err = {0};
    ns_tokenizer *t = open_one(json);
    snprintf(path, sizeof path, "%.*sids", (int)(strlen(json) - 4), json);
    assert_int_equal(ns_read_text(&answers, &answers_size, path, 1 << 24, &err), NS_OK);
    const char *line = answers;
    int lines = 0;
    for (size_t at = 0; at + 4 <= size; lines++) {
        const unsigned char *n = (const unsigned char *)texts + at;
        size_t length = n[0] | (size_t)n[1] << 8 | (size_t)n[2] << 16;
        ns_tokens tokens;
        if (ns_tokenizer_encode(t, texts + at + 4, length, true, &tokens, &err))
            fail_msg("%s: text %d: %s", json, lines, err.message);
        compare(json, lines, line, &tokens, length);
        ns_tokens_free(&tokens);
        line = strchr(line, '\n');
        assert_non_null(line++);
        at += 4 + length;
    }
    assert_true(lines > 50);
    free(answers);
    ns_tokenizer_close(t);
}

static void ids_of_small_tokenizers(void **state) {
    (void)state;
    glob_t found;
    char *texts;
    size_t size;
    ns_error err = {0};
    assert_int_equal(ns_read_text(&texts, &size, GOLDEN "texts.bin", 1 << 24, &err), NS_OK);
    assert_int_equal(glob(GOLDEN "*.json", 0, NULL, &found), 0);
    assert_int_equal(glob(GOLDEN "*.gguf", GLOB_APPEND, NULL, &found), 0);
    assert_true(found.gl_pathc > 15);
    for (size_t i = 0; i < found.gl_pathc; i++) check_one(found.gl_pathv[i], texts, size);
    globfree(&found);
    free(texts);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(ids_of_small_tokenizers)};
NS_TESTS("tokens", tests)
