/* The file's groups, attributes and datasets: made once by HDF5, found again when a run is resumed. */
#define _GNU_SOURCE /* mkostemp, SEEK_DATA */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/store/store_internal.h"

hid_t ns_block_h5type(ns_block_type type) {
    switch (type) {
    case NS_BLOCK_F32:
        return H5T_IEEE_F32LE;
    case NS_BLOCK_F64:
        return H5T_IEEE_F64LE;
    case NS_BLOCK_U8:
        return H5T_STD_U8LE;
    case NS_BLOCK_I32:
        return H5T_STD_I32LE;
    case NS_BLOCK_U32:
        return H5T_STD_U32LE;
    case NS_BLOCK_I64:
        return H5T_STD_I64LE;
    case NS_BLOCK_U64:
        return H5T_STD_U64LE;
    }
    return -1;
}

size_t ns_block_item(ns_block_type type) {
    switch (type) {
    case NS_BLOCK_U8:
        return 1;
    case NS_BLOCK_F32:
    case NS_BLOCK_I32:
    case NS_BLOCK_U32:
        return 4;
    default:
        return 8;
    }
}

uint64_t ns_block_bytes(const ns_store_block *block) {
    uint64_t bytes = ns_block_item(block->type);
    for (int i = 0; i < block->dims; i++) bytes *= block->extents[i];
    return bytes;
}

uint64_t ns_plan_rows(const ns_store_plan *plan, int site, const ns_kept_rows *kept) {
    if (!plan->rows) return 0;
    return kept ? kept->count : plan->samples * (uint64_t)plan->sites[site].positions;
}

/* IEEE binary16, little-endian: HDF5 1.10 has no name for it. */
static hid_t half_type(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

static int put_norm(hid_t group, const ns_norm *n, ns_error *err) {
    const uint64_t channels = (uint64_t)n->channels, one = 1, alphas = (uint64_t)n->alpha_count;
    const struct {
        const char *name;
        const float *values;
        uint64_t count;
    } arrays[] = {{"gamma", n->gamma, channels}, {"beta", n->beta, channels},
                  {"alpha", n->alpha, alphas},   {"shift", n->shift, one},
                  {"mean", n->mean, channels},   {"variance", n->variance, channels}};
    int status = NS_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0] && !status; i++)
        if (arrays[i].values)
            status = ns_h5_put(group, arrays[i].name, H5T_IEEE_F32LE, 1, &arrays[i].count, NULL,
                               arrays[i].values, err);
    return status;
}

static int put_site_attributes(hid_t group, const ns_site *site, ns_error *err) {
    int status = ns_h5_set_int(group, "index", site->index, err);
    if (!status) status = ns_h5_set_text(group, "name", site->name, err);
    if (!status) status = ns_h5_set_text(group, "role", ns_role_name(site->role), err);
    if (!status) status = ns_h5_set_text(group, "kind", site->norm.kind->name, err);
    if (!status) status = ns_h5_set_real(group, "eps", (double)site->norm.eps, err);
    if (!status) status = ns_h5_set_int(group, "channels", site->norm.channels, err);
    if (!status) status = ns_h5_set_int(group, "positions", site->positions, err);
    if (!status && ns_site_heads(site) > 1)
        status = ns_h5_set_int(group, "heads", site->heads, err);
    return status;
}

static int lay_out_rows(hid_t group, const ns_store_plan *plan, int i, const ns_kept_rows *kept,
                        ns_site_offsets *at, ns_error *err) {
    uint64_t rows = ns_plan_rows(plan, i, kept);
    const uint64_t extents[2] = {rows, (uint64_t)plan->sites[i].norm.channels};
    hid_t type = plan->dtype == NS_F16 ? half_type() : H5Tcopy(H5T_IEEE_F32LE);
    bool own = !plan->link_count;
    int status = own ? ns_h5_lay_out(group, "input", type, 2, extents, "x", &at->input, err)
                     : ns_links_lay_out(group, "input", type, plan, i, "x", err);
    if (!status)
        status = own ? ns_h5_lay_out(group, "output", type, 2, extents, "1", &at->output, err)
                     : ns_links_lay_out(group, "output", type, plan, i, "1", err);
    if (!status)
        status = ns_h5_lay_out(group, "sample", H5T_STD_I64LE, 1, extents, NULL, &at->sample, err);
    if (!status)
        status =
            ns_h5_lay_out(group, "position", H5T_STD_I32LE, 1, extents, NULL, &at->position, err);
    if (!status)
        status = ns_h5_lay_out(group, "kind", H5T_STD_U8LE, 1, extents, NULL, &at->kind, err);
    if (!status && ns_site_heads(&plan->sites[i]) > 1)
        status = ns_h5_lay_out(group, "head", H5T_STD_I32LE, 1, extents, NULL, &at->head, err);
    H5Tclose(type);
    return status;
}

