/* SPDX-License-Identifier: Apache-2.0
 * dataset.c -- a data set: the first byte of the input chooses a zip of class folders, a MedMNIST file or a list.
 * Loads the first images of those that open. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "data.zip", "data.npz", "list.txt" };
    static const char *const splits[] = { NULL, "train", NULL };
    const size_t kind = fuzz_choice(&data, &size, 3);
    peft_dataset *d;
    peft_image *im;
    if (!fuzz_valid(peft_dataset_open(fuzz_context(), fuzz_write(names[kind], data, size), splits[kind], &d))) return 0;
    for (int64_t i = 0; i < peft_dataset_count(d) && i < 3; i++) {
        if (!peft_dataset_name(d, i)) abort();
        if (fuzz_valid(peft_dataset_load(d, i, &im))) peft_image_free(im);
    }
    peft_dataset_free(d);
    return 0;
}
