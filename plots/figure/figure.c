#include "plots/figure/figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/table.h"

/* What a figure owns: memory, or an object with its own release. */
struct ns_figure_block {
    struct ns_figure_block *next;
    void *object;
    void (*release)(void *object);
};

int ns_figure_keep(ns_figure *figure, void *object, void (*release)(void *object), ns_error *err) {
    struct ns_figure_block *block = object ? ns_calloc(1, sizeof *block, err) : NULL;
    if (!block) {
        if (object) release(object);
        return NS_EFAIL;
    }
    *block = (struct ns_figure_block){figure->blocks, object, release};
    figure->blocks = block;
    return NS_OK;
}

void ns_figure_free(ns_figure *figure) {
    while (figure->blocks) {
        struct ns_figure_block *block = figure->blocks;
        figure->blocks = block->next;
        block->release(block->object);
        free(block);
    }
    *figure = (ns_figure){0};
}

void *ns_figure_alloc(ns_figure *figure, size_t count, size_t size, ns_error *err) {
    void *memory = ns_calloc(count, size, err);
    return ns_figure_keep(figure, memory, free, err) ? NULL : memory;
}

char *ns_figure_text(ns_figure *figure, ns_error *err, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : ns_figure_alloc(figure, (size_t)length + 1, 1, err);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

char *ns_figure_label(ns_figure *figure, const char *name, ns_error *err) {
    char *label = ns_label_clean(name, err);
    return ns_figure_keep(figure, label, free, err) ? NULL : label;
}

void ns_figure_data_head(FILE *data) {
    fprintf(data, "#1\ttext\ttext\tdata units\tdata units\tdata units\tdata units\t1\n");
    fprintf(data, "panel\twhat\tname\tx\ty\tx_end\ty_end\tvalue\n");
}

void ns_figure_data_line(FILE *data, int panel, const char *what, const char *name,
                         const double values[5]) {
    fprintf(data, "%d\t%s\t", panel, what);
    for (const char *c = name ? name : ""; *c; c++)
        if (*c == '\t' || *c == '\n' || *c == '\r')
            fputc(' ', data);
        else if ((unsigned char)*c >= ' ')
            fputc(*c, data);
    for (int i = 0; i < 5; i++) {
        char number[32];
        fprintf(data, "\t%s", isnan(values[i]) ? "" : ns_shortest(values[i], number));
    }
    fputc('\n', data);
}
