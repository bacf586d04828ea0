#include "plots/canvas/libraries.h"

#include <cairo.h>
#include <cblas.h>
#include <hdf5.h>
#include <jansson.h>
#include <omp.h>
#include <pango/pango.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "datasets/pixels.h"

char *ns_libraries(char *text, size_t size) {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, size,
             "HDF5 %u.%u.%u\n%s, %d threads\ncairo %s\nPango %s\nlibpng %s\nzlib %s\njansson %s\n",
             major, minor, release, openblas_get_config(), omp_get_max_threads(),
             cairo_version_string(), pango_version_string(), png_get_libpng_ver(NULL),
             zlibVersion(), jansson_version_str());
    int webp = ns_webp_version();
    size_t used = strlen(text);
    if (webp)
        snprintf(text + used, size - used, "libwebp %d.%d.%d\n", webp >> 16, webp >> 8 & 255,
                 webp & 255);
    return text;
}
