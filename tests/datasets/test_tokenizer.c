/* Tokenizers: what is said of files that are damaged or not understood, roles, places and texts of tokens. Ids against those of
 * Hugging Face's package: test_tokens.c. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* ---- texts and patterns that would take for ever ---- */

static ns_tokenizer *open_text(const char *json) {
    ns_error err = {0};
    ns_tokenizer *t = NULL;
    if (ns_tokenizer_open(&t, put(ns_tests_folder(), "tokenizer.json", json), &err))
        fail_msg("%s", err.message);
    return t;
}

/* One word of ten million letters (two for all but BPE), through every kind of segmenter: the time limit of the test is generous to sanitizers, and a step
 * that grows as the square takes days. */
static void one_long_word(void **state) {
    enum { LONG = 10000000, SHORTER = 2000000, MOST_SECONDS = 120 };
    static const char *const kinds[] = {
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"aa\": 2, \"aaaa\": 3, "
        "\"ab\": 4, \"aaaaaaaa\": 5},"
        " \"merges\": [\"a a\", \"aa aa\", \"a b\", \"aaaa aaaa\"]}}",
        "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"?\", 0], [\"a\", -1], "
        "[\"aa\", -1.5],"
        " [\"aaaaaaaaaaaaaaaa\", -9]]}}",
        "{\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"?\", \"max_input_chars_per_word\": "
        "100000000,"
        " \"vocab\": {\"?\": 0, \"a\": 1, \"##a\": 2, \"##aa\": 3, \"##b\": 4}}}",
        ("{\"model\": {\"type\": \"GGUF llama\", \"unk_id\": 0, \"vocab\": [[\"?\", 0], [\"a\", "
         "-1], [\"aa\", -2], [\"aaaa\", -3]]}}"),
    };
    (void)state;
    char *text = malloc(LONG);
    assert_non_null(text);
    for (size_t i = 0; i < LONG; i++) text[i] = i % 997 != 996 ? 'a' : 'b';
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        ns_tokenizer *t = open_text(kinds[k]);
        size_t size = k ? SHORTER : LONG;
        ns_tokens tokens;
        ns_error err = {0};
        clock_t begin = clock();
        if (ns_tokenizer_encode(t, text, size, false, &tokens, &err)) fail_msg("%s", err.message);
        assert_true(clock() - begin < (clock_t)MOST_SECONDS * CLOCKS_PER_SEC);
        assert_true(tokens.count > size / 17);
        assert_int_equal(tokens.end[tokens.count - 1], size);
        for (size_t i = 1; i < tokens.count; i++)
            assert_int_equal(tokens.begin[i], tokens.end[i - 1]);
        ns_tokens_free(&tokens);
        ns_tokenizer_close(t);
    }
    free(text);
}

/* A letter with a million accents in the wrong order. */
static void many_accents(void **state) {
    enum { MARKS = 1000000 };
    ns_tokenizer *t =
        open_text("{\"normalizer\": {\"type\": \"NFC\"}, \"model\": {\"type\": \"WordLevel\","
                  " \"unk_token\": \"?\", \"vocab\": {\"?\": 0}}}");
    char *text = malloc(2 * MARKS + 1);
    ns_tokens tokens;
    ns_error err = {0};
    (void)state;
    assert_non_null(text);
    text[0] = 'q';
    for (size_t i = 0; i < MARKS; i++) memcpy(text + 1 + 2 * i, i % 2 ? "\xcc\xa3" : "\xcc\x81", 2);
    assert_int_equal(ns_tokenizer_encode(t, text, 2 * MARKS + 1, false, &tokens, &err), NS_OK);
    assert_int_equal(tokens.count, 1);
    assert_true(tokens.begin[0] == 0 && tokens.end[0] >= 2 * MARKS - 1);
    ns_tokens_free(&tokens);
    ns_tokenizer_close(t);
    free(text);
}

static const char split_by[] =
    "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"%s\"}, \"behavior\": "
    "\"Isolated\", \"invert\": "
    "false}, \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"?\", \"vocab\": {\"?\": 0}}}";

static void patterns_that_run_away(void **state) {
    static const char *const patterns[] = {"(a+)+[bc]", "(a|a)*[bc]", "(?:a?){60}a{60}[xy]",
                                           "(.*)*(.*)*(.*)*[yz]"};
    char json[600], text[400];
    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        ns_tokens tokens;
        ns_error err = {0};
        snprintf(json, sizeof json, split_by, patterns[i]);
        ns_tokenizer *t = open_text(json);
        clock_t begin = clock();
        if (ns_tokenizer_encode(t, text, sizeof text, true, &tokens, &err) != NS_EINPUT)
            fail_msg("%s: expected a refusal", patterns[i]);
        assert_true(clock() - begin < (clock_t)60 * CLOCKS_PER_SEC);
        if (!strstr(err.message, "within its limits") || !strstr(err.message, patterns[i]))
            fail_msg("%s", err.message);
        ns_tokenizer_close(t);
    }
}

