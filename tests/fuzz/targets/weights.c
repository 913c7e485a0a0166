/* SPDX-License-Identifier: Apache-2.0
 * weights.c -- a file of weights: peft_file_open, which lists its tensors, and peft_backbone_load_memory. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    peft_file *f;
    peft_backbone *b;
    if (fuzz_valid(peft_file_open(fuzz_context(), fuzz_write("weights", data, size), &f))) {
        for (size_t i = 0; i < peft_file_tensor_count(f); i++) {
            if (!peft_file_tensor_name(f, i) || !peft_file_tensor_type(f, i)) abort();
            for (int axis = 0; axis < peft_file_tensor_ndim(f, i); axis++)
                if (peft_file_tensor_dim(f, i, axis) < 0) abort();
        }
        for (size_t i = 0; i < peft_file_meta_count(f); i++)
            if (!peft_file_meta_key(f, i) || !peft_file_meta_value(f, i)) abort();
        peft_file_free(f);
    }
    if (fuzz_valid(peft_backbone_load_memory(fuzz_context(), data, size, NULL, &b))) peft_backbone_free(b);
    return 0;
}
