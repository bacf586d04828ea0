/* The fit against SciPy's best of ten starts, polished in extended precision (tests/golden/fit.tsv, made by scripts/oracle_fit.py), and
 * its properties. */
#include "analysis/fit.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/random.h"
#include "tests/runner.h"
#include "tests/tools/fit_cases.c"

typedef struct layer {
    float x[FIT_POINTS], y[FIT_POINTS];
    int64_t samples[FIT_POINTS];
    int count;
} layer;

static layer *make_layer(int data) {
    layer *l = malloc(sizeof *l);
    assert_non_null(l);
    l->count = fit_case(data, l->x, l->y, l->samples);
    return l;
}

static ns_fit fit_curve(const layer *l, const char *name, const char *form,
                        ns_weighting weighting) {
    const ns_curve *curve = ns_curve_find(name, NULL);
    assert_non_null(curve);
    const ns_fit_options options = {.curves = &curve,
                                    .curve_count = 1,
                                    .scale_fixed = form[0] == '1',
                                    .scale = 1,
                                    .shift = strchr(form, 'd') != NULL,
                                    .offset = strchr(form, 'b') != NULL,
                                    .weighting = weighting};
    ns_points points = ns_points_memory(l->x, l->y, l->samples, (uint64_t)l->count, 1);
    ns_fit fit;
    ns_error err = {0};
    int status = ns_fit_points(&points, &options, &fit, &err);
    if (status) fail_msg("%s", err.message);
    return fit;
}

static bool near(double got, double expected, double relative) {
    return fabs(got - expected) <= relative * fmax(fabs(expected), DBL_MIN);
}

/* One line of the golden file against the fit of the same points; what is wrong with it, or NULL. */
static const char *compare(const ns_fit *fit, double sse, const double *theta, int determined) {
    static char text[200];
    if (!(fit->sse <= sse * (1 + 1e-9) + 1e-14 * fit->sst)) {
        snprintf(text, sizeof text, "sum of squares %.17g, SciPy %.17g (relative %.2g)", fit->sse,
                 sse, fit->sse / sse - 1);
        return text;
    }
    for (int k = 0; k < NS_PARAMETERS && determined > 0; k++)
        if (fit->free[k] && !near(fit->theta[k], theta[k], 1e-5)) {
            snprintf(text, sizeof text, "parameter %d: %.12g, SciPy %.12g", k, fit->theta[k],
                     theta[k]);
            return text;
        }
    /* SciPy knows nominal errors alone; clustered ones may say that the parameters are not determined. */
    bool rough = fit->clustered[NS_ALPHA] > 0.3 * fit->theta[NS_ALPHA];
    if (determined && !rough && fit->degenerate != (determined < 0)) {
        snprintf(text, sizeof text, "degenerate: '%s', SciPy's parameters are%s determined",
                 fit->reason, determined > 0 ? "" : " not");
        return text;
    }
    return NULL;
}

static void as_low_as_scipy_from_ten_starts(void **state) {
    (void)state;
    FILE *in = fopen("tests/golden/fit.tsv", "r");
    assert_non_null(in);
    char line[400];
    int fits = 0, bad = 0, data,
        every = getenv("NS_SANITIZED") ? 7 : 1; /* that is ten times as slow */
    while (fgets(line, sizeof line, in)) {
        char curve[16], form[8];
        double sse, theta[NS_PARAMETERS];
        int determined;
        if (sscanf(line, "%d %15s %7s %lf %lf %lf %lf %lf %d", &data, curve, form, &sse, &theta[0],
                   &theta[1], &theta[2], &theta[3], &determined) != 9)
            continue;
        if (fits++ % every) continue;
        layer *l = make_layer(data);
        ns_fit fit = fit_curve(l, curve, form, NS_WEIGH_POINTS);
        const char *wrong = compare(&fit, sse, theta, determined);
        if (wrong) print_error("%s, %s, form %s: %s\n", fit_case_name(data), curve, form, wrong);
        bad += wrong != NULL;
        free(l);
    }
    fclose(in);
    assert_int_equal(fits, 544);
    assert_int_equal(bad, 0);
}

