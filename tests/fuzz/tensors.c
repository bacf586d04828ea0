/* A checkpoint whose tensors are not as they should be. The first byte chooses one of the small checkpoints in tests/golden, each
 * four bytes behind it change one of its tensors, and the file is made anew around them, so that what is tested is what the
 * models make of shapes and not the reader of the header. Values are zeros; they take no room. Where the model opens, it runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/models/model.h"
#include "probe/weights/safetensors.h"
#include "tests/fuzz/fuzz.h"

static const char *const folders[] = {
    "vit/hf-classifier",    "vit/hf-dyt",           "vit/timm-bare",        "vit/timm-dyt",
    "vit/timm-mean",        "vit/timm-no-class",    "vit/timm-registers",   "vit/timm-rmsnorm",
    "vit/torchvision",      "vit/vit-pytorch",      "vit/vit-pytorch-mean", "words/bert-mlm",
    "words/llama-tied",     "words/llama-theta",    "words/gpt2-inverse",   "words/nanogpt",
    "words/vit-quickgelu",  "words/bert-old-names", "words/qwen3",          "words/olmo2",
    "words/gemma3",         "words/neox",           "words/roberta-mlm",    "words/xlm-roberta",
    "words/distilbert-mlm", "words/gpt2-untied"};
enum { FOLDERS = sizeof folders / sizeof *folders };

typedef struct checkpoint {
    ns_mapped mapped;
    ns_stored *tensors;
    int count;
    bool *dropped; /* [count] */
} checkpoint;

static void load(checkpoint *c, const char *folder) {
    char path[128];
    ns_error err = {0};
    snprintf(path, sizeof path, "tests/golden/%s/model.safetensors", folder);
    if (ns_map_file(&c->mapped, path, &err) ||
        ns_safetensors_parse(c->mapped.bytes, c->mapped.size, path, &c->tensors, &c->count, &err) ||
        !(c->dropped = calloc((size_t)c->count, sizeof *c->dropped)))
        abort();
}

static void unload(checkpoint *c) {
    ns_stored_free(c->tensors, c->count);
    ns_unmap(&c->mapped);
    free(c->dropped);
}

static int64_t odd(uint8_t b) {
    static const int64_t values[] = {
        0,     1,       2,         3,    4,       5,         6,         7,        8,
        9,     16,      17,        24,   33,      64,        192,       1024,     65536,
        65537, 1 << 20, INT32_MAX, 1025, 1 << 21, 1LL << 31, 1LL << 32, 1LL << 40};
    return values[b % (sizeof values / sizeof *values)];
}

/* blocks.0.norm1.weight becomes blocks.0.norm1.alpha, say. */
static void rename_last(ns_tensor_info *info, uint8_t b) {
    static const char *const words[] = {"weight", "bias", "alpha", "shift", "gamma", ""};
    char name[256];
    const char *dot = strrchr(info->name, '.');
    snprintf(name, sizeof name, "%.*s.%s", dot ? (int)(dot - info->name) : 100, info->name,
             words[b % 6]);
    free((void *)(uintptr_t)info->name);
    info->name = strdup(name);
}

/* In all tensors alike, so that shapes go on fitting each other. */
static void change_everywhere(checkpoint *c, int64_t from, int64_t to) {
    for (int i = 0; i < c->count; i++)
        for (int d = 0; d < c->tensors[i].info.dims; d++)
            if (c->tensors[i].info.shape[d] == from) c->tensors[i].info.shape[d] = to;
}

static void change(checkpoint *c, const uint8_t *b) {
    static const char *const types[] = {"F32", "F16", "BF16", "F64", "I32", "U8"};
    int at = b[0] % c->count;
    ns_tensor_info *info = &c->tensors[at].info;
    int d = info->dims ? b[2] % info->dims : 0;
    switch (b[1] % 7) {
    case 0:
        c->dropped[at] = true;
        break;
    case 1:
        if (info->dims) info->shape[d] = odd(b[3]);
        break;
    case 2:
        if (info->dims < NS_MAX_DIMS) info->shape[info->dims++] = odd(b[3]);
        break;
    case 3:
        if (info->dims) info->dims--;
        break;
    case 4:
        info->dtype = types[b[3] % 6];
        break;
    case 5:
        rename_last(info, b[3]);
        break;
    default:
        if (info->dims) change_everywhere(c, info->shape[d], odd(b[3]));
    }
}

