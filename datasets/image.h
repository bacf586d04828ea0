/* What an image becomes on its way into a model. */
#ifndef NS_IMAGE_H
#define NS_IMAGE_H

#include <stdbool.h>

/* The tensor [channels, height, width] that a model takes. */
typedef struct ns_image_shape {
    int channels, height, width;
    float mean[4], std[4]; /* (value/255 - mean) / std, a channel */
    double crop; /* the shorter side is resized to round(size / crop), then the centre is cut out */
    bool bilinear; /* else bicubic; both antialiased, as Pillow does it */
} ns_image_shape;

#endif
