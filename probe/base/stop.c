#include "probe/base/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested;

static void on_signal(int number) {
    if (requested) {
        signal(number, SIG_DFL);
        raise(number);
    }
    requested = 1;
}

void ns_stop_on_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ,
           SIG_IGN); /* a limit of file sizes is then an error of the write, like a full disk */
}

bool ns_stop_requested(void) {
    return requested != 0;
}
