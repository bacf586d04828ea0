#include "plots/figure/axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure/text.h"

/* What steps and places can be computed of without overflow; floats are far within. */
#define TIMES "\303\227"
static const double SMALLEST = 1e-290, LARGEST = 1e290;

static double within_reach(double value) {
    return fabs(value) < SMALLEST ? 0 : fmin(fmax(value, -LARGEST), LARGEST);
}

void ns_axis_guard(ns_axis *axis) {
    if (!isfinite(axis->low) && isfinite(axis->high)) axis->low = axis->high;
    if (!isfinite(axis->high) && isfinite(axis->low)) axis->high = axis->low;
    if (!isfinite(axis->low)) axis->low = axis->high = axis->log ? 1 : 0;
    if (axis->low > axis->high) {
        double low = axis->high;
        axis->high = axis->low;
        axis->low = low;
    }
    axis->low = within_reach(axis->low);
    axis->high = within_reach(axis->high);
    if (axis->log) {
        if (axis->high <= 0) axis->low = axis->high = 1;
        if (axis->low <= 0) axis->low = axis->high * 1e-6;
        if (axis->high / axis->low < 1 + 1e-7) axis->low /= 2, axis->high *= 2;
        return;
    }
    /* A spread below the rounding of floats counts as none. */
    double size = fmax(fabs(axis->low), fabs(axis->high)), room = size > 0 ? size / 2 : 1;
    if (axis->high - axis->low <= size * 1e-7) axis->low -= room, axis->high += room;
}

void ns_axis_pad(ns_axis *axis, double share) {
    if (axis->log) {
        double factor = pow(axis->high / axis->low, share);
        axis->low /= factor;
        axis->high *= factor;
    } else {
        double room = (axis->high - axis->low) * share;
        axis->low -= room;
        axis->high += room;
    }
}

double ns_axis_place(const ns_axis *axis, double value) {
    if (!axis->log) return (value - axis->low) / (axis->high - axis->low);
    return value > 0 ? log(value / axis->low) / log(axis->high / axis->low) : NAN;
}

/* "-1.5" with a true minus sign and nothing else. */
static void decimal_label(double value, int decimals, char label[64]) {
    char text[48];
    snprintf(text, sizeof text, "%.*f", decimals < 17 ? decimals : 17, fabs(value));
    bool zero = strspn(text, "0.") == strlen(text);
    snprintf(label, 64, "%s%s", value < 0 && !zero ? NS_MINUS : "", zero ? "0" : text);
}

/* mantissa * 10^exponent; decimals of the mantissa. */
static void power_label(double mantissa, int decimals, int exponent, char label[64]) {
    char number[64];
    decimal_label(mantissa, decimals, number);
    if (!strcmp(number, "0")) {
        strcpy(label, "0");
        return;
    }
    snprintf(label, 64, "%.24s" TIMES "10" NS_SUP "%s%d" NS_END, number,
             exponent < 0 ? NS_MINUS : "", exponent < 0 ? -exponent : exponent);
}

char *ns_number_label(double value, int digits, char label[64]) {
    if (!isfinite(value)) {
        strcpy(label, isnan(value) ? "NaN" : value < 0 ? NS_MINUS "\342\210\236" : "\342\210\236");
        return label;
    }
    char
        rounded[48]; /* 9.99 is 10 with two digits: the exponent is that of what will stand there */
    snprintf(rounded, sizeof rounded, "%.*e", digits - 1, value);
    int exponent = (int)strtol(strchr(rounded, 'e') + 1, NULL, 10);
    *strchr(rounded, 'e') = 0;
    if (exponent >= 5 || exponent <= -5)
        power_label(strtod(rounded, NULL), digits - 1, exponent, label);
    else
        decimal_label(value, digits - 1 > exponent ? digits - 1 - exponent : 0, label);
    return label;
}

char *ns_number_short(double value, int digits, char label[64]) {
    ns_number_label(value, digits, label);
    char *power = strstr(label, TIMES), *end = power ? power : label + strlen(label);
    if (!memchr(label, '.', (size_t)(end - label))) return label;
    char *kept = end;
    while (kept[-1] == '0') kept--;
    if (kept[-1] == '.') kept--;
    if (power && kept == label + 1 && *label == '1') kept = label, end += sizeof TIMES - 1;
    memmove(kept, end, strlen(end) + 1);
    return label;
}

