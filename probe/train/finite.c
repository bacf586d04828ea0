/* Where values that are not finite began. */
#include <math.h>

#include "probe/train/trainer.h"

static bool all_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* The first site, in the order of the forward pass, whose input has such values. */
static bool wants(void *user, const ns_site *site) {
    (void)site;
    return !*(const char **)user;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    (void)err;
    size_t n = rows->samples * rows->positions * (size_t)site->norm.channels;
    if (!all_finite(rows->x, n)) *(const char **)user = site->name;
    return NS_OK;
}

/* The last tensor of the table, which the backward pass reaches first. */
static const char *first_gradient(const ns_trainer *t) {
    const ns_parameters *p = &t->net->parameters;
    for (int i = p->learned_count; i-- > 0;)
        if (!all_finite(p->gradient + p->items[i].at, p->items[i].count)) return p->items[i].name;
    return NULL;
}

static int say_what_is_kept(ns_trainer *t) {
    if (t->saved_step)
        ns_fail_more(t->err, "; the state after step %lld is kept", (long long)t->saved_step);
    else
        ns_fail_more(t->err, "; the state before the first step is kept");
    return NS_EFAIL;
}

int ns_trainer_not_finite(ns_trainer *t, ns_keep keep, bool backward) {
    const ns_train_plan *p = t->plan;
    const char *site = NULL;
    const ns_observer observer = {.user = &site, .wants = wants, .deliver = deliver};
    t->net->hold_running = true;
    t->net->observer = &observer;
    ns_trainee_forward(t->net, (size_t)p->batch, ns_trainer_input(t), true, keep);
    t->net->hold_running = false;
    t->net->observer = NULL;
    ns_fail(t->err, NS_EFAIL, "%s: step %lld (epoch %lld): the %s is not finite; ", p->folder,
            (long long)t->step + 1, (long long)(t->step / t->epoch_steps) + 1,
            backward ? "gradient" : "loss");
    const char *where = backward ? first_gradient(t) : site;
    if (where)
        ns_fail_more(t->err, "it began %s %s", backward ? "at" : "in the input of", where);
    else
        ns_fail_more(t->err, "every site's input is finite: it began in the head");
    return say_what_is_kept(t);
}

int ns_trainer_diverged(ns_trainer *t, const char *what) {
    ns_fail(t->err, NS_EFAIL, "%s: after step %lld (epoch %lld) the loss on %s is not finite",
            t->plan->folder, (long long)t->step, (long long)((t->step - 1) / t->epoch_steps) + 1,
            what);
    return say_what_is_kept(t);
}
