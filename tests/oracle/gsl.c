/* Times of a fit of y = s tanh(alpha x) to the same points in memory: this project's, and GSL's multifit_nlinear with its default method
 * (Levenberg and Marquardt in a trust region, QR), an analytic Jacobian and a good start. For scripts/bench_fit_peers.py.
 *
 *     oracle-gsl POINTS.f32 N RUNS GSL_POINTS
 *
 * POINTS.f32: N floats x, then N floats y. Prints a line for each: name, points, median seconds, alpha, s. */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/fit.h"
#include "probe/base/bench.h"
#include "probe/base/progress.h"

enum { CHANNELS = 500, ROWS = 200 }; /* of a row, of a sample */

typedef struct data {
    size_t n;
    const float *x, *y;
} data;

static int residuals(const gsl_vector *theta, void *user, gsl_vector *f) {
    const data *d = user;
    double a = gsl_vector_get(theta, 0), s = gsl_vector_get(theta, 1);
    for (size_t i = 0; i < d->n; i++)
        gsl_vector_set(f, i, s * tanh(a * (double)d->x[i]) - (double)d->y[i]);
    return GSL_SUCCESS;
}

static int jacobian(const gsl_vector *theta, void *user, gsl_matrix *j) {
    const data *d = user;
    double a = gsl_vector_get(theta, 0), s = gsl_vector_get(theta, 1);
    for (size_t i = 0; i < d->n; i++) {
        double t = tanh(a * (double)d->x[i]);
        gsl_matrix_set(j, i, 0, s * (1 - t * t) * (double)d->x[i]);
        gsl_matrix_set(j, i, 1, t);
    }
    return GSL_SUCCESS;
}

/* Seconds of one fit from a start ten percent off. */
static double fit_gsl(data *d, const double near[2], double theta[2]) {
    double began = ns_seconds(), start[2] = {1.1 * near[0], 0.9 * near[1]};
    gsl_multifit_nlinear_parameters how = gsl_multifit_nlinear_default_parameters();
    gsl_multifit_nlinear_fdf problem = {
        .f = residuals, .df = jacobian, .n = d->n, .p = 2, .params = d};
    gsl_multifit_nlinear_workspace *w =
        gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &how, d->n, 2);
    gsl_vector_view at = gsl_vector_view_array(start, 2);
    int info;
    gsl_multifit_nlinear_init(&at.vector, &problem, w);
    gsl_multifit_nlinear_driver(100, 1e-10, 1e-10, 0, NULL, NULL, &info, w);
    gsl_matrix *covariance = gsl_matrix_alloc(2, 2);
    gsl_multifit_nlinear_covar(gsl_multifit_nlinear_jac(w), 0, covariance);
    for (int k = 0; k < 2; k++) theta[k] = gsl_vector_get(w->x, (size_t)k);
    gsl_matrix_free(covariance);
    gsl_multifit_nlinear_free(w);
    return ns_seconds() - began;
}

/* Complete: with the errors clustered by sample. */
static int fit_ours(const float *x, const float *y, const int64_t *samples, size_t n,
                    double *seconds, double theta[2]) {
    const ns_curve *curve = ns_curve_find("tanh", NULL);
    const ns_fit_options options = {.curves = &curve, .curve_count = 1};
    ns_points points = ns_points_memory(x, y, samples, n / CHANNELS, CHANNELS);
    ns_fit fit;
    ns_error err = {0};
    double began = ns_seconds();
    int status = ns_fit_points(&points, &options, &fit, &err);
    *seconds = ns_seconds() - began;
    if (status) fprintf(stderr, "%s\n", err.message);
    theta[0] = fit.theta[NS_ALPHA], theta[1] = fit.theta[NS_SCALE];
    return status;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: oracle-gsl POINTS.f32 N RUNS GSL_POINTS\n");
        return 2;
    }
    size_t n = strtoull(argv[2], NULL, 10), few = strtoull(argv[4], NULL, 10);
    int runs = atoi(argv[3]), status = 0;
    float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    int64_t *samples = malloc(n / CHANNELS * sizeof *samples + 1);
    FILE *file = fopen(argv[1], "rb");
    if (n % CHANNELS || few > n || !x || !y || !samples || !file ||
        fread(x, sizeof *x, n, file) != n || fread(y, sizeof *y, n, file) != n) {
        fprintf(stderr, "expected %zu points, a multiple of %d, in %s\n", n, CHANNELS, argv[1]);
        return 3;
    }
    fclose(file);
    for (size_t r = 0; r < n / CHANNELS; r++) samples[r] = (int64_t)(r / ROWS);
    ns_bench_runs ours = {0}, gsl = {0};
    double theta[2] = {0}, gsl_theta[2] = {0};
    data d = {few, x, y};
    for (int i = -1; i < runs && !status; i++) { /* one before, not counted */
        double seconds;
        status = fit_ours(x, y, samples, n, &seconds, theta);
        if (i >= 0) ns_bench_add(&ours, seconds);
    }
    for (int i = 0; i < (runs + 1) / 2 && !status; i++)
        ns_bench_add(&gsl, fit_gsl(&d, theta, gsl_theta));
    printf("normscope\t%zu\t%.9g\t%.15g\t%.15g\n", n, ns_bench_median(&ours), theta[0], theta[1]);
    printf("gsl\t%zu\t%.9g\t%.15g\t%.15g\n", few, ns_bench_median(&gsl), gsl_theta[0],
           gsl_theta[1]);
    free(x);
    free(y);
    free(samples);
    return status;
}
