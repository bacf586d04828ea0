/* The kinds of post-processors, a file each in this folder; the table is ../post.c. */
#ifndef NS_TOKENIZERS_POSTS_H
#define NS_TOKENIZERS_POSTS_H

#include "datasets/tokenizers/kinds.h"

extern const ns_post_kind ns_post_bert, ns_post_byte_level, ns_post_roberta, ns_post_template;

#endif
