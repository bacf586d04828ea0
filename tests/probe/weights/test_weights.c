/* Weights from safetensors. The answers are those of the format's own library: tests/golden/weights.py made the file with
 * it, and asked it of every damaged header whether it opens. */
#include "probe/weights/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/weights/safetensors.h"
#include "tests/runner.h"

#define GOLDEN "tests/golden/weights.safetensors"

static unsigned char *read_whole(const char *path, size_t *size) {
    char *bytes;
    ns_error err = {0};
    if (ns_read_text(&bytes, size, path, 1 << 26, &err)) fail_msg("%s", err.message);
    return (unsigned char *)bytes;
}

static void write_whole(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A file of that header, with `room` bytes of data behind it. */
static void write_header(const char *path, const char *header, size_t room) {
    size_t length = strlen(header), size = 8 + length + room;
    unsigned char *bytes = calloc(size, 1);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    write_whole(path, bytes, size);
    free(bytes);
}

static void values_of_every_type(void **state) {
    (void)state;
    ns_weights *w;
    ns_error err = {0};
    if (ns_weights_open(&w, GOLDEN, &err)) fail_msg("%s", err.message);
    assert_int_equal(ns_weights_count(w), 6);
    static const char *const names[] = {"blocks.0.norm1.weight", "brain",  "brain.values", "half",
                                        "half.values",           "nothing"};
    for (int i = 0; i < 6; i++) assert_string_equal(ns_weights_info(w, i)->name, names[i]);
    assert_string_equal(ns_weights_find(w, "brain")->dtype, "BF16");
    assert_string_equal(ns_weights_find(w, "half")->file, GOLDEN);
    assert_null(ns_weights_find(w, "hal"));
    const float *values, *expected;
    const int64_t sixteen = 16, any = -1;
    assert_int_equal(
        ns_weights_get(w, "blocks.0.norm1.weight", 2, (int64_t[]){2, 3}, &values, &err), NS_OK);
    for (int i = 0; i < 6; i++) assert_true(values[i] == (float)i / 4);
    for (int half = 0; half < 2; half++) {
        assert_int_equal(half ? ns_weights_get(w, "half", 2, (int64_t[]){4, -1}, &values, &err)
                              : ns_weights_get(w, "brain", 1, &any, &values, &err),
                         NS_OK);
        assert_int_equal(
            ns_weights_get(w, half ? "half.values" : "brain.values", 1, &sixteen, &expected, &err),
            NS_OK);
        assert_memory_equal(values, expected, 16 * sizeof *values); /* -0 is not 0 */
        const float *again;
        assert_int_equal(ns_weights_get(w, half ? "half" : "brain", half ? 2 : 1,
                                        half ? (int64_t[]){4, 4} : &sixteen, &again, &err),
                         NS_OK);
        assert_ptr_equal(values, again);
    }
    assert_int_equal(ns_weights_get(w, "nothing", 2, (int64_t[]){0, 3}, &values, &err), NS_OK);
    assert_non_null(values);
    char hex[NS_HASH_HEX], whole[NS_HASH_HEX];
    assert_int_equal(ns_weights_hash(w, hex, &err), NS_OK);
    assert_int_equal(ns_hash_file(GOLDEN, whole, &err), NS_OK);
    assert_string_equal(hex, whole);
    ns_weights_close(w);
}

/* Data that begins at an odd byte, as the format allows, is copied before it is read as numbers. */
static void unaligned_data(void **state) {
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/odd.safetensors", ns_tests_folder());
    const char *header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                         "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[1,5]},"
                         "\"c\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[5,7]},"
                         "\"d\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[7,9]}} ";
    for (size_t spaces = 0; spaces < 4; spaces++) {
        char padded[512];
        snprintf(padded, sizeof padded, "%s%.*s", header, (int)spaces, "   ");
        write_header(path, padded, 9);
        size_t size;
        unsigned char *bytes = read_whole(path, &size);
        memcpy(bytes + size - 9, "\x07\x00\x00\x20\xc1\x00\x3e\x80\x3f", 9);
        write_whole(path, bytes, size);
        free(bytes);
        ns_weights *w;
        ns_error err = {0};
        if (ns_weights_open(&w, path, &err)) fail_msg("%s", err.message);
        const float *value;
        const int64_t one = 1;
        assert_int_equal(ns_weights_get(w, "b", 0, NULL, &value, &err), NS_OK);
        assert_true(*value == -10.0f);
        assert_int_equal(ns_weights_get(w, "c", 1, &one, &value, &err), NS_OK);
        assert_true(*value == 1.5f);
        assert_int_equal(ns_weights_get(w, "d", 1, &one, &value, &err), NS_OK);
        assert_true(*value == 1.0f);
        assert_int_equal(ns_weights_get(w, "a", 1, &one, &value, &err), NS_EINPUT);
        assert_non_null(
            strstr(err.message,
                   "tensor a: expected dtype F32, F16, BF16 or another of real numbers, found U8"));
        ns_weights_close(w);
    }
}

static void what_is_missing_or_misshapen_is_named(void **state) {
    (void)state;
    ns_weights *w;
    ns_error err = {0};
    assert_int_equal(ns_weights_open(&w, GOLDEN, &err), NS_OK);
    const float *values;
    const int64_t shape[] = {3, -1};
    assert_int_equal(ns_weights_get(w, "blocks.0.norm1.weigth", 2, shape, &values, &err),
                     NS_EINPUT);
    assert_string_equal(err.message,
                        GOLDEN ": expected a tensor blocks.0.norm1.weigth, found none of that name "
                               "among 6; near: blocks.0.norm1.weight");
    assert_int_equal(ns_weights_get(w, "blocks.0.norm1.weight", 2, shape, &values, &err),
                     NS_EINPUT);
    assert_string_equal(err.message, GOLDEN
                        ": tensor blocks.0.norm1.weight: expected shape [3, any], found [2, 3]");
    assert_int_equal(ns_weights_get(w, "half", 1, shape, &values, &err), NS_EINPUT);
    assert_string_equal(err.message, GOLDEN ": tensor half: expected shape [3], found [4, 4]");
    ns_weights_close(w);
}

#define ONE "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void every_check_of_the_header(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t room;
        const char *expected;
    } cases[] = {
        {"{" ONE "}", 8, NULL},
        {"{}", 0, NULL},
        {"{\"__metadata__\":{\"a\":\"b\"}," ONE "}   ", 8, NULL},
        {"", 0, "found an empty header"},
        {" {}", 0, "expected a header that begins with '{'"},
        {"[]", 0, "expected a header that begins with '{'"},
        {"{" ONE, 8, "expected JSON in the header"},
        {"{" ONE "} x", 8, "expected JSON in the header"},
        {"{" ONE "," ONE "}", 8, "tensor a: expected once, found twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}," ONE "}", 8, "for the second time"},
        {"{" ONE ",}", 8, "expected a name in quotes"},
        {"{," ONE "}", 8, "expected a name in quotes"},
        {"{" ONE " \"b\"}", 8, "expected ',' or '}'"},
        {"{\"a\" {}}", 8, "expected ':'"},
        {"{\"a\":}", 8, "expected JSON in the header, found at byte"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 8, "duplicate object key"},
        {"{\"\\u0000\":{}}", 8, "expected JSON in the header"},
        {"{ \t\r\n" ONE
         "\n,\t\"\\u00e9\" :{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,8]}\n} ",
         8, NULL},
        {"{\"a\":3}", 0, "tensor a: expected an object"},
        {"{\"\":{}}", 0, "a tensor has an empty name"},
        {"{\"__metadata__\":3}", 0, "expected \"__metadata__\" to be an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "expected text under \"a\""},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
         "tensor a: expected a dtype such as F32, found none"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "found F33"},
        {"{\"a\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "found none"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "\"shape\" to be a list"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8,
         "extent 0 of the shape is no whole number"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,-2],\"data_offsets\":[0,8]}}", 8, "extent 1 of"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8,
         "at most 8 dimensions, found 9"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8,
         "the product of its shape overflows"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1152921504606846977],\"data_offsets\":[0,8]}}", 8,
         "ask for 1152921504606846977 x 8 bytes, its offsets hold 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]}}", 8,
         "expected JSON"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
         "ask for 3 x 4 bytes, its offsets hold 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "two whole numbers in \"data_offsets\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", 8, "two whole"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,\"8\"]}}", 8, "two whole"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7,
         "within the 7 bytes of data, found 0 to 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "found -8 to 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "found 8 to 0"},
        {"{" ONE "}", 12, "expected the last tensor to end with the file"},
        {"{" ONE ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[12,16]}}", 16,
         "a gap before it"},
        {"{" ONE ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}", 8,
         "overlaps the tensor before it"},
        {"{" ONE ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
         "overlaps the tensor before it"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,8]}," ONE "}", 8, NULL},
    };
    char path[256];
    snprintf(path, sizeof path, "%s/one.safetensors", ns_tests_folder());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_header(path, cases[i].header, cases[i].room);
        ns_weights *w;
        ns_error err = {0};
        int status = ns_weights_open(&w, path, &err);
        ns_weights_close(w);
        if (!cases[i].expected) {
            if (status) fail_msg("%s: %s", cases[i].header, err.message);
        } else if (status != NS_EINPUT || !strstr(err.message, path) ||
                   !strstr(err.message, cases[i].expected)) {
            fail_msg("%s: expected '%s', found %d '%s'", cases[i].header, cases[i].expected, status,
                     err.message);
        }
    }
}

