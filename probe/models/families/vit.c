/* A ViT from a checkpoint: the names that four libraries give to its parts, and what its shapes and config.json say. */
#include "probe/models/families/vit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "probe/models/reading.h"

enum { MOST_TOKENS = 1 << 20 };

/* A linear layer of torchvision's MLP: by its place in newer versions, by a name in older ones. */
#define TORCHVISION_BLOCK "encoder.layers.encoder_layer_%d."
#define TORCHVISION_MLP(place, name)                                                               \
    TORCHVISION_BLOCK "mlp." place ".|" TORCHVISION_BLOCK "mlp." name "."

static const ns_names torchvision = {
    .name = "torchvision",
    .prefixes = "",
    .parts = {[NS_PART_CLASS] = "class_token",
              [NS_PART_POSITIONS] = "encoder.pos_embedding",
              [NS_PART_PATCH] = "conv_proj.",
              [NS_PART_NORM1] = TORCHVISION_BLOCK "ln_1",
              [NS_PART_QKV] = TORCHVISION_BLOCK "self_attention.in_proj_",
              [NS_PART_PROJECTION] = TORCHVISION_BLOCK "self_attention.out_proj.",
              [NS_PART_NORM2] = TORCHVISION_BLOCK "ln_2",
              [NS_PART_FC1] = TORCHVISION_MLP("0", "linear_1"),
              [NS_PART_FC2] = TORCHVISION_MLP("3", "linear_2"),
              [NS_PART_NORM] = "encoder.ln",
              [NS_PART_HEAD] = "heads.head."}};

#define HUGGINGFACE_BLOCK "@encoder.layer.%d."
static const ns_names huggingface = {
    .name = "huggingface",
    .prefixes = "vit.|deit.|",
    .parts = {[NS_PART_CLASS] = "@embeddings.cls_token",
              [NS_PART_POSITIONS] = "@embeddings.position_embeddings",
              [NS_PART_PATCH] = "@embeddings.patch_embeddings.projection.",
              [NS_PART_NORM1] = HUGGINGFACE_BLOCK "layernorm_before",
              [NS_PART_Q] = HUGGINGFACE_BLOCK "attention.attention.query.",
              [NS_PART_K] = HUGGINGFACE_BLOCK "attention.attention.key.",
              [NS_PART_V] = HUGGINGFACE_BLOCK "attention.attention.value.",
              [NS_PART_PROJECTION] = HUGGINGFACE_BLOCK "attention.output.dense.",
              [NS_PART_NORM2] = HUGGINGFACE_BLOCK "layernorm_after",
              [NS_PART_FC1] = HUGGINGFACE_BLOCK "intermediate.dense.",
              [NS_PART_FC2] = HUGGINGFACE_BLOCK "output.dense.",
              [NS_PART_NORM] = "@layernorm",
              [NS_PART_HEAD] = "classifier.",
              [NS_PART_UNUSED] = "@pooler.|@embeddings.mask_token"}};

static const ns_names vit_pytorch = {
    .name = "vit-pytorch",
    .prefixes = "",
    .parts = {[NS_PART_CLASS] = "cls_token",
              [NS_PART_POSITIONS] = "pos_embedding",
              [NS_PART_PATCH] = "to_patch_embedding.1.",
              [NS_PART_NORM1] = "transformer.layers.%d.0.norm",
              [NS_PART_QKV] = "transformer.layers.%d.0.fn.to_qkv.",
              [NS_PART_PROJECTION] = "transformer.layers.%d.0.fn.to_out.0.",
              [NS_PART_NORM2] = "transformer.layers.%d.1.norm",
              [NS_PART_FC1] = "transformer.layers.%d.1.fn.net.0.",
              [NS_PART_FC2] = "transformer.layers.%d.1.fn.net.3.",
              [NS_PART_POOLED_NORM] = "mlp_head.0",
              [NS_PART_HEAD] = "mlp_head.1."}};

static const ns_names *const all_names[] = {&ns_names_timm, &torchvision, &huggingface,
                                            &vit_pytorch};

/* What the libraries do where nothing says so. */
static const struct usual {
    const ns_names *names;
    double eps;
    bool patch_last;          /* a linear patch embedding's columns are (p1 p2 c), else (c p1 p2) */
    bool class_pooled;        /* a norm of the pooled row is no sign of mean pooling */
    bool mean_of_all;         /* mean pooling takes the class token in */
    ns_pixel_defaults pixels; /* how its usual checkpoints were evaluated */
} usuals[] = {{&ns_names_timm,
               1e-6,
               false,
               false,
               false,
               {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 0.9, false, false}},
              {&torchvision,
               1e-6,
               false,
               false,
               false,
               {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0.875, true, false}},
              {&huggingface,
               1e-12,
               false,
               false,
               false,
               {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1, true, true}},
              {&vit_pytorch,
               1e-5,
               true,
               true,
               true,
               {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1, false, false}}};