/* Where only s alpha is determined, the fit says so, and gives it right. */
static void near_linear_data_are_told(void **state) {
    (void)state;
    const int layers[] = {9, 10};
    for (int i = 0; i < 2; i++) {
        layer *l = make_layer(layers[i]);
        ns_fit curve = fit_curve(l, "tanh", "s", NS_WEIGH_POINTS),
               line = fit_curve(l, "linear", "s", NS_WEIGH_POINTS);
        if (!curve.degenerate || !strstr(curve.reason, "only s*alpha"))
            fail_msg("%s: '%s', alpha %g +- %g, +- %g, s %g", fit_case_name(layers[i]),
                     curve.reason, curve.theta[NS_ALPHA], curve.clustered[NS_ALPHA],
                     curve.nominal[NS_ALPHA], curve.theta[NS_SCALE]);
        assert_true(near(curve.slope, line.slope, 1e-2));
        assert_false(line.degenerate);
        free(l);
    }
}

static const char *reason_of(const float *x, const float *y, int n) {
    layer *l = calloc(1, sizeof *l);
    assert_non_null(l);
    memcpy(l->x, x, (size_t)n * sizeof *x);
    memcpy(l->y, y, (size_t)n * sizeof *y);
    l->count = n;
    for (int i = 0; i < n; i++) l->samples[i] = i;
    ns_fit fit = fit_curve(l, "tanh", "s", NS_WEIGH_POINTS);
    free(l);
    assert_true(fit.degenerate);
    assert_true(isnan(fit.theta[NS_ALPHA]));
    return fit.reason;
}

static void data_without_an_answer(void **state) {
    (void)state;
    const float constant[] = {2, 2, 2, 2, 2, 2}, rising[] = {-3, -1, 0, 1, 2, 4},
                bad[] = {NAN, INFINITY, -INFINITY, NAN, NAN, NAN};
    assert_string_equal(reason_of(constant, rising, 6), "constant input");
    assert_string_equal(reason_of(rising, constant, 6), "constant output");
    assert_string_equal(reason_of(rising, rising, 3), "too few points");
    assert_string_equal(reason_of(rising, rising, 0), "no points");
    assert_string_equal(reason_of(rising, bad, 6), "no finite points");
    assert_string_equal(reason_of(bad, rising, 6), "no finite points");
}

/* x of long data, y that has nothing to do with it. Where several steps between points win next to nothing, no curve settles; the fit
 * says so, and does not walk a hundred times to say it. */
static void noise_alone_ends_soon(void **state) {
    (void)state;
    layer *l = make_layer(36); /* long */
    const char *const curves[] = {"tanh", "erf", "isru", "arctan", "softsign", "hardtanh"};
    int crawled = 0;
    for (int turn = 0; turn < 5; turn++) {
        uint64_t random = (uint64_t)turn;
        for (int i = 0; i < l->count; i++) l->y[i] = (float)(ns_random_unit(&random) - 0.5);
        for (size_t k = 0; k < sizeof curves / sizeof *curves; k++) {
            ns_fit fit = fit_curve(l, curves[k], "sdb", NS_WEIGH_POINTS);
            crawled += !strcmp(fit.stop, "the sum of squares hardly falls") && fit.iterations <= 60;
            assert_true(fit.converged || fit.degenerate);
            assert_true(fit.r2 < 0.05);
        }
    }
    assert_true(crawled > 15);
    free(l);
}

