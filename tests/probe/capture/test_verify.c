/* verify on a run of which every byte is changed in turn: it tells, or what it does not tell has no effect. The bytes that it does not tell:
 *  - the last ones of a value of x or y, where the change is within the tolerance of a float32 pass;
 *  - stored results (fit --store, stats --store), which are no part of the run and may be stored again at any time.
 * With NS_LONG in the environment all of HDF5's own bytes are changed (minutes), and not each 64th. Under the sanitizers, where the look that is taken
 * at each changed file costs several times as much, each eighth of those bytes. */
#define _GNU_SOURCE /* memmem */
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/capture/verify.h"
#include "probe/store/store.h"
#include "probe/store/store_write.h"
#include "tests/runner.h"

enum { SAMPLES = 4, BATCH = 2, POSITIONS = 2, CHANNELS = 4, SITES = 2, PER = POSITIONS * CHANNELS };

static float gammas[CHANNELS] = {1, 2, -1, 0.5f}, betas[CHANNELS] = {0, 1, 2, 3}, alpha[1] = {2};
static double block_bytes[3] = {1, 2, 3};
static ns_store_block block = {"moments", "x", NS_BLOCK_F64, 1, {3}, block_bytes};
static ns_site sites[SITES];

static const ns_store_block *blocks_of(void *user, int site, int *count) {
    (void)user, (void)site;
    *count = 1;
    return &block;
}

static void deliver(ns_store_writer *w, int first, const int64_t *ids) {
    const ns_observer o = ns_store_writer_observer(w);
    const int32_t positions[POSITIONS] = {0, 1}, predictions[BATCH] = {1, 2};
    const uint8_t kinds[BATCH * POSITIONS] = {NS_ROW_CLASS, NS_ROW_PATCH, NS_ROW_CLASS,
                                              NS_ROW_PATCH};
    ns_error err = {0};
    for (int s = 0; s < SITES; s++) {
        float x[BATCH * PER], y[BATCH * PER];
        double exact[BATCH * PER];
        /* The DyT's x reach to where tanh is 1 in float32. */
        for (int i = 0; i < BATCH * PER; i++)
            x[i] = (float)(sin(1 + i + 20 * first + 7 * s) * (s ? 30 : 3));
        sites[s].norm.kind->reference(&sites[s].norm, BATCH * POSITIONS, x, exact);
        for (int i = 0; i < BATCH * PER; i++) y[i] = (float)exact[i];
        const ns_rows rows = {BATCH, POSITIONS, ids + first, positions, kinds, x, y};
        if (o.deliver(o.user, &sites[s], &rows, &err)) fail_msg("%s", err.message);
    }
    if (ns_store_writer_commit(w, BATCH, predictions, &err)) fail_msg("%s", err.message);
}

static void make_run(const char *path) {
    static const int64_t ids[SAMPLES] = {3, 1, 4, 15};
    static const int32_t labels[SAMPLES] = {1, 0, 2, 1};
    static const bool wanted[SITES] = {true, true};
    const ns_attribute model = {"model_sha256", "abc", 0, true};
    ns_error err = {0};
    for (int s = 0; s < SITES; s++) {
        sites[s] = (ns_site){.index = s + 1,
                             .name = s ? "head.norm" : "blocks.0.norm1",
                             .role = NS_ROLE_ATTENTION,
                             .positions = POSITIONS};
        sites[s].norm = (ns_norm){.kind = ns_norm_kind_find(s ? "dyt" : "layernorm", &err),
                                  .channels = CHANNELS,
                                  .eps = 1e-6f,
                                  .gamma = gammas,
                                  .beta = betas,
                                  .alpha = s ? alpha : NULL,
                                  .alpha_count = s};
    }
    const ns_store_plan plan = {.path = path,
                                .sites = sites,
                                .site_count = SITES,
                                .wanted = wanted,
                                .samples = SAMPLES,
                                .sample_ids = ids,
                                .labels = labels,
                                .predictions = true,
                                .batch = BATCH,
                                .rows = true,
                                .attributes = &model,
                                .attribute_count = 1,
                                .blocks = blocks_of};
    ns_store_writer *w;
    if (ns_store_create(&w, &plan, &err)) fail_msg("%s", err.message);
    for (int first = 0; first < SAMPLES; first += BATCH) deliver(w, first, ids);
    if (ns_store_writer_close(w, &err)) fail_msg("%s", err.message);
}

/* What the command verify finds, in the same order. */
static bool told(const char *path) {
    ns_store *store;
    ns_error err = {0};
    if (ns_store_open(&store, path, &err)) return true;
    bool sealed = false, bad = ns_store_samples(store) < ns_store_samples_planned(store);
    for (int i = 0; i < ns_store_site_count(store) && !bad; i++) {
        ns_verify_result r;
        bad = ns_verify_site(store, i, &r, &err) || !r.good;
    }
    if (!bad) bad = ns_store_check_seal(store, &sealed, &err) != NS_OK || !sealed;
    ns_store_close(store);
    return bad;
}

/* Where a dataset's bytes lie: [0] from, [1] to; nothing where there is no such. */
static void find(hid_t file, const char *name, uint64_t range[2]) {
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    assert_true(dataset >= 0);
    range[0] = H5Dget_offset(dataset);
    range[1] = range[0] + H5Dget_storage_size(dataset);
    H5Dclose(dataset);
}

typedef struct open_run {
    int fd;
    unsigned char *bytes;
    uint64_t size;
    time_t time;
} open_run;

