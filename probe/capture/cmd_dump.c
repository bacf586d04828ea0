/* normscope dump: runs a model over a data set and keeps what goes in and out of its normalization layers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/blas.h"
#include "probe/base/cli.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/stdin.h"
#include "probe/base/table.h"
#include "probe/capture/dump.h"
#include "probe/base/threads.h"

enum { ON_ERROR_SKIP, ON_ERROR_STOP };
enum {
    MOST_USUAL_CONTEXT = 512
}; /* where nothing is said: some models have positions for a book */

typedef struct settings {
    const char *output, *labels, *types, *layers;
    ns_list select, exclude;
    int64_t samples, skip, batch, threads, sample_rows, seed;
    int64_t context;
    int order, dtype, format, mode, on_error, split, ids;
    const char *mean, *std, *image;
    int64_t resize;
    int fit, interpolation; /* -1: as the checkpoint says */
    bool force, resume, dry_run, to_the_end;
} settings;

static int print_estimate(const ns_model *model, const ns_dump_plan *plan, ns_table_format format,
                          ns_error *err) {
    static const ns_column columns[] = {
        {"site", "1", NS_INT, 0, false, NULL},      {"name", NULL, NS_TEXT, 0, false, NULL},
        {"positions", "1", NS_INT, 0, false, NULL}, {"channels", "1", NS_INT, 0, false, NULL},
        {"bytes", "B", NS_INT, 0, false, NULL},     {"size", NULL, NS_TEXT, 0, false, NULL},
    };
    uint64_t *bytes = ns_calloc((size_t)model->site_count, sizeof *bytes, err), total;
    ns_table *table = ns_table_new(columns, 6, err);
    int status = bytes && table ? ns_store_estimate(&plan->store, bytes, &total, err) : NS_EFAIL;
    char size[24];
    for (int i = 0; i < model->site_count && !status; i++) {
        if (!plan->store.wanted[i]) continue;
        ns_table_int(table, model->sites[i].index);
        ns_table_text(table, model->sites[i].name);
        ns_table_int(table, model->sites[i].positions);
        ns_table_int(table, model->sites[i].norm.channels);
        ns_table_int(table, (int64_t)bytes[i]);
        ns_table_text(table, ns_human_bytes((double)bytes[i], size));
    }
    if (!status) status = ns_table_print(table, stdout, format, err);
    if (!status && format == NS_ALIGNED)
        printf("%" PRIu64 " samples: %" PRIu64 " bytes (%s); nothing was written\n",
               plan->store.samples, total, ns_human_bytes((double)total, size));
    ns_table_free(table);
    free(bytes);
    return status;
}

static void print_score(const ns_store_score *score) {
    double share = 100.0 * (double)score->hits / (double)score->judged;
    if (score->of_words)
        printf("next word: loss %.4f nats, top-1 accuracy %.2f %% (%" PRIu64 " of %" PRIu64 ")\n",
               score->loss / (double)score->judged, share, score->hits, score->judged);
    else
        printf("top-1 accuracy: %.2f %% (%" PRIu64 " of %" PRIu64 "), loss %.4f nats\n", share,
               score->hits, score->judged, score->loss / (double)score->judged);
}

/* Files that are not in the run, the first few by name. */
static void print_left_out(const ns_left_out *files, const char *what) {
    enum { SHOWN = 5 };
    if (!files->count) return;
    printf("left out: %" PRId64 " %s%s\n", files->count, what,
           files->count > SHOWN ? "; the first of them:" : ":");
    for (int i = 0; i < files->named && i < SHOWN; i++) printf("  %s\n", files->names[i]);
}

static void print_result(const ns_dump_result *r, const settings *s, const ns_dataset *data,
                         const ns_model *model) {
    uint64_t done = r->samples - r->resumed_at;
    printf("%s: %" PRIu64 " samples", s->output, r->samples);
    if (r->resumed_at) printf(" (%" PRIu64 " of them from before)", r->resumed_at);
    printf(", %.2f s", r->seconds);
    if (done) printf(", %.1f samples/s", (double)done / r->seconds);
    printf("\n");
    if (r->score.judged)
        print_score(&r->score);
    else if ((data->labels || model->network.head_of_words) && model->classes && done)
        printf("the pass ended after the last site asked for, so the accuracy is not known; "
               "--to-the-end asks for it\n");
    print_left_out(&r->unreadable, "samples that cannot be read");
    print_left_out(&data->unknown, data->input == NS_INPUT_WORDS
                                       ? "files that are no texts by their names"
                                       : "files that are no images by their names");
    if (data->cut)
        printf("cut: %" PRId64 " of %" PRId64 " texts were longer than the context of %d words\n",
               data->cut, data->count, data->text.length);
}

