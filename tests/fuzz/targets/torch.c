/* SPDX-License-Identifier: Apache-2.0
 * torch.c -- a PyTorch file in either form: a zip archive or a sequence of pickles. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    peft_file *f;
    peft_backbone *b;
    const char *path = fuzz_write("pytorch_model.bin", data, size);
    if (fuzz_valid(peft_file_open(fuzz_context(), path, &f))) peft_file_free(f);
    if (fuzz_valid(peft_backbone_load(fuzz_context(), path, NULL, &b))) peft_backbone_free(b);
    return 0;
}
