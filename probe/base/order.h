/* Orders for qsort that several rooms need. */
#ifndef NS_ORDER_H
#define NS_ORDER_H

#ifdef __cplusplus
extern "C" {
#endif

/* Rising doubles, or structures that begin with the double to sort by; NaN counts as equal to everything, so that it is to be left out
 * before. */
int ns_rising(const void *a, const void *b);

#ifdef __cplusplus
}
#endif
#endif
