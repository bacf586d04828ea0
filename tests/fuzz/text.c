/* Text, plain or gzip, as bytes and as characters; and as a vocabulary that other text is read by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/text.h"
#include "tests/fuzz/fuzz.h"

static void open_with(const char *path, const char *vocabulary) {
    const ns_text_shape shape = {.length = 3, .vocabulary = vocabulary, .padding = -1};
    ns_error err = {0};
    ns_dataset *text = NULL;
    if (ns_dataset_open_words(&text, path, NULL, &shape, &err) != NS_OK) return;
    int32_t tokens[3];
    if (ns_dataset_words(text, &(int64_t){text->count - 1}, 1, tokens, &err) == NS_OK)
        for (int i = 0; i < 3; i++)
            if (!(tokens[i] >= 0 && tokens[i] < text->classes)) abort();
    ns_dataset_close(text);
}

/* Lines, paragraphs and files, cut to four tokens or filled up. */
static void split(const char *path, ns_text_split how) {
    const ns_text_shape shape = {.length = 4, .padding = -1, .split = how};
    ns_error err = {0};
    ns_dataset *text = NULL;
    if (ns_dataset_open_words(&text, path, NULL, &shape, &err) != NS_OK) return;
    int32_t tokens[4];
    if (text->text.length > 4 || text->count < 1) abort();
    for (int64_t s = 0; s < text->count; s += text->count / 3 + 1)
        if (ns_dataset_words(text, &s, 1, tokens, &err) != NS_OK || tokens[0] < 0 ||
            !text->kind->sample_name(text, s))
            abort();
    ns_dataset_close(text);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    char path[128], *characters = NULL, *words = malloc(size + 1);
    ns_error err = {0};
    if (!words) abort();
    snprintf(path, sizeof path, "%s", ns_fuzz_file("text.txt", data, size));
    memcpy(words, data, size);
    words[size] = 0;
    open_with(path, NULL);
    for (int how = NS_SPLIT_LINE; how <= NS_SPLIT_FILE; how++) split(path, (ns_text_split)how);
    /* A table of all code points takes most of the time, so one of the two. A file's own characters read the whole of it. */
    if (size % 2)
        open_with(path, words);
    else if (ns_text_vocabulary(path, &characters, &err) == NS_OK) {
        const ns_text_shape shape = {.length = 1, .vocabulary = characters, .padding = -1};
        ns_dataset *text = NULL;
        if (*characters && ns_dataset_open_words(&text, path, NULL, &shape, &err) != NS_OK) abort();
        ns_dataset_close(text);
    }
    free(characters);
    free(words);
}
NS_FUZZ("text")
NS_FUZZ_MUTATOR(ns_fuzz_gzip)
