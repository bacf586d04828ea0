/* The curves' kernels against libm's long double, their sums against sums made point by point, and where fits end against those. */
#include "analysis/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "tests/runner.h"

typedef long double wide;

/* f, f' and f'' in extended precision, by name. */
static void oracle(const char *name, wide u, wide *f, wide *f1, wide *f2) {
    const wide pi = acosl(-1);
    wide q;
    if (!strcmp(name, "tanh")) {
        *f = tanhl(u), *f1 = 1 / (coshl(u) * coshl(u)), *f2 = -2 * *f * *f1;
    } else if (!strcmp(name, "erf")) {
        *f = erfl(u), *f1 = 2 / sqrtl(pi) * expl(-u * u), *f2 = -2 * u * *f1;
    } else if (!strcmp(name, "isru")) {
        q = 1 / sqrtl(1 + u * u), *f = u * q, *f1 = q * q * q, *f2 = -3 * u * q * q * q * q * q;
    } else if (!strcmp(name, "hardtanh")) {
        *f = u < -1 ? -1 : u > 1 ? 1 : u, *f1 = u > -1 && u < 1, *f2 = 0;
    } else if (!strcmp(name, "arctan")) {
        q = 1 / (1 + u * u), *f = 2 / pi * atanl(u), *f1 = 2 / pi * q, *f2 = -4 / pi * u * q * q;
    } else if (!strcmp(name, "softsign")) {
        q = 1 / (1 + fabsl(u)), *f = u * q, *f1 = q * q, *f2 = (u < 0 ? 2 : -2) * q * q * q;
    } else {
        *f = u, *f1 = 1, *f2 = 0;
    }
}

static double worse(double so_far, double got, wide expected, wide scale) {
    return fmax(so_far, (double)(fabsl(got - expected) / scale));
}

/* Relative error of f everywhere; f' and f'' in units of the largest value that they take. */
static void values_are_those_of_libm(void **state) {
    (void)state;
    for (int c = 0; c < ns_curve_count; c++) {
        const ns_curve *k = ns_curves[c];
        double f_error = 0, slopes_error = 0;
        for (int i = -30000; i <= 30000; i++) {
            double u = i * 1e-3 + 1e-7, f, f1, f2;
            wide g, g1, g2;
            f = k->value(u, &f1, &f2);
            oracle(k->name, u, &g, &g1, &g2);
            f_error = worse(f_error, f, g, fabsl(g));
            slopes_error = worse(worse(slopes_error, f1, g1, 1), f2, g2, 1);
        }
        for (double u = 1e-300; u < 1e150; u *= 3.7) { /* from tiny to huge */
            wide g, g1, g2;
            oracle(k->name, -u, &g, &g1, &g2);
            f_error = worse(f_error, k->value(-u, NULL, NULL), g, fabsl(g));
        }
        if (!(f_error < 3e-15) || !(slopes_error < 4e-15))
            fail_msg("%s: error %.2g of f, %.2g of its derivatives", k->name, f_error,
                     slopes_error);
    }
}

static void many_values_are_those_of_one(void **state) {
    (void)state;
    enum { MOST = 1100 };
    static float x[MOST];
    static double f[MOST + 1];
    for (int i = 0; i < MOST; i++) x[i] = (float)(sin(i * 1.7) * exp(3 * sin(i * 0.31)));
    for (int c = 0; c < ns_curve_count; c++)
        for (int n = 0; n <= MOST; n += n < 12 ? 1 : 363) {
            f[n] = 77;
            ns_curves[c]->values(0.75, -0.25, (size_t)n, x, f);
            assert_true(f[n] == 77);
            for (int i = 0; i < n; i++) {
                wide g, g1, g2;
                oracle(ns_curves[c]->name, 0.75L * x[i] - 0.25L, &g, &g1, &g2);
                assert_true(fabsl(f[i] - g) < 1e-14L);
            }
        }
}

