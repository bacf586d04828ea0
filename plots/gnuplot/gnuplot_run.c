/* gnuplot as a process: found in PATH, given its arguments as they are, waited for, and ended when we are to stop. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plots/gnuplot/gnuplot_internal.h"
#include "probe/base/mem.h"
#include "probe/base/stop.h"

enum { MOST_SAID = 4096, LEAST_MAJOR = 5, LEAST_MINOR = 2 };

/* That of this process, its time zone apart: gnuplot's files hold times of day, and ns_gnuplot_stamp finds them by their length. */
static char **environment(void) {
    static char zone[] = "TZ=UTC0";
    size_t count = 0, used = 0;
    while (environ && environ[count]) count++;
    char **copy = ns_calloc(count + 2, sizeof *copy, NULL);
    for (size_t i = 0; copy && i < count; i++)
        if (strncmp(environ[i], "TZ=", 3) != 0) copy[used++] = environ[i];
    if (copy) copy[used] = zone;
    return copy;
}

/* Starts it with `said` as its standard error and nothing to read. Returns an errno. */
static int start(pid_t *pid, const char *folder, char *const argv[], int said) {
    posix_spawn_file_actions_t actions;
    char **variables = environment();
    int code = variables ? posix_spawn_file_actions_init(&actions) : ENOMEM;
    if (code) {
        free(variables);
        return code;
    }
    code = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!code) code = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, said, 2);
    if (!code && folder) code = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (!code) code = posix_spawnp(pid, argv[0], &actions, NULL, argv, variables);
    posix_spawn_file_actions_destroy(&actions);
    free(variables);
    return code;
}

/* A signal may come between a look at the flag and a wait that it should have ended, so neither lasts. */
static int wait_for(pid_t pid, int *how) {
    bool ended = false;
    for (;;) {
        pid_t got = waitpid(pid, how, WNOHANG);
        if (got == pid) return 0;
        if (got < 0 && errno != EINTR) return errno;
        if (ns_stop_requested() && !ended) {
            kill(pid, SIGKILL);
            ended = true;
        }
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

/* What was written to the file, on one line, with repeated spaces and empty lines left out. */
static void read_said(FILE *file, char said[MOST_SAID]) {
    char raw[MOST_SAID];
    rewind(file);
    size_t length = fread(raw, 1, sizeof raw - 1, file), used = 0;
    for (size_t i = 0; i < length; i++) {
        bool space = raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == 0;
        if (!space)
            said[used++] = raw[i];
        else if (used && said[used - 1] != ' ')
            said[used++] = ' ';
    }
    while (used && said[used - 1] == ' ') used--;
    said[used] = 0;
    ns_printable(said, false);
}

static int run(const char *folder, char *const argv[], char said[MOST_SAID], ns_error *err) {
    FILE *file = tmpfile();
    if (!file) return ns_fail(err, NS_EFAIL, "no file for what gnuplot says: %s", strerror(errno));
    pid_t pid;
    int how = 0, code = start(&pid, folder, argv, fileno(file)), status = NS_OK;
    if (code == ENOENT) {
        status = ns_fail(err, NS_EFAIL,
                         "--backend gnuplot: no gnuplot in PATH; expected version %d.%d or later "
                         "(Debian's package gnuplot-nox)",
                         LEAST_MAJOR, LEAST_MINOR);
    } else if (code || (code = wait_for(pid, &how))) {
        status = ns_fail(err, NS_EFAIL, "gnuplot cannot be run: %s", strerror(code));
    }
    read_said(file, said);
    fclose(file);
    if (!status && ns_stop_requested()) return ns_fail(err, NS_ESTOP, "stopped while gnuplot ran");
    if (!status && WIFSIGNALED(how))
        status = ns_fail(err, NS_EFAIL, "gnuplot ended by signal %d%s%s", WTERMSIG(how),
                         *said ? ": " : "", said);
    if (!status && WIFEXITED(how) && WEXITSTATUS(how) != 0)
        status = ns_fail(err, NS_EFAIL, "gnuplot failed with status %d%s%s", WEXITSTATUS(how),
                         *said ? ": " : "", said);
    return status;
}

int ns_gnuplot_check(const ns_gnuplot_terminal *terminal, ns_error *err) {
    static char program[] = "gnuplot", option[] = "-e",
                question[] = "print GPVAL_VERSION, ' ', GPVAL_TERMINALS";
    char *const argv[] = {program, option, question, NULL};
    char said[MOST_SAID] = "", wanted[64];
    int status = run(NULL, argv, said, err);
    if (status) return status;
    char *rest = said;
    long major = strtol(said, &rest, 10), minor = *rest == '.' ? strtol(rest + 1, &rest, 10) : 0;
    if (major < LEAST_MAJOR || (major == LEAST_MAJOR && minor < LEAST_MINOR))
        return ns_fail(err, NS_EFAIL,
                       "--backend gnuplot: expected gnuplot %d.%d or later in PATH, found %.40s",
                       LEAST_MAJOR, LEAST_MINOR, *said ? said : "one that tells no version");
    snprintf(wanted, sizeof wanted, " %s ", terminal->name);
    size_t length = strlen(said);
    if (length + 1 < sizeof said) memcpy(said + length, " ", 2);
    if (!strstr(said, wanted))
        return ns_fail(err, NS_EFAIL,
                       "--backend gnuplot: the gnuplot in PATH (%ld.%ld) lacks the terminal %s, "
                       "which writes .%s (Debian's package gnuplot-nox has it)",
                       major, minor, terminal->name, terminal->ending);
    return NS_OK;
}

int ns_gnuplot_run(const char *folder, const char *script, ns_error *err) {
    static char program[] = "gnuplot";
    char said[MOST_SAID] = "";
    char *const argv[] = {program, (char *)(uintptr_t)script, NULL};
    return run(folder, argv, said, err);
}
