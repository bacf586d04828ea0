#include "probe/models/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

/* Room for one more of `count` items in a list that doubles; false where there is no memory. */
static bool grow(ns_builder *b, void *list, int count, int *room, size_t size) {
    void **items = list;
    if (b->status || count < *room) return !b->status;
    int more = 2 * *room + 32;
    void *grown = ns_realloc(*items, (size_t)more, size, b->err);
    if (!grown) b->status = NS_EFAIL;
    if (!grown) return false;
    *items = grown;
    *room = more;
    return true;
}

int ns_build_buffer(ns_builder *b, ns_rows_of rows, size_t width) {
    ns_network *n = b->network;
    if (!grow(b, &n->buffers, n->buffer_count, &n->buffer_room, sizeof *n->buffers)) return 0;
    n->buffers[n->buffer_count] = (ns_buffer){rows, width};
    return n->buffer_count++;
}

void *ns_build_memory(ns_builder *b, size_t size) {
    ns_network *n = b->network;
    if (!grow(b, &n->options, n->option_count, &n->option_room, sizeof *n->options)) return NULL;
    void *memory = ns_calloc(1, size, b->err);
    if (!memory) b->status = NS_EFAIL;
    return memory ? n->options[n->option_count++] = memory : NULL;
}

void *ns_build_options(ns_builder *b, const void *options, size_t size) {
    void *copy = ns_build_memory(b, size);
    return copy ? memcpy(copy, options, size) : NULL;
}

int ns_build_step(ns_builder *b, const ns_operation *o, int a, int c, int out, const void *options,
                  size_t size) {
    ns_network *n = b->network;
    const void *copy = options ? ns_build_options(b, options, size) : NULL;
    if (!grow(b, &n->steps, n->step_count, &n->step_room, sizeof *n->steps)) return out;
    n->steps[n->step_count++] = (ns_step){o, {a, c, NS_NO_BUFFER, NS_NO_BUFFER}, out, -1, copy};
    return out;
}

ns_array ns_build_tensor(ns_builder *b, const char *name, int dims, const int64_t *shape,
                         bool decays, bool optional) {
    ns_array array = {NULL, NULL};
    if (b->status || (optional && !b->source.has(b->source.user, name))) return array;
    b->status = b->source.tensor(b->source.user, name, dims, shape, decays, &array, b->err);
    return array;
}

/* Whether layer->packed is set: the source has the matrix so. */
static bool is_packed(ns_builder *b, const char *name, ns_linear *layer) {
    if (b->status || !b->source.packed) return false;
    b->status = b->source.packed(b->source.user, name, layer->out, layer->in, layer->turned,
                                 &layer->packed, b->err);
    return layer->packed.type != NULL;
}

ns_linear ns_build_layer(ns_builder *b, const char *path, size_t out, size_t in, bool turned) {
    ns_linear layer = {.in = in, .out = out, .turned = turned};
    char name[256];
    ns_array weight = {NULL, NULL};
    const int64_t n = (int64_t)out;
    if (b->status) return layer;
    snprintf(name, sizeof name, "%sweight", path);
    if (!is_packed(b, name, &layer) && !b->status)
        b->status =
            b->source.matrix(b->source.user, name, out, in, turned, &weight, &layer.turned, b->err);
    snprintf(name, sizeof name, "%sbias", path);
    ns_array bias = ns_build_tensor(b, name, 1, &n, false, true);
    layer.weight = weight.values;
    layer.dweight = weight.gradient;
    layer.bias = bias.values;
    layer.dbias = bias.gradient;
    return layer;
}

ns_linear ns_build_rows(ns_builder *b, const char *name, size_t rows, size_t width) {
    ns_linear layer = {.in = width, .out = rows};
    const int64_t shape[] = {(int64_t)rows, (int64_t)width};
    if (is_packed(b, name, &layer)) return layer;
    ns_array array = ns_build_tensor(b, name, 2, shape, true, false);
    layer.weight = array.values;
    layer.dweight = array.gradient;
    return layer;
}

/* Both lists of sites grow together. */
static bool grow_sites(ns_builder *b) {
    ns_network *n = b->network;
    int room = n->site_room;
    return grow(b, &n->sites, n->site_count, &n->site_room, sizeof *n->sites) &&
           grow(b, &n->trained, n->site_count, &room, sizeof *n->trained);
}

int ns_build_norm(ns_builder *b, int x, const char *path, ns_role role, bool required) {
    return ns_build_head_norm(b, x, path, 1, role, required);
}

int ns_build_head_norm(ns_builder *b, int x, const char *path, size_t heads, ns_role role,
                       bool required) {
    ns_network *n = b->network;
    if (b->status) return x;
    const ns_buffer from = n->buffers[x];
    ns_norm norm = {.channels = (int)(from.width / heads)};
    ns_norm_trained trained = {{NULL, NULL, NULL, NULL}, NULL, NULL};
    b->status = b->source.norm(b->source.user, path, required, &norm, &trained, b->err);
    if (b->status || !norm.kind || !grow_sites(b)) return x;
    char *name = ns_strdup(path, b->err);
    if (!name) b->status = NS_EFAIL;
    if (!name) return x;
    int positions = from.rows == NS_OF_SAMPLES ? 1 : (int)(n->tokens ? n->tokens : n->most_tokens);
    n->trained[n->site_count] = trained;
    n->sites[n->site_count] = (ns_site){.index = n->site_count + 1,
                                        .name = name,
                                        .role = role,
                                        .positions = positions * (int)heads,
                                        .norm = norm,
                                        .heads = heads > 1 ? (int)heads : 0};
    n->site_count++;
    int out = ns_build_buffer(b, from.rows, from.width);
    ns_build_step(b, &ns_norm_operation, x, NS_NO_BUFFER, out, NULL, 0);
    if (!b->status) n->steps[n->step_count - 1].site = n->site_count - 1;
    return out;
}

int ns_build_columns(ns_builder *b, int x, size_t from, size_t count, int out, size_t to) {
    const ns_columns_options options = {from, to, count, 1, 0};
    return ns_build_step(b, &ns_columns_operation, x, NS_NO_BUFFER, out, &options, sizeof options);
}

int ns_build_linear(ns_builder *b, int x, ns_linear layer, ns_activation activation) {
    if (b->status) return x;
    const ns_linear_options options = {layer, activation, 0};
    int out = ns_build_buffer(b, b->network->buffers[x].rows, layer.out);
    return ns_build_step(b, &ns_linear_operation, x, NS_NO_BUFFER, out, &options, sizeof options);
}

void ns_build_head(ns_builder *b, int x, ns_linear layer) {
    if (b->status) return;
    b->network->has_head = true;
    b->network->head_in = x;
    b->network->head = layer;
}
