/* Layers made from a seed, and rows of real ones, the same for the C tests, which include this file, and for scripts/oracle_fit.py,
 * which loads it as a library: so the golden file holds answers alone. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Most points of a case, and points of a sample. The long cases have so many that they are fitted by way of bins. */
enum { FIT_SHORT = 3000, FIT_LONG = 24000, FIT_POINTS = FIT_LONG, FIT_SAMPLE = 50 };

/* How x is spread. */
enum {
    NORMAL,
    POSITIVE,
    NEGATIVE,
    BRANCHES,
    THREE_BRANCHES,
    TAILS,
    HEAVY,
    VALUES,
    GRID,
    ROWS,
    LINE
};

/* y = s S(u + shift) + offset + noise with an isru S; x = stretch u. */
typedef struct recipe {
    const char *name;
    int n, how;
    double noise, spread, stretch, s, shift, offset;
    double outlier; /* x of the point 1234, where it is not 0; y is 1.5 there */
} recipe;

static const recipe recipes[] = {
    {"clean", FIT_SHORT, NORMAL, 0, 1, 1, 2, 0, 0, 0},
    {"noise", FIT_SHORT, NORMAL, 0.1, 1, 1, 2, 0, 0, 0},
    {"heavy noise", FIT_SHORT, NORMAL, 2, 1, 1, 2, 0, 0, 0},
    {"small x", FIT_SHORT, NORMAL, 0.1, 1, 1e-3, 2, 0, 0, 0},
    {"large x", FIT_SHORT, NORMAL, 0.1, 1, 1e3, 2, 0, 0, 0},
    {"one side", FIT_SHORT, POSITIVE, 0.1, 1, 1, 2, 0, 0, 0},
    {"branches", FIT_SHORT, BRANCHES, 0.02, 1, 1, 2, 0, 0, 0},
    {"mostly linear", FIT_SHORT, TAILS, 0.001, 1, 1, 2, 0, 0, 0},
    {"massive", FIT_SHORT, NORMAL, 0.05, 1, 1, 2, 0, 0, 400},
    {"near-linear", FIT_SHORT, NORMAL, 0.05, 0.03, 1, 2, 0, 0, 0},
    {"line", FIT_SHORT, LINE, 0, 1, 1, 3, 0, 0, 0},
    {"shifted", FIT_SHORT, NORMAL, 0.1, 1, 1, 2, 0.7, 0, 0},
    {"offset", FIT_SHORT, NORMAL, 0.1, 1, 1, 2, 0, -1.25, 0},
    {"shifted and offset", FIT_SHORT, NORMAL, 0.1, 1, 1, 2, -0.4, 0.8, 0},
    {"few points", 12, NORMAL, 0.2, 1, 1, 2, 0, 0, 0},
    {"heavy-tailed x", FIT_SHORT, HEAVY, 0.1, 1, 1, 2, 0, 0, 0},
    {"falling", FIT_SHORT, NORMAL, 0.1, 1, 1, -1.5, 0, 0, 0},
    {"noise 1e-6", FIT_SHORT, NORMAL, 1e-6, 1, 1, 2, 0, 0, 0},
    {"noise 1e-3", FIT_SHORT, NORMAL, 1e-3, 1, 1, 2, 0, 0, 0},
    {"noise 1/2", FIT_SHORT, NORMAL, 0.5, 1, 1, 2, 0, 0, 0},
    {"more noise than signal", FIT_SHORT, NORMAL, 6, 1, 1, 2, 0, 0, 0},
    {"x times 1/100", FIT_SHORT, NORMAL, 0.1, 1, 1e-2, 2, 0, 0, 0},
    {"x times 1/10", FIT_SHORT, NORMAL, 0.1, 1, 0.1, 2, 0, 0, 0},
    {"x times 10", FIT_SHORT, NORMAL, 0.1, 1, 10, 2, 0, 0, 0},
    {"x times 100", FIT_SHORT, NORMAL, 0.1, 1, 100, 2, 0, 0, 0},
    {"the other side", FIT_SHORT, NEGATIVE, 0.1, 1, 1, 2, 0, 0, 0},
    {"one side, offset", FIT_SHORT, POSITIVE, 0.1, 1, 1, 2, 0, 1, 0},
    {"three branches", FIT_SHORT, THREE_BRANCHES, 0.02, 1, 1, 2, 0, 0, 0},
    {"mostly linear, offset", FIT_SHORT, TAILS, 0.001, 1, 1, 2, 0, 0.3, 0},
    {"more massive", FIT_SHORT, NORMAL, 0.05, 1, 1, 2, 0, 0, -1e4},
    {"five values", FIT_SHORT, VALUES, 0.1, 1, 1, 2, 0, 0, 0},
    {"values on a grid", FIT_SHORT, GRID, 0.1, 1, 1, 2, 0, 0, 0},
    {"rows of own scale", FIT_SHORT, ROWS, 0.01, 1, 1, 2, 0, 0, 0},
    {"saturated", FIT_SHORT, NORMAL, 0.1, 10, 1, 2, 0, 0, 0},
    {"nearly a step", FIT_SHORT, NORMAL, 0.1, 300, 1, 2, 0, 0, 0},
    {"small s", FIT_SHORT, NORMAL, 1e-5, 1, 1, 1e-4, 0, 0, 0},
    {"long, noise", FIT_LONG, NORMAL, 0.1, 1, 1, 2, 0, 0, 0},
    {"long, clean", FIT_LONG, NORMAL, 0, 1, 1, 2, 0, 0, 0},
    {"long, heavy-tailed x", FIT_LONG, HEAVY, 0.1, 1, 1, 2, 0, 0, 0},
    {"long, branches", FIT_LONG, BRANCHES, 0.02, 1, 1, 2, 0, 0, 0},
    {"long, rows of own scale", FIT_LONG, ROWS, 0.01, 1, 1, 2, 0, 0, 0},
    {"long, mostly linear", FIT_LONG, TAILS, 0.001, 1, 1, 2, 0, 0, 0},
    {"long, shifted and offset", FIT_LONG, NORMAL, 0.1, 1, 1, 2, -0.4, 0.8, 0},
    {"long, massive", FIT_LONG, NORMAL, 0.05, 1, 1, 2, 0, 0, 400},
    {"long, values on a grid", FIT_LONG, GRID, 0.1, 1, 1, 2, 0, 0, 0},
};

