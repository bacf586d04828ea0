/* What the shared library shows: everything else in it is hidden, so that a program cannot come to lean on it. */
#ifndef NS_API_H
#define NS_API_H

#if defined(__GNUC__)
#define NS_API __attribute__((visibility("default")))
#else
#define NS_API
#endif

#endif
