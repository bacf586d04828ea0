/* TemplateProcessing: "[CLS] $A [SEP]". What it says of pairs of texts is left out. */
#include <string.h>

#include "datasets/tokenizers/posts/posts.h"

/* Adds the ids of a special token, which the node lists under "ids". */
static int add_ids(ns_template *template, bool after, const ns_node *token) {
    ns_node ids = ns_node_under(token, "ids");
    if (!json_is_array(ids.json)) return ns_node_refuse(&ids, "a list of ids");
    int status = NS_OK;
    for (size_t i = 0; i < json_array_size(ids.json) && !status; i++) {
        ns_node id = ns_node_item(&ids, i);
        if (!json_is_integer(id.json)) return ns_node_refuse(&id, "an id");
        status = ns_template_add(template, after, json_integer_value(id.json), &id);
    }
    return status;
}

/* One piece of the template: the text, which *seen remembers, or a token. */
static int add_piece(ns_template *template, const ns_node *node, const ns_node *tokens,
                     bool *seen) {
    ns_node text = ns_node_under(node, "Sequence"), token = ns_node_under(node, "SpecialToken");
    const char *name = NULL;
    size_t size;
    if (text.json) {
        int status = ns_node_text(&text, "id", &name, &size);
        if (status) return status;
        if (!name || strcmp(name, "A") != 0 || *seen)
            return ns_node_refuse(node, "the text \"A\" once");
        *seen = true;
        return NS_OK;
    }
    if (!token.json) return ns_node_refuse(node, "a Sequence or a SpecialToken");
    int status = ns_node_text(&token, "id", &name, &size);
    if (status) return status;
    ns_node entry = ns_node_under(tokens, name ? name : "");
    if (!entry.json) return ns_node_refuse(&token, "one of the special_tokens");
    return add_ids(template, *seen, &entry);
}

static int open_template(ns_template *template, const ns_node *node) {
    ns_node single = ns_node_under(node, "single"), tokens = ns_node_under(node, "special_tokens");
    bool seen = false;
    int status = ns_node_keys(node, "type|single|pair|special_tokens");
    if (!status && !json_is_array(single.json)) return ns_node_refuse(&single, "a list");
    if (!status && (template->before_count || template->after_count))
        return ns_node_refuse(node, "one template and no other");
    for (size_t i = 0; i < json_array_size(single.json) && !status; i++) {
        ns_node piece = ns_node_item(&single, i);
        status = add_piece(template, &piece, &tokens, &seen);
    }
    return status || seen ? status : ns_node_refuse(&single, "the text \"A\" in it");
}

const ns_post_kind ns_post_template = {"TemplateProcessing", open_template};
