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
