/* Unicode's normal forms and letters, over text that knows where it comes from. */
#ifndef NS_TOKENIZERS_UNICODE_H
#define NS_TOKENIZERS_UNICODE_H

#include "datasets/tokenizers/flow.h"

typedef enum ns_unicode_form { NS_NFD, NS_NFC, NS_NFKD, NS_NFKC } ns_unicode_form;

/* Appends bytes begin..end-1 of `in` in that form. A character that several became comes from the bytes of all of them. Time grows
 * with the bytes, also where one letter has a million accents. */
int ns_unicode_normalize(const ns_flow *in, size_t begin, size_t end, ns_unicode_form form,
                         ns_flow *out, ns_error *err);

/* Appends bytes begin..end-1 of `in` in lower case, without regard to what stands around a letter. */
int ns_unicode_lower(const ns_flow *in, size_t begin, size_t end, ns_flow *out, ns_error *err);

#endif
