/* SPDX-License-Identifier: Apache-2.0
 * image.c -- a file of an image: PNG, JPEG, PNM, NumPy. Pixels of all decoded images are summed, so that a
 * sanitizer sees reads of memory that was not written. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char limits[] = "max_side=256,max_bytes=1000000";
    peft_image *im;
    if (!fuzz_valid(peft_image_load_memory(fuzz_context(), data, size, limits, &im))) return 0;
    const int depth = abs(peft_image_depth(im));
    const size_t bytes = (size_t)(peft_image_width(im) * peft_image_height(im) * peft_image_channels(im) * depth / 8);
    const uint8_t *p = peft_image_pixels(im);
    volatile unsigned sum = 0;
    for (size_t i = 0; i < bytes; i++) sum += p[i];
    peft_image_free(im);
    return 0;
}
