/* What stands on a command line: patterns of names, lists of layers, numbers. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/cli.h"
#include "probe/norms/site.h"
#include "tests/fuzz/fuzz.h"

static ns_site sites[] = {{.index = 1, .name = "blocks.0.norm1"},
                          {.index = 2, .name = "blocks.10.norm2"},
                          {.index = 3, .name = "norm"}};

static const ns_site *site_at(const void *user, int i) {
    (void)user;
    return &sites[i];
}

static void fuzz_one(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    if (!text) abort();
    memcpy(text, data, size);
    text[size] = 0;
    const char *one = text;
    bool wanted[3];
    ns_error err = {0};
    const ns_selection by_name = {.select = &one, .select_count = 1},
                       without = {.exclude = &one, .exclude_count = 1},
                       by_number = {.layers = text};
    ns_select_sites(&by_name, 3, site_at, NULL, wanted, &err);
    ns_select_sites(&without, 3, site_at, NULL, wanted, &err);
    ns_select_sites(&by_number, 3, site_at, NULL, wanted, &err);
    int *numbers = NULL, count = 0;
    if (ns_parse_numbers(text, 1, 1000, &numbers, &count, &err) == NS_OK) free(numbers);
    free(text);
}
NS_FUZZ("words")
