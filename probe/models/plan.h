/* Where buffers lie: intervals of steps are dealt to slots, of which each holds one buffer at a time. */
#ifndef NS_PLAN_H
#define NS_PLAN_H

#include "probe/models/network.h"

/* The memory of a run: every array of it is set to a piece of run->memory, which is allocated anew. */
int ns_plan_memory(ns_run *run, ns_error *err);

/* Bytes of that memory for a pass without training that is observed; 0 where there is no memory to plan it. */
uint64_t ns_plan_bytes(const ns_network *network, size_t samples, size_t tokens);

/* Rows of logits that are made at a time where they are only shown. */
size_t ns_run_head_rows(const ns_run *run);

/* Values of a run's scratch that a layer's product takes, at its beginning: whole lines of the cache. */
size_t ns_run_linear_work(const ns_linear *layer);

/* Which step reads each buffer last, and which writes it first, [buffers]; -1: none. */
void ns_plan_lives(const ns_network *network, int *first, int *last);

#endif
