/* A batch spread over threads. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/simd.h"
#include "probe/train/trainee.h"

int ns_team_new(ns_team *team, ns_trainee *whole, ns_error *err) {
    *team = (ns_team){.whole = whole, .piece = NS_PIECE_ROWS / whole->tokens};
    if (!team->piece) team->piece = 1;
    if (whole->parameters.norm->forward_batch) return NS_OK;
    int count = omp_get_max_threads(), status = NS_OK;
    team->members = ns_calloc((size_t)count, sizeof *team->members, err);
    team->losses = team->members ? ns_calloc((size_t)count, sizeof *team->losses, err) : NULL;
    if (!team->losses) return NS_EFAIL;
    for (int i = 0; i < count && !status; i++) {
        status = ns_trainee_twin(&team->members[i], whole, err);
        if (!status) team->count++;
        if (!status) status = ns_trainee_reserve(team->members[i], team->piece, err);
    }
    return status;
}

void ns_team_free(ns_team *team) {
    for (int i = 0; i < team->count; i++) ns_trainee_free(team->members[i]);
    free(team->members);
    free(team->losses);
    *team = (ns_team){0};
}

typedef struct job {
    size_t samples;
    const char *input;
    const int32_t *labels;
    double smoothing;
    ns_keep keep;
    bool training;
} job;

static void clear_gradient(ns_trainee *n) {
    memset(n->parameters.gradient, 0, n->parameters.learned * sizeof(ns_real));
}

/* Samples [from, to) through one network. */
static ns_loss run_piece(ns_trainee *n, const job *j, size_t from, size_t to) {
    ns_keep keep = j->keep;
    if (keep.factors) keep.factors += from;
    ns_trainee_forward(n, to - from, j->input + from * n->input_bytes, j->training, keep);
    ns_loss loss =
        ns_trainee_loss(n, j->labels + from * n->labels, j->smoothing, j->samples * n->labels);
    if (j->training) ns_trainee_backward(n);
    return loss;
}

static ns_loss run_member(const ns_team *team, int member, const job *j) {
    ns_trainee *n = team->members[member];
    size_t pieces = (j->samples + team->piece - 1) / team->piece, count = (size_t)team->count;
    size_t first = pieces * (size_t)member / count, end = pieces * (size_t)(member + 1) / count;
    ns_loss loss = {0, 0};
    if (j->training) clear_gradient(n);
    for (size_t i = first; i < end; i++) {
        size_t from = i * team->piece, to = from + team->piece;
        ns_loss one = run_piece(n, j, from, to < j->samples ? to : j->samples);
        loss.mean += one.mean;
        loss.hits += one.hits;
    }
    return loss;
}

NS_CLONES static void add_values(size_t n, const ns_real *from, ns_real *to) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

/* Gradients of all members, added in their order. */
static void add_gradients(ns_team *team) {
    enum { PIECE = 4096 };
    ns_parameters *whole = &team->whole->parameters;
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < whole->learned; at += PIECE) {
        size_t n = whole->learned - at < PIECE ? whole->learned - at : PIECE;
        memcpy(whole->gradient + at, team->members[0]->parameters.gradient + at,
               n * sizeof *whole->gradient);
        for (int i = 1; i < team->count; i++)
            add_values(n, team->members[i]->parameters.gradient + at, whole->gradient + at);
    }
}

static ns_loss run(ns_team *team, const job *j) {
    ns_loss total = {0, 0};
    if (!team->count) {
        if (j->training) clear_gradient(team->whole);
        return run_piece(team->whole, j, 0, j->samples);
    }
#pragma omp parallel for schedule(static, 1) num_threads(team->count)
    for (int i = 0; i < team->count; i++) team->losses[i] = run_member(team, i, j);
    for (int i = 0; i < team->count; i++) {
        total.mean += team->losses[i].mean;
        total.hits += team->losses[i].hits;
    }
    if (j->training) add_gradients(team);
    return total;
}

ns_loss ns_team_train(ns_team *team, size_t samples, const void *input, const int32_t *labels,
                      double smoothing, ns_keep keep) {
    return run(team, &(job){samples, input, labels, smoothing, keep, true});
}

ns_loss ns_team_evaluate(ns_team *team, size_t samples, const void *input, const int32_t *labels) {
    return run(team, &(job){samples, input, labels, 0, {NULL, 0}, false});
}