/* Elements in all, or -1 where that is more than a test should take: types other than F32 are converted. */
static int64_t total(const checkpoint *c) {
    int64_t sum = 0, most = 1LL << 34;
    for (int i = 0; i < c->count; i++) {
        const ns_tensor_info *info = &c->tensors[i].info;
        int64_t n = 1;
        if (strcmp(info->dtype, "F32") != 0) most = 1 << 22;
        for (int d = 0; d < info->dims; d++)
            if (__builtin_mul_overflow(n, info->shape[d], &n)) return -1;
        if (!c->dropped[i] && (n > most || (sum += n) > most)) return -1;
    }
    return sum <= most ? sum : -1;
}

static void write_file(const checkpoint *c) {
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", ns_fuzz_folder());
    FILE *file = fopen(path, "wb");
    if (!file) abort();
    uint64_t size = 0, at = 0;
    fwrite(&size, 8, 1, file);
    fputc('{', file);
    for (int i = 0, written = 0; i < c->count; i++) {
        const ns_tensor_info *info = &c->tensors[i].info;
        if (c->dropped[i]) continue;
        uint64_t bytes = ns_element_named(info->dtype)->bytes;
        fprintf(file, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", written++ ? "," : "", info->name,
                info->dtype);
        for (int d = 0; d < info->dims; d++) {
            fprintf(file, "%s%lld", d ? "," : "", (long long)info->shape[d]);
            bytes *= (uint64_t)info->shape[d];
        }
        fprintf(file, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                (unsigned long long)(at + bytes));
        at += bytes;
    }
    fputc('}', file);
    while ((size = (uint64_t)ftell(file)) % 8) fputc(' ', file);
    if (fflush(file) != 0 || ftruncate(fileno(file), (off_t)(size + at)) != 0) abort();
    size -= 8;
    rewind(file);
    if (fwrite(&size, 8, 1, file) != 1 || fclose(file) != 0) abort();
}

/* ---- an observer that reads all that it is shown ---- */

static bool wants(void *user, const ns_site *site) {
    (void)user, (void)site;
    return true;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    (void)err;
    double *sum = user;
    size_t n = rows->samples * rows->positions;
    for (size_t i = 0; i < n * (size_t)site->norm.channels; i++)
        *sum += (double)rows->x[i] + (double)rows->y[i];
    for (size_t i = 0; i < n; i++) *sum += rows->kinds[i];
    for (size_t i = 0; i < rows->positions; i++) *sum += rows->position_ids[i];
    return NS_OK;
}

static int take_logits(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                       ns_error *err) {
    (void)first, (void)err;
    for (size_t i = 0; i < rows * classes; i++) *(double *)user += (double)logits[i];
    return NS_OK;
}

static void run(ns_model *model) {
    enum { MOST_PIXELS = 1 << 16, MOST_CLASSES = 1 << 16 };
    static float pixels[MOST_PIXELS];
    const ns_image_shape *s = &model->input.image;
    const int32_t words[] = {0, 0, -1};
    if (model->input.kind == NS_INPUT_WORDS) {
        double total = 0;
        ns_error err = {0};
        const ns_batch batch = {.samples = 1, .positions = 3, .ids = words};
        const ns_observer observer = {
            .user = &total, .wants = wants, .deliver = deliver, .logits = take_logits};
        ns_model_forward(model, &batch, &observer, 0, &err);
        return;
    }
    if ((int64_t)s->channels * s->height * s->width > MOST_PIXELS ||
        model->classes > MOST_CLASSES || (model->site_count && model->sites[0].positions > 1000))
        return;
    double sum = 0;
    const int64_t id = 0;
    ns_error err = {0};
    const ns_batch batch = {.samples = 1, .sample_ids = &id, .pixels = pixels};
    const ns_observer observer = {
        .user = &sum, .wants = wants, .deliver = deliver, .logits = take_logits};
    ns_model_forward(model, &batch, &observer, 0, &err);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    if (!size) return;
    ns_fuzz_clean();
    const char *folder = folders[data[0] % FOLDERS];
    checkpoint c = {0};
    load(&c, folder);
    for (size_t i = 1; i + 4 <= size && i < 60; i += 4) change(&c, data + i);
    int64_t values = total(&c);
    if (values >= 0) {
        char path[128], config[4096], link[128];
        write_file(&c);
        snprintf(path, sizeof path, "tests/golden/%s/config.json", folder);
        snprintf(link, sizeof link, "%s/config.json", ns_fuzz_folder());
        if (size % 2 && (!realpath(path, config) || symlink(config, link) != 0)) abort();
        ns_error err = {0};
        ns_model *model = NULL;
        if (ns_model_open(&model, ns_fuzz_folder(), &err) == NS_OK) {
            if (values < 1 << 20) run(model);
            ns_model_close(model);
        }
    }
    unload(&c);
}
NS_FUZZ("tensors")
