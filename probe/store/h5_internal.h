/* What the guard before HDF5 and its walk share. Not installed as an interface. */
#ifndef NS_H5_INTERNAL_H
#define NS_H5_INTERNAL_H

#include "probe/store/h5.h"

enum { NS_H5_PLACE = 512 };

/* Touches everything of an open file that the readers may touch: links, attributes with their texts, the types, shapes and layouts of
 * datasets, and one value of those that HDF5 converts or unpacks. NS_EINPUT, with a message that does not name the file, where HDF5 cannot
 * read a part or the file points outside itself. `place` always says what is being looked at; `step` is called for each object. *refers:
 * it has virtual datasets over the files that its `sources` name. */
int ns_h5_walk(hid_t file, uint64_t file_size, char place[NS_H5_PLACE],
               void (*step)(uint64_t file_size), bool *refers, ns_error *err);

/* Whether the bytes of an element are what C has: IEEE floats, integers that fill their bytes. */
bool ns_h5_usual_type(hid_t type);

/* What ns_h5_find and ns_h5_get_text do, of what is open already; the attribute has one value. */
bool ns_h5_place_of(hid_t dataset, ns_h5_place *place);
char *ns_h5_text_of(hid_t attribute, hid_t type);

#endif
