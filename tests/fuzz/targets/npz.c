/* SPDX-License-Identifier: Apache-2.0
 * npz.c -- a ViT in Google's .npz. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *npz = fuzz_write("vit.npz", data, size);
    fuzz_valid(peft_npz_to_safetensors(fuzz_context(), npz, fuzz_path("vit.safetensors")));
    return 0;
}
