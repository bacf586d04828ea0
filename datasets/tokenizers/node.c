/* A place in a JSON file: see node.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/node.h"

static void place(ns_node *node, const ns_node *above, const char *name) {
    const char *const parts[] = {above->at, *above->at ? ": " : "", name};
    size_t at = 0;
    for (size_t i = 0; i < 3; i++)
        for (const char *c = parts[i]; *c && at + 1 < sizeof node->at; c++) node->at[at++] = *c;
    node->at[at] = 0;
}

ns_node ns_node_under(const ns_node *node, const char *key) {
    ns_node under = {json_object_get(node->json, key), node->file, "", node->err};
    place(&under, node, key);
    return under;
}

ns_node ns_node_item(const ns_node *node, size_t i) {
    ns_node item = {json_array_get(node->json, i), node->file, "", node->err};
    char name[32];
    snprintf(name, sizeof name, "%zu", i);
    place(&item, node, name);
    return item;
}

bool ns_node_empty(const ns_node *node) {
    return !node->json || json_is_null(node->json);
}

int ns_node_refuse(const ns_node *node, const char *expected) {
    char *text = node->json ? json_dumps(node->json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *found = node->json ? text ? text : "something else" : "nothing";
    size_t size = strlen(found);
    int shown = size > 80 ? 80 : (int)size;
    ns_fail(node->err, NS_EINPUT, "%s: %s%sexpected %s, found %.*s%s", node->file, node->at,
            *node->at ? ": " : "", expected, shown, found, size > 80 ? "..." : "");
    free(text);
    return NS_EINPUT;
}

/* Whether `word` is one of "a|b|c"; its place, or -1. */
static int among(const char *words, const char *word) {
    size_t size = strlen(word);
    int place = 0;
    for (const char *at = words; at; place++) {
        const char *bar = strchr(at, '|');
        if ((bar ? (size_t)(bar - at) : strlen(at)) == size && !memcmp(at, word, size))
            return place;
        at = bar ? bar + 1 : NULL;
    }
    return -1;
}

int ns_node_keys(const ns_node *node, const char *known) {
    if (!json_is_object(node->json)) return ns_node_refuse(node, "an object");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)node->json, key, value) {
        if (among(known, key) < 0)
            return ns_fail(node->err, NS_EINPUT, "%s: %s: expected no key but %s, found '%s'",
                           node->file, node->at, known, key);
    }
    return NS_OK;
}

int ns_node_flag(const ns_node *node, const char *key, bool *value) {
    ns_node under = ns_node_under(node, key);
    if (ns_node_empty(&under)) return NS_OK;
    if (!json_is_boolean(under.json)) return ns_node_refuse(&under, "true or false");
    *value = json_is_true(under.json);
    return NS_OK;
}

int ns_node_int(const ns_node *node, const char *key, int64_t least, int64_t most, int64_t *value) {
    ns_node under = ns_node_under(node, key);
    if (ns_node_empty(&under)) return NS_OK;
    char expected[80];
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)least,
             (long long)most);
    if (!json_is_integer(under.json)) return ns_node_refuse(&under, expected);
    *value = json_integer_value(under.json);
    return *value < least || *value > most ? ns_node_refuse(&under, expected) : NS_OK;
}

int ns_node_text(const ns_node *node, const char *key, const char **value, size_t *size) {
    ns_node under = ns_node_under(node, key);
    if (ns_node_empty(&under)) return NS_OK;
    if (!json_is_string(under.json)) return ns_node_refuse(&under, "text");
    *value = json_string_value(under.json);
    *size = json_string_length(under.json);
    return NS_OK;
}

int ns_node_word(const ns_node *node, const char *key, const char *words, int *value) {
    ns_node under = ns_node_under(node, key);
    if (ns_node_empty(&under)) return NS_OK;
    const char *text = json_string_value(under.json);
    int place = text ? among(words, text) : -1;
    if (place < 0) {
        char expected[256];
        snprintf(expected, sizeof expected, "one of %s", words);
        return ns_node_refuse(&under, expected);
    }
    *value = place;
    return NS_OK;
}
