#include "probe/norms/site.h"

#include <string.h>

#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/near.h"

static const char *const role_names[NS_ROLE_COUNT] = {
    "attention",      "mlp",      "final", "stem", "head",
    "post-attention", "post-mlp", "query", "key",  "other"};

const char *ns_role_name(ns_role role) {
    return (unsigned)role < NS_ROLE_COUNT ? role_names[role] : "other";
}

int ns_site_heads(const ns_site *site) {
    return site->heads > 1 ? site->heads : 1;
}

ns_role ns_role_find(const char *name) {
    for (int i = 0; i < NS_ROLE_COUNT; i++)
        if (!strcmp(role_names[i], name)) return (ns_role)i;
    return NS_ROLE_OTHER;
}

int ns_site_place(const ns_site *sites, int count, const ns_site *site) {
    for (int i = 0; i < count; i++)
        if (site == &sites[i]) return i;
    for (int i = 0; i < count; i++)
        if (site->index == sites[i].index) return i;
    return -1;
}

static bool tee_wants(void *user, const ns_site *site) {
    const ns_tee *tee = user;
    for (int i = 0; i < tee->count; i++)
        if (tee->observers[i].wants(tee->observers[i].user, site)) return true;
    return false;
}

static int tee_deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    const ns_tee *tee = user;
    for (int i = 0; i < tee->count; i++) {
        const ns_observer *one = &tee->observers[i];
        if (!one->wants(one->user, site)) continue;
        int status = one->deliver(one->user, site, rows, err);
        if (status) return status;
    }
    return NS_OK;
}

/* The first that wants the site and has such a place. */
static ns_real *tee_place_output(void *user, const ns_site *site, size_t rows) {
    const ns_tee *tee = user;
    for (int i = 0; i < tee->count; i++) {
        const ns_observer *one = &tee->observers[i];
        if (one->place_output && one->wants(one->user, site))
            return one->place_output(one->user, site, rows);
    }
    return NULL;
}

static int tee_batch_done(void *user, const int64_t *sample_ids, size_t samples, ns_error *err) {
    const ns_tee *tee = user;
    for (int i = 0; i < tee->count; i++) {
        const ns_observer *one = &tee->observers[i];
        int status = one->batch_done ? one->batch_done(one->user, sample_ids, samples, err) : NS_OK;
        if (status) return status;
    }
    return NS_OK;
}

static int tee_logits(void *user, size_t first, size_t rows, size_t classes, const ns_real *logits,
                      ns_error *err) {
    const ns_tee *tee = user;
    int status = NS_OK;
    for (int i = 0; i < tee->count && !status; i++) {
        const ns_observer *one = &tee->observers[i];
        if (one->logits) status = one->logits(one->user, first, rows, classes, logits, err);
    }
    return status;
}

ns_observer ns_tee_observer(ns_tee *tee) {
    bool logits = false;
    for (int i = 0; i < tee->count; i++) logits |= tee->observers[i].logits != NULL;
    return (ns_observer){.user = tee,
                         .wants = tee_wants,
                         .deliver = tee_deliver,
                         .place_output = tee_place_output,
                         .batch_done = tee_batch_done,
                         .logits = logits ? tee_logits : NULL};
}

typedef struct site_list {
    const ns_site *(*at)(const void *user, int i);
    const void *user;
} site_list;

static const char *site_name(const void *user, size_t i) {
    const site_list *sites = user;
    return sites->at(sites->user, (int)i)->name;
}

static const char *text_at(const void *user, size_t i) {
    return ((char *const *)user)[i];
}

/* A pattern that is shorter than the names stands for their beginnings: `blokcs.1` is near `blocks.1`, not near
 * `blocks.1.norm1`. So the beginnings of as many components are offered, each once. */
