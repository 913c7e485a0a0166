/* SPDX-License-Identifier: Apache-2.0
 * dicom.c -- a DICOM file: its first frame through the first window and as values of the modality. All pixels of
 * decoded images are read. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = { "max_side=256,max_bytes=1000000,slice=0",
                                           "max_side=256,max_bytes=1000000,slice=0,window=none" };
    for (int i = 0; i < 2; i++) {
        peft_image *im;
        if (!fuzz_valid(peft_image_load_memory(fuzz_context(), data, size, options[i], &im))) return 0;
        const int depth = abs(peft_image_depth(im));         /* bits of a sample; PEFT_SIGNED_16 is -16 */
        const size_t bytes = (size_t)(peft_image_width(im) * peft_image_height(im) * peft_image_channels(im) * depth / 8);
        char digest[65];
        peft_sha256(peft_image_pixels(im), bytes, digest);
        peft_image_free(im);
    }
    return 0;
}
