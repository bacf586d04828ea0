/* Batches: their order, augmentation, drop path. Every number is a hash of the seed and of what it is for, so that a resumed run
 * needs no state of a generator. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/random.h"
#include "probe/train/trainer.h"

uint64_t ns_trainer_stream(const ns_trainer *t, uint64_t purpose, int64_t a, int64_t b) {
    return ns_row_priority(ns_mix64(t->plan->seed * 4 + purpose), a, b);
}

/* The samples of a step, to ids. */
void ns_trainer_choose(ns_trainer *t, int64_t step) {
    int64_t epoch = step / t->epoch_steps, n = t->plan->batch;
    if (t->ordered_epoch != epoch) {
        memcpy(t->order, t->training, (size_t)t->training_count * sizeof *t->order);
        ns_random_shuffle(t->order, t->training_count,
                          ns_trainer_stream(t, NS_FOR_ORDER, epoch, 0));
        t->ordered_epoch = epoch;
    }
    memcpy(t->ids, t->order + step % t->epoch_steps * n, (size_t)n * sizeof *t->ids);
}

/* The rate rises along the depth from 0 to what is asked for, as the DyT recipe has it. */
const float *ns_trainer_keep(ns_trainer *t, int64_t step) {
    const ns_train_plan *p = t->plan;
    if (!(p->drop_path > 0)) return NULL;
    for (int64_t branch = 0; branch < 2 * p->depth; branch++) {
        int64_t block = branch / 2;
        double rate =
            p->depth > 1 ? p->drop_path * (double)block / (double)(p->depth - 1) : p->drop_path;
        uint64_t stream = ns_trainer_stream(t, NS_FOR_DROP, step, branch);
        for (int64_t i = 0; i < p->batch; i++)
            t->keep[branch * p->batch + i] =
                ns_random_unit(&stream) < rate ? 0 : (float)(1 / (1 - rate));
    }
    return t->keep;
}
