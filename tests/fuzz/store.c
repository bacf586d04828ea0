/* A run's file whose groups, attributes and datasets are not as they should be. The bytes drive the making of the file by HDF5's
 * own functions, so that what is tested is this program's reader and not HDF5's parser: HDF5 1.10 itself ends in crashes on some
 * damaged files, which no caller of it can prevent. Given any file that HDF5 opens, the reader must be safe. */
#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/sketch/sketch.h"
#include "probe/store/store.h"
#include "probe/store/store_internal.h"
#include "probe/capture/verify.h"
#include "tests/fuzz/h5_image.h"

enum { SAMPLES = 4, POSITIONS = 3, CHANNELS = 5, ROWS = SAMPLES * POSITIONS };

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static unsigned next(reader *r) {
    return r->at < r->end ? *r->at++ : 0;
}

/* Mostly `usual`; else something odd. */
static long long odd(reader *r, long long usual) {
    static const long long values[] = {0,    -1,        1,         2,         3,        7,
                                       1000, 1LL << 31, 1LL << 40, INT64_MAX, INT64_MIN};
    unsigned b = next(r);
    return b < 200 ? usual : values[b % (sizeof values / sizeof *values)];
}

static void put_number(reader *r, hid_t object, const char *name, long long usual) {
    unsigned how = next(r);
    if (how > 250) return;
    hsize_t three = 3;
    hid_t space = how > 245 ? H5Screate_simple(1, &three, NULL) : H5Screate(H5S_SCALAR);
    hid_t type = how > 240 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_LLONG;
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    long long value[3] = {odd(r, usual), 0, 0};
    double real[3] = {(double)value[0], 0, 0};
    H5Awrite(attribute, type, how > 240 ? (void *)real : (void *)value);
    H5Aclose(attribute);
    H5Sclose(space);
}

static void put_text(reader *r, hid_t object, const char *name, const char *usual) {
    static const char *const texts[] = {"", "normscope", "batchnorm", "derf", "\xff\xfe", "a.b.c"};
    unsigned how = next(r);
    if (how > 250) return;
    const char *text = how < 200 ? usual : texts[how % 6];
    hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    bool variable = how % 2;
    H5Tset_size(type, variable ? H5T_VARIABLE : strlen(text) + 1);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, variable ? (const void *)&text : (const void *)text);
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
}

static void put_data(reader *r, hid_t group, const char *name, hid_t usual_type, int dims,
                     hsize_t a, hsize_t b) {
    unsigned how = next(r);
    if (how > 250) return;
    hid_t types[] = {H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE, H5T_NATIVE_INT,  H5T_IEEE_F32BE,
                     H5T_NATIVE_UCHAR, H5T_C_S1,          H5T_NATIVE_INT64};
    hid_t type = how < 215 ? usual_type : types[how % 7];
    hsize_t extents[3] = {(hsize_t)odd(r, (long long)a) % 100, (hsize_t)odd(r, (long long)b) % 100,
                          CHANNELS};
    int rank = how >= 245 ? (int)(how % 4) : dims;
    hid_t space = rank ? H5Screate_simple(rank, extents, NULL) : H5Screate(H5S_SCALAR);
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[3] = {1, 1, 1};
    if (how % 3 == 1 && rank && extents[0] && (rank < 2 || extents[1]))
        H5Pset_chunk(layout, rank, chunk);
    if (how % 3 == 2) H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY);
    hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    if (dataset >= 0) {
        static unsigned char bytes[8 * 100 * 100 * 2];
        for (size_t i = 0; i < 64; i++) bytes[i] = (unsigned char)next(r);
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
        H5Dclose(dataset);
    }
    H5Pclose(layout);
    H5Sclose(space);
}

