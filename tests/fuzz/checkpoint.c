/* The JSON files of a checkpoint's folder beside good weights: the first byte says which weights, and which of the files the rest is. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/models/model.h"
#include "tests/fuzz/fuzz.h"

static const char *const folders[] = {"vit/hf-classifier", "words/gemma3", "words/llama3",
                                      "words/qwen2",       "words/neox",   "words/roberta",
                                      "words/distilbert",  "words/mistral"};
enum { FOLDERS = sizeof folders / sizeof *folders };

static void fuzz_one(const uint8_t *data, size_t size) {
    static const char *const files[] = {"config.json", "preprocessor_config.json",
                                        "model.safetensors.index.json"};
    if (!size) return;
    ns_fuzz_clean();
    int which = data[0] % 3;
    char link[128], path[128], good[4096];
    snprintf(path, sizeof path, "tests/golden/%s/model.safetensors",
             folders[data[0] / 3 % FOLDERS]);
    snprintf(link, sizeof link, "%s/%s", ns_fuzz_folder(),
             which == 2 ? "part.safetensors" : "model.safetensors");
    if (!realpath(path, good) || symlink(good, link) != 0) abort();
    ns_fuzz_file(files[which], data + 1, size - 1);
    ns_error err = {0};
    ns_model *model = NULL;
    if (ns_model_open(&model, ns_fuzz_folder(), &err) == NS_OK) ns_model_close(model);
}
NS_FUZZ("checkpoint")