/* The sums by their definition. */
static void sum_up(const ns_curve *k, const ns_pass *p, int n, const float *x, const float *y,
                   const double *weights, wide *out) {
    wide a = p->theta[NS_ALPHA], s = p->theta[NS_SCALE], d = p->theta[NS_SHIFT],
         b = p->theta[NS_OFFSET];
    memset(out, 0, sizeof(ns_fit_sums) / sizeof(double) * sizeof *out);
    for (int i = 0; i < n; i++) {
        wide f, f1, f2, w = weights ? weights[i] : 1;
        oracle(k->name, a * x[i] + d, &f, &f1, &f2);
        wide r = s * f + b - y[i], size = fabsl(r), pull = 1, keep = 1, loss = r * r;
        if (size > p->huber)
            pull = p->huber / size, keep = 0, loss = p->huber * (2 * size - p->huber);
        wide j[NS_PARAMETERS] = {s * f1 * x[i], f, s * f1, 1};
        wide second[5] = {s * f2 * x[i] * x[i], f1 * x[i], s * f2 * x[i], f1, s * f2};
        bool wanted[NS_PARAMETERS] = {true, true, p->shift, p->offset};
        bool bends[5] = {true, true, p->shift, p->shift, p->shift};
        wide *to = out;
        *to++ += w;
        *to++ += w * loss;
        for (int q = 0; q < NS_PARAMETERS; q++, to++)
            if (wanted[q]) *to += w * pull * r * j[q];
        for (int q = 0; q < NS_PARAMETERS; q++)
            for (int l = 0; l <= q; l++, to++)
                if (wanted[q] && wanted[l]) *to += w * keep * j[q] * j[l];
        for (int q = 0; q < 5; q++, to++)
            if (bends[q]) *to += w * pull * r * second[q];
        if (x[i] < p->low || x[i] > p->high) to[0] += w, to[1] += w * r * r;
    }
}

enum { POINTS = 1203, SUMS = sizeof(ns_fit_sums) / sizeof(double) };

static void check_sums(const ns_curve *k, const ns_pass *p, int n, const float *x, const float *y,
                       const double *weights, bool all) {
    ns_fit_sums sums = {0};
    wide expected[SUMS], sizes[SUMS];
    const double *got = (const double *)&sums;
    k->pass(p, (size_t)n, x, y, weights, &sums);
    ns_pass full = *p;
    full.shift |= all, full.offset |= all;
    sum_up(k, &full, n, x, y, weights, expected);
    /* In units of the sum of what is added: of the terms' sizes, not of what they cancel to. */
    for (int i = 0; i < SUMS; i++) sizes[i] = fabsl(expected[i]) + 10 * (wide)n;
    for (int i = 0; i < SUMS; i++)
        if (!(fabsl(got[i] - expected[i]) <= 1e-14L * sizes[i]))
            fail_msg("%s, %d points, shift %d, offset %d, %s: sum %d is %.17g, expected %.17Lg",
                     k->name, n, p->shift, p->offset,
                     weights            ? "weights"
                     : p->huber < 1e300 ? "huber"
                                        : "plain",
                     i, got[i], expected[i]);
}

/* Every form, at lengths about whole lanes and blocks. */
static void sums_follow_their_definition(void **state) {
    (void)state;
    static float x[POINTS], y[POINTS];
    static double weights[POINTS];
    for (int i = 0; i < POINTS; i++) {
        x[i] = (float)(sin(i * 1.7) * exp(2 * sin(i * 0.31)));
        y[i] = (float)(1.5 * tanh(x[i]) + 0.3 * sin(i * 2.9));
        weights[i] = 0.5 + 0.4 * sin(i);
    }
    const int lengths[] = {0, 1, 2, 3, 4, 5, 7, 511, 512, 513, 1024, POINTS};
    for (int c = 0; c < ns_curve_count; c++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            ns_pass p = {.theta = {0.8, 1.4, 0, 0}, .low = -2, .high = 2.5, .huber = INFINITY};
            check_sums(ns_curves[c], &p, lengths[l], x, y, NULL, false);
            p.offset = true, p.theta[NS_OFFSET] = 0.125;
            check_sums(ns_curves[c], &p, lengths[l], x, y, NULL, false);
            p.shift = true, p.theta[NS_SHIFT] = -0.3;
            check_sums(ns_curves[c], &p, lengths[l], x, y, NULL, false);
            check_sums(ns_curves[c], &p, lengths[l], x, y, weights, true);
            p.huber = 0.2;
            check_sums(ns_curves[c], &p, lengths[l], x, y, NULL, true);
        }
}

