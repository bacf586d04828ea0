/* The table of post-processors, and templates. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/posts/posts.h"
#include "datasets/tokenizers/steps.h"
#include "probe/base/mem.h"

static const ns_post_kind *const kinds[] = {&ns_post_bert, &ns_post_byte_level, &ns_post_roberta,
                                            &ns_post_template};
enum { KINDS = sizeof kinds / sizeof *kinds, DEEPEST = 16 };

static const char *kind_name(const void *user, size_t i) {
    (void)user;
    return kinds[i]->name;
}

static int open_deep(ns_template *template, const ns_node *node, int depth) {
    if (ns_node_empty(node)) return NS_OK;
    const char *type = json_string_value(json_object_get(node->json, "type"));
    if (type && strcmp(type, "Sequence") == 0) {
        ns_node all = ns_node_under(node, "processors");
        if (!json_is_array(all.json)) return ns_node_refuse(&all, "a list");
        if (depth == DEEPEST) return ns_node_refuse(node, "Sequences in fewer others");
        int status = NS_OK;
        for (size_t i = 0; i < json_array_size(all.json) && !status; i++) {
            ns_node item = ns_node_item(&all, i);
            status = open_deep(template, &item, depth + 1);
        }
        return status;
    }
    for (size_t i = 0; i < KINDS && type; i++)
        if (strcmp(type, kinds[i]->name) == 0) return kinds[i]->open(template, node);
    return ns_unknown_type(node, kind_name, NULL, KINDS);
}

int ns_posts_open(ns_template *template, const ns_node *node) {
    return open_deep(template, node, 0);
}

void ns_template_end(ns_template *template) {
    free(template->before);
    free(template->after);
    *template = (ns_template){0};
}

int ns_template_add(ns_template *template, bool after, int64_t id, const ns_node *node) {
    if (id < 0 || id >= NS_VOCABULARY_MOST) return ns_node_refuse(node, "an id");
    int32_t **ids = after ? &template->after : &template->before;
    size_t *count = after ? &template->after_count : &template->before_count;
    int32_t *grown = ns_realloc(*ids, *count + 1, sizeof *grown, node->err);
    if (!grown) return NS_EFAIL;
    *ids = grown;
    grown[*count] = (int32_t)id;
    ++*count;
    return NS_OK;
}
