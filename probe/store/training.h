/* Reading training.h5, what a training run records: its steps, its epochs and what its sites saw. Every group, dataset and attribute is
 * described in docs/training-format.md.
 *
 * Memory: every column that the file has, 8 bytes a value. */
#ifndef NS_TRAINING_H
#define NS_TRAINING_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/norms/site.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_training ns_training;

typedef enum ns_training_table {
    NS_TRAINING_STEPS,  /* columns [steps]: loss, accuracy, rate, gradient_norm */
    NS_TRAINING_EPOCHS, /* columns [epochs]: loss, accuracy, validation_loss, validation_accuracy */
    NS_TRAINING_WATCH,  /* columns [records, sites]: alpha, inverse_sigma, ... */
    NS_TRAINING_TABLES
} ns_training_table;

/* `path` is the file, or the folder of a run that holds one. NS_EINPUT: not HDF5, no such file, of a newer version (the message
 * names both), damaged. */
NS_API int ns_training_open(ns_training **out, const char *path, ns_error *err);
NS_API void ns_training_close(ns_training *training);

/* The file that `path` means: training.h5 in a folder, else itself; the caller frees it, NULL without memory. */
NS_API char *ns_training_file(const char *path, ns_error *err);

/* Whether `path` is such a file or such a folder, so that the file can be told from a run's store. False where it cannot be read. */
NS_API bool ns_training_is(const char *path);

NS_API const char *ns_training_path(const ns_training *training); /* of the file */
NS_API const char *ns_training_norm(const ns_training *training); /* kind, as in train --norm */
NS_API int64_t ns_training_steps(const ns_training *training);    /* taken so far */
NS_API int64_t ns_training_steps_per_epoch(const ns_training *training);
NS_API int64_t ns_training_epochs(const ns_training *training);  /* complete ones */
NS_API int64_t ns_training_records(const ns_training *training); /* of the sites */
/* [records]: steps taken before each, rising. */
NS_API const int64_t *ns_training_record_steps(const ns_training *training);
NS_API int ns_training_sites(const ns_training *training);
NS_API const char *ns_training_site_name(const ns_training *training, int site);
NS_API ns_role ns_training_site_role(const ns_training *training, int site);

/* Sets wanted[sites] as ns_select_sites does; a failure names the file. */
NS_API int ns_training_select(const ns_training *training, const ns_selection *selection,
                              bool *wanted, ns_error *err);

/* A column by its name in the file, owned by the training; NaN is what was not known. NULL and NS_EINPUT, with near names, where the
 * file has none such. */
NS_API const double *ns_training_column(const ns_training *training, ns_training_table table,
                                        const char *name, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