/* rows_before [batches + 1]: how many of the kept rows belong to the batches before; and the extreme rows. */
static int lay_out_sample(hid_t group, const ns_store_plan *plan, int i, const ns_kept_rows *kept,
                          ns_site_offsets *at, ns_error *err) {
    uint64_t batches = (plan->samples + plan->batch - 1) / plan->batch, count = batches + 1;
    int64_t *before = ns_calloc(count, sizeof *before, err);
    if (!before) return NS_EFAIL;
    for (uint64_t b = 0; b <= batches; b++)
        before[b] = (int64_t)ns_kept_rows_before(kept, b * plan->batch);
    int status = ns_h5_put(group, "rows_before", H5T_NATIVE_INT64, 1, &count, NULL, before, err);
    free(before);
    const uint64_t values[3] = {2, NS_STORE_EXTREME_ROWS, (uint64_t)plan->sites[i].norm.channels};
    if (!status)
        status = ns_h5_lay_out(group, "extreme_input", H5T_IEEE_F32LE, 3, values, "x",
                               &at->extreme[0], err);
    if (!status)
        status = ns_h5_lay_out(group, "extreme_output", H5T_IEEE_F32LE, 3, values, "1",
                               &at->extreme[1], err);
    if (!status)
        status = ns_h5_lay_out(group, "extreme_sample", H5T_STD_I64LE, 2, values, NULL,
                               &at->extreme[2], err);
    if (!status)
        status = ns_h5_lay_out(group, "extreme_position", H5T_STD_I32LE, 2, values, NULL,
                               &at->extreme[3], err);
    if (!status && ns_site_heads(&plan->sites[i]) > 1)
        status = ns_h5_lay_out(group, "extreme_head", H5T_STD_I32LE, 2, values, NULL,
                               &at->extreme[4], err);
    return status;
}

static int lay_out_site(hid_t file, const ns_store_plan *plan, int i, const ns_kept_rows *kept,
                        ns_site_offsets *at, ns_error *err) {
    char name[32];
    snprintf(name, sizeof name, NS_SITE_GROUP, plan->sites[i].index);
    hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) return ns_fail(err, NS_EFAIL, "HDF5 group %s could not be made", name);
    int status = put_site_attributes(group, &plan->sites[i], err);
    if (!status) status = put_norm(group, &plan->sites[i].norm, err);
    if (!status && plan->rows) status = lay_out_rows(group, plan, i, kept, at, err);
    if (!status && kept) status = lay_out_sample(group, plan, i, kept, at, err);
    int count = 0;
    const ns_store_block *blocks = plan->blocks ? plan->blocks(plan->blocks_user, i, &count) : NULL;
    if (!status && count && !(at->blocks = ns_calloc((size_t)count, sizeof *at->blocks, err)))
        status = NS_EFAIL;
    for (int b = 0; b < count && !status; b++) {
        status = ns_h5_make_group(group, blocks[b].name, err);
        if (status) break;
        uint64_t extents[4] = {2};
        for (int d = 0; d < blocks[b].dims; d++) extents[d + 1] = blocks[b].extents[d];
        status = ns_h5_lay_out(group, blocks[b].name, ns_block_h5type(blocks[b].type),
                               blocks[b].dims + 1, extents, blocks[b].unit, &at->blocks[b], err);
    }
    H5Gclose(group);
    return status;
}

