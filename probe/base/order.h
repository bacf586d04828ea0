/* Orders for qsort that several rooms need. */
#ifndef NS_ORDER_H
#define NS_ORDER_H

#ifdef __cplusplus
extern "C" {
#endif

/* -1, 0 or 1 in an order of all doubles: NaN is equal to NaN and comes last, so that a sort ends where it should, and what is walked by
 * equal values moves on. */
int ns_compare(double x, double y);

/* That order, for doubles or structures that begin with the double to sort by. */
int ns_rising(const void *a, const void *b);

#ifdef __cplusplus
}
#endif
#endif
