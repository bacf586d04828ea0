/* GPT-2's letters: bytes that can be seen in Latin-1 stand for themselves, the others for U+0100 and on. */
#include "datasets/tokenizers/letters.h"

int32_t ns_letter_of(unsigned char b) {
    if (b <= ' ') return 0x100 + b;
    if (b >= 0x7f && b <= 0xa0) return 0x121 + b - 0x7f;
    return b == 0xad ? 0x143 : b;
}

int ns_byte_of_letter(int32_t c) {
    if ((c >= '!' && c <= '~') || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff)) return c;
    if (c >= 0x100 && c <= 0x120) return c - 0x100;
    if (c >= 0x121 && c <= 0x142) return c - 0x121 + 0x7f;
    return c == 0x143 ? 0xad : -1;
}

int ns_letters(const ns_flow *in, size_t begin, size_t end, ns_flow *out, ns_error *err) {
    if (ns_flow_reserve(out, 2 * (end - begin), err)) return NS_EFAIL;
    for (size_t at = begin; at < end; at++) {
        unsigned char b = (unsigned char)in->bytes[at];
        if (b > ' ' && b < 0x7f)
            ns_flow_put_byte(out, (char)b, in->from[at], in->to[at]);
        else
            ns_flow_put(out, ns_letter_of(b), in->from[at], in->to[at]);
    }
    return NS_OK;
}
