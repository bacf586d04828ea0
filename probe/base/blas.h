/* Whether the BLAS makes use of the processor: where it does not, everything here takes two to three times as long, and nothing else tells. */
#ifndef NS_BLAS_H
#define NS_BLAS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A line for people where OpenBLAS takes a processor that it does not know for an old one, else NULL. `core` is what it calls it; avx2 and
 * avx512 are what the processor has. Static text. */
const char *ns_blas_advice_for(const char *core, bool avx2, bool avx512);

/* The same of this process; NULL where OPENBLAS_CORETYPE is set, which is a choice. */
const char *ns_blas_advice(void);

/* The advice as a line on stderr, where there is one. */
void ns_blas_advise(void);

#ifdef __cplusplus
}
#endif
#endif