/* A run full of them looks like any other until somebody verifies it. */
static void warn_of_odd(const ns_store_tally *odd, const ns_model *model, const settings *s) {
    if (!odd->site) return;
    const char *begin = "normscope dump: warning:", *name = "";
    for (int i = 0; i < model->site_count; i++)
        if (model->sites[i].index == odd->site) name = model->sites[i].name;
    if (odd->parameters)
        fprintf(stderr, "%s %" PRIu64 " weights of the sites are not finite or beyond 1e38\n",
                begin, odd->parameters);
    if (odd->not_finite)
        fprintf(stderr, "%s %" PRIu64 " of %" PRIu64 " values are not finite\n", begin,
                odd->not_finite, odd->values);
    if (odd->too_large)
        fprintf(stderr, "%s %" PRIu64 " of %" PRIu64 " values are beyond %g%s\n", begin,
                odd->too_large, odd->values, odd->largest,
                s->dtype == NS_F16 ? ", the largest float16, and infinite in the file" : "");
    fprintf(stderr, "%s the first of them at site %d (%s)\n", begin, odd->site, name);
}

static int run_with(ns_model *model, const ns_dataset *data, const ns_dataset *types,
                    const settings *s, const bool *wanted, int argc, char **argv, ns_error *err) {
    char created[32];
    ns_cli_timestamp(created);
    ns_progress progress, checking;
    char *line = ns_command_line(argc, argv, err);
    if (!line) return NS_EFAIL;
    char *full = ns_asprintf(err, "normscope %s", line);
    free(line);
    if (!full) return NS_EFAIL;
    const ns_dump_options options = {.output = s->output,
                                     .command_line = full,
                                     .created = created,
                                     .wanted = wanted,
                                     .types = types,
                                     .skip = s->skip,
                                     .samples = s->samples,
                                     .batch = s->batch,
                                     .order = (ns_order)s->order,
                                     .seed = (uint64_t)s->seed,
                                     .mode = (ns_dump_mode)s->mode,
                                     .sample_rows = (uint64_t)s->sample_rows,
                                     .dtype = (ns_dtype)s->dtype,
                                     .force = s->force,
                                     .resume = s->resume,
                                     .to_the_end = s->to_the_end,
                                     .skip_unreadable = s->on_error == ON_ERROR_SKIP,
                                     .checking = &checking,
                                     .progress = &progress};
    const uint64_t samples = (uint64_t)(s->samples ? s->samples : data->count - s->skip);
    int status;
    ns_progress_begin(&checking, "reading", "samples", samples);
    if (s->dry_run) {
        ns_dump_plan plan;
        status = ns_dump_plan_make(&plan, model, data, &options, err);
        if (!status) {
            status = print_estimate(model, &plan, (ns_table_format)s->format, err);
            ns_dump_plan_free(&plan);
        }
    } else {
        ns_dump_result result;
        ns_blas_advise();
        ns_progress_begin(&progress, "dump", "samples", samples);
        status = ns_dump_run(model, data, &options, &result, err);
        ns_progress_end(&progress);
        if (!status) print_result(&result, s, data, model);
        if (!status || status == NS_ESTOP) warn_of_odd(&result.odd, model, s);
        ns_dump_result_free(&result);
    }
    free(full);
    return status;
}

/* What the command line says about images goes before what the checkpoint says. */
static int set_image(ns_image_shape *image, const settings *s, ns_error *err) {
    int side = image->height > image->width ? image->height : image->width;
    if (s->resize && s->resize < side)
        return ns_fail(
            err, NS_EUSAGE,
            "--resize: expected at least %d, the side of the model's images; found %" PRId64, side,
            s->resize);
    if (s->resize) image->resize = (int)s->resize;
    if (s->resize && !(image->crop > 0)) image->crop = 1;
    if (s->fit >= 0) image->stretch = s->fit == 1;
    if (s->interpolation >= 0) image->bilinear = s->interpolation == 0;
    int status =
        s->mean ? ns_image_numbers("--mean", s->mean, image->channels, image->mean, err) : NS_OK;
    if (!status && s->std)
        status = ns_image_numbers("--std", s->std, image->channels, image->std, err);
    for (int c = 0; c < image->channels && !status; c++)
        if (!(image->std[c] > 0))
            status =
                ns_fail(err, NS_EUSAGE, "--std: expected positive numbers, found '%s'", s->std);
    return status;
}

