/* normscope train: a Vision Transformer or a GPT with the norm of one's choice, from a data set to a checkpoint. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/cli.h"
#include "probe/base/blas.h"
#include "probe/norms/norm.h"
#include "probe/train/train.h"

typedef struct printer {
    const ns_train_plan *plan;
    bool begun; /* the head of the table is printed */
} printer;

static void tell_begun(void *user, const ns_train_result *result) {
    (void)user;
    if (result->threads_changed)
        fprintf(
            stderr,
            "an earlier version resumed this run with another number of threads: its bits are not "
            "those of an uninterrupted run\n");
}

/* A line as each epoch ends, in columns that fit those of the head. */
static void print_epoch(void *user, const ns_train_epoch *e) {
    printer *p = user;
    ns_progress_end(p->plan->progress);
    if (!p->begun)
        printf("epoch     loss  accuracy  validation  accuracy   gradient      rate  samples/s\n"
               "              nat         %%         nat         %%       norm\n");
    p->begun = true;
    printf("%5" PRId64 "  %7.4f  %8.2f", e->epoch, e->loss, 100 * e->accuracy);
    if (isnan(e->validation_loss))
        printf("  %10s  %8s", "-", "-");
    else
        printf("  %10.4f  %8.2f", e->validation_loss, 100 * e->validation_accuracy);
    printf("  %9.3g  %8.3g  %9.0f\n", e->gradient_norm, e->rate, e->images_per_second);
    fflush(stdout);
}

static int train(ns_train_plan *plan, ns_error *err) {
    ns_progress progress = {0};
    ns_train_result result;
    printer told = {.plan = plan};
    plan->begun = tell_begun;
    plan->epoch_done = print_epoch;
    plan->user = &told;
    plan->progress = &progress;
    ns_blas_advise();
    int status = ns_train_run(plan, &result, err);
    ns_progress_end(&progress);
    if (status) return status;
    printf("%s: %s, %" PRId64 " parameters, %" PRId64 " samples trained on, %" PRId64 " held out\n",
           plan->folder, plan->norm, result.parameters, result.training, result.validation);
    if (!isnan(result.test_accuracy))
        printf("test accuracy: %.2f %% of %" PRId64 " (loss %.4f)\n", 100 * result.test_accuracy,
               result.test, result.test_loss);
    return NS_OK;
}

static int check(const ns_train_plan *p, ns_error *err) {
    if (!p->folder) return ns_fail(err, NS_EUSAGE, "expected -o RUN, the folder of the run");
    if (!p->data) return ns_fail(err, NS_EUSAGE, "expected --data, a path or a name");
    if (p->resume && p->force)
        return ns_fail(err, NS_EUSAGE, "--force and --resume exclude each other");
    if (!ns_norm_kind_find(p->norm, err)) return NS_EUSAGE;
    return NS_OK;
}

static void list_kinds(char *text, size_t size) {
    snprintf(text, size, "normalization layer:");
    for (int i = 0; i < ns_norm_kind_count; i++) {
        size_t n = strlen(text);
        snprintf(text + n, size - n, "%s %s", i ? "," : "", ns_norm_kinds[i]->name);
    }
}

