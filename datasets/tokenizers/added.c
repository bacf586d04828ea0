/* Added tokens: the leftmost longest at each place, from a trie. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/added.h"
#include "datasets/tokenizers/classes.h"
#include "datasets/tokenizers/trie.h"
#include "probe/base/mem.h"

/* A text of so long tokens' beginnings alone takes so many steps a byte. */
enum { LONGEST = 512 };

typedef struct flags {
    bool single_word, lstrip, rstrip, normalized;
} flags;

typedef struct token {
    char *text; /* as it is looked for; owned */
    size_t size;
    int32_t id;
    flags flags;
} token;

struct ns_added {
    token *tokens; /* [count] */
    size_t count, room;
    ns_vocabulary *words;
    ns_trie
        *tries[2]; /* of tokens in text as it is, and in normalized text; NULL: there are none */
    bool first[2][256]; /* whether one begins with that byte */
};

void ns_added_free(ns_added *a) {
    if (!a) return;
    for (size_t i = 0; i < a->count; i++) free(a->tokens[i].text);
    free(a->tokens);
    ns_vocabulary_free(a->words);
    for (int k = 0; k < 2; k++) ns_trie_free(a->tries[k]);
    free(a);
}

const ns_vocabulary *ns_added_words(const ns_added *added) {
    return added->words;
}

/* Keeps a token; `text`, which it takes over, is what is looked for. */
static int keep(ns_added *a, char *text, size_t size, int32_t id, flags f, ns_error *err) {
    if (a->count == a->room) {
        size_t room = 2 * a->room + 16;
        token *grown = ns_realloc(a->tokens, room, sizeof *grown, err);
        if (!grown) {
            free(text);
            return NS_EFAIL;
        }
        a->tokens = grown;
        a->room = room;
    }
    a->tokens[a->count++] = (token){text, size, id, f};
    return NS_OK;
}

/* The word as the normalizers leave it, to be freed. */
static int normalized_word(const ns_steps *normalizers, const char *word, size_t *size, char **out,
                           ns_error *err) {
    ns_flow flow = {0};
    int status = ns_flow_begin(&flow, word, *size, err);
    if (!status) status = ns_normalizers_apply(normalizers, &flow, err);
    *out = status ? NULL : ns_calloc(flow.size + 1, 1, err);
    if (!status && !*out) status = NS_EFAIL;
    if (!status && flow.size) memcpy(*out, flow.bytes, flow.size);
    *size = flow.size;
    ns_flow_end(&flow);
    return status;
}

static int add_token(ns_added *a, const ns_node *node, const ns_vocabulary *words,
                     const ns_steps *normalizers) {
    const char *word = NULL;
    size_t size = 0;
    int64_t id = -1;
    flags f = {false, false, false, true};
    bool special = false;
    int status = ns_node_keys(node, "id|content|single_word|lstrip|rstrip|normalized|special");
    if (!status) status = ns_node_text(node, "content", &word, &size);
    if (!status) status = ns_node_int(node, "id", 0, NS_VOCABULARY_MOST - 1, &id);
    if (!status) status = ns_node_flag(node, "single_word", &f.single_word);
    if (!status) status = ns_node_flag(node, "lstrip", &f.lstrip);
    if (!status) status = ns_node_flag(node, "rstrip", &f.rstrip);
    if (!status) status = ns_node_flag(node, "special", &special);
    f.normalized = !special;
    if (!status) status = ns_node_flag(node, "normalized", &f.normalized);
    if (status) return status;
    if (!word || id < 0) return ns_node_refuse(node, "a content and an id");
    if (!size) return NS_OK;
    int32_t had = ns_vocabulary_find(words, word, size);
    if (had >= 0) id = had;
    status = ns_vocabulary_add(a->words, word, size, (int32_t)id, node->err);
    char *text = NULL;
    if (!status)
        status = normalized_word(f.normalized ? normalizers : &(ns_steps){0}, word, &size, &text,
                                 node->err);
    if (status) return status;
    if (size > LONGEST) {
        free(text);
        return ns_node_refuse(node, "a content of at most 512 bytes");
    }
    return keep(a, text, size, (int32_t)id, f, node->err);
}