/* What the command line says about text; and the tokenizer. */
static int set_text(ns_model *model, const settings *s, ns_error *err) {
    ns_text_shape *text = &model->input.text;
    if (s->context && text->most && s->context > text->most)
        return ns_fail(err, NS_EUSAGE,
                       "--context: expected at most %d, the model's positions; found %" PRId64,
                       text->most, s->context);
    if (s->context)
        text->length = (int)s->context;
    else if (!text->length || text->length > MOST_USUAL_CONTEXT)
        text->length = MOST_USUAL_CONTEXT;
    text->split = (ns_text_split)(s->split + 1);
    text->raw = s->ids < 0 ? 0 : s->ids ? 4 : 2;
    return ns_model_lend_tokenizer(model, err);
}

/* The output is none of the files that the model and the data are read from, nor a run's record. That a file is there is the store's to
 * complain of: --resume wants one. */
static int output_ready(const settings *s, const ns_model *model, const ns_dataset *data,
                        ns_error *err) {
    static const char *const names[] = {"config.json", "train.json", "training.h5"};
    enum { NAMES = sizeof names / sizeof *names, OTHERS = 3 };
    const ns_weights *weights = model->weights;
    const int files = ns_weights_files(weights), count = OTHERS + NAMES + files;
    char *in_model[NAMES] = {0};
    const char **inputs = ns_calloc((size_t)count, sizeof *inputs, err);
    int status = inputs ? NS_OK : NS_EFAIL;
    for (int i = 0; i < NAMES && !status; i++) {
        in_model[i] = ns_path_join(ns_weights_path(weights), names[i], err);
        inputs[OTHERS + i] = in_model[i];
        if (!in_model[i]) status = NS_EFAIL;
    }
    if (!status) {
        inputs[0] = ns_weights_path(weights);
        inputs[1] = data->path;
        inputs[2] = data->labels_path;
        for (int i = 0; i < files; i++)
            inputs[OTHERS + NAMES + i] = ns_weights_file_path(weights, i);
        status = ns_output_ready(s->output, true, inputs, count, err);
    }
    for (int i = 0; i < NAMES; i++) free(in_model[i]);
    free(inputs);
    return status;
}

/* Token types are read as ids of a model that has so few words. */
static int open_types(ns_dataset **out, const char *path, const ns_model *model, ns_error *err) {
    const ns_text_shape shape = {
        .length = model->input.text.length, .words = (int)model->network.types, .padding = -1};
    int status = ns_dataset_open_words(out, path, NULL, &shape, err);
    if (!status && strcmp((*out)->kind->name, "ids") != 0)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected a .npy file of whole numbers [samples, words]", path);
    if (status) ns_fail_context(err, "--types");
    return status;
}

static int run_parsed(const settings *s, const ns_list *rest, int argc, char **argv,
                      ns_error *err) {
    ns_model *model = NULL;
    ns_dataset *data = NULL, *types = NULL;
    if (!s->output && !s->dry_run)
        return ns_fail(err, NS_EUSAGE, "expected -o FILE, the file to write");
    ns_model_options wants = {0};
    int status =
        s->image ? ns_image_size("--image", s->image, &wants.height, &wants.width, err) : NS_OK;
    if (!status) status = ns_model_open_with(&model, rest->items[0], &wants, err);
    if (!status && model->input.kind == NS_INPUT_PIXELS)
        status = set_image(&model->input.image, s, err);
    if (!status && model->input.kind == NS_INPUT_WORDS) status = set_text(model, s, err);
    const char *path = strcmp(rest->items[1], "-") != 0 ? rest->items[1] : NS_STDIN;
    if (!status && path != rest->items[1]) status = ns_stdin_whole(err);
    if (!status) status = ns_dataset_open_input(&data, path, s->labels, &model->input, err);
    if (!status && data->input == NS_INPUT_WORDS)
        status = ns_model_set_length(model, data->text.length, err);
    if (!status && s->output && !s->dry_run) status = output_ready(s, model, data, err);
    bool *wanted = status ? NULL : ns_calloc((size_t)model->site_count, sizeof *wanted, err);
    if (!status && !wanted) status = NS_EFAIL;
    if (!status) {
        const ns_selection selection = {s->select.items, s->select.count, s->exclude.items,
                                        s->exclude.count, s->layers};
        status =
            ns_select_sites(&selection, model->site_count, ns_model_site_at, model, wanted, err);
        if (status) ns_fail_context(err, "%s", rest->items[0]);
    }
    if (!status && s->types) status = open_types(&types, s->types, model, err);
    if (!status) status = run_with(model, data, types, s, wanted, argc, argv, err);
    ns_dataset_close(types);
    free(wanted);
    ns_dataset_close(data);
    ns_model_close(model);
    return status;
}