/* Ticks at the multiples of factor * 10^exponent within the axis; where they are more than `most`, only their number is returned. */
static double multiples(const ns_axis *axis, double factor, int exponent, int most,
                        ns_tick *ticks) {
    double step = factor * pow(10, exponent), slack = (axis->high - axis->low) * 1e-9;
    double first = ceil((axis->low - slack) / step), last = floor((axis->high + slack) / step);
    if (last - first + 1 > most) return last - first + 1;
    double size = fmax(fabs(first * step), fabs(last * step));
    int power = size > 0 ? (int)floor(log10(size) + 1e-9) : 0, count = (int)(last - first) + 1;
    bool powers = power >= 5 || power < -3;
    int decimals = (powers ? power : 0) - exponent + (factor != floor(factor));
    if (decimals < 0) decimals = 0;
    for (int i = 0; i < count; i++) {
        ns_tick *t = &ticks[i];
        t->value = (first + i) * step;
        if (powers)
            power_label(t->value / pow(10, power), decimals, power, t->label);
        else
            decimal_label(t->value, decimals, t->label);
    }
    return count;
}

/* The finest steps of 1, 2 or 5 that give no more than `most`; where they leave less than two, 4, 2.5 or 3. */
static int linear_ticks(const ns_axis *axis, int most, ns_tick *ticks) {
    static const double usual[] = {1, 2, 5}, rare[] = {4, 2.5, 3};
    int exponent = (int)floor(log10((axis->high - axis->low) / most)), k = 0;
    while ((axis->whole && exponent + k / 3 < 0) ||
           multiples(axis, usual[k % 3], exponent + k / 3, most, ticks) > most)
        k++;
    int count = (int)multiples(axis, usual[k % 3], exponent + k / 3, most, ticks);
    if (axis->whole) return count;
    for (int e = exponent; e <= exponent + 1 && count < 2; e++)
        for (int r = 0; r < 3 && count < 2; r++) {
            ns_tick tried[NS_MOST_TICKS];
            double found = multiples(axis, rare[r], e, most, tried);
            if (found < 2 || found > most) continue;
            count = (int)found;
            memcpy(ticks, tried, (size_t)count * sizeof *ticks);
        }
    return count;
}

/* Decades, or some of them, or 1, 2, 5 in each where there are few. */
static int log_ticks(const ns_axis *axis, int most, ns_tick *ticks) {
    int first = (int)floor(log10(axis->low) + 1e-9), last = (int)ceil(log10(axis->high) - 1e-9);
    static const double parts[] = {1, 2, 5};
    for (int fine = 1; fine >= 0; fine--)
        for (int stride = 1; stride <= (fine ? 1 : 64); stride++) {
            int count = 0, inside = 0;
            for (int e = first - (first % stride + stride) % stride; e <= last; e += stride)
                for (int p = 0; p < (fine ? 3 : 1); p++) {
                    double value = parts[p] * pow(10, e), place = ns_axis_place(axis, value);
                    if (place < -1e-9 || place > 1 + 1e-9) continue;
                    if (inside++ >= most) continue;
                    ticks[count].value = value;
                    if (e >= -3 && e <= 4)
                        ns_number_label(value, 1, ticks[count++].label);
                    else if (p)
                        power_label(parts[p], 0, e, ticks[count++].label);
                    else
                        snprintf(ticks[count++].label, 64, "10" NS_SUP "%s%d" NS_END,
                                 e < 0 ? NS_MINUS : "", e < 0 ? -e : e);
                }
            if (inside <= most && inside >= 2) return count;
        }
    /* Less than a factor of two, without a round number inside: as on a linear axis. */
    return linear_ticks(axis, most, ticks);
}

int ns_axis_ticks(const ns_axis *axis, int most, ns_tick ticks[NS_MOST_TICKS]) {
    if (most < 2) most = 2;
    if (most > NS_MOST_TICKS) most = NS_MOST_TICKS;
    if (!axis->names)
        return axis->log ? log_ticks(axis, most, ticks) : linear_ticks(axis, most, ticks);
    int stride = (axis->name_count + most - 1) / most, count = 0;
    for (int i = 0;
         i < axis->name_count && count<NS_MOST_TICKS; i += stride> 0 ? stride : 1, count++) {
        ticks[count].value = i + 1;
        size_t length = strlen(axis->names[i]);
        if (length >= sizeof ticks[count].label) length = sizeof ticks[count].label - 1;
        while (length && ((unsigned char)axis->names[i][length] & 0xc0) == 0x80) length--;
        snprintf(ticks[count].label, sizeof ticks[count].label, "%.*s", (int)length,
                 axis->names[i]);
    }
    return count;
}