/* The trie of one of the two sorts; of one word that came twice the last counts. */
static int make_trie(ns_added *a, bool normalized, ns_error *err) {
    size_t bytes = 0;
    for (size_t i = 0; i < a->count; i++)
        if (a->tokens[i].flags.normalized == normalized) bytes += a->tokens[i].size;
    ns_trie_free(a->tries[normalized]);
    a->tries[normalized] = NULL;
    if (!bytes) return NS_OK;
    ns_trie *trie = a->tries[normalized] = ns_trie_new(bytes, err);
    int status = trie ? NS_OK : NS_EFAIL;
    for (size_t i = 0; i < a->count && !status; i++) {
        const token *t = &a->tokens[i];
        if (t->flags.normalized != normalized || !t->size) continue;
        a->first[normalized][(unsigned char)t->text[0]] = true;
        status = ns_trie_add(trie, t->text, t->size, (int32_t)i, err);
    }
    return status;
}

int ns_added_open(ns_added **out, const ns_node *list, const ns_vocabulary *words,
                  const ns_steps *normalizers) {
    ns_added *a = *out = ns_calloc(1, sizeof *a, list->err);
    if (!a || !(a->words = ns_vocabulary_new(list->err))) return NS_EFAIL;
    if (ns_node_empty(list)) return NS_OK;
    if (!json_is_array(list->json)) return ns_node_refuse(list, "a list");
    int status = NS_OK;
    for (size_t i = 0; i < json_array_size(list->json) && !status; i++) {
        ns_node item = ns_node_item(list, i);
        status = add_token(a, &item, words, normalizers);
    }
    for (int k = 0; k < 2 && !status; k++) status = make_trie(a, k, list->err);
    return status;
}

/* Where the spaces before bytes[at] begin, no further left than `least`; where those behind it end. */
static size_t spaces_before(const ns_flow *flow, size_t least, size_t at) {
    while (at > least) {
        size_t before = at;
        if (!ns_is_space(ns_utf8_before(flow->bytes, &before))) break;
        at = before;
    }
    return at;
}

static size_t spaces_behind(const ns_flow *flow, size_t at, size_t end) {
    while (at < end) {
        size_t behind = at;
        if (!ns_is_space(ns_utf8_next(flow->bytes, &behind))) break;
        at = behind;
    }
    return at;
}

static bool stands_alone(const ns_flow *flow, size_t begin, size_t end, size_t from, size_t to) {
    size_t before = from, behind = to;
    return (from == begin || !ns_is_word(ns_utf8_before(flow->bytes, &before))) &&
           (to == end || !ns_is_word(ns_utf8_next(flow->bytes, &behind)));
}

int ns_added_cut(const ns_added *a, bool normalized, const ns_flow *flow, size_t begin, size_t end,
                 ns_cuts *cuts, ns_error *err) {
    const ns_trie *trie = a->tries[normalized];
    const bool *first = a->first[normalized];
    size_t done = begin;
    int status = NS_OK;
    for (size_t at = begin; at < end && trie && !status;) {
        size_t length = 0;
        int32_t found =
            first[(unsigned char)flow->bytes[at]]
                ? ns_trie_longest(trie, NS_TRIE_ROOT, flow->bytes + at, end - at, &length)
                : -1;
        if (found < 0) {
            at++;
            continue;
        }
        const token *t = &a->tokens[found];
        size_t from = at, to = at + length;
        at = to; /* the search goes on behind the token itself, also where it took spaces */
        if (t->flags.single_word && !stands_alone(flow, begin, end, from, to)) continue;
        if (t->flags.lstrip) from = spaces_before(flow, done, from);
        if (t->flags.rstrip) to = spaces_behind(flow, to, end);
        status = ns_cuts_add(cuts, done, from, -1, err);
        if (!status) status = ns_cuts_add(cuts, from, to, t->id, err);
        done = to;
    }
    return status ? status : ns_cuts_add(cuts, done, end, -1, err);
}
