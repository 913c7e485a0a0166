/* SPDX-License-Identifier: Apache-2.0
 * parts.c -- a NIfTI or TIFF file, by the options that choose a part: slices along each axis, as stored and turned;
 * a region and a level. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const volume[] = { "axis=2", "axis=1,orient=ras", "axis=0" };
    static const char *const slide[] = { "", "region=1:1:3:2", "level=1" };
    const bool tiff = size >= 2 && (!memcmp(data, "II", 2) || !memcmp(data, "MM", 2));
    for (int i = 0; i < 3; i++) {
        char text[120];
        peft_image *im;
        snprintf(text, sizeof text, "max_side=256,max_bytes=1000000,slice=0,volume=0,%s", tiff ? slide[i] : volume[i]);
        if (fuzz_valid(peft_image_load_memory(fuzz_context(), data, size, text, &im))) peft_image_free(im);
    }
    return 0;
}
