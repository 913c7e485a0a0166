/* SPDX-License-Identifier: Apache-2.0
 * first_weights.c -- mimetic initialisation of attention weights and position embeddings (first_weights.h). */
#include "first_weights.h"
#include <math.h>
#include <string.h>

/* qkv: [3*width, width], the rows of queries, keys and values, random with standard deviation 0.02; it becomes 0.1 for
 * queries and sqrt(0.4 / width) for values. W_k = W_q makes W_q' W_k close to a multiple of the identity (' is the
 * transpose); proj = -W_v' makes proj W_v close to a negative multiple. */
static void init_attention(float *qkv, float *proj, int64_t width)
{
    const float query_scale = 0.1f / 0.02f, value_scale = sqrtf(0.4f / (float)width) / 0.02f;
    float *q = qkv, *k = qkv + width * width, *v = k + width * width;
    for (int64_t i = 0; i < width * width; i++) {
        q[i] *= query_scale;
        k[i] = q[i];
        v[i] *= value_scale;
    }
    for (int64_t row = 0; row < width; row++)
        for (int64_t column = 0; column < width; column++) proj[row * width + column] = -v[column * width + row];
}

/* x: [tokens, width] with tokens = 1 + grid*grid, the position embeddings of the class token and the patches. Sets
 * those of patches to sines and cosines of the patch's column (first half of the features) and row (second half), with
 * wavelengths of 2 pi to 200 pi patches. The amplitude 0.2 is about that of embedded patches. */
static void init_positions(float *x, int64_t tokens, int64_t width)
{
    const int64_t grid = (int64_t)sqrt((double)tokens), quarter = width / 4;
    for (int64_t t = 0; t < grid * grid; t++)
        for (int64_t i = 0; i < quarter; i++) {
            const double rate = pow(100, -(double)i / (double)quarter);
            const double across = (double)(t % grid) * rate, down = (double)(t / grid) * rate;
            float *y = x + (tokens - grid * grid + t) * width + i;
            y[0] = (float)(0.2 * sin(across));
            y[quarter] = (float)(0.2 * cos(across));
            y[2 * quarter] = (float)(0.2 * sin(down));
            y[3 * quarter] = (float)(0.2 * cos(down));
        }
}

/* A block's qkv comes before its proj in the list of parameters. */
void init_mimetic(peft_model *m)
{
    float *qkv = NULL;
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_param *p = peft_model_param(m, i);
        peft_tensor *value = peft_param_value(p);
        const char *name = peft_param_name(p);
        const int last = peft_tensor_ndim(value) - 1;
        if (!strcmp(name, "pos_embed"))
            init_positions(peft_tensor_data(value), peft_tensor_dim(value, last - 1), peft_tensor_dim(value, last));
        if (strstr(name, "attn.qkv.weight")) qkv = peft_tensor_data(value);
        if (strstr(name, "attn.proj.weight"))
            init_attention(qkv, peft_tensor_data(value), peft_tensor_dim(value, last));
    }
}
