#include "analysis/curve.h"

#include <string.h>

extern const ns_curve ns_curve_tanh, ns_curve_erf, ns_curve_isru, ns_curve_hardtanh,
    ns_curve_arctan, ns_curve_softsign, ns_curve_linear;

const ns_curve *const ns_curves[] = {
    &ns_curve_tanh,   &ns_curve_erf,      &ns_curve_isru,   &ns_curve_hardtanh,
    &ns_curve_arctan, &ns_curve_softsign, &ns_curve_linear,
};
const int ns_curve_count = sizeof ns_curves / sizeof ns_curves[0];

static const struct {
    const char *alias, *name;
} aliases[] = {{"sigmoid", "tanh"}, {"dyisru", "isru"}, {"derf", "erf"}, {"dyt", "tanh"}};

const ns_curve *ns_curve_find(const char *name, ns_error *err) {
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (!strcmp(aliases[i].alias, name)) name = aliases[i].name;
    for (int i = 0; i < ns_curve_count; i++)
        if (!strcmp(ns_curves[i]->name, name)) return ns_curves[i];
    ns_fail(err, NS_EUSAGE, "unknown curve '%s'; expected one of", name);
    for (int i = 0; i < ns_curve_count; i++)
        ns_fail_more(err, "%s %s", i ? "," : "", ns_curves[i]->name);
    ns_fail_more(err, ", all");
    return NULL;
}

static int add_named(const ns_curve **out, int *count, const char *name, ns_error *err) {
    const ns_curve *curve = ns_curve_find(name, err);
    if (!curve) return NS_EUSAGE;
    for (int i = 0; i < *count; i++)
        if (out[i] == curve)
            return ns_fail(err, NS_EUSAGE, "'%s' is %s, which is named already", name, curve->name);
    out[(*count)++] = curve;
    return NS_OK;
}

int ns_curves_choose(const ns_curve **out, int most, int *count, const char *text, ns_error *err) {
    *count = 0;
    if (!strcmp(text, "all")) {
        for (int i = 0; i < ns_curve_count && i < most; i++) out[(*count)++] = ns_curves[i];
        return NS_OK;
    }
    int status = NS_OK;
    for (const char *at = text; !status && at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char word[64] = "";
        size_t length = strcspn(at, ",");
        if (length >= sizeof word || *count == most)
            return ns_fail(err, NS_EUSAGE, "expected names like tanh,erf, found '%s'", text);
        memcpy(word, at, length);
        status = add_named(out, count, word, err);
    }
    return status;
}