/* One byte other than it was, and another time, by which the guard knows that the file has changed. */
static bool told_with(open_run *run, const char *path, uint64_t at, unsigned char mask) {
    unsigned char byte = run->bytes[at] ^ mask;
    for (int back = 0; back < 2; back++) {
        assert_int_equal(pwrite(run->fd, back ? &run->bytes[at] : &byte, 1, (off_t)at), 1);
        if (back) break;
        const struct timespec times[2] = {{run->time, 0}, {++run->time, 0}};
        assert_int_equal(futimens(run->fd, times), 0);
        bool found = told(path);
        if (!found) {
            assert_int_equal(pwrite(run->fd, &run->bytes[at], 1, (off_t)at), 1);
            return false;
        }
    }
    return true;
}

static bool within(const uint64_t *range, uint64_t at) {
    return at >= range[0] && at < range[1];
}

/* The lowest byte of a float, or one that changes it by no more than a part in 30000 of the largest |y| (or of what x it takes). */
static bool is_small(const open_run *run, uint64_t first, uint64_t at, unsigned char mask) {
    uint64_t value = first + (at - first) / 4 * 4;
    unsigned char changed[4];
    float before, after;
    memcpy(changed, run->bytes + value, 4);
    memcpy(&before, changed, 4);
    changed[at - value] ^= mask;
    memcpy(&after, changed, 4);
    return fabsf(after - before) <= 1e-4f; /* x of the LayerNorm reach 3, y 2 */
}

enum { INPUT_1, OUTPUT_1, INPUT_2, OUTPUT_2, FIT, STATS, FIT_AT, STATS_AT, PLACES };

/* Marks the bytes that people mean by a run: all datasets, and the texts of attributes. */
static void mark_dataset(hid_t file, const char *name, unsigned char *marked) {
    uint64_t range[2];
    find(file, name, range);
    memset(marked + range[0], 1, range[1] - range[0]);
}

static void mark(const open_run *run, hid_t file, unsigned char *marked) {
    static const char *const whole[] = {"/progress/samples_committed",
                                        "/progress/sha256",
                                        "/samples/id",
                                        "/samples/label",
                                        "/samples/prediction",
                                        "/sites/002/alpha"},
                             *const each[] = {"input", "output", "sample", "position",
                                              "kind",  "gamma",  "beta",   "moments"},
                             *const texts[] = {
                                 "blocks.0.norm1", "head.norm", "layernorm", "dyt", "abc",
                                 "normscope",      "attention", "float32"};
    char name[64];
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) mark_dataset(file, whole[i], marked);
    for (int s = 1; s <= SITES; s++)
        for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
            snprintf(name, sizeof name, "/sites/%03d/%s", s, each[i]);
            mark_dataset(file, name, marked);
        }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const unsigned char *found = memmem(run->bytes, run->size, texts[i], strlen(texts[i]));
        assert_non_null(found);
        memset(marked + (found - run->bytes), 1, strlen(texts[i]));
    }
}

static void every_byte(void **state) {
    (void)state;
    static const char *const names[PLACES] = {
        "/sites/001/input", "/sites/001/output", "/sites/002/input",     "/sites/002/output",
        "/results/fit",     "/results/stats",    "/results/fit_current", "/results/stats_current"};
    char path[512];
    uint64_t place[PLACES][2], silent = 0, changed = 0;
    snprintf(path, sizeof path, "%s/verify.h5", ns_tests_folder());
    int threads = omp_get_max_threads();
    omp_set_num_threads(1); /* for a few rows they only wait for each other */
    make_run(path);
    assert_false(told(path));
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (int k = 0; k < PLACES; k++) find(file, names[k], place[k]);
    struct stat st;
    open_run run = {.fd = open(path, O_RDWR), .time = 1000000000};
    assert_true(run.fd >= 0 && fstat(run.fd, &st) == 0);
    run.size = (uint64_t)st.st_size;
    run.bytes = malloc(run.size);
    assert_int_equal(pread(run.fd, run.bytes, run.size, 0), run.size);
    unsigned char *marked = calloc(run.size, 1);
    mark(&run, file, marked);
    H5Fclose(file);
    for (uint64_t at = 0; at < run.size; at++) {
        int in = -1;
        for (int k = 0; k < PLACES; k++)
            if (within(place[k], at)) in = k;
        if (in >= FIT) { /* results: said to be no part of the run */
            if ((at - place[in][0]) % 40000 == 0) assert_false(told_with(&run, path, at, 0xff));
            continue;
        }
        const unsigned char mask = (unsigned char)(in < 0 ? 1u << at % 8 : 0xffu);
        if (!marked[at] && !getenv("NS_LONG") && at % 64) continue;
        if (getenv("NS_SANITIZED") && (at + at / 8) % 8) continue;
        changed++;
        if (told_with(&run, path, at, mask)) continue;
        silent++;
        if (in != INPUT_1 && in != OUTPUT_1 && in != OUTPUT_2)
            fail_msg("byte %llu: changed, and verify does not tell", (unsigned long long)at);
        if (!is_small(&run, place[in][0], at, mask))
            fail_msg("%s, byte %llu: a large change, and verify does not tell", names[in],
                     (unsigned long long)(at - place[in][0]));
    }
    print_message("%llu bytes changed, %llu of them within the tolerance\n",
                  (unsigned long long)changed, (unsigned long long)silent);
    assert_true(changed > 150);
    assert_true(silent < (place[INPUT_1][1] - place[INPUT_1][0]) * 3 / 2);
    free(run.bytes);
    free(marked);
    close(run.fd);
    omp_set_num_threads(threads);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte)};
NS_TESTS("verify", tests)
