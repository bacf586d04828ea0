#include "probe/weights/dtype.h"

#include <string.h>

#include "probe/base/half.h"
#include "probe/weights/quantized.h"

static void widen_f32(size_t n, const unsigned char *bytes, float *out) {
    memcpy(out, bytes, n * sizeof *out);
}

static void widen_f64(size_t n, const unsigned char *bytes, float *out) {
    for (size_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        out[i] = (float)value;
    }
}

/* Halves that lie at odd bytes are brought to even ones first, a few at a time. */
static void widen_halves(void (*widen)(float *, const uint16_t *, size_t), size_t n,
                         const unsigned char *bytes, float *out) {
    enum { PIECE = 512 };
    uint16_t even[PIECE];
    if ((uintptr_t)bytes % 2 == 0) {
        widen(out, (const uint16_t *)(const void *)bytes, n);
        return;
    }
    for (size_t i = 0; i < n; i += PIECE) {
        size_t count = n - i < PIECE ? n - i : PIECE;
        memcpy(even, bytes + 2 * i, 2 * count);
        widen(out + i, even, count);
    }
}

static void widen_f16(size_t n, const unsigned char *bytes, float *out) {
    widen_halves(ns_f16_to_f32, n, bytes, out);
}

static void widen_bf16(size_t n, const unsigned char *bytes, float *out) {
    widen_halves(ns_bf16_to_f32, n, bytes, out);
}

static const ns_element types[] = {
    {"F32", 1, 4, widen_f32},
    {"F16", 1, 2, widen_f16},
    {"BF16", 1, 2, widen_bf16},
    {"F64", 1, 8, widen_f64},
    {"I64", 1, 8, NULL},
    {"I32", 1, 4, NULL},
    {"I16", 1, 2, NULL},
    {"I8", 1, 1, NULL},
    {"U8", 1, 1, NULL},
    {"BOOL", 1, 1, NULL},
    {"U16", 1, 2, NULL},
    {"U32", 1, 4, NULL},
    {"U64", 1, 8, NULL},
    {"F8_E4M3", 1, 1, NULL},
    {"F8_E5M2", 1, 1, NULL},
    {"Q8_0", 32, 34, ns_widen_q8_0},
    {"Q4_0", 32, 18, ns_widen_q4_0},
    {"Q4_1", 32, 20, ns_widen_q4_1},
    {"Q5_0", 32, 22, ns_widen_q5_0},
    {"Q5_1", 32, 24, ns_widen_q5_1},
    {"Q4_K", 256, 144, ns_widen_q4_k},
    {"Q5_K", 256, 176, ns_widen_q5_k},
    {"Q6_K", 256, 210, ns_widen_q6_k},
};
enum { TYPES = sizeof types / sizeof *types };

const ns_element *ns_element_at(size_t i) {
    return i < TYPES ? &types[i] : NULL;
}

const ns_element *ns_element_named(const char *name) {
    for (size_t i = 0; i < TYPES; i++)
        if (!strcmp(types[i].name, name)) return &types[i];
    return NULL;
}

void ns_widen_rows(const ns_packed *p, size_t k, size_t first, size_t rows, float *out) {
    size_t blocks = k / p->type->values;
    p->type->widen(rows * blocks, p->bytes + first * blocks * p->type->bytes, out);
}
