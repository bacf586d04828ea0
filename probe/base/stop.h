/* A request to stop: SIGINT, SIGTERM and SIGHUP set a flag, long work looks at it between batches, closes its files and returns NS_ESTOP.
 * Where nothing is to be kept, the process ends by the signal half a second later, whatever it is at: outputs have no name before they are
 * whole. A second SIGINT or SIGTERM ends it at once; files are made so that even that loses nothing that was committed. A dropped
 * connection sends SIGHUP several times (the terminal's and the shell's), so that one more of it is no second request. The flags are the
 * global variables here, since a signal handler can reach nothing else. */
#ifndef NS_STOP_H
#define NS_STOP_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called by the program, never by the library. SIGHUP stays ignored where it was (nohup). */
void ns_stop_on_signals(void);
bool ns_stop_requested(void);

/* From here on there is something to keep, and a request is answered when it is kept, however long that takes. */
void ns_stop_patiently(void);

/* What goes where the process is ended at once: a file with a name, and then its folder, or NULL. Borrowed until the next call. */
void ns_stop_removes(const char *file, const char *folder);

#ifdef __cplusplus
}
#endif
#endif
