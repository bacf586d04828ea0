#include "probe/models/network.h"

#include <stdlib.h>

void ns_network_free(ns_network *n) {
    for (int i = 0; i < n->site_count; i++) free((void *)(uintptr_t)n->sites[i].name);
    for (int i = 0; i < n->option_count; i++) free(n->options[i]);
    void *const blocks[] = {n->buffers, n->steps, n->sites, n->trained, n->options};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    *n = (ns_network){0};
}
