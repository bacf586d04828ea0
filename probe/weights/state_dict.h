/* From what a pickle of torch.save holds to the tensors of a network: which of its dictionaries is the state dict, and where each tensor
 * lies. */
#ifndef NS_STATE_DICT_H
#define NS_STATE_DICT_H

#include "probe/base/error.h"
#include "probe/weights/format.h"
#include "probe/weights/unpickle.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_STATE_DICT_MOST_REPEATED                                                                \
    (1 << 28) /* bytes of a tensor that shows elements more than once */

/* The state dict in `root`: that dictionary itself, or the one below it that has tensors with dotted names ("model", "state_dict", or any other
 * key). NS_EINPUT, with the keys there are, where there is none or more than one. file->key chooses: a key, keys with dots between them, or "."
 * for the outermost. *where is its keys with dots between them, "" for the outermost, malloc'ed. */
int ns_state_dict_find(const ns_weights_file *file, const ns_py *root, const ns_py **out,
                       char **where, ns_error *err);

/* The bytes of a storage: *bytes, or NULL and *later, by which the format's load finds them. *size is set in any case. */
typedef int ns_storage_find(void *user, const ns_py_storage *storage, const unsigned char **bytes,
                            uint64_t *size, void **later, ns_error *err);

/* Sets file->tensors to the tensors of the dictionary; what else is in it is left out. NS_EINPUT names the tensor. */
int ns_state_dict_tensors(ns_weights_file *file, const ns_py *dict, ns_storage_find *find,
                          void *user, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
