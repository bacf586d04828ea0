/* Labels that come in a file of their own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/kinds.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/near.h"

#define MOST_TEXT  ((size_t)1 << 30)
#define MOST_LABEL (1 << 24) /* classes; more would be positions of something else */

typedef struct label_line {
    const char *name; /* NULL where the line has a label alone */
    int32_t label;
    int line;
} label_line;

/* Cuts `text` into lines in place. Lists hold either names with labels or labels alone, as their first line does. */
static int split_lines(char *text, const char *path, label_line *lines, size_t *count,
                       ns_error *err) {
    int number = 0;
    size_t used = 0;
    for (char *at = text; at;) {
        char *line = at, *next = strchr(at, '\n');
        at = next ? next + 1 : NULL;
        if (next) *next = 0;
        number++;
        char *end = line + strlen(line);
        while (end > line && strchr(" \t\r", end[-1])) *--end = 0;
        line += strspn(line, " \t");
        if (!*line || *line == '#') continue;
        char *word = end; /* the label is what stands behind the last blank, comma or tab */
        while (word > line && !strchr(" \t,", word[-1])) word--;
        char *stop;
        errno = 0;
        long label = strtol(word, &stop, 10);
        if (stop == word || *stop || errno || label < 0 || label >= MOST_LABEL)
            return ns_fail(
                err, NS_EINPUT,
                "%s: line %d: expected a label, a whole number from 0, at its end; found '%s'",
                path, number, word);
        char *name_end = word;
        while (name_end > line && strchr(" \t,", name_end[-1])) name_end--;
        bool named = name_end > line;
        if (used && named != (lines[0].name != NULL))
            return ns_fail(err, NS_EINPUT, "%s: line %d: expected %s, as on line %d; found %s",
                           path, number, named ? "a label alone" : "a name and a label",
                           lines[0].line, named ? "a name and a label" : "a label alone");
        if (named) *name_end = 0;
        lines[used++] = (label_line){named ? line : NULL, (int32_t)label, number};
    }
    *count = used;
    return NS_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const label_line *)a)->name, ((const label_line *)b)->name);
}

static const char *line_name(const void *user, size_t i) {
    return ((const label_line *)user)[i].name;
}

/* A sample is found by its path in the folder, or by its file name alone. */
static int label_by_name(ns_dataset *dataset, const char *path, label_line *lines, size_t count,
                         ns_error *err) {
    qsort(lines, count, sizeof *lines, by_name);
    for (size_t i = 1; i < count; i++)
        if (!by_name(&lines[i - 1], &lines[i]) && lines[i - 1].label != lines[i].label)
            return ns_fail(err, NS_EINPUT, "%s: two labels for %s, on lines %d and %d", path,
                           lines[i].name, lines[i - 1].line, lines[i].line);
    if (!dataset->kind->sample_name)
        return ns_fail(
            err, NS_EINPUT,
            "%s: expected a label alone on each line, since the samples of %s have no names", path,
            dataset->spec);
    for (int64_t i = 0; i < dataset->count; i++) {
        const char *name = dataset->kind->sample_name(dataset, i), *slash = strrchr(name, '/');
        const label_line *found =
            bsearch(&(label_line){.name = name}, lines, count, sizeof *lines, by_name);
        if (!found && slash)
            found = bsearch(&(label_line){.name = slash + 1}, lines, count, sizeof *lines, by_name);
        if (!found) {
            ns_fail(err, NS_EINPUT,
                    "%s: expected a label for every sample of %s, found none for %s", path,
                    dataset->spec, name);
            ns_near_names(err, name, count, line_name, lines, 2);
            return NS_EINPUT;
        }
        dataset->labels[i] = found->label;
    }
    return NS_OK;
}

static int read_text(ns_dataset *dataset, const char *path, ns_error *err) {
    char *text;
    size_t size, most = 1, count = 0;
    int status = ns_read_text(&text, &size, path, MOST_TEXT, err);
    if (status) return status;
    const char *what = ns_looks_like((const unsigned char *)text, size);
    if (strcmp(what, "text") != 0 || strlen(text) != size) {
        free(text);
        return ns_fail(err, NS_EINPUT, "%s: expected labels as text, .npy or IDX, found %s", path,
                       what);
    }
    for (size_t i = 0; i < size; i++) most += text[i] == '\n';
    label_line *lines = ns_calloc(most, sizeof *lines, err);
    status = lines ? split_lines(text, path, lines, &count, err) : NS_EFAIL;
    if (!status && count && lines[0].name) {
        status = label_by_name(dataset, path, lines, count, err);
    } else if (!status && count != (size_t)dataset->count) {
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected %lld labels, one for each sample of %s; found %zu", path,
                         (long long)dataset->count, dataset->spec, count);
    } else if (!status) {
        for (size_t i = 0; i < count; i++) dataset->labels[i] = lines[i].label;
    }
    free(lines);
    free(text);
    return status;
}

int ns_labels_read(ns_dataset *dataset, const char *path, ns_error *err) {
    free(dataset->labels);
    free(dataset->labels_path);
    dataset->labels = ns_calloc((size_t)dataset->count, sizeof *dataset->labels, err);
    dataset->labels_path = ns_strdup(path, err);
    if (!dataset->labels || !dataset->labels_path) return NS_EFAIL;
    int status = ns_npy_recognise(path)   ? ns_npy_labels(dataset, path, err)
                 : ns_idx_recognise(path) ? ns_idx_labels(dataset, path, err)
                                          : read_text(dataset, path, err);
    if (status) return status;
    /* Names of folders are no names of these classes. */
    for (int i = 0; dataset->class_names && i < dataset->classes; i++)
        free(dataset->class_names[i]);
    free(dataset->class_names);
    dataset->class_names = NULL;
    dataset->classes = 0;
    for (int64_t i = 0; i < dataset->count; i++)
        if (dataset->labels[i] >= dataset->classes) dataset->classes = dataset->labels[i] + 1;
    return NS_OK;
}

char *ns_labels_beside(const char *path, ns_error *err) {
    const char *slash = strrchr(path, '/'), *at = NULL;
    for (const char *s = slash ? slash + 1 : path; (s = strstr(s, "images")) != NULL; s++) at = s;
    if (!at) return NULL;
    char *found = ns_asprintf(err, "%.*slabels%s", (int)(at - path), path, at + strlen("images"));
    if (!found || ns_is_file(found)) return found;
    free(found);
    return NULL;
}
