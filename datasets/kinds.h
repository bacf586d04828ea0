/* The formats, one file each in this folder; the table is datasets/dataset.c. */
#ifndef NS_DATASET_KINDS_H
#define NS_DATASET_KINDS_H

#include "datasets/dataset.h"

extern const ns_dataset_kind ns_dataset_idx;

/* Reads labels from an IDX file (plain or gzip) into dataset->labels and ->classes; their number must be that of the
 * samples. */
int ns_idx_labels(ns_dataset *dataset, const char *path, ns_error *err);

/* One sample of 8-bit values, height x width x channels interleaved, to pixels [channels, height, width] of the wanted
 * shape: value/255, then the normalization. Where the sample has one channel and the shape more, it is repeated. */
void ns_image_to_tensor(const unsigned char *image, int channels, const ns_image_shape *shape,
                        float *pixels);

#endif
