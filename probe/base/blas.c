#include "probe/base/blas.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenBLAS's names of what has no AVX2. */
static const char *const old_cores[] = {
    "Prescott", "Katmai",     "Coppermine", "Northwood", "Banias",       "Core2",
    "Penryn",   "Dunnington", "Atom",       "Nehalem",   "Sandybridge",  "Athlon",
    "Opteron",  "Barcelona",  "Bobcat",     "Nano",      "Opteron_SSE3", "Generic"};

#define ADVICE(core)                                                                               \
    "OpenBLAS does not know this processor and takes an old one's products, which are two to "     \
    "three times as slow; OPENBLAS_CORETYPE=" core " takes better ones"

const char *ns_blas_advice_for(const char *core, bool avx2, bool avx512) {
    bool old = false;
    for (size_t i = 0; i < sizeof old_cores / sizeof *old_cores && !old; i++)
        old = !strcmp(core, old_cores[i]);
    if (!old || !avx2) return NULL;
    return avx512 ? ADVICE("SkylakeX") : ADVICE("Haswell");
}

const char *ns_blas_advice(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (getenv("OPENBLAS_CORETYPE")) return NULL;
    __builtin_cpu_init();
    return ns_blas_advice_for(openblas_get_corename(), __builtin_cpu_supports("avx2"),
                              __builtin_cpu_supports("avx512f"));
#else
    return NULL;
#endif
}

void ns_blas_advise(void) {
    const char *advice = ns_blas_advice();
    if (advice) fprintf(stderr, "normscope: %s\n", advice);
}
