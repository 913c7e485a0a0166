/* SPDX-License-Identifier: Apache-2.0
 * decoder.c -- io_check_limits: refuses images that are larger than the options max_side and max_bytes allow. */
#include "io/format/decoder.h"

peft_status io_check_limits(const io_load_options *limits, int64_t width, int64_t height, int channels, int depth)
{
    if (width > limits->max_side || height > limits->max_side)
        return io_fail(PEFT_E_UNSUPPORTED, "image: %lld x %lld, the limit (max_side) is %lld; make a smaller copy of "
                       "the file, or load it with a larger max_side", (long long)width, (long long)height,
                       (long long)limits->max_side);
    int64_t bytes = width * height * channels * (depth / 8);               /* max_side <= 2^24: no overflow */
    if (bytes > limits->max_bytes)
        return io_fail(PEFT_E_UNSUPPORTED, "image: %lld bytes decoded, the limit (max_bytes) is %lld; make a smaller "
                       "copy of the file, or load it with a larger max_bytes", (long long)bytes,
                       (long long)limits->max_bytes);
    return PEFT_OK;
}