static void values_that_are_not_finite_are_counted_and_left_out(void **state) {
    (void)state;
    layer *l = make_layer(1), *clean = calloc(1, sizeof *clean);
    assert_non_null(clean);
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < l->count; i++) {
        if (i % 100 == 7) {
            *(i % 200 == 7 ? &l->x[i] : &l->y[i]) = bad[i / 100 % 3];
            continue;
        }
        clean->x[clean->count] = l->x[i], clean->y[clean->count] = l->y[i];
        clean->samples[clean->count++] = l->samples[i];
    }
    ns_fit with = fit_curve(l, "tanh", "sdb", NS_WEIGH_POINTS),
           without = fit_curve(clean, "tanh", "sdb", NS_WEIGH_POINTS);
    assert_int_equal(with.nonfinite, 30);
    assert_int_equal(with.points, FIT_SHORT - 30);
    assert_int_equal(without.nonfinite, 0);
    for (int k = 0; k < NS_PARAMETERS; k++) {
        assert_true(near(with.theta[k], without.theta[k], 1e-9));
        assert_true(near(with.clustered[k], without.clustered[k], 1e-7));
    }
    free(l);
    free(clean);
}

/* Stretching x divides alpha, stretching y multiplies s and b; powers of two keep every digit of the data. */
static void the_fit_follows_the_units(void **state) {
    (void)state;
    const float stretches[] = {0x1p-20f, 0x1p-3f, 0x1p20f, 0x1p60f, 0x1p-60f};
    for (int data = 0; data < FIT_DATA; data++) {
        if (data == 9 || data == 10 || data == 14) continue; /* not determined */
        layer *l = make_layer(data);
        ns_fit before = fit_curve(l, "tanh", "s", NS_WEIGH_POINTS);
        for (int i = 0; i < 5; i++) {
            layer *other = make_layer(data);
            for (int p = 0; p < l->count; p++)
                other->x[p] *= stretches[i], other->y[p] *= stretches[4 - i];
            ns_fit after = fit_curve(other, "tanh", "s", NS_WEIGH_POINTS);
            if (!near(after.theta[NS_ALPHA] * stretches[i], before.theta[NS_ALPHA], 1e-7) ||
                !near(after.theta[NS_SCALE] / stretches[4 - i], before.theta[NS_SCALE], 1e-7) ||
                !near(after.r2, before.r2, 1e-9))
                fail_msg("%s, x times %g: alpha %.12g became %.12g, R2 %.12g %.12g",
                         fit_case_name(data), (double)stretches[i], before.theta[0], after.theta[0],
                         before.r2, after.r2);
            free(other);
        }
        free(l);
    }
}

/* Samples in another order are the same samples. */
static void the_order_of_samples_does_not_matter(void **state) {
    (void)state;
    for (ns_weighting w = NS_WEIGH_POINTS; w <= NS_WEIGH_HUBER; w++) {
        layer *l = make_layer(8), *turned = make_layer(8);
        for (int i = 0; i < l->count; i++) {
            int from = (l->count / FIT_SAMPLE - 1 - i / FIT_SAMPLE) * FIT_SAMPLE + i % FIT_SAMPLE;
            turned->x[i] = l->x[from], turned->y[i] = l->y[from],
            turned->samples[i] = l->samples[from];
        }
        ns_fit a = fit_curve(l, "tanh", "sdb", w), b = fit_curve(turned, "tanh", "sdb", w);
        for (int k = 0; k < NS_PARAMETERS; k++) {
            if (!near(a.theta[k], b.theta[k], 1e-8))
                fail_msg("weighting %d, parameter %d: %.15g %.15g %s %s", (int)w, k, a.theta[k],
                         b.theta[k], a.stop, b.stop);
            assert_true(near(a.clustered[k], b.clustered[k], 1e-6));
            assert_true(near(a.nominal[k], b.nominal[k], 1e-6));
        }
        free(l);
        free(turned);
    }
}

