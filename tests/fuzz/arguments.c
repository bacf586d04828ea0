/* The command line's parser: each line of the input is an argument. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/image.h"
#include "probe/base/cli.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 16 };

static const ns_command command = {
    .name = "try", .group = "Test", .summary = "s", .usage = "[options] FILE..."};

static void parse(int argc, char **argv) {
    bool flag = false;
    int64_t whole = 0;
    double real = 0;
    const char *text = NULL;
    int choice = 0;
    ns_list list = {0}, rest;
    const ns_option options[] = {
        {"flag", 'f', NS_OPT_FLAG, &flag, NULL, "a flag", NULL, 0, 0},
        {"whole", 'w', NS_OPT_INT, &whole, "N", "a number", NULL, 1, 10},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "More", NULL, 0, 0},
        {"real", 'r', NS_OPT_REAL, &real, "X", "a number", NULL, 0, 0},
        {"text", 0, NS_OPT_TEXT, &text, "T", "text", NULL, 0, 0},
        {"choice", 'c', NS_OPT_CHOICE, &choice, "red|green|blue", "one", NULL, 0, 0},
        {"list", 'l', NS_OPT_LIST, &list, "L", "many", NULL, 0, 0},
        {0},
    };
    ns_error err = {0};
    if (ns_cli_parse(&command, options, argc, argv, 0, 4, &rest, &err) == NS_OK)
        ns_list_free(&rest);
    ns_list_free(&list);
    free(ns_command_line(argc, argv, &err));
}

static void fuzz_one(const uint8_t *data, size_t size) {
    char *words = calloc(size + 1, 1), *argv[MOST + 1] = {(char[]){"try"}};
    int argc = 1;
    if (!words) abort();
    if (size) memcpy(words, data, size);
    for (char *at = words; at && argc < MOST;) {
        char *next = strchr(at, '\n');
        if (next) *next++ = 0;
        /* The help goes to stdout, where it would only be in the way. */
        if (strcmp(at, "-h") != 0 && strcmp(at, "--help") != 0) argv[argc++] = at;
        at = next;
    }
    parse(argc, argv);
    ns_error err = {0};
    float numbers[4];
    for (int i = 1; i < argc; i++) ns_image_numbers("--mean", argv[i], 3, numbers, &err);
    free(words);
}
NS_FUZZ("arguments")
