/* Results in a run's file. HDF5 made their places when the file was laid out, and is not asked again: a text goes to the slot that
 * is not the current one, and then one number says that it is, so that a kill leaves the earlier result or the new one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/store/store_reader_internal.h"

const char *const ns_result_names[NS_RESULTS] = {"fit", "stats"};

typedef struct place {
    uint64_t text, current; /* offsets in the file */
    uint64_t room;          /* bytes of a slot */
} place;

/* False where the file has none, as those of format 1.0. */
static bool find(const ns_store *s, ns_result which, place *out) {
    char text[32], current[40];
    ns_h5_place a, b;
    snprintf(text, sizeof text, "/results/%s", ns_result_names[which]);
    snprintf(current, sizeof current, "/results/%s_current", ns_result_names[which]);
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    ns_h5_quiet quiet = ns_h5_hush();
    bool found = ns_h5_has(s->file, "/results") && ns_h5_find(s->file, text, &a) &&
                 ns_h5_find(s->file, current, &b);
    ns_h5_unhush(quiet);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    if (!found || !a.raw || !b.raw || a.dims != 1 || a.extents[0] != 2 || b.dims != 1 ||
        b.extents[0] != 1 || b.item != sizeof(int32_t) || a.item < 2 || a.item > 1u << 30 ||
        a.offset > s->file_size || 2 * a.item > s->file_size - a.offset ||
        b.offset > s->file_size || b.item > s->file_size - b.offset)
        return false;
    *out = (place){a.offset, b.offset, a.item};
    return true;
}

static int write_result(const ns_store *s, const place *at, int fd, const char *text,
                        ns_error *err) {
    if (!ns_file_lock(fd))
        return ns_fail(err, NS_EFAIL, "%s: is being written by another process", s->path);
    int32_t current;
    int status = ns_pread_all(fd, &current, sizeof current, at->current, s->path, err);
    int32_t next = current == 0;
    if (!status)
        status = ns_pwrite_all(fd, text, strlen(text) + 1, at->text + (uint64_t)next * at->room,
                               s->path, err);
    if (!status && fdatasync(fd) != 0)
        status = ns_fail(err, NS_EFAIL, "%s: cannot be written: %s", s->path, strerror(errno));
    if (!status) status = ns_pwrite_all(fd, &next, sizeof next, at->current, s->path, err);
    return status;
}

int ns_store_put_result(const ns_store *s, ns_result which, const char *text, ns_error *err) {
    place at;
    if (s->committed < s->samples)
        return ns_fail(err, NS_EINPUT,
                       "%s: results are stored in complete runs; %llu of %llu samples are there",
                       s->path, (unsigned long long)s->committed, (unsigned long long)s->samples);
    if (!find(s, which, &at))
        return ns_fail(err, NS_EINPUT,
                       "%s: expected a place for results, found none (written before format 1.1?); "
                       "merge copies the file into one that has it",
                       s->path);
    if (strlen(text) >= at.room)
        return ns_fail(err, NS_EFAIL,
                       "%s: the result has %zu bytes, its place %llu: store fewer "
                       "sites or curves",
                       s->path, strlen(text), (unsigned long long)at.room);
    int fd = open(s->path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", s->path, strerror(errno));
    int status = write_result(s, &at, fd, text, err);
    close(fd);
    return status;
}

int ns_store_get_result(const ns_store *s, ns_result which, char **out, ns_error *err) {
    place at;
    int32_t current = -1;
    *out = NULL;
    if (!find(s, which, &at)) return NS_OK;
    int status = ns_pread_all(s->fd, &current, sizeof current, at.current, s->path, err);
    if (status || current < 0 || current > 1) return status;
    char *text = ns_calloc(at.room + 1, 1, err);
    if (!text) return NS_EFAIL;
    status =
        ns_pread_all(s->fd, text, at.room, at.text + (uint64_t)current * at.room, s->path, err);
    if (!status)
        *out = text;
    else
        free(text);
    return status;
}