static void a_length_beyond_the_file(void **state) {
    (void)state;
    unsigned char bytes[10] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    ns_stored *tensors;
    int count;
    ns_error err = {0};
    assert_int_equal(ns_safetensors_parse(bytes, 10, "x", &tensors, &count, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "promise a header of 3 bytes, found 2"));
    bytes[7] = 255;
    assert_int_equal(ns_safetensors_parse(bytes, 10, "x", &tensors, &count, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "promise a header of 18374686479671623683 bytes"));
    assert_int_equal(ns_safetensors_parse(bytes, 7, "x", &tensors, &count, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "at least 8 bytes, found 7"));
    const unsigned char archive[] = "PK\3\4\24\0\0\10 and more";
    assert_int_equal(ns_safetensors_parse(archive, 18, "x", &tensors, &count, &err), NS_EINPUT);
    assert_string_equal(err.message,
                        "x: expected a safetensors file, found a zip archive (.npz, .pt, .zip)");
    assert_int_equal(ns_safetensors_parse(NULL, 0, "x", &tensors, &count, &err), NS_EINPUT);
}

/* Parsed from a block of exactly that size, so that a sanitizer sees a byte read beyond it. */
static bool opens(const unsigned char *bytes, size_t size) {
    unsigned char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    if (size) memcpy(exact, bytes, size);
    ns_stored *tensors;
    int count;
    ns_error err = {0};
    int status = ns_safetensors_parse(exact, size, "damaged", &tensors, &count, &err);
    free(exact);
    if (!status)
        ns_stored_free(tensors, count);
    else if (status != NS_EINPUT || strncmp(err.message, "damaged: ", 9) != 0 ||
             strlen(err.message) < 20)
        fail_msg("%zu bytes: status %d, message '%s'", size, status, err.message);
    return !status;
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = read_whole(GOLDEN, &size);
    assert_true(size > 500);
    for (size_t n = 0; n < size; n++) assert_false(opens(bytes, n));
    assert_true(opens(bytes, size));
    free(bytes);
}