/* A million points, so that threads share them: the same bits again, and the same answer with another number of threads. */
static void the_same_bits_again(void **state) {
    (void)state;
    enum { COPIES = 100 };
    layer *l = make_layer(13);
    size_t n = (size_t)FIT_SHORT * COPIES;
    float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    assert_true(x && y);
    for (size_t i = 0; i < n; i++)
        x[i] = l->x[i % FIT_SHORT], y[i] = l->y[i % FIT_SHORT] + (float)(i / FIT_SHORT) * 1e-3f;
    const ns_curve *curves[] = {ns_curve_find("tanh", NULL), ns_curve_find("hardtanh", NULL)};
    const ns_fit_options options = {
        .curves = curves, .curve_count = 2, .shift = true, .offset = true, .held_out = true};
    ns_points points = ns_points_memory(x, y, NULL, n / 50, 50);
    ns_fit first[2], again[2], other[2];
    ns_error err = {0};
    int threads = omp_get_max_threads();
    omp_set_num_threads(2);
    assert_int_equal(ns_fit_points(&points, &options, first, &err), NS_OK);
    assert_int_equal(ns_fit_points(&points, &options, again, &err), NS_OK);
    omp_set_num_threads(3);
    assert_int_equal(ns_fit_points(&points, &options, other, &err), NS_OK);
    omp_set_num_threads(threads);
    for (int c = 0; c < 2; c++) {
        assert_memory_equal(first[c].theta, again[c].theta, sizeof first[c].theta);
        assert_memory_equal(first[c].clustered, again[c].clustered, sizeof first[c].clustered);
        assert_true(first[c].held_out_rmse == again[c].held_out_rmse);
        for (int k = 0; k < NS_PARAMETERS; k++)
            assert_true(near(first[c].theta[k], other[c].theta[k], c ? 1e-4 : 1e-9));
        assert_true(near(first[c].sse, other[c].sse, 1e-9));
    }
    free(x);
    free(y);
    free(l);
}

/* Equal weight to each bin: what the definition says, computed point by point here. */
static void density_weighs_bins_alike(void **state) {
    (void)state;
    layer *l = make_layer(7);
    ns_fit fit = fit_curve(l, "tanh", "s", NS_WEIGH_DENSITY);
    double low = INFINITY, high = -INFINITY;
    int counts[NS_DENSITY_BINS] = {0}, occupied = 0;
    for (int i = 0; i < l->count; i++) low = fmin(low, l->x[i]), high = fmax(high, l->x[i]);
    int bin[FIT_POINTS];
    for (int i = 0; i < l->count; i++) {
        bin[i] = (int)fmin(NS_DENSITY_BINS - 1, (l->x[i] - low) / (high - low) * NS_DENSITY_BINS);
        occupied += !counts[bin[i]]++;
    }
    double best = INFINITY;
    for (int turn = -1; turn <= 1; turn++) { /* at the minimum, and to either side of it */
        double sse = 0, alpha = fit.theta[NS_ALPHA] * (1 + 1e-3 * turn);
        for (int i = 0; i < l->count; i++) {
            double r = fit.theta[NS_SCALE] * tanh(alpha * l->x[i]) - l->y[i];
            sse += r * r * l->count / occupied / counts[bin[i]];
        }
        if (!turn) best = sse;
        if (!turn) assert_true(near(fit.sse, sse, 1e-9));
        if (turn) assert_true(sse > fit.sse);
    }
    assert_true(best < INFINITY);
    free(l);
}

/* The robust fit is where the derivative of Huber's loss vanishes, and a massive outlier moves it little. */
static void huber_is_at_its_minimum(void **state) {
    (void)state;
    layer *l = make_layer(8);
    for (int i = 0; i < 30; i++) l->y[i * 97] = 40;
    ns_fit fit = fit_curve(l, "isru", "s", NS_WEIGH_HUBER);
    double gradient[2] = {0}, size[2] = {0};
    for (int i = 0; i < l->count; i++) {
        double u = fit.theta[NS_ALPHA] * l->x[i], f = u / sqrt(1 + u * u),
               f1 = pow(1 + u * u, -1.5);
        double r = fit.theta[NS_SCALE] * f - l->y[i], psi = fmax(-fit.huber, fmin(fit.huber, r));
        double j[2] = {fit.theta[NS_SCALE] * f1 * l->x[i], f};
        for (int k = 0; k < 2; k++) gradient[k] += psi * j[k], size[k] += fabs(psi * j[k]);
    }
    for (int k = 0; k < 2; k++) assert_true(fabs(gradient[k]) < 1e-9 * size[k]);
    assert_true(near(fit.theta[NS_SCALE], 2, 0.02)); /* what the data were made with */
    assert_true(near(fit.theta[NS_ALPHA], 1, 0.03));
    free(l);
}

