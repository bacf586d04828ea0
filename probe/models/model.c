#include "probe/models/model.h"

#include <stdlib.h>

#include "probe/base/mem.h"

/* X(name): a file of probe/models/ exports ns_model_NAME. */
#define MODEL_KINDS(X) X(vit) X(gpt)

#define DECLARE(name) extern const ns_model_kind ns_model_##name;
MODEL_KINDS(DECLARE)

#define ROW(name) &ns_model_##name,
static const ns_model_kind *const kinds[] = {MODEL_KINDS(ROW)};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int unknown_family(const ns_weights *weights, ns_error *err) {
    ns_fail(err, NS_EINPUT, "%s: expected a model of a family that is known (",
            ns_weights_path(weights));
    for (int i = 0; i < KINDS; i++)
        ns_fail_more(err, "%s%s: %s", i ? "; " : "", kinds[i]->name, kinds[i]->summary);
    int count = ns_weights_count(weights), shown = count < 5 ? count : 5;
    ns_fail_more(err, "), found %d tensors%s", count, count ? ": " : "");
    for (int i = 0; i < shown; i++)
        ns_fail_more(err, "%s%s", i ? ", " : "", ns_weights_info(weights, i)->name);
    if (count > shown) ns_fail_more(err, ", ...");
    return NS_EINPUT;
}

int ns_model_open(ns_model **out, const char *path, ns_error *err) {
    *out = NULL;
    ns_model *model = ns_calloc(1, sizeof *model, err);
    if (!model) return NS_EFAIL;
    int status = ns_weights_open(&model->weights, path, err);
    for (int i = 0; i < KINDS && !status && !model->kind; i++)
        if (kinds[i]->recognise(model->weights)) model->kind = kinds[i];
    if (!status)
        status = model->kind ? model->kind->open(model, err) : unknown_family(model->weights, err);
    if (status)
        ns_model_close(model);
    else
        *out = model;
    return status;
}

void ns_model_close(ns_model *model) {
    if (!model) return;
    if (model->kind) model->kind->close(model);
    for (int i = 0; i < model->site_count; i++) free((void *)(uintptr_t)model->sites[i].name);
    free(model->sites);
    free(model->facts);
    ns_weights_close(model->weights);
    free(model);
}

int ns_model_forward(ns_model *model, const ns_batch *batch, const ns_observer *observer,
                     int last_site, float *logits, ns_error *err) {
    if (last_site < 0 || last_site > model->site_count)
        return ns_fail(err, NS_EUSAGE, "the last site: expected 0 to %d, found %d",
                       model->site_count, last_site);
    if (last_site && logits)
        return ns_fail(err, NS_EUSAGE, "logits are not computed when the pass ends at a site");
    if (!batch->samples) return NS_OK;
    int status = model->kind->forward(model, batch, observer, last_site, logits, err);
    if (!status && observer && observer->batch_done)
        status = observer->batch_done(observer->user, batch->sample_ids, batch->samples, err);
    return status;
}

const ns_site *ns_model_site_at(const void *user, int i) {
    return &((const ns_model *)user)->sites[i];
}
