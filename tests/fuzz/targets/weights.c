/* SPDX-License-Identifier: Apache-2.0
 * weights.c -- a file of weights: peft_file_open, which lists its tensors, and peft_backbone_load_memory; of a backbone
 * the fingerprint, and the values of matrices stored as int8, which loading does not read. */
#include "fuzz/fuzz.h"

/* Reads what loading left in the file. */
static void read_values(peft_backbone *b)
{
    if (strlen(peft_backbone_fingerprint(b)) != 64) abort();
    for (size_t i = 0; i < peft_backbone_tensor_count(b); i++) {
        const peft_tensor *t = peft_backbone_tensor(b, i);
        if (peft_tensor_dtype(t) != PEFT_I8) continue;
        float *x = malloc((size_t)peft_tensor_count(t) * sizeof *x);
        fuzz_must(x ? peft_tensor_to_f32(t, x, peft_tensor_count(t)) : PEFT_E_NOMEM);
        for (int64_t k = 0; k < peft_tensor_count(t); k++) if (!(x[k] - x[k] == 0)) abort();
        free(x);
    }
}

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
    if (fuzz_valid(peft_backbone_load_memory(fuzz_context(), data, size, NULL, &b))) {
        read_values(b);
        peft_backbone_free(b);
    }
    return 0;
}
