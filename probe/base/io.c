#include "probe/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"

int ns_pread_all(int fd, void *bytes, size_t count, uint64_t offset, const char *path,
                 ns_error *err) {
    char *at = bytes;
    while (count) {
        ssize_t got = pread(fd, at, count, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return ns_fail(err, NS_EFAIL, "%s: read of %zu bytes at %llu failed: %s", path, count,
                           (unsigned long long)offset, strerror(errno));
        if (got == 0)
            return ns_fail(err, NS_EINPUT,
                           "%s: the file ends at byte %llu, expected %zu bytes more", path,
                           (unsigned long long)offset, count);
        at += got;
        count -= (size_t)got;
        offset += (uint64_t)got;
    }
    return NS_OK;
}

int ns_pwrite_all(int fd, const void *bytes, size_t count, uint64_t offset, const char *path,
                  ns_error *err) {
    const char *at = bytes;
    while (count) {
        ssize_t put = pwrite(fd, at, count, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0)
            return ns_fail(err, NS_EFAIL, "%s: write of %zu bytes at %llu failed: %s", path, count,
                           (unsigned long long)offset, strerror(put < 0 ? errno : ENOSPC));
        at += put;
        count -= (size_t)put;
        offset += (uint64_t)put;
    }
    return NS_OK;
}

const char *ns_file_kind(mode_t mode) {
    return S_ISREG(mode)    ? "a file"
           : S_ISDIR(mode)  ? "a folder"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

int ns_open_file(int *fd, uint64_t *size, const char *path, ns_error *err) {
    struct stat st;
    *size = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* of no effect on a file */
    if (*fd < 0) return ns_fail(err, NS_EINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    int status = NS_OK;
    if (fstat(*fd, &st) != 0)
        status = ns_fail(err, NS_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status = ns_fail(err, NS_EINPUT, "%s: expected a file, found %s", path,
                         ns_file_kind(st.st_mode));
    else
        *size = (uint64_t)st.st_size;
    if (status) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

int ns_map_file(ns_mapped *out, const char *path, ns_error *err) {
    *out = (ns_mapped){0};
    int fd;
    uint64_t size;
    int status = ns_open_file(&fd, &size, path, err);
    if (status) return status;
    if (size) {
        void *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            status = ns_fail(err, NS_EFAIL, "%s: cannot be mapped: %s", path, strerror(errno));
        else
            *out = (ns_mapped){bytes, (size_t)size};
    }
    close(fd);
    return status;
}

void ns_unmap(ns_mapped *mapped) {
    if (mapped->bytes) munmap((void *)(uintptr_t)mapped->bytes, mapped->size);
    *mapped = (ns_mapped){0};
}

int ns_read_text(char **out, size_t *size, const char *path, size_t most, ns_error *err) {
    *out = NULL;
    ns_mapped mapped;
    int status = ns_map_file(&mapped, path, err);
    if (status) return status;
    if (mapped.size > most) {
        status = ns_fail(err, NS_EINPUT, "%s: %zu bytes long, expected at most %zu", path,
                         mapped.size, most);
    } else if (!(*out = ns_calloc(mapped.size + 1, 1, err))) {
        status = NS_EFAIL;
    } else if (mapped.size) {
        memcpy(*out, mapped.bytes, mapped.size);
    }
    if (!status && size) *size = mapped.size;
    ns_unmap(&mapped);
    return status;
}

char *ns_folder_of(const char *path, ns_error *err) {
    const char *slash = strrchr(path, '/');
    return !slash          ? ns_strdup(".", err)
           : slash == path ? ns_strdup("/", err)
                           : ns_asprintf(err, "%.*s", (int)(slash - path), path);
}

bool ns_is_same_file(const char *a, const char *b) {
    struct stat its, other;
    return stat(a, &its) == 0 && stat(b, &other) == 0 && its.st_dev == other.st_dev &&
           its.st_ino == other.st_ino;
}

int ns_sync_fd(int fd) {
    return fsync(fd) != 0 && errno != EINVAL ? -1 : 0;
}

int ns_sync_folder_of(const char *path, ns_error *err) {
    char *folder = ns_folder_of(path, err);
    if (!folder) return NS_EFAIL;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = NS_OK;
    if (fd >= 0 ? ns_sync_fd(fd) != 0 : errno != EACCES)
        status = ns_fail(err, NS_EFAIL, "%s: its name could not be brought to the disk: %s", path,
                         strerror(errno));
    if (fd >= 0) close(fd);
    free(folder);
    return status;
}

bool ns_is_there(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

bool ns_is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool ns_is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A message of Protocol Buffers that begins with a version: an ONNX model (then its producer's name or its graph), a Core ML model (its
 * description), a TensorFlow SavedModel (its first graph). */
static const char *looks_like_versioned(const unsigned char *bytes, size_t size) {
    if (size < 6 || bytes[0] != 0x08 || bytes[1] < 1 || bytes[1] > 31) return NULL;
    if (bytes[2] == 0x3a) return "an ONNX model";
    if (bytes[2] != 0x12) return NULL;
    return bytes[4] >= 32 && bytes[4] < 127 && bytes[1] >= 3 ? "an ONNX model"
           : bytes[1] == 1 && bytes[4] != 0x0a               ? "a TensorFlow SavedModel"
                                                             : "a Core ML model";
}

/* HTML, in any case and after white space: what a server sends in place of a file. */
static bool looks_like_html(const unsigned char *bytes, size_t size) {
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", bytes[at]) && bytes[at]) at++;
    const char *text = (const char *)bytes + at;
    return (size - at >= 14 && !strncasecmp(text, "<!doctype html", 14)) ||
           (size - at >= 5 && !strncasecmp(text, "<html", 5));
}

/* Keras writes one of these attributes at the root of its files. */
static bool looks_like_keras(const unsigned char *bytes, size_t size) {
    enum { LOOK = 1 << 14 };
    static const char *const words[] = {"keras_version", "layer_names"};
    if (size > LOOK) size = LOOK;
    for (int w = 0; w < 2; w++) {
        size_t n = strlen(words[w]);
        for (size_t i = 0; i + n <= size; i++)
            if (bytes[i] == (unsigned char)words[w][0] && !memcmp(bytes + i, words[w], n))
                return true;
    }
    return false;
}

/* A map whose first key is a short text: Flax's weights. */
static bool looks_like_msgpack(const unsigned char *bytes, size_t size) {
    size_t at = bytes[0] > 0x80 && bytes[0] < 0x90 ? 1 : bytes[0] == 0xde ? 3 : 0;
    if (!at || size <= at || bytes[at] <= 0xa0 || bytes[at] > 0xbf) return false;
    size_t end = at + 1 + (bytes[at] & 0x1f);
    if (size < end) return false;
    while (++at < end)
        if (bytes[at] < 32 || bytes[at] > 126) return false;
    return true;
}

const char *ns_looks_like(const unsigned char *bytes, size_t size) {
    static const struct {
        const char *bytes;
        size_t at, size;
        const char *name;
    } known[] = {
        {"\x89PNG\r\n", 0, 6, "a PNG image"},
        {"\xff\xd8\xff", 0, 3, "a JPEG image"},
        {"\x93NUMPY", 0, 6, "a .npy file"},
        {"\x89HDF\r\n", 0, 6, "an HDF5 file"},
        {"\x1f\x8b", 0, 2, "gzip data"},
        {"PK\3\4", 0, 4, "a zip archive (.npz, .pt, .zip)"},
        {"GIF8", 0, 4, "a GIF image"},
        {"BM", 0, 2, "a BMP image"},
        {"II*", 0, 4, "a TIFF image"},
        {"MM\0*", 0, 4, "a TIFF image"},
        {"WEBP", 8, 4, "a WebP image"},
        {"ftyp", 4, 4, "an HEIF, AVIF or MP4 file"},
        {"%PDF", 0, 4, "a PDF document"},
        {"\177ELF", 0, 4, "a program"},
        {"GGUF", 0, 4, "a GGUF file (llama.cpp)"},
        {"ggjt", 0, 4, "a GGML file (llama.cpp, before GGUF)"},
        {"tjgg", 0, 4, "a GGML file (llama.cpp, before GGUF)"},
        {"lmgg", 0, 4, "a GGML file (llama.cpp, before GGUF)"},
        {"TFL3", 4, 4, "a TensorFlow Lite model"},
        {"version https://git-lfs", 0, 23, "a Git-LFS pointer: the file itself was not fetched"},
        {"\x80\x02\x8a\nl\xfc\x9c", 0, 7, "a PyTorch file from before 1.6"},
        {"\x80\x02", 0, 2, "a Python pickle"},
        {"\x80\x03", 0, 2, "a Python pickle"},
        {"\x80\x04", 0, 2, "a Python pickle"},
        {"\x80\x05", 0, 2, "a Python pickle"},
        {"ustar", 257, 5, "a tar archive"},
        {"\x28\xb5\x2f\xfd", 0, 4, "zstd data"},
        {"\xfd"
         "7zXZ",
         0, 5, "xz data"},
        {"BZh", 0, 3, "bzip2 data"},
        {"7z\xbc\xaf", 0, 4, "a 7z archive"}};
    if (!size) return "an empty file";
    if (size > 8 && !memcmp(bytes, "\x89HDF\r\n", 6) && looks_like_keras(bytes, size))
        return "a Keras .h5 file";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (size >= known[i].at + known[i].size &&
            !memcmp(bytes + known[i].at, known[i].bytes, known[i].size))
            return known[i].name;
    const char *versioned = looks_like_versioned(bytes, size);
    if (versioned) return versioned;
    if (looks_like_html(bytes, size)) return "an HTML page";
    if (looks_like_msgpack(bytes, size)) return "MessagePack data (Flax)";
    size_t look = size < 512 ? size : 512;
    for (size_t i = 0; i < look; i++)
        if (!bytes[i] || (bytes[i] < 32 && !strchr("\t\n\r\f", bytes[i])))
            return "an unknown format";
    return "text";
}

char *ns_path_join(const char *folder, const char *name, ns_error *err) {
    size_t n = strlen(folder);
    return ns_asprintf(err, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
}

char *ns_human_bytes(double bytes, char text[24]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 5) bytes /= 1024, unit++;
    snprintf(text, 24,
             unit == 0    ? "%.0f %s"
             : bytes < 10 ? "%.2f %s"
                          : "%.1f %s",
             bytes, units[unit]);
    return text;
}
