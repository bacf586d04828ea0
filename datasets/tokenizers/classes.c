/* Classes of characters: a bit for ASCII, a search through ranges for the rest. */
#include <stddef.h>

#include "datasets/tokenizers/class_ranges.h"
#include "datasets/tokenizers/classes.h"

static bool among(const int32_t ranges[][2], size_t count, int32_t c) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c < ranges[middle][0])
            high = middle;
        else if (c > ranges[middle][1])
            low = middle + 1;
        else
            return true;
    }
    return false;
}
#define AMONG(ranges, c) among(ranges, sizeof(ranges) / sizeof *(ranges), c)

bool ns_is_space(int32_t c) {
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool ns_is_punctuation(int32_t c) {
    if (c < 0x80)
        return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') &&
               !((c | 32) >= 'a' && (c | 32) <= 'z');
    return AMONG(punctuation_ranges, c);
}

bool ns_is_mark_nonspacing(int32_t c) {
    return c >= 0x300 && AMONG(mark_nonspacing_ranges, c);
}

bool ns_is_mark(int32_t c) {
    return c >= 0x300 && AMONG(mark_ranges, c);
}

bool ns_is_other(int32_t c) {
    return AMONG(other_ranges, c);
}

bool ns_is_number(int32_t c) {
    return c < 0x80 ? c >= '0' && c <= '9' : AMONG(number_ranges, c);
}

bool ns_is_word(int32_t c) {
    return AMONG(word_ranges, c);
}
