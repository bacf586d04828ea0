/* Lists of steps: opening, closing, and running them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/steps.h"
#include "probe/base/mem.h"

enum { DEEPEST = 16 };

int ns_unknown_type(const ns_node *node, const char *(*name)(const void *user, size_t i),
                    const void *user, size_t count) {
    ns_node type = ns_node_under(node, "type");
    char expected[600] = "one of ";
    for (size_t i = 0, at = strlen(expected); i < count && at < sizeof expected; i++)
        at += (size_t)snprintf(expected + at, sizeof expected - at, "%s%s", i ? ", " : "",
                               name(user, i));
    return ns_node_refuse(json_is_object(node->json) ? &type : node, expected);
}

int ns_steps_add(ns_steps *steps, const ns_step_kind *kind, const ns_node *node) {
    struct ns_step *grown = ns_realloc(steps->at, steps->count + 1, sizeof *steps->at, node->err);
    if (!grown) return NS_EFAIL;
    steps->at = grown;
    grown[steps->count] = (struct ns_step){kind, NULL};
    return kind->open ? kind->open(&grown[steps->count++].state, node) : (steps->count++, NS_OK);
}

void ns_steps_close(ns_steps *steps) {
    for (size_t i = 0; i < steps->count; i++)
        if (steps->at[i].kind->close) steps->at[i].kind->close(steps->at[i].state);
    free(steps->at);
    *steps = (ns_steps){0};
}

static const char *kind_name(const void *user, size_t i) {
    const ns_step_kind *const *kinds = user;
    return kinds[i]->name;
}

static int open_deep(ns_steps *steps, const ns_node *node, const char *list,
                     const ns_step_kind *const *kinds, size_t count, int depth) {
    if (ns_node_empty(node)) return NS_OK;
    const char *type = json_string_value(json_object_get(node->json, "type"));
    if (type && strcmp(type, "Sequence") == 0) {
        ns_node all = ns_node_under(node, list);
        if (!json_is_array(all.json)) return ns_node_refuse(&all, "a list");
        if (depth == DEEPEST) return ns_node_refuse(node, "Sequences in fewer others");
        int status = NS_OK;
        for (size_t i = 0; i < json_array_size(all.json) && !status; i++) {
            ns_node item = ns_node_item(&all, i);
            status = open_deep(steps, &item, list, kinds, count, depth + 1);
        }
        return status;
    }
    for (size_t i = 0; i < count && type; i++)
        if (strcmp(type, kinds[i]->name) == 0) return ns_steps_add(steps, kinds[i], node);
    return ns_unknown_type(node, kind_name, kinds, count);
}

int ns_steps_open(ns_steps *steps, const ns_node *node, const char *list,
                  const ns_step_kind *const *kinds, size_t count) {
    return open_deep(steps, node, list, kinds, count, 0);
}

int ns_normalizers_apply(const ns_steps *steps, ns_flow *flow, ns_error *err) {
    int status = NS_OK;
    ns_flow next = {0};
    for (size_t i = 0; i < steps->count && !status; i++) {
        next.size = 0;
        status = steps->at[i].kind->apply(steps->at[i].state, flow, &next, err);
        ns_flow old = *flow;
        *flow = next;
        next = old;
    }
    ns_flow_end(&next);
    return status;
}

/* One step over all pieces; the new ones are in *next_flow, where the step writes, and *next. */
static int pretokenize(const struct ns_step *step, const ns_flow *flow, const ns_cuts *cuts,
                       ns_flow *next_flow, ns_cuts *next, ns_error *err) {
    int status = NS_OK;
    for (size_t i = 0; i < cuts->count && !status; i++) {
        const ns_cut *piece = &cuts->at[i];
        if (!step->kind->rewrite) {
            status = piece->id < 0 ? step->kind->cut(step->state, flow, piece, next, err)
                                   : ns_cuts_add(next, piece->begin, piece->end, piece->id, err);
            continue;
        }
        size_t begin = next_flow->size;
        if (piece->id < 0)
            status = step->kind->rewrite(step->state, flow, piece, next_flow, next, err);
        else if (!(status = ns_flow_copy(next_flow, flow, piece->begin, piece->end, err)))
            status = ns_cuts_add(next, begin, next_flow->size, piece->id, err);
    }
    return status;
}

int ns_pretokenizers_apply(const ns_steps *steps, ns_flow *flow, ns_cuts *cuts, ns_error *err) {
    int status = NS_OK;
    ns_flow flow_next = {0};
    ns_cuts cuts_next = {0};
    for (size_t i = 0; i < steps->count && !status; i++) {
        flow_next.size = cuts_next.count = 0;
        status = pretokenize(&steps->at[i], flow, cuts, &flow_next, &cuts_next, err);
        ns_cuts old = *cuts;
        *cuts = cuts_next;
        cuts_next = old;
        if (!steps->at[i].kind->rewrite) continue;
        ns_flow was = *flow;
        *flow = flow_next;
        flow_next = was;
    }
    ns_flow_end(&flow_next);
    ns_cuts_end(&cuts_next);
    return status;
}
