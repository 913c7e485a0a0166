/* SPDX-License-Identifier: Apache-2.0
 * first_weights.c -- see first_weights.h. */
#include "first_weights.h"
#include <math.h>
#include <string.h>

/* w: [3*width, width], the rows of the queries, keys and values, trunc_normal:0.02 before. With equal queries and keys
 * W_q' W_k is near a multiple of the identity; with proj = -W_v', so is their product. */
static void mimic_attention(float *qkv, float *proj, int64_t width)
{
    const float like = 0.1f / 0.02f, own = sqrtf(0.4f / (float)width) / 0.02f;
    float *q = qkv, *k = qkv + width * width, *v = k + width * width;
    for (int64_t i = 0; i < width * width; i++) {
        q[i] *= like;
        k[i] = q[i];
        v[i] *= own;
    }
    for (int64_t row = 0; row < width; row++)
        for (int64_t column = 0; column < width; column++) proj[row * width + column] = -v[column * width + row];
}

/* x: [1 + grid*grid, width]: sines and cosines of the column in the first half of the features, of the row in the
 * second, wavelengths from 2 pi patches to 100 times that, of the size that embedded patches have. */
static void mimic_places(float *x, int64_t tokens, int64_t width)
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

void mimic_trained(peft_model *m)
{
    float *qkv = NULL;
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_param *p = peft_model_param(m, i);
        peft_tensor *value = peft_param_value(p);
        const char *name = peft_param_name(p);
        const int last = peft_tensor_ndim(value) - 1;
        if (!strcmp(name, "pos_embed"))
            mimic_places(peft_tensor_data(value), peft_tensor_dim(value, last - 1), peft_tensor_dim(value, last));
        if (strstr(name, "attn.qkv.weight")) qkv = peft_tensor_data(value);
        if (strstr(name, "attn.proj.weight"))
            mimic_attention(qkv, peft_tensor_data(value), peft_tensor_dim(value, last));
    }
}
