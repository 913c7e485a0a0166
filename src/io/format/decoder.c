/* SPDX-License-Identifier: Apache-2.0
 * decoder.c -- io_check_limits: refuses images that are larger than the options max_side and max_bytes allow
 * (examples/inspect/picture.c reads the size from the text of the first error);
 * io_region: the part of an image that the option region asks for. */
#include "io/format/decoder.h"
#include <math.h>

peft_status io_check_limits(const io_load_options *limits, int64_t width, int64_t height, int channels, int depth)
{
    if (width > limits->max_side || height > limits->max_side)
        return io_fail(PEFT_E_UNSUPPORTED, "image: %lldx%lld pixels (height x width), the limit (max_side) is %lld; "
                       "make a smaller copy of the file, or load it with a larger max_side", (long long)height,
                       (long long)width, (long long)limits->max_side);
    int64_t bytes = width * height * channels * (depth / 8);               /* max_side <= 2^24: no overflow */
    if (bytes > limits->max_bytes)
        return io_fail(PEFT_E_UNSUPPORTED, "image: %lld bytes decoded, the limit (max_bytes) is %lld; make a smaller "
                       "copy of the file, or load it with a larger max_bytes", (long long)bytes,
                       (long long)limits->max_bytes);
    return PEFT_OK;
}

peft_status io_region(const io_load_options *options, int64_t width, int64_t height, io_box *out)
{
    const double *r = options->region;
    *out = (io_box){ 0, 0, width, height };
    if (r[2] == 0 && r[3] == 0) return PEFT_OK;
    bool good = r[2] >= 1 && r[3] >= 1 && r[0] + r[2] <= (double)width && r[1] + r[3] <= (double)height;
    for (int i = 0; i < 4; i++) good = good && r[i] >= 0 && r[i] == floor(r[i]);
    if (!good)
        return io_fail(PEFT_E_OPTION, "image: region=%g:%g:%g:%g, the picture has %lldx%lld pixels (height x "
                       "width); expected x:y:width:height in whole pixels, inside the picture", r[0], r[1], r[2], r[3],
                       (long long)height, (long long)width);
    *out = (io_box){ (int64_t)r[0], (int64_t)r[1], (int64_t)r[2], (int64_t)r[3] };
    return PEFT_OK;
}
