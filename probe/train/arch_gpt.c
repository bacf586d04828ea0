/* Text for a GPT: the first stretches to train on, the last ones held out, the network, config.json. */
#include <string.h>

#include "datasets/text.h"
#include "probe/base/random.h"
#include "probe/train/trainer.h"

static int open_text(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    char *path = ns_dataset_path(p->data, t->err);
    if (!path) return NS_EINPUT;
    int status = p->characters ? ns_text_vocabulary(path, &t->vocabulary, t->err) : NS_OK;
    free(path);
    const ns_text_shape shape = {
        .length = (int)p->context, .vocabulary = t->vocabulary, .padding = -1};
    if (!status) status = ns_dataset_open_words(&t->data, p->data, p->labels, &shape, t->err);
    if (!status && p->test) status = ns_dataset_open_words(&t->test, p->test, NULL, &shape, t->err);
    if (!status && !(ns_text_tokens(t->data) && (!t->test || ns_text_tokens(t->test))))
        status = ns_fail(t->err, NS_EINPUT, "%s: expected text, found token ids", p->data);
    if (!status) status = ns_trainer_split(t);
    return status ? status : ns_trainer_allocate(t);
}

static int build(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    const ns_norm_kind *kind = ns_norm_kind_find(p->norm, t->err);
    if (!kind) return NS_EUSAGE;
    const ns_gpt_shape shape = {.context = (size_t)p->context,
                                .vocabulary = (size_t)t->data->classes,
                                .width = (size_t)p->width,
                                .depth = (size_t)p->depth,
                                .heads = (size_t)p->heads,
                                .hidden = (size_t)(p->hidden ? p->hidden : 4 * p->width),
                                .norm = kind,
                                .eps = 1e-5,
                                .activation = (ns_activation)p->activation};
    return ns_gpt_new(&t->net, &shape, t->err);
}

/* The stretch that begins at token `from`, and behind each token the one that follows; -1 behind the last of the text. */
static void take(ns_trainer *t, const ns_dataset *data, int64_t from, int64_t i) {
    const int32_t *tokens = ns_text_tokens(data);
    int64_t n = t->plan->context, count = ns_text_count(data);
    for (int64_t k = 0; k < n; k++) {
        t->words[i * n + k] = tokens[from + k];
        t->labels[i * n + k] = from + k + 1 < count ? tokens[from + k + 1] : -1;
    }
}

/* Each epoch cuts the text at other places: a stretch begins up to one length further, but never reaches into what is held out. */
static int training_batch(ns_trainer *t, int64_t step) {
    int64_t epoch = step / t->epoch_steps, n = t->plan->context;
    int64_t last = (t->training_count - 1) * n - 1;
    ns_trainer_choose(t, step);
    for (int64_t i = 0; i < t->plan->batch; i++) {
        uint64_t stream = ns_trainer_stream(t, NS_FOR_SAMPLE, epoch, t->ids[i]);
        int64_t from = t->ids[i] * n + (int64_t)ns_random_below(&stream, (uint64_t)n);
        take(t, t->data, from < last ? from : last > 0 ? last : 0, i);
    }
    return NS_OK;
}

static int load(ns_trainer *t, const ns_dataset *data, const int64_t *ids, int64_t n) {
    for (int64_t i = 0; i < n; i++) take(t, data, ids[i] * t->plan->context, i);
    return NS_OK;
}

/* Hugging Face's keys where it has them. */
static json_t *config_of(const ns_trainer *t) {
    static const char *const activations[] = {"gelu", "gelu_new", "relu"};
    const ns_block_spec *s = ns_trainee_blocks(t->net);
    const ns_parameters *p = &t->net->parameters;
    json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "architecture",
                          "gpt", "model_type", "gpt2", "vocab_size", (json_int_t)t->net->classes,
                          "n_positions", (json_int_t)t->net->tokens, "n_embd", (json_int_t)s->width,
                          "n_layer", (json_int_t)s->depth, "n_head", (json_int_t)s->heads,
                          "n_inner", (json_int_t)s->hidden, "activation_function",
                          activations[s->activation], "norm", p->norm->name);
    if (p->norm->has & NS_HAS_EPS) json_object_set_new(j, "layer_norm_epsilon", json_real(p->eps));
    if (t->vocabulary) json_object_set_new(j, "vocabulary", json_string(t->vocabulary));
    return j;
}

extern const ns_architecture ns_architecture_gpt;
const ns_architecture ns_architecture_gpt = {.name = "gpt",
                                             .open = open_text,
                                             .build = build,
                                             .batch = training_batch,
                                             .load = load,
                                             .config = config_of};
