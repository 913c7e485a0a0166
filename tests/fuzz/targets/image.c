/* SPDX-License-Identifier: Apache-2.0
 * image.c -- a file of an image of any format: PNG, JPEG, BMP, .. All pixels of decoded images are read. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char limits[] = "max_side=256,max_bytes=1000000";
    peft_image *im;
    if (!fuzz_valid(peft_image_load_memory(fuzz_context(), data, size, limits, &im))) return 0;
    const int depth = abs(peft_image_depth(im));         /* bits of a sample; PEFT_SIGNED_16 is -16 */
    const size_t bytes = (size_t)(peft_image_width(im) * peft_image_height(im) * peft_image_channels(im) * depth / 8);
    char digest[65];
    peft_sha256(peft_image_pixels(im), bytes, digest);
    peft_image_free(im);
    return 0;
}