/* A ViT while it is read. */
typedef struct opening {
    ns_reading *r;
    const struct usual *usual;
    ns_vit_spec spec;
    const char *activation; /* where config.json does not say */
} opening;

/* ---- timm's architectures ---- */

/* Names whose networks are no plain pre-LN ViTs though their tensors look like it, or that have other constants. */
static int read_architecture(opening *o) {
    static const struct {
        const char *part, *why;
    } refused[] = {{"rpn", "a ViT with norms behind attention and MLP"},
                   {"parallel", "a ViT with parallel branches"},
                   {"_par_", "a ViT with parallel branches"},
                   {"relpos", "a ViT with relative positions"},
                   {"rope", "a ViT with rotary positions"},
                   {"samvit", "a ViT with windows"}};
    ns_origin from;
    const char *word = "", *class_name = NULL;
    bool found;
    const json_t *j = ns_config_find(&o->r->config, "architecture", from);
    if (json_is_string(j)) word = json_string_value(j);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strstr(word, refused[i].part))
            return ns_config_contradicts(&o->r->config, from, "a plain pre-LN ViT", refused[i].why);
    /* In no tensor and in no key: timm's own constants by the name. */
    static const char *const tanh_gelu[] = {"patch32", "giantopt", "so400m_patch16",
                                            "large_patch16_siglip_512"};
    static const struct {
        const char *part;
        size_t heads;
    } heads[] = {{"vit_base_patch16_gap", 16},
                 {"_huge_", 16},
                 {"_giant_", 16},
                 {"_giantopt_", 16},
                 {"_gigantic_", 16},
                 {"so400m", 16},
                 {"test_vit3", 3},
                 {"test_vit4", 3},
                 {"test_vit", 2}};
    o->activation = strstr(word, "quickgelu") ? "quick_gelu" : "gelu";
    for (size_t i = 0; i < sizeof tanh_gelu / sizeof *tanh_gelu && strstr(word, "siglip"); i++)
        if (strstr(word, tanh_gelu[i])) o->activation = "gelu_tanh";
    for (size_t i = 0; i < sizeof heads / sizeof *heads && !o->spec.blocks.heads; i++)
        if (strstr(word, heads[i].part)) o->spec.blocks.heads = heads[i].heads;
    /* timm's classes of blocks, where model_args names one. */
    int status = ns_config_word(&o->r->config, "block_fn", &class_name, &found, from);
    return status || !found || !strcmp(class_name, "Block")
               ? status
               : ns_config_contradicts(&o->r->config, from, "Block", class_name);
}

/* CLIP's ViTs, which have a norm of the embeddings, come with another eps. */
static double usual_eps(const opening *o) {
    ns_origin from;
    const char *word = json_string_value(ns_config_find(&o->r->config, "architecture", from));
    return word && strstr(word, "clip") ? 1e-5 : o->usual->eps;
}

/* ---- the embedding ---- */

/* Columns of a linear patch embedding: which patch and how many channels? */
static int patch_from_columns(opening *o, int64_t columns, int64_t *channels, int64_t *patch) {
    static const int64_t likely[] = {3, 1, 4, 2};
    bool has_channels, has_patch;
    ns_origin from;
    ns_config *config = &o->r->config;
    int64_t side = 0;
    int status = ns_config_int(config, "in_chans|num_channels|channels|in_channels", 1, 4, channels,
                               &has_channels, from);
    if (!status) status = ns_config_int(config, "patch_size", 1, 1024, &side, &has_patch, from);
    if (status) return status;
    for (int i = 0; i < 4; i++) {
        int64_t c = has_channels ? *channels : likely[i];
        *patch = has_patch ? side : (int64_t)lround(sqrt((double)columns / (double)c));
        if (c * *patch * *patch != columns) continue;
        *channels = c;
        return NS_OK;
    }
    return ns_fail(o->r->err, NS_EINPUT,
                   "%s: patch embedding: expected channels * patch * patch columns (config.json: "
                   "channels %lld, patch %lld; 0: not given), found %lld",
                   ns_weights_path(o->r->model->weights), (long long)(has_channels ? *channels : 0),
                   (long long)side, (long long)columns);
}

