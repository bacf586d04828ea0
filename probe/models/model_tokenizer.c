/* The tokenizer that lies beside a checkpoint, or in it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/tokenizer.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/models/model.h"

/* The folder of the checkpoint, to be freed. */
static char *folder_of(const char *path, ns_error *err) {
    const char *slash = strrchr(path, '/');
    if (ns_is_folder(path)) return ns_strdup(path, err);
    return slash ? ns_asprintf(err, "%.*s", (int)(slash - path + 1), path) : ns_strdup(".", err);
}

static int open_any(ns_model *model, ns_error *err) {
    const char *path = ns_weights_path(model->weights);
    const json_t *said = ns_weights_metadata(model->weights);
    char *folder = folder_of(path, err);
    int status = folder ? NS_OK : NS_EFAIL;
    if (!status && ns_tokenizer_is_there(folder))
        status = ns_tokenizer_open(&model->tokenizer, folder, err);
    else if (!status && json_object_get(said, "tokenizer.ggml.model"))
        status = ns_tokenizer_open_gguf(&model->tokenizer, said, path, err);
    else if (!status)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected a tokenizer (tokenizer.json, vocab.txt, or vocab.json and "
                         "merges.txt) beside the weights, found none",
                         path);
    free(folder);
    return status;
}

int ns_model_lend_tokenizer(ns_model *model, ns_error *err) {
    ns_text_shape *text = &model->input.text;
    ns_error mine = {0};
    if (model->input.kind != NS_INPUT_WORDS || text->vocabulary || model->tokenizer) return NS_OK;
    int status = open_any(model, &mine);
    text->tokenizer = model->tokenizer;
    if (status == NS_EINPUT) {
        free(model->no_tokenizer);
        text->no_tokenizer = model->no_tokenizer = ns_strdup(mine.message, err);
        return model->no_tokenizer ? NS_OK : NS_EFAIL;
    }
    if (status && err) *err = mine;
    return status;
}
