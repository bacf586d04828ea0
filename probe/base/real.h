/* The type of what is trained. In the library it is float; the program that holds gradients against differences is the same source
 * compiled with NS_REAL_DOUBLE, since in float a difference has too few digits to judge by. */
#ifndef NS_REAL_H
#define NS_REAL_H

#ifdef NS_REAL_DOUBLE
typedef double ns_real;
#else
typedef float ns_real;
#endif

#endif
