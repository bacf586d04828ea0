/* The files of a figure by gnuplot: made in a folder of their own beside the figure, where the script is run just as a person would run it,
 * and moved to their names when all are complete. */
#include "plots/gnuplot/gnuplot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <unistd.h>

#include "plots/gnuplot/gnuplot_internal.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/version.h"

static const ns_gnuplot_terminal terminals[] = {
    {"pdf", "pdfcairo", 1, 0.5, 1, 0.375, 0, 0, 0.4, 0.275, 1, 1 / 6.0, false},
    {"svg", "svg", 0.75, 0, 4 / 3.0, 0.325, 1.5, 0.7, 0.5, 0.5, 0, 0, false},
    {"png", "pngcairo", 0, 0.5, 1, 0.375, 0, 0, 0.4, 0.25, 1, 1 / 6.0, false},
    {"eps", "epscairo", 1, 0.5, 1, 0.375, 0, 0, 0.4, 0.275, 1, 1 / 6.0, true},
};

const ns_gnuplot_terminal *ns_gnuplot_terminal_for(const char *ending) {
    for (size_t i = 0; i < sizeof terminals / sizeof *terminals; i++)
        if (!strcasecmp(terminals[i].ending, ending)) return &terminals[i];
    return NULL;
}

int ns_gnuplot_ready(const char *path, ns_error *err) {
    const ns_canvas_kind *kind = ns_canvas_kind_for(path, err);
    return kind ? ns_gnuplot_check(ns_gnuplot_terminal_for(kind->name), err) : NS_EUSAGE;
}

typedef struct work {
    const ns_gnuplot_job *job;
    const ns_gnuplot_terminal *terminal;
    char *folder, *name; /* of the figure's file */
    char *making;        /* the folder where the files are made */
    int lock;            /* that folder, open and locked; -1 */
    ns_canvas *canvas;
} work;

