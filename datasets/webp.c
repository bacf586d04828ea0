/* WebP by libwebp, where this was built with it (the Makefile asks pkg-config). */
#include "datasets/pixels.h"

#ifdef NS_HAVE_WEBP
#include <stdlib.h>
#include <webp/decode.h>

int ns_webp_version(void) {
    return WebPGetDecoderVersion();
}

static const char *reason(VP8StatusCode code) {
    switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return "cut short";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return "of a kind that is not known";
    default:
        return "damaged";
    }
}

int ns_webp_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                   ns_error *err) {
    WebPBitstreamFeatures about;
    *out = (ns_pixels){0};
    VP8StatusCode code = WebPGetFeatures(bytes, size, &about);
    if (code != VP8_STATUS_OK)
        return ns_fail(err, NS_EINPUT, "%s: the WebP image is %s", path, reason(code));
    if (about.has_animation)
        return ns_fail(err, NS_EINPUT, "%s: expected one picture, found a WebP animation", path);
    int status = ns_pixels_make(out, (uint64_t)about.height, (uint64_t)about.width, 3, path, err);
    if (status) return status;
    size_t row = 3 * (size_t)out->width;
    if (WebPDecodeRGBInto(bytes, size, out->values, row * (size_t)out->height, (int)row))
        return NS_OK;
    free(out->values);
    *out = (ns_pixels){0};
    return ns_fail(err, NS_EINPUT, "%s: the WebP image is damaged or cut short", path);
}

#else

int ns_webp_version(void) {
    return 0;
}

int ns_webp_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                   ns_error *err) {
    (void)bytes, (void)size;
    *out = (ns_pixels){0};
    return ns_fail(err, NS_EINPUT, "%s: a WebP image: this program was built without libwebp",
                   path);
}
#endif
