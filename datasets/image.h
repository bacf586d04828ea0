/* What an image becomes on its way into a model. */
#ifndef NS_IMAGE_H
#define NS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/base/api.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The tensor [channels, height, width] that a model takes, and how an image of another size is brought to it, as
 * torchvision and timm do it: the shorter side is resized to `resize` pixels and the centre is cut out. */
typedef struct ns_image_shape {
    int channels, height, width;
    float mean[4], std[4]; /* (value/255 - mean) / std, a channel */
    int resize;            /* pixels of the shorter side; 0: floor(size / crop) */
    double crop;   /* share of the resized side that is kept; 0: images must have the size above */
    bool stretch;  /* both sides are resized alike, whatever their ratio */
    bool bilinear; /* else bicubic; both antialiased, bit for bit as Pillow does it */
} ns_image_shape;

/* "0.485,0.456,0.406", or one number for all channels, into out[channels]; `option` names it in the message. */
NS_API int ns_image_numbers(const char *option, const char *text, int channels, float out[4],
                            ns_error *err);

/* "224", or "224x336" for height and width, each 1 to 65536. */
NS_API int ns_image_size(const char *option, const char *text, int *height, int *width,
                         ns_error *err);

/* The steps in words, for provenance: "shorter side 256 bicubic, centre 224 x 224, mean 0.5, std 0.5". `resized` and
 * `scaled` say which of them the data's format asks for. Returns text. */
NS_API char *ns_image_steps(const ns_image_shape *shape, bool resized, bool scaled, char text[256]);

#ifdef __cplusplus
}
#endif
#endif