static int split_path(work *w, ns_error *err) {
    const char *path = w->job->path, *slash = strrchr(path, '/');
    w->folder = slash ? ns_asprintf(err, "%.*s", slash > path ? (int)(slash - path) : 1, path)
                      : ns_strdup(".", err);
    w->name = ns_strdup(slash ? slash + 1 : path, err);
    if (!w->folder || !w->name) return NS_EFAIL;
    for (const char *c = w->name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            return ns_fail(err, NS_EUSAGE,
                           "%s: expected a name without control characters, for a script to hold",
                           path);
    return NS_OK;
}

/* Name i of those that the figure consists of, its own the last; NULL behind that. The caller frees it. */
static char *file_name(const work *w, int i, ns_error *err) {
    const ns_gnuplot *g = w->canvas->state;
    int data = g->blocks > 0;
    if (i == 0) return ns_asprintf(err, "%s.gp", w->name);
    if (i == 1 && data) return ns_asprintf(err, "%s.dat", w->name);
    i -= 1 + data;
    if (i < g->layers) return ns_asprintf(err, "%s-layer-%d.png", w->name, i + 1);
    return i == g->layers ? ns_strdup(w->name, err) : NULL;
}

static int file_count(const work *w) {
    const ns_gnuplot *g = w->canvas->state;
    return 2 + (g->blocks > 0) + g->layers;
}

/* The terminal makes points of what the script says of fonts and lines. */
static void add_terminal(ns_bytes *out, const work *w) {
    const ns_gnuplot *g = w->canvas->state;
    const ns_gnuplot_terminal *t = w->terminal;
    bool png = t->unit <= 0, svg = t->shift <= 0;
    ns_bytes_print(out, "set terminal %s enhanced size ", t->name);
    if (png || svg)
        ns_bytes_print(out, "%d,%d", g->width, g->height);
    else
        ns_bytes_print(out, "%d/72.,%d/72.", g->width, g->height);
    ns_bytes_print(out, " font '%s", ns_text_kit_family(w->job->text));
    ns_gnuplot_number(out, ",", w->job->style->tick_size * t->font);
    ns_bytes_print(out, "'");
    if (!svg) ns_gnuplot_number(out, " fontscale ", 0.75 / (png ? g->unit : 1));
    /* A line of width 1 is half a point wide in PDF, a quarter in EPS, a pixel elsewhere. */
    ns_gnuplot_number(out, " linewidth ", t->opaque ? 4 : png || svg ? 1 / g->unit : 2);
    ns_bytes_print(out, "%s\n", svg || png ? " background rgb '#ffffff'" : "");
}

static int write_script(const work *w, FILE *file, ns_error *err) {
    const ns_document *d = w->job->document;
    const ns_gnuplot *g = w->canvas->state;
    ns_bytes head = {0};
    if (d->title) ns_gnuplot_comment(&head, d->title);
    ns_bytes_print(&head, "# normscope " NS_VERSION "\n");
    if (d->command_line) ns_gnuplot_comment(&head, d->command_line);
    if (d->source && *d->source) ns_gnuplot_comment(&head, d->source);
    ns_bytes_print(&head,
                   "# `gnuplot FILE.gp` in this folder draws it anew. Widths of lines are points, "
                   "sizes of fonts %s.\n\n",
                   w->terminal->font > 1 ? "pixels (96 an inch)" : "too");
    ns_bytes_print(&head, "reset\nset encoding utf8\n");
    add_terminal(&head, w);
    char *output = ns_asprintf(err, "./%s", w->name);
    ns_bytes_print(&head, "set output ");
    if (output) ns_gnuplot_quote(&head, output);
    head.failed |= !output;
    free(output);
    double mark = w->terminal->mark > 0 ? w->terminal->mark
                                        : 1 / (w->terminal->tick * w->terminal->line_height *
                                               w->terminal->font * w->job->style->tick_size);
    ns_gnuplot_number(&head, "\none_pt = ", mark / g->unit);
    ns_bytes_print(&head, " # the ps of a mark that is a point wide\n"
                          "unset key\nset zero 0\nset clip two\n\n");
    int status = ns_bytes_write(&head, file, err);
    free(head.data);
    if (!status) status = ns_canvas_finish(w->canvas, file, err);
    if (!status && fputs("set output\n", file) < 0)
        status = ns_fail(err, NS_EFAIL, "the script cannot be written: %s", strerror(errno));
    return status;
}

static int write_data(const work *w, FILE *file, ns_error *err) {
    const ns_gnuplot *g = w->canvas->state;
    return ns_bytes_write(&g->data, file, err);
}

/* A file in the folder where they are made. */
static int make_file(const work *w, const char *ending,
                     int (*fill)(const work *w, FILE *file, ns_error *err), ns_error *err) {
    char *name = ns_asprintf(err, "%s%s", w->name, ending),
         *path = name ? ns_path_join(w->making, name, err) : NULL;
    ns_output file = {0};
    int status = path ? ns_output_open(&file, path, false, err) : NS_EFAIL;
    if (!status) status = fill(w, file.file, err);
    if (!status) status = ns_output_commit(&file, err);
    ns_output_drop(&file);
    free(path);
    free(name);
    return status;
}

static int make_files(work *w, ns_error *err) {
    const ns_gnuplot_job *job = w->job;
    int status = ns_canvas_open(&w->canvas, &ns_canvas_gnuplot, job->document, job->text, err);
    if (status) return status;
    ns_gnuplot *g = w->canvas->state;
    g->terminal = w->terminal;
    g->unit = w->terminal->unit > 0 ? w->terminal->unit : 72 / job->document->dpi;
    g->width = (int)ceil(job->document->width / g->unit - 1e-6);
    g->height = (int)ceil(job->document->height / g->unit - 1e-6);
    g->folder = w->making;
    g->name = w->name;
    for (int page = job->first; page < job->last && !status; page++) {
        if (page > job->first) ns_draw_page(w->canvas, job->document->width, job->document->height);
        status = ns_figure_write(job->figure, job->places, page, job->style, w->canvas,
                                 &ns_gnuplot_panels, job->data, err);
    }
    if (!status) status = make_file(w, ".gp", write_script, err);
    if (!status && g->blocks > 0) status = make_file(w, ".dat", write_data, err);
    return status;
}

static int run_script(const work *w, ns_error *err) {
    char *script = ns_asprintf(err, "./%s.gp", w->name);
    int status = script ? ns_gnuplot_run(w->making, script, err) : NS_EFAIL;
    free(script);
    char *made = status ? NULL : ns_path_join(w->making, w->name, err);
    if (!status) status = made ? NS_OK : NS_EFAIL;
    if (!status && ns_is_there(made)) /* else check_place says so */
        status = ns_gnuplot_stamp(made, w->terminal, w->job->document, err);
    free(made);
    return status;
}

/* What is done to each of the files, from its place in the folder where it was made to its own. */
typedef int file_action(const work *w, const char *made, const char *path, ns_error *err);

static int check_place(const work *w, const char *made, const char *path, ns_error *err) {
    char *target;
    int status = ns_output_decide(path, w->job->force, NULL, 0, &target, err);
    if (!status && !ns_is_there(made))
        status =
            ns_fail(err, NS_EFAIL, "%s: gnuplot ended without an error and did not write it", path);
    free(target);
    return status;
}

static int move_file(const work *w, const char *made, const char *path, ns_error *err) {
    return ns_output_place(made, path, w->job->force, err);
}

static int remove_file(const work *w, const char *made, const char *path, ns_error *err) {
    (void)w, (void)path, (void)err;
    unlink(made);
    return NS_OK;
}

static int for_files(const work *w, file_action *action, ns_error *err) {
    int status = NS_OK, count = file_count(w);
    for (int i = 0; i < count && !status; i++) {
        char *name = file_name(w, i, err), *made = name ? ns_path_join(w->making, name, err) : NULL,
             *path = made ? ns_path_join(w->folder, name, err) : NULL;
        status = path ? action(w, made, path, err) : NS_EFAIL;
        free(path);
        free(made);
        free(name);
    }
    return status;
}

/* Before anything is drawn: the names that are known then. */
static int check_names(const work *w, ns_error *err) {
    char *script = ns_asprintf(err, "%s/%s.gp", w->folder, w->name);
    if (!script) return NS_EFAIL;
    const char *const paths[] = {w->job->path, script};
    int status = NS_OK;
    for (int i = 0; i < 2 && !status; i++) {
        char *target;
        status = ns_output_decide(paths[i], w->job->force, NULL, 0, &target, err);
        free(target);
    }
    free(script);
    return status;
}

/* ".normscope-PID-XXXXXX" */
#define MAKING ".normscope-"

static bool is_dead(const char *name) {
    char *end;
    if (strncmp(name, MAKING, strlen(MAKING)) != 0) return false;
    long pid = strtol(name + strlen(MAKING), &end, 10);
    return pid > 0 && *end == '-' && strlen(end) == 7 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Folders that killed processes left here. The lock tells of those that live where this process does not see them. */
static void remove_dead(const char *folder) {
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (!is_dead(entry->d_name)) continue;
        int fd =
            openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        DIR *inner = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? fdopendir(fd) : NULL;
        for (struct dirent *file; inner && (file = readdir(inner));)
            unlinkat(fd, file->d_name, 0); /* "." and ".." it refuses */
        if (inner) unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR);
        if (inner)
            closedir(inner);
        else if (fd >= 0)
            close(fd);
    }
    if (list) closedir(list);
}

