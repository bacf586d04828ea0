#include "probe/site.h"

#include <stdlib.h>
#include <string.h>

#include "probe/base/cli.h"
#include "probe/base/near.h"

static const char *const role_names[NS_ROLE_COUNT] = {"attention", "mlp",  "final",
                                                      "stem",      "head", "other"};

const char *ns_role_name(ns_role role) {
    return role_names[role];
}

ns_role ns_role_find(const char *name) {
    for (int i = 0; i < NS_ROLE_COUNT; i++)
        if (!strcmp(role_names[i], name)) return (ns_role)i;
    return NS_ROLE_OTHER;
}

static bool tee_wants(void *user, const ns_site *site) {
    const ns_tee *tee = user;
    for (int i = 0; i < tee->count; i++)
        if (tee->observers[i].wants(tee->observers[i].user, site)) return true;
    return false;
}

static int tee_deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    const ns_tee *tee = user;
    int status = NS_OK;
    for (int i = 0; i < tee->count && !status; i++) {
        const ns_observer *o = &tee->observers[i];
        if (o->wants(o->user, site)) status = o->deliver(o->user, site, rows, err);
    }
    return status;
}

static float *tee_place(void *user, const ns_site *site, size_t rows) {
    const ns_tee *tee = user;
    for (int i = 0; i < tee->count; i++) {
        const ns_observer *o = &tee->observers[i];
        if (!o->place_output || !o->wants(o->user, site)) continue;
        float *place = o->place_output(o->user, site, rows);
        if (place) return place;
    }
    return NULL;
}

static int tee_done(void *user, const int64_t *sample_ids, size_t samples, ns_error *err) {
    const ns_tee *tee = user;
    int status = NS_OK;
    for (int i = 0; i < tee->count && !status; i++) {
        const ns_observer *o = &tee->observers[i];
        if (o->batch_done) status = o->batch_done(o->user, sample_ids, samples, err);
    }
    return status;
}

ns_observer ns_tee_observer(ns_tee *tee) {
    return (ns_observer){tee, tee_wants, tee_deliver, tee_place, tee_done};
}

typedef struct site_list {
    const ns_site *(*at)(const void *user, int i);
    const void *user;
} site_list;

static const char *site_name(const void *user, size_t i) {
    const site_list *list = user;
    return list->at(list->user, (int)i)->name;
}

/* Marks in `wanted` (a bit) the sites that a list of patterns matches; each must match one. */
static int match_patterns(const site_list *list, int count, const char *const *patterns,
                          int pattern_count, const char *option, bool value, bool *wanted,
                          ns_error *err) {
    for (int p = 0; p < pattern_count; p++) {
        bool matched = false;
        for (int i = 0; i < count; i++)
            if (ns_glob_match(patterns[p], list->at(list->user, i)->name)) {
                matched = true;
                wanted[i] = value;
            }
        if (!matched) {
            ns_fail(err, NS_EINPUT, "%s '%s' matches none of the %d sites", option, patterns[p],
                    count);
            ns_near_names(err, patterns[p], (size_t)count, site_name, list, 3);
            if (count) ns_fail_more(err, " (the first is %s)", list->at(list->user, 0)->name);
            return NS_EINPUT;
        }
    }
    return NS_OK;
}

static int apply_layers(const site_list *list, int count, const char *layers, bool *wanted,
                        ns_error *err) {
    int *numbers, n, last = count ? list->at(list->user, count - 1)->index : 0;
    int status = ns_parse_numbers(layers, 1, last > 0 ? last : 1, &numbers, &n, err);
    if (status) {
        ns_fail_context(err, "--layers");
        return status;
    }
    for (int k = 0; k < n && !status; k++) {
        bool found = false;
        for (int i = 0; i < count; i++)
            found = found || list->at(list->user, i)->index == numbers[k];
        if (!found)
            status = ns_fail(err, NS_EINPUT, "--layers: there is no site %d here", numbers[k]);
    }
    for (int i = 0; i < count && !status; i++) {
        bool listed = false;
        for (int k = 0; k < n; k++) listed = listed || numbers[k] == list->at(list->user, i)->index;
        wanted[i] = wanted[i] && listed;
    }
    free(numbers);
    return status;
}

int ns_select_sites(const ns_selection *selection, int count,
                    const ns_site *(*site_at)(const void *user, int i), const void *user,
                    bool *wanted, ns_error *err) {
    site_list list = {site_at, user};
    for (int i = 0; i < count; i++) wanted[i] = selection->select_count == 0;
    int status = match_patterns(&list, count, selection->select, selection->select_count,
                                "--select", true, wanted, err);
    if (!status)
        status = match_patterns(&list, count, selection->exclude, selection->exclude_count,
                                "--exclude", false, wanted, err);
    if (!status && selection->layers)
        status = apply_layers(&list, count, selection->layers, wanted, err);
    if (status) return status;
    for (int i = 0; i < count; i++)
        if (wanted[i]) return NS_OK;
    return ns_fail(err, NS_EINPUT, "no site is left of %d after --select, --exclude and --layers",
                   count);
}
