/* SPDX-License-Identifier: Apache-2.0
 * checksum.c -- a checksum of all values of a model: parameters and buffers of its adapters and head. */
#include "core/bits/sum.h"
#include "core/model/model.h"

uint64_t pf_model_checksum(const peft_model *m)
{
    uint64_t h = PF_CHECKSUM_START;
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        const peft_tensor *t = &peft_model_param((peft_model *)(uintptr_t)m, i)->value;
        h = pf_checksum_after(h, t->data, pf_tensor_bytes(t));
    }
    for (size_t i = 0; i < peft_model_buffer_count(m); i++) {
        const peft_tensor *t = &pf_model_buffer(m, i)->value;
        h = pf_checksum_after(h, t->data, pf_tensor_bytes(t));
    }
    return h;
}
