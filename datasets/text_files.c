/* The files of a folder of texts. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/text_internal.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static bool ends_with(const char *name, const char *ending) {
    size_t n = strlen(name), m = strlen(ending);
    return n > m && !strcasecmp(name + n - m, ending);
}

int ns_text_files(const char *folder, char ***names, size_t *count, ns_left_out *unknown,
                  ns_error *err) {
    struct dirent **entries = NULL;
    int found = scandir(folder, &entries, is_shown, by_bytes), status = NS_OK;
    *count = 0;
    if (found < 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be read: %s", folder, strerror(errno));
    if (!(*names = ns_calloc((size_t)found, sizeof **names, err))) status = NS_EFAIL;
    for (int i = 0; i < found; i++) {
        const char *name = entries[i]->d_name;
        char *path = status ? NULL : ns_path_join(folder, name, err);
        char *copy = path ? ns_strdup(name, err) : NULL;
        if (!status && !copy)
            status = NS_EFAIL;
        else if (copy && (ends_with(name, ".txt") || ends_with(name, ".txt.gz")) &&
                 ns_is_file(path))
            (*names)[(*count)++] = copy;
        else if (copy)
            status = ns_left_out_add(unknown, copy, err);
        free(path);
        free(entries[i]);
    }
    free(entries);
    if (!status && !*count)
        status =
            ns_fail(err, NS_EINPUT,
                    "%s: expected texts (.txt, .txt.gz) in this folder, found %lld other files",
                    folder, (long long)unknown->count);
    return status;
}
