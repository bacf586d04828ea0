#include "probe/base/stop.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t requested; /* the signal, 0 for none */
static volatile sig_atomic_t patient;
static const char *volatile temporary_file, *volatile temporary_folder;

/* As if nothing had caught it: the parent sees which signal it was. */
static void end_by(int number) {
    const char *file = temporary_file, *folder = temporary_folder;
    if (file) unlink(file);
    if (folder) rmdir(folder);
    signal(number, SIG_DFL);
    raise(number);
}

static void on_signal(int number) {
    static const struct itimerval half_a_second = {.it_value = {0, 500000}};
    if (requested && number != SIGHUP) end_by(number);
    if (requested) return;
    requested = number;
    if (!patient) setitimer(ITIMER_REAL, &half_a_second, NULL);
}

static void on_alarm(int number) {
    if (!patient) end_by(requested ? requested : number);
}

void ns_stop_on_signals(void) {
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    signal(SIGXFSZ,
           SIG_IGN); /* a limit of file sizes is then an error of the write, like a full disk */
}

bool ns_stop_requested(void) {
    return requested != 0;
}

void ns_stop_patiently(void) {
    patient = 1;
}

void ns_stop_removes(const char *file, const char *folder) {
    temporary_file = file;
    temporary_folder = folder;
}