static int read_embedding(opening *o) {
    ns_reading *r = o->r;
    ns_name name;
    const ns_tensor_info *info;
    int64_t channels = 0, patch = 0;
    int status = ns_reading_need(r, NS_PART_PATCH, 0, "weight", &name, &info);
    if (!status && info->dims == 2)
        status = patch_from_columns(o, info->shape[1], &channels, &patch);
    if (status) return status;
    if (info->dims == 4 && info->shape[2] == info->shape[3]) {
        channels = info->shape[1];
        patch = info->shape[2];
    }
    if (channels < 1 || channels > 4 || patch < 1 || patch > 1024 || info->shape[0] < 1 ||
        info->shape[0] > 1 << 16)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: %s: expected [width, 1 to 4 channels, patch, patch], found %d "
                       "dimensions, the first of %lld",
                       info->file, name.text, info->dims,
                       (long long)(info->dims ? info->shape[0] : 0));
    int64_t width = info->shape[0];
    o->spec.flat_patch = info->dims == 2;
    o->spec.blocks.width = (size_t)width;
    o->spec.grid = (ns_patch_grid){.channels = (size_t)channels,
                                   .patch = (size_t)patch,
                                   .channels_last = o->spec.flat_patch && o->usual->patch_last};
    r->model->input.image.channels = (int)channels;
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    status = ns_reading_agree(r, "width", "embed_dim|hidden_size|hidden_dim|dim", width, source);
    if (!status) status = ns_reading_agree(r, "patch", "patch_size", patch, source);
    if (!status)
        status = ns_reading_agree(r, "channels", "in_chans|num_channels|channels|in_channels",
                                  channels, source);
    return status;
}

/* Height and width of the image, if config.json says so. */
static int read_image_size(opening *o, int64_t size[2], bool *found, ns_origin from) {
    const json_t *j = ns_config_find(&o->r->config, "img_size|image_size", from), *other;
    ns_origin elsewhere;
    other = ns_config_find(&o->r->config, "input_size", elsewhere); /* timm: [channels, h, w] */
    size_t first = j ? 0 : 1;
    if (!j && other) memcpy(from, elsewhere, sizeof elsewhere);
    if (!j) j = other;
    *found = j != NULL;
    for (size_t i = 0; i < 2 && j; i++) {
        const json_t *one = json_is_array(j) ? json_array_get(j, first + i) : j;
        if (!json_is_integer(one) || json_integer_value(one) < 1 ||
            json_integer_value(one) > 1 << 16)
            return ns_config_refuse(&o->r->config, from, "a size in pixels from 1 to 65536", j);
        size[i] = json_integer_value(one);
    }
    return NS_OK;
}

static int64_t square_root(int64_t n) {
    int64_t r = n < 1 ? 0 : (int64_t)lround(sqrt((double)n));
    return r * r == n ? r : 0;
}

/* The image from config.json, else from the number of positions, which is square. */
static int find_image(opening *o, int64_t positions, int64_t extra, int64_t size[2],
                      ns_origin from) {
    int64_t patch = (int64_t)o->spec.grid.patch;
    bool found;
    int status = read_image_size(o, size, &found, from);
    if (status) return status;
    if (found && (size[0] % patch || size[1] % patch)) {
        char expected[64], other[64];
        snprintf(expected, sizeof expected, "a multiple of the patch, %lld", (long long)patch);
        snprintf(other, sizeof other, "%lld x %lld", (long long)size[0], (long long)size[1]);
        return ns_config_contradicts(&o->r->config, from, expected, other);
    }
    if (found) return NS_OK;
    int64_t side = square_root(positions - extra);
    if (!side) side = square_root(positions);
    if (!side)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: expected \"img_size\" in config.json, or a square number of "
                       "positions, found %lld positions and %lld other tokens",
                       ns_weights_path(o->r->model->weights), (long long)positions,
                       (long long)extra);
    size[0] = size[1] = side * patch;
    snprintf(from, sizeof(ns_origin), "shape of the position embedding");
    return NS_OK;
}

