/* Resizing as Pillow does it on 8-bit data, bit for bit: a separable filter, widened where it shrinks the image; weights
 * in double, normalized, then rounded to fixed point; the horizontal pass first, rounded to 8 bits, then the vertical one.
 * Algorithm and constants: Pillow's documentation and source (src/libImaging/Resample.c), by its authors; written anew.
 *
 * Models are evaluated with these very pixels: antialiasing, or a float instead of the 8 bits between the two passes,
 * changes activations visibly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/pixels.h"
#include "probe/base/mem.h"

#define PRECISION                                                                                  \
    22 /* bits after the point of a weight: 32, less 8 for the value, less 2 for overshoot */

/* Weights of outputs [first, first + count) along one side. */
typedef struct filter_weights {
    int64_t count;
    int taps;          /* room for each output */
    int *begin, *used; /* [count]: first input and number of inputs */
    int32_t *weights;  /* [count, taps] */
} filter_weights;

static double bilinear_at(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Keys' cubic with a = -1/2, in Pillow's order of operations. */
static double bicubic_at(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static void weights_free(filter_weights *f) {
    free(f->begin);
    free(f->used);
    free(f->weights);
}

int ns_filter_taps(double ratio, bool bilinear) {
    return (int)ceil((bilinear ? 1.0 : 2.0) * (ratio < 1 ? 1 : ratio)) * 2 + 1;
}

void ns_filter_weigh(double ratio, int64_t i, int in, bool bilinear, double *w, int *begin,
                     int *used) {
    double scale = ratio < 1 ? 1 : ratio, support = (bilinear ? 1.0 : 2.0) * scale;
    double centre = ((double)i + 0.5) * ratio, sum = 0;
    int from = (int)(centre - support + 0.5), to = (int)(centre + support + 0.5);
    if (from < 0) from = 0;
    if (to > in) to = in;
    for (int k = from; k < to; k++) {
        double x = ((double)k - centre + 0.5) * (1.0 / scale);
        sum += w[k - from] = bilinear ? bilinear_at(x) : bicubic_at(x);
    }
    for (int k = 0; k < to - from && sum != 0; k++) w[k] /= sum;
    *begin = from;
    *used = to - from;
}

/* `in` inputs become `out` outputs, of which `count` from `first` are wanted. */
static int weights_make(filter_weights *f, int in, int64_t out, int64_t first, int count,
                        bool bilinear, ns_error *err) {
    double ratio = (double)in / (double)out;
    f->count = count;
    f->taps = ns_filter_taps(ratio, bilinear);
    f->begin = ns_calloc((size_t)count, sizeof *f->begin, err);
    f->used = ns_calloc((size_t)count, sizeof *f->used, err);
    f->weights = ns_calloc((size_t)count * (size_t)f->taps, sizeof *f->weights, err);
    double *w = ns_calloc((size_t)f->taps, sizeof *w, err);
    if (!f->begin || !f->used || !f->weights || !w) {
        free(w);
        return NS_EFAIL;
    }
    for (int i = 0; i < count; i++) {
        ns_filter_weigh(ratio, first + i, in, bilinear, w, &f->begin[i], &f->used[i]);
        int32_t *to = f->weights + (size_t)i * (size_t)f->taps;
        for (int k = 0; k < f->used[i]; k++)
            to[k] = (int32_t)(w[k] * (1 << PRECISION) + (w[k] < 0 ? -0.5 : 0.5));
    }
    free(w);
    return NS_OK;
}

static unsigned char to_byte(int32_t sum) {
    int value = sum >> PRECISION;
    return (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Rows [0, rows) of in [*, in_width, channels] to out [rows, f->count, channels]. */
static void horizontal(const filter_weights *f, const unsigned char *in, int in_width, int channels,
                       int rows, unsigned char *out) {
    for (int y = 0; y < rows; y++) {
        const unsigned char *line = in + (size_t)y * (size_t)in_width * (size_t)channels;
        for (int64_t x = 0; x < f->count; x++) {
            const int32_t *w = f->weights + x * f->taps;
            for (int c = 0; c < channels; c++) {
                const unsigned char *from = line + (size_t)f->begin[x] * (size_t)channels + c;
                int32_t sum = 1 << (PRECISION - 1);
                for (int k = 0; k < f->used[x]; k++)
                    sum += from[(size_t)k * (size_t)channels] * w[k];
                *out++ = to_byte(sum);
            }
        }
    }
}

/* in [*, row], whose first line is the input's line `first`, to out [f->count, row]. sums [row] is a workspace. */
static void vertical(const filter_weights *f, const unsigned char *in, int first, size_t row,
                     int32_t *sums, unsigned char *out) {
    for (int64_t y = 0; y < f->count; y++) {
        const int32_t *w = f->weights + y * f->taps;
        for (size_t i = 0; i < row; i++) sums[i] = 1 << (PRECISION - 1);
        for (int k = 0; k < f->used[y]; k++) {
            const unsigned char *line = in + (size_t)(f->begin[y] - first + k) * row;
            for (size_t i = 0; i < row; i++) sums[i] += line[i] * w[k];
        }
        for (size_t i = 0; i < row; i++) *out++ = to_byte(sums[i]);
    }
}

/* Lines [first, first + lines) of `in`, resized or cut to the window's columns. */
static int columns(unsigned char *out, const ns_pixels *in, int first, int lines, int64_t width,
                   int64_t left, int count, bool bilinear, ns_error *err) {
    size_t channels = (size_t)in->channels, in_row = (size_t)in->width * channels,
           row = (size_t)count * channels;
    const unsigned char *from = in->values + (size_t)first * in_row;
    if (width == in->width) { /* no pass, as in Pillow */
        for (int y = 0; y < lines; y++)
            memcpy(out + (size_t)y * row, from + (size_t)y * in_row + (size_t)left * channels, row);
        return NS_OK;
    }
    filter_weights f = {0};
    int status = weights_make(&f, in->width, width, left, count, bilinear, err);
    if (!status) horizontal(&f, from, in->width, in->channels, lines, out);
    weights_free(&f);
    return status;
}

int ns_pixels_resize(ns_pixels *out, const ns_pixels *in, int64_t height, int64_t width,
                     int64_t top, int64_t left, bool bilinear, ns_error *err) {
    if (out->height < 1 || out->width < 1 || top < 0 || left < 0 || top + out->height > height ||
        left + out->width > width)
        return ns_fail(err, NS_EUSAGE,
                       "a window of %d x %d at %lld, %lld in an image of %lld x %lld", out->height,
                       out->width, (long long)top, (long long)left, (long long)height,
                       (long long)width);
    size_t row = (size_t)out->width * (size_t)in->channels;
    out->channels = in->channels;
    out->values = NULL;
    filter_weights f = {0};
    bool same = height == in->height;
    int first = (int)top, lines = out->height, status = NS_OK;
    if (!same) {
        status = weights_make(&f, in->height, height, top, out->height, bilinear, err);
        if (!status) {
            int last = out->height - 1;
            first = f.begin[0];
            lines = f.begin[last] + f.used[last] - first;
        }
    }
    unsigned char *between = status ? NULL : ns_calloc((size_t)lines, row, err);
    int32_t *sums = between && !same ? ns_calloc(row, sizeof *sums, err) : NULL;
    if (!status && (!between || (!same && !sums))) status = NS_EFAIL;
    if (!status)
        status = columns(between, in, first, lines, width, left, out->width, bilinear, err);
    if (!status && same) {
        out->values = between;
        between = NULL;
    } else if (!status) {
        out->values = ns_calloc((size_t)out->height, row, err);
        if (out->values)
            vertical(&f, between, first, row, sums, out->values);
        else
            status = NS_EFAIL;
    }
    weights_free(&f);
    free(between);
    free(sums);
    return status;
}
