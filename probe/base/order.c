#include "probe/base/order.h"

#include <math.h>

int ns_compare(double x, double y) {
    if (isnan(x) || isnan(y)) return !!isnan(x) - !!isnan(y);
    return (x > y) - (x < y);
}

int ns_rising(const void *a, const void *b) {
    return ns_compare(*(const double *)a, *(const double *)b);
}