/* Real sites, rows of which are in tests/golden/fit-sites.f32: the bundled ViT's, and those of a small ViT trained on MNIST. */
enum { SITE_POINTS = 1536, SITE_ROWS_OF_96 = 6, SITES = 12 };
static const char *const site_names[SITES] = {
    "fmnist site 1",  "fmnist site 4",  "fmnist site 8", "fmnist site 12",
    "fmnist site 15", "fmnist site 17", "mnist site 1",  "mnist site 3",
    "mnist site 6",   "mnist site 9",   "mnist site 11", "mnist site 13",
};

enum { FIT_RECIPES = sizeof recipes / sizeof recipes[0], FIT_DATA = FIT_RECIPES + SITES };

static uint64_t fit_next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double fit_unit(uint64_t *state) {
    return (double)(fit_next(state) >> 11) * 0x1p-53;
}

/* Near enough to a Gaussian: the sum of twelve. No call of libm, whose last digit differs. */
static double fit_gauss(uint64_t *state) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += fit_unit(state);
    return sum;
}

/* An S that needs no libm: u / sqrt(1 + u^2) is exact to rounding everywhere. */
static double fit_s(double u) {
    return u / sqrt(1 + u * u);
}

const char *fit_case_name(int data);
int fit_case(int data, float *x, float *y, int64_t *samples);
void fit_erf(int64_t n, const long double *u, long double *out);

/* NumPy has no erf of extended precision. */
void fit_erf(int64_t n, const long double *u, long double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = erfl(u[i]);
}

const char *fit_case_name(int data) {
    if (data < 0 || data >= FIT_DATA) return 0;
    return data < FIT_RECIPES ? recipes[data].name : site_names[data - FIT_RECIPES];
}

/* Rows of a real site and their LayerNorm. 0 where the file is not there. */
static int real_case(int site, float *x, float *y, int64_t *samples) {
    int channels = site < SITE_ROWS_OF_96 ? 96 : 64;
    double eps = site < SITE_ROWS_OF_96 ? 1e-6 : 1e-5;
    FILE *file = fopen("tests/golden/fit-sites.f32", "rb");
    if (!file) return 0;
    int good = !fseek(file, (long)(site * SITE_POINTS * sizeof *x), SEEK_SET) &&
               fread(x, sizeof *x, SITE_POINTS, file) == SITE_POINTS;
    fclose(file);
    for (int row = 0; good && row < SITE_POINTS; row += channels) {
        double mean = 0, square = 0;
        for (int i = 0; i < channels; i++) mean += (double)x[row + i] / channels;
        for (int i = 0; i < channels; i++)
            square += ((double)x[row + i] - mean) * ((double)x[row + i] - mean);
        double inverse = 1 / sqrt(square / channels + eps);
        for (int i = 0; i < channels; i++) {
            y[row + i] = (float)(((double)x[row + i] - mean) * inverse);
            samples[row + i] = row / channels;
        }
    }
    return good ? SITE_POINTS : 0;
}

/* Fills x, y, samples [FIT_POINTS]; returns how many. */
int fit_case(int data, float *x, float *y, int64_t *samples) {
    if (data >= FIT_RECIPES) return real_case(data - FIT_RECIPES, x, y, samples);
    const recipe *r = &recipes[data];
    uint64_t state = 1000 + (uint64_t)data, row_state = 77;
    double row = 1;
    for (int i = 0; i < r->n; i++) {
        double u = fit_gauss(&state) * 1.5 * r->spread, e = fit_gauss(&state), v = fit_unit(&state);
        double q, value;
        if (r->how == ROWS && i % FIT_SAMPLE == 0) row = 1 / (0.05 + fit_unit(&row_state));
        if (r->how == POSITIVE) u = fabs(u);
        if (r->how == NEGATIVE) u = -fabs(u);
        if (r->how == TAILS) u *= v < 0.999 ? 0.02 : 3;
        if (r->how == HEAVY) u /= 0.05 + v;
        if (r->how == VALUES) u = floor(v * 5) - 2;
        if (r->how == GRID) u = floor(u * 16 + 0.5) / 16;
        q = u;
        if (r->how == BRANCHES) u *= v < 0.5 ? 0.5 : 2;
        if (r->how == THREE_BRANCHES) u *= v < 0.2 ? 0.25 : v < 0.7 ? 1 : 4;
        if (r->how == ROWS) q = u * row;
        value = r->how == LINE   ? r->s * (double)(float)q
                : r->how == ROWS ? u
                                 : r->s * fit_s(u + r->shift) + r->offset;
        x[i] = (float)(q * r->stretch);
        y[i] = (float)(value + r->noise * e);
        if (r->outlier != 0 && i == 1234)
            x[i] = (float)r->outlier, y[i] = r->outlier > 0 ? 1.5f : -1.5f;
        samples[i] = i / FIT_SAMPLE;
    }
    return r->n;
}