/* Every bit of the header, some 3,500 places: what opens is what the format's own library opens (a letter of a name, of
 * the free text, an extent beside a 0). */
static void every_flipped_bit_opens_as_it_should(void **state) {
    (void)state;
    size_t size, digits;
    unsigned char *bytes = read_whole(GOLDEN, &size);
    char *flips = (char *)read_whole("tests/golden/weights.flips", &digits);
    size_t head = 8 + bytes[0] + 256u * bytes[1], bit = 0, opened = 0;
    for (const char *at = flips; *at; at++) {
        if (*at == '\n') continue;
        int nibble = *at <= '9' ? *at - '0' : *at - 'a' + 10;
        for (int i = 0; i < 4; i++, bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            bool found = opens(bytes, size), expected = nibble >> i & 1;
            if (found != expected)
                fail_msg("bit %zu of byte %zu flipped: expected it %s", bit % 8, bit / 8,
                         expected ? "to open" : "to be refused");
            opened += found;
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
    assert_int_equal(bit, 8 * head);
    assert_true(opened > 100 && opened < bit / 4);
    free(bytes);
    free(flips);
}

/* The same through the door that programs use, with a real checkpoint: cut at 500 places, flipped at 500. */
static void a_damaged_checkpoint(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = read_whole("datasets/vit-fmnist-layernorm/model.safetensors", &size);
    size_t head = 8 + bytes[0] + 256u * bytes[1];
    char path[256];
    snprintf(path, sizeof path, "%s/model.safetensors", ns_tests_folder());
    write_whole(path, bytes, size);
    ns_weights *w;
    for (size_t i = 0; i < 500; i++) {
        size_t at = i * 2654435761u % head;
        unsigned char flipped = bytes[at] ^ (unsigned char)(1 << i % 8);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        fseek(file, (long)at, SEEK_SET);
        fputc(flipped, file);
        fclose(file);
        ns_error err = {0};
        int status = ns_weights_open(&w, path, &err);
        if (status && (status != NS_EINPUT || !strstr(err.message, path)))
            fail_msg("byte %zu: status %d, '%s'", at, status, err.message);
        ns_weights_close(w);
        file = fopen(path, "r+b");
        assert_non_null(file);
        fseek(file, (long)at, SEEK_SET);
        fputc(bytes[at], file);
        fclose(file);
    }
    ns_error err = {0};
    if (ns_weights_open(&w, path, &err)) fail_msg("%s", err.message);
    ns_weights_close(w);
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(truncate(path, (off_t)(size - 1 - i * (size - 1) / 499)), 0);
        if (ns_weights_open(&w, path, &err) != NS_EINPUT || !strstr(err.message, path))
            fail_msg("cut at place %zu: '%s'", i, err.message);
    }
    free(bytes);
}

static void a_folder_of_shards(void **state) {
    (void)state;
    static const char *const index = "{\"metadata\":{},\"weight_map\":{\"a\":\"1.safetensors\","
                                     "\"b\":\"2.safetensors\",\"c\":\"2.safetensors\"}}";
    static const char *const second = "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"
                                      "[0,8]},\"c\":{\"dtype\":\"F16\",\"shape\":[1],"
                                      "\"data_offsets\":[8,10]}}";
    char folder[200], path[256];
    snprintf(folder, sizeof folder, "%s", ns_tests_folder());
    const struct {
        const char *first, *second, *index, *config, *expected;
    } cases[] = {
        {"{" ONE "}", second, index, "{\"depth\": 3}", NULL},
        {"{" ONE "}", second, index, "{\"depth\": 3,", "config.json: expected JSON"},
        {"{" ONE "}", second, index, "[]", "config.json: expected a JSON object"},
        {"{" ONE "}", second, "{}", "{}", "index.json: expected an object \"weight_map\""},
        {"{" ONE "}", second, "{\"weight_map\":{}}", "{}", "expected an object \"weight_map\""},
        {"{" ONE "}", second, "{\"weight_map\":{\"a\":\"../1.safetensors\"}}", "{}",
         "tensor a: expected the name of a file in the same folder, found '../1.safetensors'"},
        {"{" ONE "}", second, "{\"weight_map\":{\"a\":3}}", "{}", "found 'no text'"},
        {"{" ONE "}", second, "{\"weight_map\":{\"a\":\"3.safetensors\"}}", "{}",
         "3.safetensors: cannot be opened"},
        {"{" ONE "}", second,
         "{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\","
         "\"c\":\"2.safetensors\"}}",
         "{}", "tensor b: expected in 1.safetensors by this index, found in "},
        {"{" ONE "}", second, "{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}}",
         "{}", "tensor c: expected in no shard by this index"},
        {"{}", second, index, "{}", "tensor a: expected in 1.safetensors by this index, not found"},
        {"{" ONE ",\"b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}}", second, index,
         "{}", "tensor b: expected in 2.safetensors by this index, found in "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(path, sizeof path, "%s/1.safetensors", folder);
        write_header(path, cases[i].first, strlen(cases[i].first) > 2 ? 8 : 0);
        snprintf(path, sizeof path, "%s/2.safetensors", folder);
        write_header(path, cases[i].second, 10);
        snprintf(path, sizeof path, "%s/config.json", folder);
        write_whole(path, cases[i].config, strlen(cases[i].config));
        snprintf(path, sizeof path, "%s/model.safetensors.index.json", folder);
        write_whole(path, cases[i].index, strlen(cases[i].index));
        ns_weights *w;
        ns_error err = {0};
        int status = ns_weights_open(&w, folder, &err);
        if (!cases[i].expected) {
            if (status) fail_msg("%s", err.message);
            assert_int_equal(ns_weights_count(w), 3);
            assert_non_null(ns_weights_config(w));
            assert_non_null(strstr(ns_weights_find(w, "b")->file, "/2.safetensors"));
            const float *values;
            const int64_t one = 1;
            assert_int_equal(ns_weights_get(w, "c", 1, &one, &values, &err), NS_OK);
            char hex[NS_HASH_HEX];
            assert_int_equal(ns_weights_hash(w, hex, &err), NS_OK);
        } else if (status != NS_EINPUT || !strstr(err.message, cases[i].expected)) {
            fail_msg("expected '%s', found '%s'", cases[i].expected, err.message);
        }
        ns_weights_close(w);
    }
}

static void folders_without_weights(void **state) {
    (void)state;
    ns_weights *w;
    ns_error err = {0};
    assert_int_equal(ns_weights_open(&w, ns_tests_folder(), &err), NS_EINPUT);
    assert_non_null(
        strstr(err.message, "expected model.safetensors, model.safetensors.index.json, "));
    assert_int_equal(ns_weights_open(&w, "/nowhere/x.safetensors", &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "/nowhere/x.safetensors: cannot be opened: No such file"));
    assert_int_equal(ns_weights_open(&w, "/dev/null", &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "expected a file, found a device"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_of_every_type),
    cmocka_unit_test(unaligned_data),
    cmocka_unit_test(what_is_missing_or_misshapen_is_named),
    cmocka_unit_test(every_check_of_the_header),
    cmocka_unit_test(a_length_beyond_the_file),
    cmocka_unit_test(every_truncation_is_refused),
    cmocka_unit_test(every_flipped_bit_opens_as_it_should),
    cmocka_unit_test(a_damaged_checkpoint),
    cmocka_unit_test(a_folder_of_shards),
    cmocka_unit_test(folders_without_weights),
};
NS_TESTS("weights", tests)