/* The Newton step that sums in extended precision would still make from where a fit ended, relative: what its parameters miss. */
static double left_to_go(const ns_fit *fit, int n, const float *x, const float *y) {
    wide exact[SUMS];
    double sums[SUMS], h[NS_PARAMETERS][NS_PARAMETERS], inverse[NS_PARAMETERS][NS_PARAMETERS];
    int free_[NS_PARAMETERS], count = 0;
    ns_pass p = {
        .shift = true, .offset = true, .low = -INFINITY, .high = INFINITY, .huber = INFINITY};
    memcpy(p.theta, fit->theta, sizeof p.theta);
    sum_up(fit->curve, &p, n, x, y, NULL, exact);
    for (int i = 0; i < SUMS; i++) sums[i] = (double)exact[i];
    const ns_fit_sums *s = (const ns_fit_sums *)sums;
    for (int k = 0; k < NS_PARAMETERS; k++)
        if (fit->free[k]) free_[count++] = k;
    ns_sums_matrix(s, free_, count, true, h);
    assert_true(ns_invert(count, h, inverse));
    assert_true(fabs(fit->sse / s->rr - 1) < 1e-12);
    double most = 0;
    for (int i = 0; i < count; i++) {
        double step = 0, size = fabs(fit->theta[free_[i]]);
        for (int j = 0; j < count; j++) step += inverse[i][j] * s->jr[free_[j]];
        if (free_[i] == NS_SHIFT || free_[i] == NS_OFFSET) size = fmax(size, 1e-2);
        most = fmax(most, fabs(step) / size);
    }
    return most;
}

/* Many points, so that the bins tell when a fit may end: after one pass over them it is as near as promised. */
static void fits_end_at_the_minimum(void **state) {
    (void)state;
    enum { MANY = 60000 };
    float *x = malloc(MANY * sizeof *x), *y = malloc(MANY * sizeof *y);
    assert_true(x && y);
    for (int heavy = 0; heavy < 2; heavy++) {
        for (int i = 0; i < MANY; i++) {
            double u = sin(i * 1.7) + sin(i * 0.37) + sin(i * 2.3);
            if (heavy) u *= exp(2 * sin(i * 0.011));
            x[i] = (float)u;
            y[i] = (float)(1.4 * tanh(0.8 * u + 0.2) + 0.3 + 0.2 * sin(i * 5.3) * cos(i * 0.77));
        }
        for (int c = 0; c < ns_curve_count; c++)
            for (int form = 0; form < 4; form++) {
                const ns_fit_options o = {.curves = &ns_curves[c],
                                          .curve_count = 1,
                                          .shift = form & 1,
                                          .offset = form > 1};
                ns_points points = ns_points_memory(x, y, NULL, MANY / 60, 60);
                ns_fit fit;
                if (ns_curves[c]->has_corners) continue;
                assert_int_equal(ns_fit_points(&points, &o, &fit, NULL), NS_OK);
                assert_true(fit.converged && fit.iterations == 1);
                double far = left_to_go(&fit, MANY, x, y);
                if (!(far < 1.1e-10))
                    fail_msg("%s, form %d, heavy %d: %.2g away", fit.curve->name, form, heavy, far);
            }
    }
    free(x);
    free(y);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_are_those_of_libm),
    cmocka_unit_test(many_values_are_those_of_one),
    cmocka_unit_test(sums_follow_their_definition),
    cmocka_unit_test(fits_end_at_the_minimum),
};
NS_TESTS("curves", tests)
