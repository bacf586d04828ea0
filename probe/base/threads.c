#include "probe/base/threads.h"

#include <cblas.h>
#include <omp.h>

static int most_threads(void) {
    int processors = omp_get_num_procs();
    return processors > NS_THREADS_MOST ? processors : NS_THREADS_MOST;
}

int ns_threads_cap(void) {
    int asked = omp_get_max_threads(), most = most_threads();
    if (asked <= most) return 0;
    omp_set_num_threads(most);
    return asked;
}

int ns_threads_set(int count) {
    int most = most_threads(), threads = count < most ? count : most;
    openblas_set_num_threads(threads); /* one that does not ask OpenMP */
    omp_set_num_threads(threads);
    return threads;
}
