/* A GGUF file as a model: its keys, tensors and places, what they mean as a network, and one pass over what is still understood. */
#include "probe/models/model.h"
#include "tests/fuzz/fuzz.h"

static bool wants(void *user, const ns_site *site) {
    (void)user, (void)site;
    return true;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    (void)err;
    size_t n = rows->samples * rows->positions * (size_t)site->norm.channels;
    for (size_t i = 0; i < n; i++) *(double *)user += (double)rows->x[i] + (double)rows->y[i];
    return NS_OK;
}

static int take_logits(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                       ns_error *err) {
    (void)first, (void)err;
    for (size_t i = 0; i < rows * classes; i++) *(double *)user += (double)logits[i];
    return NS_OK;
}

static void fuzz_one(const uint8_t *data, size_t size) {
    const int32_t words[] = {0, 1, -1};
    double sum = 0;
    ns_error err = {0};
    ns_model *model = NULL;
    if (ns_model_open(&model, ns_fuzz_file("model.gguf", data, size), &err)) return;
    const ns_batch batch = {.samples = 1, .positions = 3, .ids = words};
    const ns_observer observer = {
        .user = &sum, .wants = wants, .deliver = deliver, .logits = take_logits};
    if (model->input.kind == NS_INPUT_WORDS) ns_model_forward(model, &batch, &observer, 0, &err);
    ns_model_close(model);
}
NS_FUZZ("gguf")
