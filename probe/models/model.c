#include "probe/models/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/tokenizer.h"
#include "probe/base/mem.h"
#include "probe/models/plan.h"
#include "probe/models/reading.h"

/* X(name): a file of probe/models/families/ exports ns_family_NAME. */
#define FAMILIES(X)                                                                                \
    X(dinov2) X(vit) X(clip) X(gpt) X(bert) X(roberta) X(distilbert) X(llama) X(neox)

#define DECLARE(name) extern const ns_family ns_family_##name;
FAMILIES(DECLARE)

#define ROW(name) &ns_family_##name,
static const ns_family *const families[] = {FAMILIES(ROW)};
enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

/* ---- which family ---- */

static int unknown_family(const ns_weights *weights, ns_error *err) {
    ns_fail(err, NS_EINPUT, "%s: expected a model of a family that is known (",
            ns_weights_path(weights));
    for (int i = 0; i < FAMILY_COUNT; i++)
        ns_fail_more(err, "%s%s: %s", i ? "; " : "", families[i]->name, families[i]->summary);
    int count = ns_weights_count(weights), shown = count < 5 ? count : 5;
    ns_fail_more(err, "), found %d tensors%s", count, count ? ": " : "");
    for (int i = 0; i < shown; i++)
        ns_fail_more(err, "%s%s", i ? ", " : "", ns_weights_info(weights, i)->name);
    if (count > shown) ns_fail_more(err, ", ...");
    return NS_EINPUT;
}

static const char *words_of(const ns_family *family, int which) {
    return which == 0 ? family->timm : which == 1 ? family->model_types : family->architectures;
}

/* What config.json says the model is: the family in *out, NULL where it says nothing. NS_EINPUT where it is none of those that there are. */
static int family_by_config(ns_config *config, const ns_family **out) {
    static const char *const keys[] = {"architecture", "model_type", "architectures"};
    *out = NULL;
    for (int k = 0; k < 3; k++) {
        ns_origin from;
        const json_t *j = ns_config_find(config, keys[k], from);
        const json_t *first = json_is_array(j) && k == 2 ? json_array_get(j, 0) : j;
        const char *word = json_string_value(first);
        const ns_family *said = NULL;
        if (first && !word) return ns_config_refuse(config, from, "a word", j);
        if (!word) continue;
        for (int i = 0; i < FAMILY_COUNT && !said; i++)
            if (ns_list_has(words_of(families[i], k), word)) said = families[i];
        if (said && (!*out || *out == said)) {
            *out = said;
            continue;
        }
        if (!said && *out && k == 2) continue; /* a class of one's own is no other family */
        char expected[768] = "one of";
        for (int i = 0; i < FAMILY_COUNT; i++) {
            const char *words = words_of(families[i], k);
            size_t used = strlen(expected);
            if (words)
                snprintf(expected + used, sizeof expected - used, "%s %s", i ? "," : "", words);
        }
        return ns_config_contradicts(config, from, expected, word);
    }
    return NS_OK;
}

static bool has_what_tells(ns_reading *r, const ns_names *names) {
    const ns_source source = ns_reading_source(r);
    ns_name name;
    return !names->needs || ns_name_of(&r->naming, &source, names->needs, 0, "", &name);
}

/* The scheme of a family's whose first block the weights have, and what else it needs. */
static bool naming_of(ns_reading *r, const ns_family *family) {
    for (int s = 0; s < family->name_count; s++) {
        const ns_names *names = family->names[s];
        ns_part part = names->parts[NS_PART_QKV] ? NS_PART_QKV : NS_PART_Q;
        for (const char *at = names->prefixes;; at++) {
            ns_name name;
            int length = (int)strcspn(at, "|");
            r->naming = (ns_naming){names, at, length};
            if (ns_reading_name(r, part, 0, "weight", &name) && has_what_tells(r, names))
                return true;
            at += length;
            if (!*at) break;
        }
    }
    return false;
}

static bool find_naming(ns_reading *r, const ns_family *said) {
    for (int i = 0; i < FAMILY_COUNT; i++) {
        if (said && families[i] != said) continue;
        r->model->family = families[i];
        if (naming_of(r, families[i])) return true;
    }
    return false;
}

/* What others wrap a model in, so that its tensors' names begin with it. */
static const char *const wrappers[] = {
    "module.", "_orig_mod.",  "model.",   "backbone.", "encoder.",        "network.",
    "net.",    "state_dict.", "student.", "teacher.",  "_forward_module."};

/* Takes off one wrapper that the checkpoint has; false where it has none. */
static bool unwrap(ns_reading *r, int *status) {
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        int count = ns_weights_strip(r->model->weights, wrappers[i], r->err);
        if (count < 0) {
            *status = NS_EINPUT;
            return false;
        }
        if (!count) continue;
        *status = ns_reading_fact(r, "names", "taken off, to find the network", "%s (%d tensors)",
                                  wrappers[i], count);
        return true;
    }
    return false;
}

