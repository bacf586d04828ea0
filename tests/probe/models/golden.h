/* A model against recorded values: a checkpoint and a file with its inputs ("pixels", or "ids", "mask" and "types"), with what another
 * implementation had at each site ("input/001 NAME", "output/001 NAME") and, where there is a head, "logits". */
#ifndef NS_TESTS_GOLDEN_H
#define NS_TESTS_GOLDEN_H

#include "probe/models/model.h"

/* Largest difference over the largest magnitude of a tensor. */
double golden_difference(const float *found, const float *expected, size_t n);

/* What an observer compares. */
typedef struct golden_watch {
    ns_weights *expected;
    size_t samples;   /* of the expected tensors */
    int seen;         /* sites that were compared */
    int last;         /* index of the last site delivered */
    double worst;     /* largest relative difference */
    char where[160];  /* and where it was */
    size_t first;     /* sample of the expected tensors that the batch begins with */
    int least_wanted; /* sites below are not asked for */
    double loss;      /* nats of the next words, over so many, */
    size_t words, hits;
    const int32_t *ids; /* of the batch, [N, length] */
    size_t length;
} golden_watch;

void golden_judge(golden_watch *w, const char *what, double apart);
bool golden_wants(void *user, const ns_site *site);
int golden_deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err);
int golden_logits(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                  ns_error *err);

/* A model with its inputs. */
typedef struct golden_run {
    ns_model *model;
    ns_weights *expected;
    const float *pixels;  /* one of the two, [samples, sample_size] */
    int32_t *ids, *types; /* below 0 where the mask is 0 */
    size_t samples, sample_size;
} golden_run;

void golden_open(golden_run *r, const char *model, const char *expected);
void golden_open_with(golden_run *r, const char *model, const char *expected,
                      const ns_model_options *options);
void golden_close(golden_run *r);
/* Runs samples [first, first + count) and compares what is delivered, and the logits where there are any. */
void golden_forward(golden_run *r, golden_watch *w, size_t first, size_t count, int last_site);
/* All at once, then in two parts; fails where anything is off by more than the tolerance. Gives the watch of the whole. */
golden_watch golden_check(const char *folder, int sites, double tolerance);
/* The same of any checkpoint. */
golden_watch golden_check_file(const char *model, const char *expected, int sites,
                               double tolerance);
golden_watch golden_check_with(const char *folder, const ns_model_options *options, int sites,
                               double tolerance);

#endif
