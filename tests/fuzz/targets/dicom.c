/* SPDX-License-Identifier: Apache-2.0
 * dicom.c -- a DICOM file: its first frame through the first window and as values of the modality. All pixels of
 * decoded images are read. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = { "max_side=256,max_bytes=1000000,slice=0",
                                           "max_side=256,max_bytes=1000000,slice=0,window=none" };
    for (int i = 0; i < 2; i++)
        if (!fuzz_read_image(data, size, options[i])) break;
    return 0;
}