/* The arrays of a sketch. What is not written reads as zeros, as in a run's file before its first batch. */
static void put_sketch(reader *r, hid_t site) {
    ns_sketch sketch = {.channels = CHANNELS, .positions = POSITIONS};
    ns_store_block blocks[NS_SKETCH_BLOCKS];
    int count = ns_sketch_blocks(&sketch, blocks);
    hid_t group = H5Gcreate2(site, "sketch", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    for (int b = 0; b < count; b++) {
        unsigned how = next(r);
        if (how > 250) continue;
        hsize_t extents[3] = {2, blocks[b].extents[0] + (how > 245), blocks[b].extents[1]};
        hid_t space = H5Screate_simple(blocks[b].dims + 1, extents, NULL);
        hid_t type = how > 240 ? H5T_NATIVE_SHORT : ns_block_h5type(blocks[b].type);
        hid_t dataset =
            H5Dcreate2(site, blocks[b].name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        unsigned char bytes[1024] = {0};
        if (how & 1 && how > 200 && H5Sget_simple_extent_npoints(space) <= 64) {
            for (int i = 0; i < 16; i++) bytes[i] = (unsigned char)next(r);
            H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
        }
        H5Dclose(dataset);
        H5Sclose(space);
    }
    H5Gclose(group);
}

/* `parts`: which of the arrays that a site may lack it has. */
static void put_site(reader *r, hid_t sites, const char *name, unsigned parts) {
    hid_t group = H5Gcreate2(sites, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_number(r, group, "index", name[2] - '0');
    put_number(r, group, "channels", CHANNELS);
    put_number(r, group, "positions", POSITIONS);
    put_text(r, group, "name", "norm");
    put_text(r, group, "kind", "layernorm");
    put_text(r, group, "role", "final");
    put_data(r, group, "input", H5T_NATIVE_FLOAT, 2, ROWS, CHANNELS);
    put_data(r, group, "output", H5T_NATIVE_FLOAT, 2, ROWS, CHANNELS);
    put_data(r, group, "sample", H5T_NATIVE_INT64, 1, ROWS, 1);
    put_data(r, group, "position", H5T_NATIVE_INT, 1, ROWS, 1);
    put_data(r, group, "kind", H5T_NATIVE_UCHAR, 1, ROWS, 1);
    if (parts & 1) put_data(r, group, "gamma", H5T_NATIVE_FLOAT, 1, CHANNELS, 1);
    if (parts & 2) put_data(r, group, "alpha", H5T_NATIVE_FLOAT, 1, 1, 1);
    if (parts & 4) put_data(r, group, "rows_before", H5T_NATIVE_INT64, 1, 3, 1);
    if (parts & 8) {
        put_data(r, group, "extreme_input", H5T_NATIVE_FLOAT, 3, 2, 4);
        put_data(r, group, "extreme_output", H5T_NATIVE_FLOAT, 3, 2, 4);
        put_data(r, group, "extreme_sample", H5T_NATIVE_INT64, 2, 2, 4);
        put_data(r, group, "extreme_position", H5T_NATIVE_INT, 2, 2, 4);
    }
    if ((parts & 80) == 80) put_sketch(r, group); /* megabytes to read */
    H5Gclose(group);
}

static const char *make(reader *r) {
    unsigned parts = next(r);
    hid_t file = image_begin();
    put_text(r, file, "format", "normscope");
    put_number(r, file, "format_major", 1);
    put_number(r, file, "samples", SAMPLES);
    put_number(r, file, "batch", 2);
    hid_t progress = H5Gcreate2(file, "progress", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t samples = H5Gcreate2(file, "samples", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t sites = H5Gcreate2(file, "sites", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const unsigned long long done = (unsigned long long)odd(r, SAMPLES);
    hsize_t one = 1;
    hid_t space = H5Screate_simple(1, &one, NULL);
    hid_t counter = H5Dcreate2(progress, "samples_committed", H5T_NATIVE_ULLONG, space, H5P_DEFAULT,
                               H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(counter, H5T_NATIVE_ULLONG, H5S_ALL, H5S_ALL, H5P_DEFAULT, &done);
    H5Dclose(counter);
    H5Sclose(space);
    put_data(r, samples, "id", H5T_NATIVE_INT64, 1, SAMPLES, 1);
    put_data(r, samples, "label", H5T_NATIVE_INT, 1, SAMPLES, 1);
    put_data(r, samples, "prediction", H5T_NATIVE_INT, 1, SAMPLES, 1);
    put_site(r, sites, "001", parts);
    if (parts & 32) put_site(r, sites, "002", parts);
    H5Gclose(progress);
    H5Gclose(samples);
    H5Gclose(sites);
    return image_end(file, "run.h5");
}

static void read_all(const ns_store *store) {
    static float values[100 * 100];
    static int64_t ids[100];
    static int32_t numbers[100];
    static uint8_t kinds[100];
    ns_error err = {0};
    uint64_t samples = ns_store_samples(store);
    ns_store_read_samples(store, 0, samples < 100 ? samples : 100, ids, numbers, numbers, &err);
    for (int i = 0; i < ns_store_site_count(store); i++) {
        const ns_store_site *site = ns_store_site_at(store, i);
        uint64_t bytes;
        ns_store_site_bytes(store, i, &bytes, &err);
        if (site->has_sketch) {
            ns_sketch sketch;
            ns_sketch_read(&sketch, store, i, &err);
            ns_sketch_free(&sketch);
        }
        if (site->rows > 100 || site->site.norm.channels > 100) continue;
        ns_store_read(store, i, NS_INPUT, 0, site->rows, values, &err);
        ns_store_read(store, i, NS_OUTPUT, 0, site->rows, values, &err);
        ns_store_read_rows(store, i, 0, site->rows, ids, numbers, kinds, &err);
        ns_store_read_heads(store, i, 0, site->rows, numbers, &err);
        ns_verify_result result;
        ns_verify_site(store, i, &result, &err);
        if (site->extreme_rows && site->extreme_rows <= 100)
            ns_store_read_extreme(store, i, values, values, ids, numbers, numbers, &err);
    }
}

static void fuzz_one(const uint8_t *data, size_t size) {
    reader r = {data, data + size};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const char *path = make(&r);
    ns_error err = {0};
    ns_store *store = NULL;
    if (ns_store_open(&store, path, &err)) return;
    read_all(store);
    ns_store_close(store);
}
NS_FUZZ("store")
NS_FUZZ_MUTATOR(ns_fuzz_script)
