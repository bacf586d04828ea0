/* normscope list: what was understood of a checkpoint, and where its normalization layers are. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/cli.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"
#include "probe/models/model.h"

enum { TERMINAL = 80 };

static const ns_column columns[] = {
    {"site", "1", NS_INT, 0, false, NULL},    {"name", NULL, NS_TEXT, 0, false, NULL},
    {"role", NULL, NS_TEXT, 0, false, NULL},  {"kind", NULL, NS_TEXT, 0, false, NULL},
    {"channels", "1", NS_INT, 0, false, "C"}, {"positions", "1", NS_INT, 0, false, "rows"},
    {"eps", "x^2", NS_REAL, 1, false, NULL},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* One fact to a line: name, value, and where it comes from, cut where the terminal ends. */
static void print_fact(const char *name, const char *value, const char *from) {
    int used = printf("%-14s %-18s", name, value);
    int room = TERMINAL - used - 1, length = (int)strlen(from);
    if (!length)
        printf("\n");
    else if (room < 8)
        printf("\n%34s%.46s\n", "", from);
    else if (length <= room)
        printf(" %s\n", from);
    else
        printf(" %.*s...\n", room - 3, from);
}

/* The types of the tensors, and the bytes that they take as they lie: matrices stay so in memory. */
static void print_sizes(const ns_weights *weights) {
    char types[128] = "", bytes[24], count[64];
    double parameters = 0, size = 0;
    const ns_element *type;
    for (size_t t = 0; (type = ns_element_at(t)); t++) {
        double n = 0;
        for (int i = 0; i < ns_weights_count(weights); i++) {
            const ns_tensor_info *info = ns_weights_info(weights, i);
            double values = strcmp(info->dtype, type->name) ? 0 : 1;
            for (int d = 0; d < info->dims; d++) values *= (double)info->shape[d];
            n += values;
        }
        if (n <= 0) continue;
        size_t used = strlen(types);
        snprintf(types + used, sizeof types - used, "%s%s", used ? ", " : "", type->name);
        parameters += n;
        size += n / (double)type->values * (double)type->bytes;
    }
    snprintf(count, sizeof count, "%.0f", parameters);
    print_fact("parameters", count, "shapes of all tensors");
    print_fact("types", types, "types of the tensors");
    print_fact("size", ns_human_bytes(size, bytes), "of the tensors, packed as in the file");
}

static void print_facts(const ns_model *model) {
    char text[128];
    printf("%s\n", ns_weights_path(model->weights));
    const json_t *said = ns_weights_metadata(model->weights);
    const char *under = json_string_value(json_object_get(said, "state_dict"));
    snprintf(text, sizeof text, "its dictionary %s", under ? under : "");
    print_fact("format", ns_weights_format_title(model->weights),
               under ? text : "the file's first bytes");
    print_fact("family", model->family->name, "names of the tensors");
    print_sizes(model->weights);
    for (int i = 0; i < model->fact_count; i++)
        print_fact(model->facts[i].name, model->facts[i].value, model->facts[i].from);
    printf("\n");
}

static void add_site(ns_table *table, const ns_site *site) {
    ns_table_int(table, site->index);
    ns_table_text(table, site->name);
    ns_table_text(table, ns_role_name(site->role));
    ns_table_text(table, site->norm.kind->name);
    ns_table_int(table, site->norm.channels);
    ns_table_int(table, site->positions);
    if (site->norm.kind->has & NS_HAS_EPS)
        ns_table_real(table, (double)site->norm.eps);
    else
        ns_table_missing(table);
}

/* The sites that are wanted. With long module paths eps, which stands among the facts too, makes room for them. */
static int print_sites(const ns_model *model, const bool *wanted, ns_table_format format,
                       ns_error *err) {
    ns_column shown[COLUMNS];
    memcpy(shown, columns, sizeof columns);
    size_t longest = 0;
    int count = 0;
    for (int i = 0; i < model->site_count; i++)
        if (wanted[i]) {
            size_t length = strlen(model->sites[i].name);
            longest = length > longest ? length : longest;
        }
    shown[COLUMNS - 1].machine_only = longest > TERMINAL - 51;
    ns_table *table = ns_table_new(shown, COLUMNS, err);
    if (!table) return NS_EFAIL;
    for (int i = 0; i < model->site_count; i++)
        if (wanted[i]) {
            add_site(table, &model->sites[i]);
            count++;
        }
    int status = ns_table_print(table, stdout, format, err);
    ns_table_free(table);
    if (!status && format == NS_ALIGNED && count < model->site_count)
        printf("%d of %d sites\n", count, model->site_count);
    return status;
}

static int list(const char *path, const ns_model_options *wants, const ns_selection *selection,
                ns_table_format format, ns_error *err) {
    ns_model *model = NULL;
    int status = ns_model_open_with(&model, path, wants, err);
    if (status) return status;
    bool *wanted = ns_calloc((size_t)model->site_count, sizeof *wanted, err);
    status = wanted ? NS_OK : NS_EFAIL;
    if (!status) {
        status =
            ns_select_sites(selection, model->site_count, ns_model_site_at, model, wanted, err);
        if (status) ns_fail_context(err, "%s", path);
    }
    if (!status && format == NS_ALIGNED) print_facts(model);
    if (!status) status = print_sites(model, wanted, format, err);
    free(wanted);
    ns_model_close(model);
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    int format = NS_ALIGNED;
    ns_list select = {0}, exclude = {0}, rest;
    const char *layers = NULL, *image = NULL;
    const ns_option options[] = {
        {"select", 's', NS_OPT_LIST, &select, "GLOB",
         "sites by name, whole components (blocks.1 is not blocks.10); may be repeated", "all", 0,
         0},
        {"exclude", 'x', NS_OPT_LIST, &exclude, "GLOB", "leave these out; may be repeated", NULL, 0,
         0},
        {"layers", 'l', NS_OPT_TEXT, &layers, "LIST", "sites by number, such as 5,15,20-25", NULL,
         0, 0},
        {"image", 0, NS_OPT_TEXT, &image, "N|HxW",
         "height and width in pixels of what the model takes, where that may be chosen", NULL, 0,
         0},
        {"format", 0, NS_OPT_CHOICE, &format, NS_TABLE_FORMATS,
         "form of the table of sites; tsv and json leave out the facts above it", "table", 0, 0},
        {0},
    };
    int status = ns_cli_parse(self, options, argc, argv, 1, 1, &rest, err);
    ns_model_options wants = {0};
    if (!status && image)
        status = ns_image_size("--image", image, &wants.height, &wants.width, err);
    if (!status) {
        const ns_selection selection = {select.items, select.count, exclude.items, exclude.count,
                                        layers};
        status = list(rest.items[0], &wants, &selection, (ns_table_format)format, err);
    }
    ns_list_free(&rest);
    ns_list_free(&select);
    ns_list_free(&exclude);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_list = {
    .name = "list",
    .group = "Capture",
    .summary = "what was understood of a checkpoint, and its sites",
    .usage = "[options] MODEL",
    .details = "MODEL is a safetensors, GGUF or PyTorch file (FILE:KEY where that holds several "
               "models) or a Hugging Face folder. Above the table stands what "
               "was understood, and from where: config.json, the shapes of tensors, or a default. "
               "C is the number of channels of a row; rows, how many rows (tokens) a sample has at "
               "the site; eps stands inside the root.\n"
               "--select, --exclude, --layers and --image mean here what they mean to dump.",
    .examples = "  normscope list datasets/vit-fmnist-layernorm\n"
                "  normscope list datasets/vit-fmnist-layernorm --select 'blocks.*.norm1'\n",
    .run = run,
};
