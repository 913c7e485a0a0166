/* SPDX-License-Identifier: Apache-2.0
 * dataset.c -- a data set: the first byte of the input chooses a zip of class folders, a MedMNIST file, a list or a
 * DICOMDIR. Loads the first images of those that open. No path of a DICOMDIR leads out of its folder. */
#include "fuzz/fuzz.h"

/* Whether a name begins with the folder of the data set and stays in it. */
static bool stays_in(const char *name, const char *path, size_t folder)
{
    const size_t length = strlen(name);
    return !strncmp(name, path, folder) && !strstr(name, "/../") && (length < 3 || strcmp(name + length - 3, "/.."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "data.zip", "data.npz", "list.txt", "DICOMDIR" };
    static const char *const splits[] = { NULL, "train", NULL, NULL };
    static const uint8_t picture[] = "P5 1 1 255\n";          /* its pixel is the 0 at the end */
    const size_t kind = fuzz_choice(&data, &size, 4);
    peft_dataset *d;
    peft_image *im;
    const char *path = fuzz_write(names[kind], data, size);
    if (kind == 3) fuzz_write("im1", picture, sizeof picture);
    if (!fuzz_valid(peft_dataset_open(fuzz_context(), path, splits[kind], &d))) return 0;
    for (int64_t i = 0; i < peft_dataset_count(d) && i < 3; i++) {
        if (!peft_dataset_name(d, i)) abort();
        if (kind == 3 && !stays_in(peft_dataset_name(d, i), path, strlen(path) - strlen(names[kind]))) abort();
        if (fuzz_valid(peft_dataset_load(d, i, &im))) peft_image_free(im);
    }
    peft_dataset_free(d);
    return 0;
}
