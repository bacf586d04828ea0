/* How many threads there are. */
#ifndef NS_THREADS_H
#define NS_THREADS_H

#ifdef __cplusplus
extern "C" {
#endif

/* So many are let be where there are fewer processors: results depend on the number of threads, and a run may be repeated elsewhere. */
#define NS_THREADS_MOST 16

/* OMP_NUM_THREADS may ask for more than help or than memory bears: the number that was asked for where it was brought down, to the number of
 * processors or NS_THREADS_MOST, whichever is larger; else 0. Called by the program, before there is a thread. */
int ns_threads_cap(void);
/* So many from here on, of ours and of the BLAS; brought down likewise: the number that there are then. */
int ns_threads_set(int count);

#ifdef __cplusplus
}
#endif
#endif
