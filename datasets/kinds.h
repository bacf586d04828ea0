/* The formats, one file each in this folder; the table is datasets/dataset.c. */
#ifndef NS_DATASET_KINDS_H
#define NS_DATASET_KINDS_H

#include "datasets/dataset.h"

extern const ns_dataset_kind ns_dataset_idx, ns_dataset_npy, ns_dataset_folder, ns_dataset_text,
    ns_dataset_ids, ns_dataset_raw_ids;

/* Reads labels into dataset->labels and ->classes from a file of any of these forms, told apart by content:
 * - IDX of one dimension, plain or gzip; .npy of one dimension and an integer type: one for each sample;
 * - text, one label a line for each sample; or a sample's name and its label a line, in any order, for every sample and
 *   possibly others (Caffe's val.txt); lines that are empty or begin with # count for nothing.
 * Labels that are there already are replaced. NS_EINPUT names the file, what was expected and found. */
int ns_labels_read(ns_dataset *dataset, const char *path, ns_error *err);

/* The IDX and the .npy form; labels are whole numbers from 0, one for each sample. */
bool ns_idx_recognise(const char *path);
int ns_idx_labels(ns_dataset *dataset, const char *path, ns_error *err);
bool ns_npy_recognise(const char *path);
int ns_npy_labels(ns_dataset *dataset, const char *path, ns_error *err);

/* "x/test-images.npy" has its labels in "x/test-labels.npy", where that is a file: the path with the last "images" of its
 * file name replaced, NULL without an error where there is none. The caller frees it. */
char *ns_labels_beside(const char *path, ns_error *err);

/* One sample of 8-bit values, height x width x channels interleaved, to pixels [channels, height, width] of the wanted
 * shape: value/255, then the normalization. Where the sample has one channel and the shape more, it is repeated. */
void ns_image_to_tensor(const unsigned char *image, int channels, const ns_image_shape *shape,
                        float *pixels);

#endif