/* What Oniguruma and PCRE2 read differently, and what is too large. */
static void patterns_refused(void **state) {
    static const char *const patterns[] = {"\\\\h+",      "[a[bc]]",    "[a&&b]",  "\\\\p{N}{1,3}+",
                                           "[[:alpha:]]", "(?<n>a)",    "a\\\\Bb", "[^\\\\W]",
                                           "(?x)a b",     "(*COMMIT)a", "[a",      "(a",
                                           "\\\\p{Nope}", "a{,3}"};
    char json[600];
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        ns_tokenizer *t = NULL;
        ns_error err = {0};
        snprintf(json, sizeof json, split_by, patterns[i]);
        assert_int_equal(
            ns_tokenizer_open(&t, put(ns_tests_folder(), "tokenizer.json", json), &err), NS_EINPUT);
        if (!strstr(err.message, "pre_tokenizer: pattern: expected")) fail_msg("%s", err.message);
    }
}

/* ---- other forms ---- */

static void gpt2_and_roberta_of_a_folder(void **state) {
    const char *folder = ns_tests_folder();
    ns_tokenizer *t = NULL;
    ns_error err = {0};
    ns_tokens tokens;
    (void)state;
    put(folder, "vocab.json",
        "{\"h\": 0, \"i\": 1, \"\xc4\xa0\": 2, \"hi\": 3, \"\xc4\xa0hi\": 4, \"<s>\": 5,"
        " \"</s>\": 6, \"\xc3\xa2\": 7}");
    assert_int_equal(ns_tokenizer_open(&t, folder, &err), NS_EINPUT); /* no merges */
    put(folder, "merges.txt", "#version: 0.2\nh i\n\xc4\xa0 hi\n");
    assert_int_equal(ns_tokenizer_open(&t, folder, &err), NS_OK);
    assert_int_equal(ns_tokenizer_encode(t, "hi hi", 5, true, &tokens, &err), NS_OK);
    static const int32_t ids[] = {5, 3, 4, 6};
    assert_int_equal(tokens.count, 4);
    for (size_t i = 0; i < 4; i++) assert_int_equal(tokens.ids[i], ids[i]);
    assert_int_equal(tokens.begin[2], 3); /* RoBERTa's places leave the space out */
    ns_tokens_free(&tokens);
    char *word = ns_tokenizer_text(t, 4, &err), *part = ns_tokenizer_text(t, 7, &err);
    assert_string_equal(word, " hi");
    assert_string_equal(part, "<0xE2>");
    free(word);
    free(part);
    ns_tokenizer_close(t);

    put(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
    assert_int_equal(ns_tokenizer_open(&t, folder, &err), NS_OK);
    assert_int_equal(ns_tokenizer_encode(t, "hi", 2, true, &tokens, &err), NS_OK);
    assert_int_equal(tokens.count, 1);
    ns_tokens_free(&tokens);
    ns_tokenizer_close(t);
    put(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"CLIPTokenizer\"}");
    assert_int_equal(ns_tokenizer_open(&t, folder, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "'CLIPTokenizer'"));
}

static void gguf_refused_by_name(void **state) {
    static const struct {
        const char *json, *message;
    } bad[] = {
        {"{\"tokenizer.ggml.model\": \"rwkv\"}",
         "tokenizer.ggml.model: expected one of gpt2, llama, bert"},
        {"{\"tokenizer.ggml.model\": \"gpt2\"}",
         "tokenizer.ggml.tokens: expected a list, found nothing"},
        {"{\"tokenizer.ggml.model\": \"gpt2\", \"tokenizer.ggml.tokens\": [\"a\"], "
         "\"tokenizer.ggml.pre\": \"k\"}",
         "tokenizer.ggml.pre: expected one of default"},
        {"{\"tokenizer.ggml.model\": \"llama\", \"tokenizer.ggml.tokens\": [\"a\"]}",
         "tokenizer.ggml.scores: expected a list"},
        {"{\"tokenizer.ggml.model\": \"llama\", \"tokenizer.ggml.tokens\": [\"a\"], "
         "\"tokenizer.ggml.scores\": [0],"
         " \"tokenizer.ggml.bos_token_id\": 7}",
         "bos_token_id: expected a whole number from 0 to 0, found 7"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *metadata = json_loads(bad[i].json, 0, NULL);
        ns_error err = {0};
        ns_tokenizer *t = NULL;
        assert_non_null(metadata);
        assert_int_equal(ns_tokenizer_open_gguf(&t, metadata, "a.gguf", &err), NS_EINPUT);
        if (!strstr(err.message, bad[i].message)) fail_msg("%s", err.message);
        json_decref(metadata);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bert_words_of_a_folder), cmocka_unit_test(refused_by_name),
    cmocka_unit_test(one_long_word),          cmocka_unit_test(many_accents),
    cmocka_unit_test(patterns_that_run_away), cmocka_unit_test(patterns_refused),
    cmocka_unit_test(gguf_refused_by_name),   cmocka_unit_test(gpt2_and_roberta_of_a_folder)};
NS_TESTS("tokenizer", tests)
