/* A request to stop: SIGINT and SIGTERM set a flag, long work looks at it between batches, closes its files and
 * returns NS_ESTOP. A second signal ends the process at once; files are made so that even that loses nothing that
 * was committed. The flag is the one global variable, since a signal handler can reach nothing else. */
#ifndef NS_STOP_H
#define NS_STOP_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called by the program, never by the library. */
void ns_stop_on_signals(void);
bool ns_stop_requested(void);

#ifdef __cplusplus
}
#endif
#endif
