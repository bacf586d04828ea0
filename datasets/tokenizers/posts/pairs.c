/* BertProcessing and RobertaProcessing: a token before the text and one behind it; and ByteLevel, which adds none. */
#include "datasets/tokenizers/posts/posts.h"

/* ["[CLS]", 101] under a key. */
static int add_pair(ns_template *template, bool after, const ns_node *node, const char *key) {
    ns_node pair = ns_node_under(node, key);
    const json_t *id = json_array_get(pair.json, 1);
    if (json_array_size(pair.json) != 2 || !json_is_integer(id))
        return ns_node_refuse(&pair, "a token and its id");
    return ns_template_add(template, after, json_integer_value(id), &pair);
}

static int add_both(ns_template *template, const ns_node *node) {
    if (template->before_count || template->after_count)
        return ns_node_refuse(node, "one template and no other");
    int status = add_pair(template, false, node, "cls");
    return status ? status : add_pair(template, true, node, "sep");
}

static int open_bert(ns_template *template, const ns_node *node) {
    int status = ns_node_keys(node, "type|sep|cls");
    return status ? status : add_both(template, node);
}

static int read_trim(ns_template *template, const ns_node *node) {
    bool trim = true, prefix = true;
    int status = ns_node_flag(node, "trim_offsets", &trim);
    if (!status) status = ns_node_flag(node, "add_prefix_space", &prefix);
    if (trim) {
        template->trim = true;
        template->keep_first_space = prefix;
    }
    return status;
}

static int open_roberta(ns_template *template, const ns_node *node) {
    int status = ns_node_keys(node, "type|sep|cls|trim_offsets|add_prefix_space");
    if (!status) status = read_trim(template, node);
    return status ? status : add_both(template, node);
}

static int open_byte_level(ns_template *template, const ns_node *node) {
    int status = ns_node_keys(node, "type|trim_offsets|add_prefix_space|use_regex");
    return status ? status : read_trim(template, node);
}

const ns_post_kind ns_post_bert = {"BertProcessing", open_bert};
const ns_post_kind ns_post_roberta = {"RobertaProcessing", open_roberta};
const ns_post_kind ns_post_byte_level = {"ByteLevel", open_byte_level};
