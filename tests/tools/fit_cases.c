/* Layers made from a seed, the same for the C tests, which include this file, and for scripts/oracle_fit.py, which loads it as a
 * library: so the golden file holds answers alone. */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { FIT_POINTS = 3000, FIT_SAMPLE = 50, FIT_DATA = 17 };

static const char *const fit_data_names[FIT_DATA] = {
    "clean",       "noise",
    "heavy noise", "small x",
    "large x",     "one side",
    "branches",    "mostly linear",
    "massive",     "near-linear",
    "line",        "shifted",
    "offset",      "shifted and offset",
    "few points",  "heavy-tailed x",
    "falling",
};

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

const char *fit_case_name(int data) {
    return data >= 0 && data < FIT_DATA ? fit_data_names[data] : 0;
}

/* Fills x, y, samples [FIT_POINTS]; returns how many. */
int fit_case(int data, float *x, float *y, int64_t *samples) {
    uint64_t state = 1000 + (uint64_t)data;
    int n = data == 14 ? 12 : FIT_POINTS;
    for (int i = 0; i < n; i++) {
        double u = fit_gauss(&state) * 1.5, e = fit_gauss(&state), v = fit_unit(&state),
               noise = 0.1, q = u, s = 2;
        double shift = 0, offset = 0;
        switch (data) {
        case 0:
            noise = 0;
            break;
        case 2:
            noise = 2;
            break;
        case 3:
            q = u * 1e-3;
            break;
        case 4:
            q = u * 1e3;
            break;
        case 5:
            u = fabs(u), q = u;
            break;
        case 6:
            u *= v < 0.5 ? 0.5 : 2, noise = 0.02;
            break;
        case 7:
            u *= v < 0.999 ? 0.02 : 3, q = u, noise = 0.001;
            break;
        case 8:
            noise = 0.05;
            break;
        case 9:
            u *= 0.03, q = u, noise = 0.05;
            break;
        case 11:
            shift = 0.7;
            break;
        case 12:
            offset = -1.25;
            break;
        case 13:
            shift = -0.4, offset = 0.8;
            break;
        case 14:
            noise = 0.2;
            break;
        case 15:
            u /= 0.05 + v, q = u;
            break;
        case 16:
            s = -1.5;
            break;
        default:
            break;
        }
        x[i] = (float)q;
        y[i] = data == 10 ? 3 * x[i] : (float)(s * fit_s(u + shift) + offset + noise * e);
        if (data == 8 && i == 1234) x[i] = 400, y[i] = 1.5f;
        samples[i] = i / FIT_SAMPLE;
    }
    return n;
}