static void near_beginnings(const char *pattern, int count, const site_list *sites, ns_error *err) {
    size_t used = 0, components = 1;
    for (const char *p = pattern; *p; p++) components += *p == '.';
    char **beginnings = ns_calloc((size_t)count, sizeof *beginnings, NULL);
    for (int i = 0; beginnings && i < count; i++) {
        const char *name = site_name(sites, (size_t)i), *end = name;
        for (size_t c = 0; *end && (*end != '.' || ++c < components);) end++;
        char *one = ns_asprintf(NULL, "%.*s", (int)(end - name), name);
        bool known = !one;
        for (size_t k = used; k-- > 0 && !known;) known = !strcmp(beginnings[k], one);
        if (known)
            free(one);
        else
            beginnings[used++] = one;
    }
    if (beginnings) ns_near_names(err, pattern, used, text_at, beginnings, 3);
    for (size_t k = 0; k < used; k++) free(beginnings[k]);
    free(beginnings);
}

/* NS_EINPUT with names that come near where `pattern` matches no site. */
static int check_pattern(const char *option, const char *pattern, int count, const site_list *sites,
                         ns_error *err) {
    for (int i = 0; i < count; i++)
        if (ns_glob_match(pattern, site_name(sites, (size_t)i))) return NS_OK;
    ns_fail(err, NS_EINPUT, "%s '%s' matches none of the %d sites", option, pattern, count);
    near_beginnings(pattern, count, sites, err);
    if (count)
        ns_fail_more(err, "; the first is %s, the last %s", site_name(sites, 0),
                     site_name(sites, (size_t)count - 1));
    return NS_EINPUT;
}

static bool any_matches(const char *const *patterns, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (ns_glob_match(patterns[i], name)) return true;
    return false;
}

/* Keeps of wanted[count] what `layers` names by index. */
static int keep_layers(const char *layers, int count, const site_list *sites, bool *wanted,
                       ns_error *err) {
    int most = 0, *numbers = NULL, n = 0;
    for (int i = 0; i < count; i++) {
        int index = sites->at(sites->user, i)->index;
        if (index > most) most = index;
    }
    int status = ns_parse_numbers(layers, 1, most, &numbers, &n, err);
    if (status) {
        ns_fail_context(err, "--layers");
        return status;
    }
    bool *kept = ns_calloc((size_t)count, sizeof *kept, err);
    status = kept ? NS_OK : NS_EFAIL;
    for (int k = 0; k < n && !status; k++) {
        bool found = false;
        for (int i = 0; i < count && !found; i++)
            if (sites->at(sites->user, i)->index == numbers[k]) found = kept[i] = true;
        if (!found)
            status =
                ns_fail(err, NS_EINPUT, "--layers: there is no site %d among these", numbers[k]);
    }
    for (int i = 0; i < count && !status; i++) wanted[i] = wanted[i] && kept[i];
    free(kept);
    free(numbers);
    return status;
}

int ns_select_sites(const ns_selection *selection, int count,
                    const ns_site *(*site_at)(const void *user, int i), const void *user,
                    bool *wanted, ns_error *err) {
    site_list sites = {site_at, user};
    int status = NS_OK;
    for (int i = 0; i < selection->select_count && !status; i++)
        status = check_pattern("--select", selection->select[i], count, &sites, err);
    for (int i = 0; i < selection->exclude_count && !status; i++)
        status = check_pattern("--exclude", selection->exclude[i], count, &sites, err);
    if (status) return status;
    for (int i = 0; i < count; i++) {
        const char *name = site_name(&sites, (size_t)i);
        wanted[i] = (!selection->select_count ||
                     any_matches(selection->select, selection->select_count, name)) &&
                    !any_matches(selection->exclude, selection->exclude_count, name);
    }
    if (selection->layers) status = keep_layers(selection->layers, count, &sites, wanted, err);
    if (status) return status;
    for (int i = 0; i < count; i++)
        if (wanted[i]) return NS_OK;
    return ns_fail(err, NS_EINPUT, "the selection leaves none of the %d sites", count);
}
