/* Forms of tokenizers' files, each brought to the form of a tokenizer.json. */
#ifndef NS_TOKENIZERS_FORMS_H
#define NS_TOKENIZERS_FORMS_H

#include <jansson.h>

#include "probe/base/error.h"

/* A file as JSON, to be freed by json_decref. NS_EINPUT with the line where it is none. */
int ns_load_json(json_t **out, const char *path, ns_error *err);

/* The table of them is open.c. `settings` is the tokenizer_config.json beside the file, an empty object where there is none. */
int ns_form_json(json_t **out, const char *path, const json_t *settings, ns_error *err);
int ns_form_vocab_txt(json_t **out, const char *path, const json_t *settings, ns_error *err);
int ns_form_vocab_json(json_t **out, const char *path, const json_t *settings, ns_error *err);

#endif