static int make_folder(work *w, ns_error *err) {
    remove_dead(w->folder);
    w->making = ns_asprintf(err, "%s/" MAKING "%ld-XXXXXX", w->folder, (long)getpid());
    if (!w->making) return NS_EFAIL;
    if (mkdtemp(w->making)) {
        w->lock = open(w->making, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w->lock >= 0) flock(w->lock, LOCK_EX | LOCK_NB);
        return NS_OK;
    }
    int status =
        ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", w->job->path, strerror(errno));
    free(w->making);
    w->making = NULL;
    return status;
}

int ns_gnuplot_write(const ns_gnuplot_job *job, ns_error *err) {
    const ns_canvas_kind *kind = ns_canvas_kind_for(job->path, err);
    if (!kind) return NS_EUSAGE;
    const char *family = ns_text_kit_family(job->text);
    if (strpbrk(family, ",:'\""))
        return ns_fail(err, NS_EUSAGE,
                       "--font: expected a family whose name gnuplot can read, found %s", family);
    work w = {.job = job, .terminal = ns_gnuplot_terminal_for(kind->name), .lock = -1};
    int status = split_path(&w, err);
    if (!status) status = check_names(&w, err);
    if (!status) status = make_folder(&w, err);
    if (!status) status = make_files(&w, err);
    if (!status) status = run_script(&w, err);
    if (!status) status = for_files(&w, check_place, err);
    if (!status) status = for_files(&w, move_file, err);
    if (w.canvas) for_files(&w, remove_file, NULL);
    if (w.making) rmdir(w.making);
    if (w.lock >= 0) close(w.lock);
    ns_canvas_close(w.canvas);
    free(w.making);
    free(w.folder);
    free(w.name);
    return status;
}