static int put_samples(hid_t file, const ns_store_plan *plan, ns_layout *out, ns_error *err) {
    hid_t group = H5Gcreate2(file, "/samples", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) return ns_fail(err, NS_EFAIL, "HDF5 group /samples could not be made");
    int status =
        ns_h5_put(group, "id", H5T_NATIVE_INT64, 1, &plan->samples, NULL, plan->sample_ids, err);
    if (!status && plan->labels)
        status =
            ns_h5_put(group, "label", H5T_NATIVE_INT32, 1, &plan->samples, NULL, plan->labels, err);
    if (!status) status = ns_outcomes_lay_out(group, plan, out, err);
    H5Gclose(group);
    return status;
}

static int put_progress(hid_t file, ns_layout *out, ns_error *err) {
    hid_t group = H5Gcreate2(file, "/progress", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) return ns_fail(err, NS_EFAIL, "HDF5 group /progress could not be made");
    const uint64_t one = 1, none = 0;
    int status = ns_h5_put(group, "samples_committed", H5T_STD_U64LE, 1, &one, NULL, &none, err);
    ns_h5_place place;
    if (!status && ns_h5_find(group, "samples_committed", &place)) out->committed = place.offset;
    if (!status) status = ns_seal_lay_out(group, err);
    H5Gclose(group);
    return status;
}

/* Places for results, so that storing one later changes nothing of HDF5's own in the file. */
static int put_results(hid_t file, const ns_store_plan *plan, ns_error *err) {
    hid_t group = H5Gcreate2(file, "/results", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) return ns_fail(err, NS_EFAIL, "HDF5 group /results could not be made");
    size_t room = NS_RESULT_BASE;
    for (int i = 0; i < plan->site_count; i++) room += plan->wanted[i] ? NS_RESULT_SITE : 0;
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, room);
    H5Tset_cset(text, H5T_CSET_UTF8);
    const uint64_t one = 1, two = 2;
    const int32_t none = -1;
    int status = NS_OK;
    for (int k = 0; k < NS_RESULTS && !status; k++) {
        char current[32];
        uint64_t offset;
        snprintf(current, sizeof current, "%s_current", ns_result_names[k]);
        status = ns_h5_lay_out(group, ns_result_names[k], text, 1, &two, NULL, &offset, err);
        if (!status) status = ns_h5_put(group, current, H5T_STD_I32LE, 1, &one, NULL, &none, err);
    }
    H5Tclose(text);
    H5Gclose(group);
    return status;
}

static int put_root(hid_t file, const ns_store_plan *plan, ns_error *err) {
    int status = ns_h5_set_text(file, "format", "normscope", err);
    if (!status) status = ns_h5_set_int(file, "format_major", NS_FORMAT_MAJOR, err);
    if (!status) status = ns_h5_set_int(file, "format_minor", NS_FORMAT_MINOR, err);
    for (int i = 0; i < plan->attribute_count && !status; i++) {
        const ns_attribute *a = &plan->attributes[i];
        status = a->text ? ns_h5_set_text(file, a->name, a->text, err)
                         : ns_h5_set_int(file, a->name, a->number, err);
    }
    if (!status) status = ns_h5_set_int(file, "samples", (int64_t)plan->samples, err);
    if (!status) status = ns_h5_set_int(file, "batch", (int64_t)plan->batch, err);
    if (!status)
        status = ns_h5_set_text(file, "storage_type", plan->dtype == NS_F16 ? "float16" : "float32",
                                err);
    if (!status) status = ns_h5_set_int(file, "sample_rows", (int64_t)plan->sample_rows, err);
    if (!status) status = ns_h5_set_int(file, "seed", (int64_t)plan->seed, err);
    return status;
}