static int read_grid(opening *o, int64_t positions) {
    ns_vit_spec *s = &o->spec;
    ns_origin from;
    int64_t size[2] = {0, 0}, extra = s->class_token + (int64_t)s->registers,
            patch = (int64_t)s->grid.patch;
    int status = find_image(o, positions, extra, size, from);
    if (status) return status;
    int64_t patches = size[0] / patch * (size[1] / patch);
    if (patches > MOST_TOKENS)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: expected at most %d patches, found %lld x %lld (%s)",
                       ns_weights_path(o->r->model->weights), MOST_TOKENS,
                       (long long)(size[0] / patch), (long long)(size[1] / patch), from);
    s->grid.height = (size_t)size[0];
    s->grid.width = (size_t)size[1];
    if (positions && positions != patches && positions != patches + extra) {
        char expected[96], other[64];
        snprintf(expected, sizeof expected, "an image of %lld patches, as there are positions",
                 (long long)(positions - extra));
        snprintf(other, sizeof other, "%lld x %lld, which is %lld", (long long)size[0],
                 (long long)size[1], (long long)patches);
        return ns_config_contradicts(&o->r->config, from, expected, other);
    }
    s->positions = !positions                     ? NS_NO_POSITIONS
                   : positions == patches + extra ? NS_POSITIONS_OF_ALL
                                                  : NS_POSITIONS_OF_PATCHES;
    ns_image_shape *image = &o->r->model->input.image;
    image->height = (int)size[0];
    image->width = (int)size[1];
    status = ns_reading_fact(o->r, "image", from, "%d x %d", image->height, image->width);
    return status
               ? status
               : ns_reading_fact(o->r, "tokens", "class, registers and patches", "%d + %zu + %lld",
                                 s->class_token, s->registers, (long long)patches);
}

/* Rows of a tensor [1, rows, W]; 0 where the checkpoint has none. */
static int64_t rows_of(opening *o, ns_part part) {
    ns_name name;
    const ns_tensor_info *info = ns_reading_find(o->r, part, 0, "", &name);
    return info && info->dims == 3 ? info->shape[1] : info ? 1 : 0;
}

static int read_tokens(opening *o) {
    int64_t positions = rows_of(o, NS_PART_POSITIONS), registers = rows_of(o, NS_PART_REGISTERS);
    o->spec.class_token = rows_of(o, NS_PART_CLASS) > 0;
    if (positions > MOST_TOKENS || registers > MOST_TOKENS)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: expected at most %d tokens, found %lld positions and %lld registers",
                       ns_weights_path(o->r->model->weights), MOST_TOKENS, (long long)positions,
                       (long long)registers);
    o->spec.registers = (size_t)registers;
    return read_grid(o, positions);
}

/* ---- what follows the blocks, and how an image is made ready ---- */

static int read_bias(opening *o) {
    ns_name name;
    ns_part part = o->r->naming.names->parts[NS_PART_QKV] ? NS_PART_QKV : NS_PART_Q;
    bool bias = ns_reading_name(o->r, part, 0, "bias", &name), wanted = bias, found;
    ns_origin from;
    int status = ns_config_flag(&o->r->config, "qkv_bias", &wanted, &found, from);
    if (status) return status;
    if (wanted != bias)
        return ns_config_contradicts(&o->r->config, from, bias ? "true" : "false",
                                     wanted ? "true" : "false");
    return ns_reading_fact(o->r, "qkv bias", found ? from : "tensors of block 0", "%s",
                           bias ? "yes" : "no");
}

static int read_pooling(opening *o) {
    ns_vit_spec *s = &o->spec;
    const char *word = NULL;
    bool found;
    ns_origin from;
    int status = ns_config_word(&o->r->config, "global_pool|pool|pooling", &word, &found, from);
    if (status) return status;
    if (!found) {
        s->mean_pooling = !s->class_token || (s->pooled_norm && !o->usual->class_pooled);
        snprintf(from, sizeof from, "%s",
                 s->mean_pooling ? (s->class_token ? "a norm of the pooled row" : "no class token")
                                 : "the class token");
    } else if (!strcmp(word, "avg") || !strcmp(word, "mean")) {
        s->mean_pooling = true;
    } else if (strcmp(word, "token") != 0 && strcmp(word, "cls") != 0) {
        return ns_config_contradicts(&o->r->config, from, "token, cls, avg or mean", word);
    } else if (!s->class_token) {
        return ns_config_contradicts(&o->r->config, from, "avg, since there is no class token",
                                     word);
    }
    s->pool_from = o->usual->mean_of_all ? 0 : s->class_token + s->registers;
    const char *of =
        s->pool_from < s->class_token + s->registers ? "mean of all tokens" : "mean of the patches";
    return ns_reading_fact(o->r, "pooling", from, "%s", s->mean_pooling ? of : "class token");
}

static int read_head(opening *o) {
    ns_name name;
    const ns_tensor_info *info = ns_reading_find(o->r, NS_PART_HEAD, 0, "weight", &name);
    if (!info) return ns_reading_fact(o->r, "classes", "no head", "0");
    int64_t classes = info->dims == 2 ? info->shape[0] : 0;
    if (classes < 1 || classes > 1 << 24)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: %s: expected [1 to %d classes, %zu], found %d dimensions, the first of "
                       "%lld",
                       info->file, name.text, 1 << 24, o->spec.blocks.width, info->dims,
                       (long long)(info->dims ? info->shape[0] : 0));
    o->spec.classes = (size_t)classes;
    o->r->model->classes = (int)classes;
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    return ns_reading_agree(o->r, "classes", "num_classes|num_labels", classes, source);
}

