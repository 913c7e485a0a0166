/* SPDX-License-Identifier: Apache-2.0
 * pickle.c -- the pickle of a PyTorch file, inside an archive with one storage, so that mutations reach the pickle
 * machine and not the zip reader. */
#include "fuzz/fuzz.h"
#include "torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t storage[256];
    peft_file *f;
    peft_backbone *b;
    bytes file = torch_zip(data, size, storage, sizeof storage);
    const char *path = fuzz_write("weights.pth", file.data, file.size);
    if (fuzz_valid(peft_file_open(fuzz_context(), path, &f))) peft_file_free(f);
    if (fuzz_valid(peft_backbone_load_memory(fuzz_context(), file.data, file.size, NULL, &b))) peft_backbone_free(b);
    bytes_free(&file);
    return 0;
}