static int fill(hid_t file, const ns_store_plan *plan, const ns_kept_rows *const *kept,
                ns_layout *out, ns_error *err) {
    int status = put_root(file, plan, err);
    if (!status) status = put_progress(file, out, err);
    if (!status) status = put_samples(file, plan, out, err);
    if (!status) status = ns_names_put(file, plan, err);
    if (!status) status = put_results(file, plan, err);
    if (!status) status = ns_links_put(file, plan, err);
    hid_t sites = H5Gcreate2(file, "/sites", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (sites >= 0) H5Gclose(sites);
    for (int i = 0; i < plan->site_count && !status; i++)
        if (plan->wanted[i]) status = lay_out_site(file, plan, i, kept[i], &out->sites[i], err);
    return status;
}

static int file_size(ns_layout *out, int fd, const char *path, ns_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return ns_fail(err, NS_EFAIL, "%s: its size cannot be found", path);
    out->size = (uint64_t)st.st_size;
    return NS_OK;
}

/* An empty file in memory, or in the folder of temporary files where there is no such place. */
static int image_open(char *name, size_t room, ns_error *err) {
    const char *temporary = getenv("TMPDIR");
    const char *folders[] = {"/dev/shm", temporary ? temporary : "/tmp", "/tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(name, room, "%s/normscope-layout-XXXXXX", folders[i]);
        int fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0) return fd;
    }
    ns_fail(err, NS_EFAIL, "no temporary file for the layout: %s", strerror(errno));
    return -1;
}

/* HDF5 never writes to the file itself: it crashes or loops at exit where it meets a full disk. Its image is sparse, so the
 * rows to come take no room; it has no name once HDF5 has it open, so a kill leaves nothing. */
static int image_make(int *image, ns_layout *out, const ns_store_plan *plan,
                      const ns_kept_rows *const *kept, ns_error *err) {
    char name[4096];
    *image = image_open(name, sizeof name, err);
    if (*image < 0) return NS_EFAIL;
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    unlink(name);
    H5Pclose(access);
    int status = file < 0 ? ns_fail(err, NS_EFAIL, "%s: HDF5 could not create it", name)
                          : fill(file, plan, kept, out, err);
    if (!status) status = ns_seal_find(&out->seal, file, err);
    if (file >= 0 && H5Fclose(file) < 0 && !status)
        status = ns_fail(err, NS_EFAIL, "%s: HDF5 could not write the layout", name);
    ns_h5_unhush(quiet);
    return status;
}

/* What was written of the image, and its length. */
static int image_copy(int image, int fd, const char *path, uint64_t size, ns_error *err) {
    unsigned char piece[65536];
    if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)size) != 0)
        return ns_fail(err, NS_EFAIL, "%s: cannot be written: %s", path, strerror(errno));
    int status = NS_OK;
    for (off_t from = 0, to; !status && (from = lseek(image, from, SEEK_DATA)) >= 0; from = to) {
        to = lseek(image, from, SEEK_HOLE);
        for (off_t at = from; at < to && !status;) {
            size_t n = to - at < (off_t)sizeof piece ? (size_t)(to - at) : sizeof piece;
            status = ns_pread_all(image, piece, n, (uint64_t)at, "layout", err);
            if (!status) status = ns_pwrite_all(fd, piece, n, (uint64_t)at, path, err);
            at += (off_t)n;
        }
    }
    return status;
}

/* Here and not by the first write that fails, since HDF5's would be it. */
static int check_limit(const ns_store_plan *plan, const ns_kept_rows *const *kept, ns_error *err) {
    struct rlimit limit;
    double bytes = 0;
    for (int i = 0; i < plan->site_count; i++)
        if (plan->wanted[i])
            bytes += (double)ns_plan_rows(plan, i, kept[i]) * (double)plan->sites[i].norm.channels *
                     (plan->dtype == NS_F16 ? 4 : 8);
    bytes +=
        (64 + 4 * (double)plan->words) * (double)plan->samples + 65536 * (double)plan->site_count;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        bytes <= (double)limit.rlim_cur)
        return NS_OK;
    char needed[24], allowed[24];
    return ns_fail(err, NS_EFAIL,
                   "%s: needs some %s, the limit of file sizes (ulimit -f) is %s; nothing was "
                   "written",
                   plan->path, ns_human_bytes(bytes, needed),
                   ns_human_bytes((double)limit.rlim_cur, allowed));
}