static void set_threads(int asked) {
    int threads = ns_threads_set(asked);
    if (threads < asked)
        fprintf(stderr,
                "normscope dump: warning: --threads asks for %d; %d are used, more would not "
                "help\n",
                asked, threads);
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {
        .on_error = ON_ERROR_STOP, .split = -1, .ids = -1, .fit = -1, .interpolation = -1};
    const ns_option options[] = {
        {"output", 'o', NS_OPT_TEXT, &s.output, "FILE", "HDF5 file to write", NULL, 0, 0},
        {"samples", 'n', NS_OPT_INT, &s.samples, "N", "how many samples to run", "all", 1, 1e15},
        {"skip", 0, NS_OPT_INT, &s.skip, "N",
         "leave out the first N samples of the order, for parts that merge puts together", "0", 0,
         1e15},
        {"batch", 'b', NS_OPT_INT, &s.batch, "N", "samples run and committed together",
         "as many as 512 MiB bear, at most 32", 1, 1e6},
        {"threads", 'j', NS_OPT_INT, &s.threads, "N",
         "threads of the pass; results depend on their number in the last digits",
         "OMP_NUM_THREADS, or one a processor", 1, 1e6},
        {"order", 0, NS_OPT_CHOICE, &s.order, NS_ORDERS,
         "order of the samples; shuffled by the seed, or classes in turn", "data", 0, 0},
        {"seed", 0, NS_OPT_INT, &s.seed, "N", "seed of the order and of --sample-rows", "0", 0,
         9e18},
        {"labels", 0, NS_OPT_TEXT, &s.labels, "FILE",
         "labels, where the data set does not bring them or has others", NULL, 0, 0},
        {"types", 0, NS_OPT_TEXT, &s.types, "FILE",
         "token types of the words (BERT), a .npy file of the shape of the ids", "all 0", 0, 0},
        {"on-error", 0, NS_OPT_CHOICE, &s.on_error, "skip|stop",
         "images that cannot be read: skip reads all of them once before the run, leaves those out "
         "and "
         "names them, or stop at the first",
         "stop", 0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Images (where not given, as the checkpoint says)",
         NULL, 0, 0},
        {"image", 0, NS_OPT_TEXT, &s.image, "N|HxW",
         "height and width in pixels of what the model takes, multiples of its patch; learned "
         "positions are resampled as its library does it",
         NULL, 0, 0},
        {"resize", 0, NS_OPT_INT, &s.resize, "N",
         "length of the shorter side (stretched: of both) in pixels, of which the centre is then "
         "cut out",
         NULL, 1, 65536},
        {"fit", 0, NS_OPT_CHOICE, &s.fit, "centre|stretch",
         "keep the ratio of the sides, or stretch both to the same length", NULL, 0, 0},
        {"interpolation", 0, NS_OPT_CHOICE, &s.interpolation, "bilinear|bicubic",
         "filter of the resizing, antialiased", NULL, 0, 0},
        {"mean", 0, NS_OPT_TEXT, &s.mean, "LIST",
         "subtracted from values in 0..1, a number or one a channel", NULL, 0, 0},
        {"std", 0, NS_OPT_TEXT, &s.std, "LIST", "what the values are then divided by", NULL, 0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Text", NULL, 0, 0},
        {"context", 'c', NS_OPT_INT, &s.context, "N", "words of a sample; longer ones are cut",
         "the model's positions, 512 at most", 1, 1e6},
        {"split", 0, NS_OPT_CHOICE, &s.split, NS_TEXT_SPLITS,
         "samples: stretches of a file's stream of words; or lines, paragraphs or files, which are "
         "cut to the context or filled up",
         "stream; file for a folder", 0, 0},
        {"ids", 0, NS_OPT_CHOICE, &s.ids, "uint16|uint32",
         "DATA are raw token ids of that type, such as nanoGPT's train.bin", NULL, 0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Sites", NULL, 0, 0},
        {"select", 's', NS_OPT_LIST, &s.select, "GLOB",
         "sites by name, whole components (blocks.1 is not blocks.10); may be repeated", "all", 0,
         0},
        {"exclude", 'x', NS_OPT_LIST, &s.exclude, "GLOB", "leave these out; may be repeated", NULL,
         0, 0},
        {"layers", 'l', NS_OPT_TEXT, &s.layers, "LIST", "sites by number, such as 5,15,20-25", NULL,
         0, 0},
        {"to-the-end", 0, NS_OPT_FLAG, &s.to_the_end, NULL,
         "run what follows the last site asked for, and report the accuracy; of a language model, "
         "loss and accuracy of the next word",
         NULL, 0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Storage", NULL, 0, 0},
        {"mode", 0, NS_OPT_CHOICE, &s.mode, NS_DUMP_MODES,
         "all rows; a sketch of each site (counts, moments, bins, a picture; some 4.5 MiB whatever "
         "the number of rows) and a sample of its rows; or both",
         "full", 0, 0},
        {"sample-rows", 0, NS_OPT_INT, &s.sample_rows, "N",
         "keep N rows (tokens) of each site, chosen by a hash of sample and position; its extreme "
         "rows are kept besides, for drawing only",
         "all rows; 1024 with a sketch alone", 1, 1e15},
        {"dtype", 0, NS_OPT_CHOICE, &s.dtype, "f32|f16", "type in the file", "f32", 0, 0},
        {"force", 'f', NS_OPT_FLAG, &s.force, NULL, "overwrite an existing file", NULL, 0, 0},
        {"resume", 0, NS_OPT_FLAG, &s.resume, NULL, "go on with an interrupted file", NULL, 0, 0},
        {"dry-run", 0, NS_OPT_FLAG, &s.dry_run, NULL, "print the bytes a site and write nothing",
         NULL, 0, 0},
        {"format", 0, NS_OPT_CHOICE, &s.format, NS_TABLE_FORMATS, "form of the table of --dry-run",
         "table", 0, 0},
        {0},
    };
    ns_list rest;
    int status = ns_cli_parse(self, options, argc, argv, 2, 2, &rest, err);
    if (!status && s.force && s.resume)
        status = ns_fail(err, NS_EUSAGE, "--force and --resume exclude each other");
    if (!status && s.threads) set_threads((int)s.threads);
    if (!status) status = run_parsed(&s, &rest, argc, argv, err);
    ns_list_free(&rest);
    ns_list_free(&s.select);
    ns_list_free(&s.exclude);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_dump = {
    .name = "dump",
    .group = "Capture",
    .summary = "run a model over data and keep input and output of its sites",
    .usage = "[options] MODEL DATA -o FILE",
    .details =
        "MODEL is a safetensors, GGUF or PyTorch file (FILE:KEY where that holds several models) "
        "or a Hugging Face folder. DATA is a path (IDX, plain "
        "or gzip; a folder of PNG, JPEG and WebP; "
        ".npy), - for standard input, or the name of a data set: fashion-mnist-1000 is bundled. A "
        "language model takes text, which the checkpoint's tokenizer makes words of, a folder of "
        ".txt, or token ids: a .npy file of whole numbers [samples, words], where what lies below "
        "0 is padding, or raw ones.\nSamples are "
        "committed batch by batch: after an "
        "interruption, a kill or a full disk, the file holds every committed batch and "
        "--resume goes on.",
    .examples = "  normscope dump datasets/vit-fmnist-layernorm fashion-mnist-1000 -o run.h5\n"
                "  normscope dump vit-b/ photographs/ -o run.h5 --layers 5,15,20,25 --dtype f16\n",
    .run = run,
};