static int find_family(ns_reading *r) {
    const ns_family *said;
    int status = family_by_config(&r->config, &said);
    while (!status && !find_naming(r, said))
        if (!unwrap(r, &status)) {
            r->model->family = NULL;
            return status ? status : unknown_family(r->model->weights, r->err);
        }
    return status;
}

/* "auto_map" names the checkpoint's own code. A class of its own computes what only that code knows; one that is called as the family's own
 * is taken for a copy of it. Tokenizers and configurations of its own change no site, but by keys, which are all looked at. */
static int check_own_code(ns_reading *r) {
    ns_origin from;
    const char *key;
    json_t *value;
    const json_t *map = ns_config_find(&r->config, "auto_map", from);
    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        const char *word = json_string_value(value), *dot = word ? strrchr(word, '.') : NULL;
        bool known = dot && ns_list_has(r->model->family->architectures, dot + 1);
        if (!strncmp(key, "AutoModel", 9) && !known)
            return ns_config_refuse(&r->config, from,
                                    "no model class of the checkpoint's own, whose code is not run",
                                    value);
    }
    return NS_OK;
}

/* ---- opening ---- */

static int check_options(const ns_reading *r) {
    if (!r->options.height || r->model->input.kind == NS_INPUT_PIXELS) return NS_OK;
    return ns_fail(r->err, NS_EUSAGE, "%s: expected a model that takes images, found a %s: no size",
                   ns_weights_path(r->model->weights), r->model->family->summary);
}

static int read_model(ns_model *model, const ns_model_options *options, ns_error *err) {
    ns_reading r = {.model = model, .config = {.weights = model->weights, .err = err}, .err = err};
    if (options) r.options = *options;
    int status = find_family(&r);
    if (!status) status = check_own_code(&r);
    if (!status)
        status = ns_reading_fact(&r, "naming", "names of the tensors", "%s", r.naming.names->name);
    if (!status) status = model->family->open(&r);
    if (!status) status = check_options(&r);
    ns_reading_end(&r);
    model->sites = model->network.sites;
    model->site_count = model->network.site_count;
    return status;
}

int ns_model_open(ns_model **out, const char *path, ns_error *err) {
    return ns_model_open_with(out, path, NULL, err);
}

int ns_model_open_with(ns_model **out, const char *path, const ns_model_options *options,
                       ns_error *err) {
    *out = NULL;
    ns_model *model = ns_calloc(1, sizeof *model, err);
    if (!model) return NS_EFAIL;
    int status = ns_weights_open(&model->weights, path, err);
    if (!status) status = read_model(model, options, err);
    if (status)
        ns_model_close(model);
    else
        *out = model;
    return status;
}

void ns_model_close(ns_model *model) {
    if (!model) return;
    ns_run_free(&model->run);
    ns_network_free(&model->network);
    free(model->facts);
    free(model->no_tokenizer);
    ns_tokenizer_close(model->tokenizer);
    ns_weights_close(model->weights);
    free(model);
}

int ns_model_set_length(ns_model *model, int words, ns_error *err) {
    const ns_text_shape *text = &model->input.text;
    if (model->input.kind != NS_INPUT_WORDS) return NS_OK;
    if (words < 1 || (text->most && words > text->most))
        return ns_fail(err, NS_EINPUT, "%s: expected samples of 1 to %d words, found %d",
                       ns_weights_path(model->weights), text->most, words);
    model->input.text.length = words;
    for (int i = 0; i < model->site_count; i++)
        model->sites[i].positions = words * ns_site_heads(&model->sites[i]);
    return NS_OK;
}

int ns_model_run(ns_model *model, const ns_batch *batch, const ns_run_options *pass,
                 ns_error *err) {
    const ns_observer *observer = pass->observer;
    if (pass->last_site < 0 || pass->last_site > model->site_count)
        return ns_fail(err, NS_EUSAGE, "the last site: expected 0 to %d, found %d",
                       model->site_count, pass->last_site);
    if (!batch->samples) return NS_OK;
    int status = ns_run_forward(&model->run, &model->network, batch, *pass, err);
    if (!status && observer && observer->batch_done)
        status = observer->batch_done(observer->user, batch->sample_ids, batch->samples, err);
    return status;
}

int ns_model_forward(ns_model *model, const ns_batch *batch, const ns_observer *observer,
                     int last_site, ns_error *err) {
    const ns_run_options pass = {.observer = observer, .last_site = last_site};
    return ns_model_run(model, batch, &pass, err);
}

uint64_t ns_model_memory(const ns_model *model, size_t samples) {
    const ns_network *n = &model->network;
    size_t words = (size_t)model->input.text.length;
    return ns_plan_bytes(n, samples, n->input == NS_INPUT_PIXELS ? n->tokens : words);
}

const ns_site *ns_model_site_at(const void *user, int i) {
    return &((const ns_model *)user)->sites[i];
}