int ns_layout_create(ns_layout *out, int fd, const char *path, const ns_store_plan *plan,
                     const ns_kept_rows *const *kept, ns_error *err) {
    *out = (ns_layout){.sites = ns_calloc((size_t)plan->site_count, sizeof *out->sites, err)};
    if (!out->sites) return NS_EFAIL;
    int image = -1, status = check_limit(plan, kept, err);
    if (!status) status = image_make(&image, out, plan, kept, err);
    if (!status) status = file_size(out, image, path, err);
    if (!status) status = image_copy(image, fd, path, out->size, err);
    if (image >= 0) close(image);
    if (status) ns_layout_free(out, plan->site_count);
    return status;
}

/* The place of a dataset that must be there in one piece with this many bytes. */
static int find_place(hid_t group, const char *path, const char *site, const char *name,
                      uint64_t bytes, uint64_t *offset, ns_error *err) {
    ns_h5_place place;
    if (!ns_h5_find(group, name, &place) || !place.raw)
        return ns_fail(err, NS_EINPUT, "%s: cannot be resumed: %s/%s is not there in one piece",
                       path, site, name);
    uint64_t found = place.item;
    for (int i = 0; i < place.dims; i++) found *= place.extents[i];
    if (found != bytes)
        return ns_fail(err, NS_EINPUT,
                       "%s: cannot be resumed: %s/%s: expected %llu bytes, found %llu", path, site,
                       name, (unsigned long long)bytes, (unsigned long long)found);
    *offset = place.offset;
    return NS_OK;
}

static int find_site(hid_t file, const char *path, const ns_store_plan *plan, int i,
                     const ns_kept_rows *kept, ns_site_offsets *at, ns_error *err) {
    char name[32];
    snprintf(name, sizeof name, NS_SITE_GROUP, plan->sites[i].index);
    hid_t group = H5Gopen2(file, name, H5P_DEFAULT);
    if (group < 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be resumed: site %d (%s) is not in it", path,
                       plan->sites[i].index, plan->sites[i].name);
    uint64_t rows = ns_plan_rows(plan, i, kept), c = (uint64_t)plan->sites[i].norm.channels;
    uint64_t item = plan->dtype == NS_F16 ? 2 : 4, n = NS_STORE_EXTREME_ROWS;
    bool heads = ns_site_heads(&plan->sites[i]) > 1;
    const struct {
        const char *name;
        uint64_t bytes, *offset;
        bool there;
    } sets[] = {{"input", rows * c * item, &at->input, plan->rows},
                {"output", rows * c * item, &at->output, plan->rows},
                {"sample", rows * 8, &at->sample, plan->rows},
                {"position", rows * 4, &at->position, plan->rows},
                {"kind", rows, &at->kind, plan->rows},
                {"head", rows * 4, &at->head, plan->rows && heads},
                {"extreme_input", 2 * n * c * 4, &at->extreme[0], kept != NULL},
                {"extreme_output", 2 * n * c * 4, &at->extreme[1], kept != NULL},
                {"extreme_sample", 2 * n * 8, &at->extreme[2], kept != NULL},
                {"extreme_position", 2 * n * 4, &at->extreme[3], kept != NULL},
                {"extreme_head", 2 * n * 4, &at->extreme[4], kept && heads}};
    int status = NS_OK, count = 0;
    for (size_t k = 0; k < sizeof sets / sizeof sets[0] && !status; k++)
        if (sets[k].there)
            status =
                find_place(group, path, name, sets[k].name, sets[k].bytes, sets[k].offset, err);
    const ns_store_block *blocks = plan->blocks ? plan->blocks(plan->blocks_user, i, &count) : NULL;
    if (!status && count && !(at->blocks = ns_calloc((size_t)count, sizeof *at->blocks, err)))
        status = NS_EFAIL;
    for (int b = 0; b < count && !status; b++)
        status = find_place(group, path, name, blocks[b].name, 2 * ns_block_bytes(&blocks[b]),
                            &at->blocks[b], err);
    H5Gclose(group);
    return status;
}

