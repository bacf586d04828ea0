/* What a token is called, where it is known. */
#include <string.h>

#include "datasets/kinds.h"
#include "datasets/tokenizers/tokenizer.h"
#include "probe/base/mem.h"

static bool begins(char byte) {
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* The id-th character of a vocabulary, which was checked when the text was read. */
static char *character(const char *vocabulary, int32_t id, ns_error *err) {
    const char *at = vocabulary;
    for (int32_t i = 0; i < id && *at; i++) {
        at++;
        while (*at && !begins(*at)) at++;
    }
    if (!*at) return NULL;
    int length = 1;
    while (at[length] && !begins(at[length])) length++;
    return ns_asprintf(err, "%.*s", length, at);
}

static char *byte(int32_t id, ns_error *err) {
    if (id > 255) return NULL;
    return id > 0 && id < 128 ? ns_asprintf(err, "%c", (int)id)
                              : ns_asprintf(err, "<0x%02X>", (unsigned)id);
}

char *ns_dataset_token(const ns_dataset *d, int32_t id, ns_error *err) {
    if (d->input != NS_INPUT_WORDS || id < 0) return NULL;
    if (d->text.tokenizer) return ns_tokenizer_text(d->text.tokenizer, id, err);
    if (d->text.vocabulary) return character(d->text.vocabulary, id, err);
    return d->kind == &ns_dataset_text ? byte(id, err) : NULL;
}