static int read_end(opening *o) {
    ns_vit_spec *s = &o->spec;
    s->norm_pre = ns_reading_has_norm(o->r, NS_PART_NORM_PRE, 0);
    s->norm = ns_reading_has_norm(o->r, NS_PART_NORM, 0) ||
              (ns_reading_norms_leave_no_trace(o->r) && o->r->naming.names->parts[NS_PART_NORM]);
    s->pooled_norm = ns_reading_has_norm(o->r, NS_PART_POOLED_NORM, 0);
    /* What these keys say stands in the tensors' names; a network where a norm is elsewhere has others. */
    static const ns_config_fixed fixed[] = {
        {"post_norm", "false"},       {"norm_first", "true"},
        {"pre_norm_only", "true"},    {"pool_include_prefix", "false"},
        {"dynamic_img_pad", "false"}, {"scale_attn_norm", "false"},
        {"scale_mlp_norm", "false"},  {"proj_bias", "true"},
        {"attn_drop", "0"},           {"pooler_type", "\"cls\""},
        {"features_only", "false"},   {"use_mask_token", "false"},
        {"qk_norm", "false"}};
    bool said, found;
    ns_origin from;
    int status = ns_config_check_fixed(&o->r->config, fixed, sizeof fixed / sizeof *fixed);
    const struct {
        const char *keys;
        bool has;
    } shown[] = {{"pre_norm", s->norm_pre},
                 {"fc_norm", s->pooled_norm},
                 {"class_token", s->class_token},
                 {"final_norm", s->norm || s->pooled_norm}};
    for (size_t i = 0; i < sizeof shown / sizeof *shown && !status; i++) {
        bool has = shown[i].has;
        said = has;
        status = ns_config_flag(&o->r->config, shown[i].keys, &said, &found, from);
        if (!status && said != has)
            status = ns_config_contradicts(&o->r->config, from, has ? "true" : "false",
                                           said ? "true" : "false");
    }
    int64_t registers = (int64_t)s->registers;
    if (!status)
        status = ns_config_int(&o->r->config, "reg_tokens|num_register_tokens", registers,
                               registers, &registers, &found, from);
    double scale = s->blocks.scaled; /* where LayerScale began: 0: there is none */
    if (!status)
        status = ns_config_real(&o->r->config, "init_values", -1e9, 1e9, &scale, &found, from);
    if (!status && found && (scale != 0) != s->blocks.scaled)
        status = ns_config_contradicts(&o->r->config, from,
                                       s->blocks.scaled ? "a number, since there is LayerScale"
                                                        : "null, since there is no LayerScale",
                                       scale != 0 ? "a number" : "0");
    ns_config_find(&o->r->config, "norm_eps_source", from);
    if (!status) status = read_pooling(o);
    return status ? status : read_head(o);
}

static int open_vit(ns_reading *r) {
    opening o = {.r = r, .usual = &usuals[0]};
    for (size_t i = 0; i < sizeof usuals / sizeof *usuals; i++)
        if (usuals[i].names == r->naming.names) o.usual = &usuals[i];
    r->model->input.kind = NS_INPUT_PIXELS;
    int status = read_architecture(&o);
    if (!status)
        status = ns_read_norms(r, "norm_eps|layer_norm_eps|layer_norm_epsilon|eps", usual_eps(&o));
    if (!status) status = read_embedding(&o);
    if (!status) status = read_tokens(&o);
    if (!status) status = ns_read_blocks(r, &o.spec.blocks, o.activation);
    if (!status) status = read_bias(&o);
    if (!status) status = read_end(&o);
    if (!status) status = ns_reading_pixels(r, &o.usual->pixels);
    ns_builder b = {&r->model->network, ns_reading_source(r), r->err, status};
    if (!status) status = ns_vit_build(&b, &o.spec, &r->naming);
    if (status) return status;
    ns_reading_ignore_unused(r);
    return ns_reading_all_used(r, "ViT");
}

extern const ns_family ns_family_vit;
const ns_family ns_family_vit = {
    .name = "vit",
    .summary = "Vision Transformer, pre-LN (names of timm, torchvision, Hugging Face, vit-pytorch)",
    .model_types = "vit|deit",
    .architectures = "ViT*|DeiTModel|DeiTForImageClassification|VisionTransformer",
    .timm = "vit|vit_*|deit_*|deit3_*",
    .names = all_names,
    .name_count = sizeof all_names / sizeof *all_names,
    .open = open_vit};
