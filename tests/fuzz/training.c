/* A training.h5 whose groups, attributes and datasets are not as they should be, made by HDF5's own functions as the bytes say: see
 * tests/fuzz/store.c. */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "probe/store/training.h"
#include "tests/fuzz/h5_image.h"

enum { STEPS = 6, EPOCHS = 2, RECORDS = 3, SITES = 5, MOST = 100 };

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static unsigned next(reader *r) {
    return r->at < r->end ? *r->at++ : 0;
}

static void put_number(reader *r, hid_t object, const char *name, long long usual) {
    static const long long odd[] = {0, -1, 1, 2, 1LL << 31, 1LL << 40, INT64_MAX, INT64_MIN};
    unsigned how = next(r);
    if (how > 250) return;
    hsize_t three = 3;
    hid_t space = how > 245 ? H5Screate_simple(1, &three, NULL) : H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, H5T_NATIVE_LLONG, space, H5P_DEFAULT, H5P_DEFAULT);
    long long value[3] = {how < 200 ? usual : odd[how % 8], 0, 0};
    H5Awrite(attribute, H5T_NATIVE_LLONG, value);
    H5Aclose(attribute);
    H5Sclose(space);
}

static void put_text(reader *r, hid_t object, const char *name) {
    unsigned how = next(r);
    if (how > 250) return;
    const char *text = how < 200 ? "dyt" : how < 225 ? "" : "\xff\xfe\n";
    hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, &text);
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
}

static hsize_t extent(reader *r, hsize_t usual) {
    unsigned how = next(r);
    return how < 235 ? usual : how % MOST;
}

/* text: words of 16 bytes; else numbers that rise. */
static void put_data(reader *r, hid_t group, const char *name, hid_t usual, bool text, int dims,
                     hsize_t a, hsize_t b) {
    unsigned how = next(r);
    if (how > 250) return;
    hid_t words = H5Tcopy(H5T_C_S1);
    H5Tset_size(words, how % 2 || text ? 16 : H5T_VARIABLE);
    const hid_t odd[] = {H5T_NATIVE_DOUBLE, H5T_NATIVE_INT, H5T_IEEE_F32BE, H5T_NATIVE_UCHAR,
                         words};
    hid_t type = how >= 225 ? odd[how % 5] : text ? words : usual;
    hsize_t extents[3] = {extent(r, a), extent(r, b), 2};
    int rank = how >= 240 ? (int)(how % 4) : dims;
    hid_t space = rank ? H5Screate_simple(rank, extents, NULL) : H5Screate(H5S_SCALAR);
    hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (dataset >= 0 && H5Tis_variable_str(type) <= 0) {
        static unsigned char bytes[16 * MOST * MOST * 2];
        size_t size = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
        for (size_t i = 0; i < size && i < sizeof bytes; i++)
            bytes[i] = text ? (unsigned char)('a' + next(r)) : (unsigned char)(i % 8 ? 0 : i / 8);
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    }
    if (dataset >= 0) H5Dclose(dataset);
    H5Sclose(space);
    H5Tclose(words);
}

static void put_group(reader *r, hid_t file, const char *name, unsigned parts) {
    static const char *const columns[] = {"loss", "accuracy", "later"};
    if (next(r) > 250) return;
    bool watch = !strcmp(name, "watch");
    hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t rows = watch ? RECORDS : !strcmp(name, "steps") ? STEPS : EPOCHS;
    if (watch) {
        put_data(r, group, "names", H5T_NATIVE_INT, true, 1, SITES, 1);
        if (parts & 1) put_data(r, group, "roles", H5T_NATIVE_INT, true, 1, SITES, 1);
        put_data(r, group, "step", H5T_NATIVE_INT64, false, 1, RECORDS, 1);
        put_data(r, group, "alpha", H5T_NATIVE_FLOAT, false, 2, RECORDS, SITES);
    }
    for (int i = 0; i < 3 && (i < 2 || parts & 2); i++)
        put_data(r, group, columns[i], H5T_NATIVE_FLOAT, false, watch ? 2 : 1, rows, SITES);
    H5Gclose(group);
}

static const char *make(reader *r) {
    unsigned parts = next(r);
    hid_t file = image_begin();
    put_number(r, file, "training_version", 1);
    put_number(r, file, "steps_per_epoch", STEPS / EPOCHS);
    put_number(r, file, "steps_in_all", STEPS);
    put_text(r, file, "norm");
    put_group(r, file, "steps", parts);
    put_group(r, file, "epochs", parts);
    put_group(r, file, "watch", parts);
    return image_end(file, "training.h5");
}

/* Every value that the reader says is there. */
static void read_all(const ns_training *t) {
    static const char *const names[] = {"loss", "alpha", "later", "accuracy"};
    ns_error err = {0};
    volatile double sum = 0;
    const int64_t sites = ns_training_sites(t),
                  counts[] = {ns_training_steps(t), ns_training_epochs(t),
                              ns_training_records(t) * sites};
    for (int table = 0; table < NS_TRAINING_TABLES; table++)
        for (int c = 0; c < 4; c++) {
            const double *values = ns_training_column(t, (ns_training_table)table, names[c], &err);
            for (int64_t i = 0; values && i < counts[table]; i++) sum += values[i];
        }
    for (int64_t i = 0; i < ns_training_records(t); i++)
        sum += (double)ns_training_record_steps(t)[i];
    for (int i = 0; i < sites; i++)
        sum += (double)strlen(ns_training_site_name(t, i)) + (double)ns_training_site_role(t, i);
    (void)sum;
}

static void fuzz_one(const uint8_t *data, size_t size) {
    reader r = {data, data + size};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const char *path = make(&r);
    ns_error err = {0};
    ns_training *training = NULL;
    if (ns_training_open(&training, size % 2 ? path : ns_fuzz_folder(), &err)) return;
    read_all(training);
    ns_training_close(training);
}
NS_FUZZ("training")
NS_FUZZ_MUTATOR(ns_fuzz_script)
