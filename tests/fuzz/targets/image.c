/* SPDX-License-Identifier: Apache-2.0
 * image.c -- a file of an image of any format: PNG, JPEG, BMP, .. All pixels of decoded images are read. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read_image(data, size, "max_side=256,max_bytes=1000000");
    return 0;
}
