#include "probe/weights/safetensors_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/output.h"
#include "probe/base/table.h"

static uint64_t bytes_of(const ns_tensor_out *t) {
    uint64_t bytes = sizeof(float);
    for (int d = 0; d < t->dims; d++) bytes *= (uint64_t)t->shape[d];
    return bytes;
}

static void write_header(FILE *file, const ns_tensor_out *tensors, int count) {
    uint64_t at = 0;
    fputs("{", file);
    for (int i = 0; i < count; i++) {
        const ns_tensor_out *t = &tensors[i];
        fputs(i ? "," : "", file);
        ns_json_string(file, t->name);
        fputs(":{\"dtype\":\"F32\",\"shape\":[", file);
        for (int d = 0; d < t->dims; d++) fprintf(file, "%s%" PRId64, d ? "," : "", t->shape[d]);
        fprintf(file, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at, at + bytes_of(t));
        at += bytes_of(t);
    }
    fputs("}", file);
}

int ns_safetensors_write(const char *path, const ns_tensor_out *tensors, int count, bool force,
                         ns_error *err) {
    char *header = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&header, &size);
    if (!text) return ns_fail(err, NS_EFAIL, "out of memory");
    write_header(text, tensors, count);
    if (fclose(text) != 0 || !header) {
        free(header);
        return ns_fail(err, NS_EFAIL, "out of memory");
    }
    size = (size + 7) / 8 * 8; /* the data begin aligned; spaces fill up */
    ns_output out;
    int status = ns_output_open(&out, path, force, err);
    if (!status) {
        unsigned char length[8];
        for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)size >> 8 * i);
        bool good = fwrite(length, 1, 8, out.file) == 8 &&
                    fprintf(out.file, "%-*s", (int)size, header) == (int)size;
        for (int i = 0; i < count && good; i++)
            good = fwrite(tensors[i].values, 1, bytes_of(&tensors[i]), out.file) ==
                   bytes_of(&tensors[i]);
        status = good ? ns_output_commit(&out, err)
                      : ns_fail(err, NS_EFAIL, "%s: cannot be written: %s", path, strerror(errno));
        ns_output_drop(&out);
    }
    free(header);
    return status;
}