/* One attribute against the plan's value. */
static int compare_attribute(hid_t file, const char *path, const ns_attribute *a, ns_error *err) {
    char number[32], *found = ns_h5_get_text(file, a->name);
    snprintf(number, sizeof number, "%lld", (long long)a->number);
    const char *expected = a->text ? a->text : number;
    int status = NS_OK;
    if (!found || strcmp(found, expected) != 0)
        status =
            ns_fail(err, NS_EINPUT, "%s: cannot be resumed: %s was %s when it was begun, is %s now",
                    path, a->name, found ? found : "not recorded", expected);
    free(found);
    return status;
}

static int compare_all(hid_t file, const char *path, const ns_store_plan *plan, ns_error *err) {
    const ns_attribute own[] = {
        {"format", "normscope", 0, true},
        {"format_major", NULL, NS_FORMAT_MAJOR, true},
        {"format_minor", NULL, NS_FORMAT_MINOR, true},
        {"samples", NULL, (int64_t)plan->samples, true},
        {"batch", NULL, (int64_t)plan->batch, true},
        {"storage_type", plan->dtype == NS_F16 ? "float16" : "float32", 0, true},
        {"sample_rows", NULL, (int64_t)plan->sample_rows, true},
        {"seed", NULL, (int64_t)plan->seed, true},
    };
    int status = NS_OK;
    for (size_t i = 0; i < sizeof own / sizeof own[0] && !status; i++)
        status = compare_attribute(file, path, &own[i], err);
    for (int i = 0; i < plan->attribute_count && !status; i++)
        if (plan->attributes[i].must_match)
            status = compare_attribute(file, path, &plan->attributes[i], err);
    hsize_t groups = 0;
    int wanted = 0;
    for (int i = 0; i < plan->site_count; i++) wanted += plan->wanted[i];
    hid_t sites = H5Gopen2(file, "/sites", H5P_DEFAULT);
    if (sites >= 0) {
        H5Gget_num_objs(sites, &groups);
        H5Gclose(sites);
    }
    if (!status && groups != (hsize_t)wanted)
        status = ns_fail(err, NS_EINPUT,
                         "%s: cannot be resumed: it holds %llu sites, %d are asked for now", path,
                         (unsigned long long)groups, wanted);
    return status;
}

static int find_all(hid_t file, const char *path, const ns_store_plan *plan,
                    const ns_kept_rows *const *kept, ns_layout *out, ns_error *err) {
    int status = compare_all(file, path, plan, err);
    if (!status)
        status = find_place(file, path, "", "progress/samples_committed", 8, &out->committed, err);
    for (int k = 0; k < NS_OUTCOMES && !status; k++) {
        char name[NS_OUTCOME_PATH];
        uint64_t bytes = ns_outcome_bytes(plan, k);
        if (bytes)
            status = find_place(file, path, "", ns_outcome_path(k, name), plan->samples * bytes,
                                &out->outcomes[k], err);
    }
    for (int i = 0; i < plan->site_count && !status; i++)
        if (plan->wanted[i]) status = find_site(file, path, plan, i, kept[i], &out->sites[i], err);
    return status;
}

int ns_layout_find(ns_layout *out, const char *path, const ns_store_plan *plan,
                   const ns_kept_rows *const *kept, ns_error *err) {
    *out = (ns_layout){.sites = ns_calloc((size_t)plan->site_count, sizeof *out->sites, err)};
    if (!out->sites) return NS_EFAIL;
    int fd, status = ns_open_file(&fd, &out->size, path, err);
    if (!status) close(fd);
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t file = -1;
    if (!status) status = ns_h5_open(&file, path, err);
    if (!status) status = find_all(file, path, plan, kept, out, err);
    if (!status) status = ns_seal_find(&out->seal, file, err);
    if (file >= 0) H5Fclose(file);
    ns_h5_unhush(quiet);
    if (status) ns_layout_free(out, plan->site_count);
    return status;
}

void ns_layout_free(ns_layout *layout, int site_count) {
    for (int i = 0; layout->sites && i < site_count; i++) free(layout->sites[i].blocks);
    free(layout->sites);
    ns_seal_free(&layout->seal);
    *layout = (ns_layout){0};
}
