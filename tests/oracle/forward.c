/* Runs a model on raw pixels through the library and leaves all that it delivers as raw float32, for the oracles in scripts/ to
 * compare: FOLDER/logits, FOLDER/001.x, FOLDER/001.y, ...; a line a site on stdout: index, name, positions, channels.
 *
 * usage: oracle-forward MODEL PIXELS SAMPLES FOLDER */
#include <stdio.h>
#include <stdlib.h>

#include "probe/models/model.h"

typedef struct output {
    const char *folder;
} output;

static int write_floats(const output *out, const char *name, const float *values, size_t count,
                        ns_error *err) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", out->folder, name);
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(values, sizeof *values, count, file) == count;
    if (file) good &= fclose(file) == 0;
    return good ? NS_OK : ns_fail(err, NS_EFAIL, "%s cannot be written", path);
}

static bool wants(void *user, const ns_site *site) {
    (void)user;
    (void)site;
    return true;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    const output *out = user;
    size_t count = rows->samples * rows->positions * (size_t)site->norm.channels;
    char name[32];
    snprintf(name, sizeof name, "%03d.x", site->index);
    int status = write_floats(out, name, rows->x, count, err);
    snprintf(name, sizeof name, "%03d.y", site->index);
    if (!status) status = write_floats(out, name, rows->y, count, err);
    printf("%d\t%s\t%zu\t%d\n", site->index, site->name, rows->positions, site->norm.channels);
    return status;
}

/* Of images, all at once. */
static int take_logits(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                       ns_error *err) {
    return first ? ns_fail(err, NS_EFAIL, "logits in pieces")
                 : write_floats(user, "logits", logits, rows * classes, err);
}

static int run(const char *model_path, const char *pixels_path, size_t samples, const char *folder,
               ns_error *err) {
    ns_model *model = NULL;
    int status = ns_model_open(&model, model_path, err);
    if (status) return status;
    const ns_image_shape *image = &model->input.image;
    size_t count = samples * (size_t)image->channels * (size_t)image->height * (size_t)image->width;
    float *pixels = malloc(count * sizeof *pixels);
    int64_t *ids = calloc(samples, sizeof *ids);
    FILE *file = fopen(pixels_path, "rb");
    if (!pixels || !ids || !file || fread(pixels, sizeof *pixels, count, file) != count)
        status = ns_fail(err, NS_EINPUT, "%s: expected %zu floats", pixels_path, count);
    if (file) fclose(file);
    output out = {folder};
    const ns_observer observer = {
        .user = &out, .wants = wants, .deliver = deliver, .logits = take_logits};
    const ns_batch batch = {.samples = samples, .sample_ids = ids, .pixels = pixels};
    if (!status) status = ns_model_forward(model, &batch, &observer, 0, err);
    free(pixels);
    free(ids);
    ns_model_close(model);
    return status;
}

int main(int argc, char **argv) {
    ns_error err = {0};
    int status = argc == 5
                     ? run(argv[1], argv[2], strtoul(argv[3], NULL, 10), argv[4], &err)
                     : ns_fail(&err, NS_EUSAGE, "usage: %s MODEL PIXELS SAMPLES FOLDER", argv[0]);
    if (status) fprintf(stderr, "%s\n", err.message);
    return status;
}
