/* Preloaded: SIGINT while a training takes step INTERRUPT_AT, however busy the machine is. AdamW asks for its beta1, 0.9, to the power of the
 * step, once a step. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

double pow(double x, double y) {
    static double (*next)(double, double);
    const char *at = getenv("INTERRUPT_AT");
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "pow");
    if (at && x == 0.9 && y == atof(at)) raise(SIGINT);
    return next(x, y);
}
