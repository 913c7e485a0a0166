/* SPDX-License-Identifier: Apache-2.0
 * model_hash.c -- a digest of the trained values of a model (model_hash.h). */
#include "model_hash.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>

void hash_model(peft_model *m, char hex[65])
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        const peft_param *p = peft_model_param(m, i);
        const peft_tensor *v = peft_param_value((peft_param *)p);
        peft_sha256(peft_tensor_cdata(v), (size_t)peft_tensor_count(v) * sizeof(float), hex);
        fprintf(f, "%s", peft_param_name(p));
        for (int d = 0; d < peft_tensor_ndim(v); d++) fprintf(f, " %lld", (long long)peft_tensor_dim(v, d));
        fprintf(f, " %s\n", hex);
    }
    if (fclose(f)) fail("out of memory");
    peft_sha256(text, size, hex);
    free(text);
}
