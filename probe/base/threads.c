#include "probe/base/threads.h"

#include <omp.h>

int ns_threads_cap(void) {
    int asked = omp_get_max_threads(), processors = omp_get_num_procs();
    int most = processors > NS_THREADS_MOST ? processors : NS_THREADS_MOST;
    if (asked <= most) return 0;
    omp_set_num_threads(most);
    return asked;
}
