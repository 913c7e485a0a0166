/* SPDX-License-Identifier: Apache-2.0
 * adapter.c -- a file of an adapter or of a model. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    peft_adapter *a;
    peft_model *m;
    const char *path = fuzz_write("adapter.safetensors", data, size);
    if (fuzz_valid(peft_adapter_load(fuzz_backbone(), path, &a))) peft_adapter_free(a);
    if (fuzz_valid(peft_model_load(fuzz_backbone(), path, &m))) peft_model_free(m);
    return 0;
}