/* Standard errors clustered by sample against their definition, with derivatives by central differences. */
static void clustered_errors_follow_their_definition(void **state) {
    (void)state;
    layer *l = make_layer(1);
    for (int i = 0; i < l->count; i++)
        l->y[i] += 0.2f * (float)(l->samples[i] % 7 - 3) * l->x[i]; /* samples differ */
    ns_fit fit = fit_curve(l, "tanh", "s", NS_WEIGH_POINTS);
    double h[2][2] = {{0}}, meat[2][2] = {{0}}, group[2] = {0};
    int groups = l->count / FIT_SAMPLE;
    for (int i = 0; i < l->count; i++) {
        double a = fit.theta[NS_ALPHA], s = fit.theta[NS_SCALE], x = l->x[i], f = tanh(a * x),
               f1 = 1 - f * f;
        double r = s * f - l->y[i], j[2] = {s * f1 * x, f},
               second[2][2] = {{-2 * s * f * f1 * x * x, f1 * x}, {f1 * x, 0}};
        for (int k = 0; k < 2; k++) {
            group[k] += r * j[k];
            for (int m = 0; m < 2; m++) h[k][m] += j[k] * j[m] + r * second[k][m];
        }
        if ((i + 1) % FIT_SAMPLE == 0) {
            for (int k = 0; k < 2; k++)
                for (int m = 0; m < 2; m++) meat[k][m] += group[k] * group[m];
            group[0] = group[1] = 0;
        }
    }
    double det = h[0][0] * h[1][1] - h[0][1] * h[1][0];
    double b[2][2] = {{h[1][1] / det, -h[0][1] / det}, {-h[1][0] / det, h[0][0] / det}};
    for (int k = 0; k < 2; k++) {
        double v = 0;
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++) v += b[k][i] * meat[i][j] * b[j][k];
        double se = sqrt(v * groups / (groups - 1));
        int parameter = k ? NS_SCALE : NS_ALPHA;
        if (!near(fit.clustered[parameter], se, 1e-6))
            fail_msg("parameter %d: %.9g, by definition %.9g", k, fit.clustered[parameter], se);
        assert_true(fit.nominal[parameter] < se);
    }
    assert_int_equal(fit.samples, groups);
    free(l);
}

/* The error on samples left out ranks the curve first that made the data. */
static void held_out_samples_rank_curves(void **state) {
    (void)state;
    layer *l = make_layer(1);
    const ns_fit_options options = {
        .curves = ns_curves, .curve_count = ns_curve_count, .held_out = true, .seed = 3};
    ns_points points = ns_points_memory(l->x, l->y, l->samples, FIT_SHORT, 1);
    ns_fit *fits = calloc((size_t)ns_curve_count, sizeof *fits);
    ns_error err = {0};
    assert_int_equal(ns_fit_points(&points, &options, fits, &err), NS_OK);
    int best = 0;
    for (int i = 0; i < ns_curve_count; i++) {
        assert_true(fits[i].held_out_rmse > 0.08 && fits[i].held_out_rmse < 1);
        if (fits[i].held_out_rmse < fits[best].held_out_rmse) best = i;
    }
    assert_string_equal(fits[best].curve->name, "isru");
    free(fits);
    free(l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(as_low_as_scipy_from_ten_starts),
    cmocka_unit_test(near_linear_data_are_told),
    cmocka_unit_test(data_without_an_answer),
    cmocka_unit_test(noise_alone_ends_soon),
    cmocka_unit_test(values_that_are_not_finite_are_counted_and_left_out),
    cmocka_unit_test(the_fit_follows_the_units),
    cmocka_unit_test(the_order_of_samples_does_not_matter),
    cmocka_unit_test(the_same_bits_again),
    cmocka_unit_test(density_weighs_bins_alike),
    cmocka_unit_test(huber_is_at_its_minimum),
    cmocka_unit_test(clustered_errors_follow_their_definition),
    cmocka_unit_test(held_out_samples_rank_curves),
};
NS_TESTS("fit", tests)
