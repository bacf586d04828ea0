/* Tokenizers: what is said of files that are damaged or not understood, roles, places and texts of tokens. Ids against those of
 * Hugging Face's package: test_tokens.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/tokenizer.h"
#include "tests/runner.h"

static const char *put(const char *folder, const char *name, const char *text) {
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    return path;
}

static void bert_words_of_a_folder(void **state) {
    (void)state;
    const char *folder = ns_tests_folder();
    ns_error err = {0};
    ns_tokenizer *t = NULL;
    assert_false(ns_tokenizer_is_there(folder));
    assert_int_equal(ns_tokenizer_open(&t, folder, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "expected a tokenizer"));
    put(folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##able\n##s\nat\n!\n");
    assert_true(ns_tokenizer_is_there(folder));
    assert_int_equal(ns_tokenizer_open(&t, folder, &err), NS_OK);
    assert_int_equal(ns_tokenizer_size(t), 9);
    assert_int_equal(ns_tokenizer_role(t, NS_TOKEN_PAD), 0);
    assert_int_equal(ns_tokenizer_role(t, NS_TOKEN_CLS), 2);
    assert_int_equal(ns_tokenizer_role(t, NS_TOKEN_BOS), -1);

    /* The accent goes, the word outside the vocabulary is unknown, the byte that begins no character too. */
    static const char text[] = "Unables\xcc\x81  \xc3\x81t! [SEP] nope\xff";
    static const int32_t ids[] = {2, 4, 5, 6, 7, 8, 3, 1, 3};
    static const size_t begin[] = {0, 0, 2, 6, 11, 14, 16, 22, 0},
                        end[] = {0, 2, 6, 7, 14, 15, 21, 26, 0};
    ns_tokens tokens;
    assert_int_equal(ns_tokenizer_encode(t, text, sizeof text - 1, true, &tokens, &err), NS_OK);
    assert_int_equal(tokens.count, 9);
    for (size_t i = 0; i < tokens.count; i++) {
        assert_int_equal(tokens.ids[i], ids[i]);
        assert_int_equal(tokens.begin[i], begin[i]);
        assert_int_equal(tokens.end[i], end[i]);
    }
    ns_tokens_free(&tokens);
    assert_int_equal(ns_tokenizer_encode(t, "", 0, false, &tokens, &err), NS_OK);
    assert_int_equal(tokens.count, 0);
    ns_tokens_free(&tokens);

    char *word = ns_tokenizer_text(t, 5, &err);
    assert_string_equal(word, "##able");
    free(word);
    assert_null(ns_tokenizer_text(t, 9, &err));
    assert_null(ns_tokenizer_text(t, -1, &err));
    ns_tokenizer_close(t);
    ns_tokenizer_close(NULL);
}

/* The file, and what the message must say. */
static const struct {
    const char *json, *message;
} refused[] = {
    {"{", "tokenizer.json:1: expected JSON"},
    {"[]", "expected an object, found []"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}, \"odd\": 1}", "found 'odd'"},
    {"{\"model\": {\"type\": \"Letters\"}}", "model: type: expected one of"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": -1}}}",
     "model: vocab: expected ids"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 99999999}}}", "found 99999999"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}}", "expected a word at least"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}, \"unk\": 0}}", "found 'unk'"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}},"
     " \"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}}",
     "pre_tokenizer: type: expected one of"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}},"
     " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Shout\"}]}}",
     "normalizer: normalizers: 0: type: expected one of"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}},"
     " \"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": 3}}",
     "lowercase: expected true or false, found 3"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}},"
     " \"added_tokens\": [{\"id\": 1, \"content\": 4}]}",
     "added_tokens: 0: content: expected text, found 4"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}},"
     " \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\":"
     " {\"id\": \"[CLS]\"}}], \"special_tokens\": {}}}",
     "expected one of the special_tokens"},
};

static void refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *path = put(ns_tests_folder(), "tokenizer.json", refused[i].json);
        ns_error err = {0};
        ns_tokenizer *t = NULL;
        assert_int_equal(ns_tokenizer_open(&t, path, &err), NS_EINPUT);
        assert_null(t);
        if (!strstr(err.message, refused[i].message))
            fail_msg("%s: expected '%s' in '%s'", refused[i].json, refused[i].message, err.message);
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(bert_words_of_a_folder),
                                          cmocka_unit_test(refused_by_name)};
NS_TESTS("tokenizer", tests)