/* "0.5", and the kinds that begin elsewhere. */
static void list_alphas(char *text, size_t size) {
    const double usual = ns_norm_kind_find("dyt", NULL)->alpha;
    snprintf(text, size, "%g", usual);
    for (int i = 0; i < ns_norm_kind_count; i++) {
        const ns_norm_kind *kind = ns_norm_kinds[i];
        size_t n = strlen(text);
        if ((kind->has & NS_HAS_ALPHA) && kind->alpha != usual)
            snprintf(text + n, size - n, "; %s %g", kind->name, kind->alpha);
    }
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    ns_train_plan p = ns_train_defaults();
    p.norm = "layernorm";
    bool no_flip = false;
    int64_t seed = 0;
    char kinds[512], alphas[256];
    list_kinds(kinds, sizeof kinds);
    list_alphas(alphas, sizeof alphas);
    const ns_option options[] = {
        {"output", 'o', NS_OPT_TEXT, &p.folder, "RUN", "folder of the run", NULL, 0, 0},
        {"data", 'd', NS_OPT_TEXT, &p.data, "DATA",
         "what to train on, with labels; fashion-mnist: its training images", NULL, 0, 0},
        {"labels", 0, NS_OPT_TEXT, &p.labels, "FILE", "labels, where the data do not bring them",
         NULL, 0, 0},
        {"test", 0, NS_OPT_TEXT, &p.test, "DATA",
         "what the last figure is measured on; fashion-mnist: its test images", NULL, 0, 0},
        {"validation", 0, NS_OPT_INT, &p.validation, "N",
         "samples held out to choose by; the same ones for every seed", "a twelfth", 0, 1e9},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Network", NULL, 0, 0},
        {"arch", 0, NS_OPT_TEXT, &p.arch, "vit|gpt",
         "images and their classes, or text and its next tokens", "vit", 0, 0},
        {"norm", 0, NS_OPT_TEXT, &p.norm, "KIND", kinds, "layernorm", 0, 0},
        {"alpha-init", 0, NS_OPT_REAL, &p.alpha, "A", "where alpha begins", alphas, -1e6, 1e6},
        {"alpha-init-attn", 0, NS_OPT_REAL, &p.alpha_attention, "A",
         "the same for layers before attention", "alpha-init", -1e6, 1e6},
        {"init-std", 0, NS_OPT_REAL, &p.deviation, "X", "deviation of weights as they begin",
         "0.02 sqrt(768/width)", 0, 10},
        {"width", 0, NS_OPT_INT, &p.width, "N", "channels of a token", "96", 1, 65536},
        {"depth", 0, NS_OPT_INT, &p.depth, "N", "blocks", "8", 1, 1024},
        {"heads", 0, NS_OPT_INT, &p.heads, "N", "attention heads", "4", 1, 65536},
        {"hidden", 0, NS_OPT_INT, &p.hidden, "N", "values inside an MLP", "4 x width", 1, 1 << 20},
        {"patch", 0, NS_OPT_INT, &p.patch, "N", "side of a patch in pixels", "7", 1, 1024},
        {"context", 0, NS_OPT_INT, &p.context, "N", "gpt: tokens of a sample", "128", 2, 65536},
        {"characters", 0, NS_OPT_FLAG, &p.characters, NULL,
         "gpt: tokens are the characters that the text has, not bytes", NULL, 0, 0},
        {"activation", 0, NS_OPT_CHOICE, &p.activation, NS_TRAIN_ACTIVATIONS,
         "activation of the MLPs", "gelu", 0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Recipe", NULL, 0, 0},
        {"epochs", 'e', NS_OPT_INT, &p.epochs, "N", "passes over the data", "10", 1, 1e6},
        {"batch", 'b', NS_OPT_INT, &p.batch, "N", "samples of a step", "128", 1, 1e6},
        {"lr", 0, NS_OPT_REAL, &p.rate, "X", "largest learning rate", "0.001", 0, 1e3},
        {"min-lr", 0, NS_OPT_REAL, &p.least_rate, "X", "the cosine's end", "1e-6", 0, 1e3},
        {"warmup", 0, NS_OPT_REAL, &p.warmup, "EPOCHS", "over which the rate rises", "1", 0, 1e6},
        {"weight-decay", 0, NS_OPT_REAL, &p.weight_decay, "X", "AdamW's, of matrices alone", "0.05",
         0, 1e3},
        {"beta1", 0, NS_OPT_REAL, &p.beta1, "X", "AdamW's mean of the gradient", "0.9", 0,
         0.999999},
        {"beta2", 0, NS_OPT_REAL, &p.beta2, "X", "AdamW's mean of its square", "0.999", 0,
         0.9999999},
        {"adam-eps", 0, NS_OPT_REAL, &p.adam_eps, "X", "AdamW's epsilon", "1e-8", 1e-30, 1},
        {"clip", 0, NS_OPT_REAL, &p.clip, "X", "largest norm of the gradient; 0: any", "1", 0,
         1e30},
        {"label-smoothing", 0, NS_OPT_REAL, &p.smoothing, "X", "share given to all classes", "0.1",
         0, 0.999},
        {"drop-path", 0, NS_OPT_REAL, &p.drop_path, "X",
         "chance that the last block's branches are left out; less for those before", "0.1", 0,
         0.99},
        {"crop-padding", 0, NS_OPT_INT, &p.padding, "N",
         "pixels by which an image is moved at random", "2", 0, 1024},
        {"no-flip", 0, NS_OPT_FLAG, &no_flip, NULL, "never mirror an image", NULL, 0, 0},
        {"seed", 's', NS_OPT_INT, &seed, "N", "of the start, the order and the augmentation", "0",
         0, 9e18},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Run", NULL, 0, 0},
        {"watch-every", 0, NS_OPT_INT, &p.watch_every, "N",
         "watch the sites every N steps too, not only at the start and after each epoch", NULL, 1,
         1e12},
        {"resume", 0, NS_OPT_FLAG, &p.resume, NULL,
         "go on with RUN, by the same command; gives the same bits", NULL, 0, 0},
        {"force", 'f', NS_OPT_FLAG, &p.force, NULL, "begin anew where RUN holds a run", NULL, 0, 0},
        {0},
    };
    int status = ns_cli_parse(self, options, argc, argv, 0, 0, NULL, err);
    if (status) return status < 0 ? NS_OK : status;
    p.flip = !no_flip;
    p.seed = (uint64_t)seed;
    status = check(&p, err);
    return status ? status : train(&p, err);
}

extern const ns_command ns_command_train;
const ns_command ns_command_train = {
    .name = "train",
    .group = "Train",
    .summary = "train a ViT or a GPT with the norm of your choice",
    .usage = "[options] --norm KIND --data DATA -o RUN",
    .details =
        "RUN becomes a folder with config.json and model.safetensors, which dump reads; "
        "training.h5, "
        "what each layer saw at the start and after each epoch; and the state from which --resume "
        "goes on.\n"
        "The same options, seed and number of threads (OMP_NUM_THREADS) give the same bits. An "
        "interruption keeps the last step.",
    .examples = "  normscope train --norm dyt --data fashion-mnist --epochs 10 -o dyt\n"
                "  normscope dump dyt fashion-mnist-1000 -o dyt.h5\n"
                "  normscope train --arch gpt --data shakespeare --characters --width 128 \\\n"
                "      --depth 4 --batch 32 --drop-path 0 --label-smoothing 0 -o gpt\n",
    .run = run,
};
