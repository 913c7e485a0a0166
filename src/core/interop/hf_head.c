/* SPDX-License-Identifier: Apache-2.0
 * hf_head.c -- an adapter of the classifier. This library trains a head as a whole, so the update that the file holds
 * for the backbone's classifier is merged into the weight and bias of a linear head. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/bits/cayley.h"
#include "core/bits/finite.h"
#include "core/bits/weight_reader.h"
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

/* The classifier [classes,width] being made, in double precision. */
typedef struct {
    const peft_backbone *b;
    const pf_peft_config *config;
    const pf_module *module;
    const pf_st *file;
    int64_t classes, width;
    double *weight, *bias;
} head;

/* Reads the tensor with this ending into floats, which the caller frees. first and second: its expected extents; 0:
 * any, or for second: the tensor is a vector. */
static peft_status read_tensor(const head *h, const char *ending, int64_t first, int64_t second, pk_real **out,
                               int64_t *rows)
{
    char key[PF_KEY_MAX], given[96];
    pf_peft_key(h->module, h->module->path, ending, key);
    const pf_st_tensor *t = pf_st_find(h->file, key);
    if (!t) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", key);
    if (t->ndim != (second ? 2 : 1) || (first && t->dim[0] != first) || (second && t->dim[1] != second && second > 0))
        return pf_fail(PEFT_E_FORMAT, "tensor '%s': given %s, which does not fit a classifier [%lld, %lld]", key,
                       pf_dims_text(given, sizeof given, t->ndim, t->dim), (long long)h->classes, (long long)h->width);
    const int64_t count = t->dim[0] * (second ? t->dim[1] : 1);
    *out = pf_alloc(h->b->ctx, (size_t)count * sizeof **out);
    if (!*out) return pf_nomem("tensor of the classifier", (size_t)count * sizeof **out);
    *rows = t->dim[0];
    if (!pf_to_real(*out, t->data, t->type, count))
        return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16 or BF16", key, t->type_name);
    return pf_finite(*out, count) ? PEFT_OK : pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", key);
}

/* Adds scale B A; with DoRA each row then gets the length that the file has for it. */
static peft_status add_lora(const head *h)
{
    pk_real *a = NULL, *b = NULL, *m = NULL;
    int64_t rank, rows;
    const bool dora = json_is_true(pf_json_get(h->config->root, "use_dora"));
    const bool rslora = json_is_true(pf_json_get(h->config->root, "use_rslora"));
    peft_status s = read_tensor(h, ".lora_A.weight", h->module->rank, h->width, &a, &rank);
    if (!s) s = read_tensor(h, ".lora_B.weight", h->classes, rank, &b, &rows);
    if (!s && dora) s = read_tensor(h, ".lora_magnitude_vector", h->classes, 0, &m, &rows);
    const double scale = s ? 0 : h->module->alpha / (rslora ? sqrt((double)rank) : (double)rank);
    for (int64_t i = 0; i < h->classes && !s; i++) {
        double *row = h->weight + i * h->width, squares = 0;
        for (int64_t j = 0; j < h->width; j++) {
            double sum = 0;
            for (int64_t k = 0; k < rank; k++) sum += (double)b[i * rank + k] * (double)a[k * h->width + j];
            row[j] += scale * sum;
            squares += row[j] * row[j];
        }
        for (int64_t j = 0; j < h->width && m; j++) row[j] *= m[i] / sqrt(squares);
    }
    pf_free(h->b->ctx, a);
    pf_free(h->b->ctx, b);
    pf_free(h->b->ctx, m);
    return s;
}

/* Multiplies rows and bias (outputs), or columns (inputs). */
static peft_status scale_by_ia3(const head *h)
{
    pk_real *factor = NULL;
    int64_t rows;
    const bool input = h->module->forward;
    peft_status s = read_tensor(h, ".ia3_l", input ? 1 : h->classes, input ? h->width : 1, &factor, &rows);
    for (int64_t i = 0; i < h->classes && !s; i++) {
        for (int64_t j = 0; j < h->width; j++) h->weight[i * h->width + j] *= factor[input ? j : i];
        if (!input) h->bias[i] *= factor[i];
    }
    pf_free(h->b->ctx, factor);
    return s;
}

/* Adds diag(b) B diag(d) A, with the first rows of B. */
static peft_status add_vera(const head *h)
{
    pk_real *shared[2] = { NULL, NULL }, *d = NULL, *b = NULL;
    int64_t rank = 0, rows, extent[2][2] = { { 0 } };
    peft_status s = read_tensor(h, ".vera_lambda_d", 0, 0, &d, &rank);
    if (!s) s = read_tensor(h, ".vera_lambda_b", h->classes, 0, &b, &rows);
    for (int i = 0; i < 2 && !s; i++) {
        const char *name = i ? PF_PEFT_SHARED "vera_B" : PF_PEFT_SHARED "vera_A";
        const pf_st_tensor *t = pf_st_find(h->file, name);
        const int64_t least[2] = { i ? h->classes : rank, i ? rank : h->width };
        if (!t || t->ndim != 2 || t->dim[0] < least[0] || t->dim[1] < least[1])
            s = pf_fail(PEFT_E_FORMAT, "tensor '%s' %s", name, t ? "is too small for the classifier" : "is missing");
        const int64_t count = s ? 1 : t->dim[0] * t->dim[1];
        if (!s) memcpy(extent[i], t->dim, sizeof extent[i]);
        shared[i] = s ? NULL : pf_alloc(h->b->ctx, (size_t)count * sizeof *shared[i]);
        if (!s && !shared[i]) s = pf_nomem("matrix of VeRA", (size_t)count * sizeof *shared[i]);
        if (!s && !pf_to_real(shared[i], t->data, t->type, count))
            s = pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16 or BF16", name, t->type_name);
    }
    for (int64_t i = 0; i < h->classes && !s; i++)
        for (int64_t j = 0; j < h->width; j++) {
            double sum = 0;
            for (int64_t k = 0; k < rank; k++)
                sum += (double)shared[1][i * extent[1][1] + k] * (double)d[k] * (double)shared[0][k * extent[0][1] + j];
            h->weight[i * h->width + j] += b[i] * sum;
        }
    for (int i = 0; i < 2; i++) pf_free(h->b->ctx, shared[i]);
    pf_free(h->b->ctx, d);
    pf_free(h->b->ctx, b);
    return s;
}

/* Multiplies the weight with the transposed rotations. */
static peft_status rotate(const head *h)
{
    pk_real *packed = NULL;
    int64_t matrices = 0;
    char key[PF_KEY_MAX];
    pf_peft_key(h->module, h->module->path, ".oft_R.weight", key);
    const pf_st_tensor *t = pf_st_find(h->file, key);
    int64_t b = 2, width = h->width;
    while (t && t->ndim == 2 && b <= width && b * (b - 1) / 2 < t->dim[1]) b++;
    const bool fits = t && t->ndim == 2 && b * (b - 1) / 2 == t->dim[1] && width % b == 0;
    if (t && (!fits || (t->dim[0] != 1 && t->dim[0] != width / b)))
        return pf_fail(PEFT_E_FORMAT, "tensor '%s' does not fit a classifier of width %lld", key, (long long)width);
    const size_t n = (size_t)(b * b);
    PF_TRY(read_tensor(h, ".oft_R.weight", 0, t ? t->dim[1] : 1, &packed, &matrices));
    double *space = pf_alloc(h->b->ctx, (n * (PF_CAYLEY_SPACES + 1) + (size_t)b) * sizeof *space);
    pk_real *r = (pk_real *)(space + n * PF_CAYLEY_SPACES);
    double *row = space + n * (PF_CAYLEY_SPACES + 1);
    for (int64_t k = 0; space && k < width / b; k++) {
        pf_cayley(packed + k % matrices * t->dim[1], b, (int)pf_oft_numbers_of(h->config).terms, space, r);
        for (int64_t i = 0; i < h->classes; i++) {
            double *at = h->weight + i * width + k * b;
            for (int64_t j = 0; j < b; j++) {
                row[j] = 0;
                for (int64_t c = 0; c < b; c++) row[j] += at[c] * r[j * b + c];
            }
            memcpy(at, row, sizeof *row * (size_t)b);
        }
    }
    pf_free(h->b->ctx, packed);
    pf_free(h->b->ctx, space);
    return space ? PEFT_OK : pf_nomem("matrix of OFT", n * sizeof *space);
}

/* Replaces the bias if the configuration trains it: that of every layer, or those of the adapted layers. */
static peft_status replace_bias(const head *h)
{
    const char *bias = json_string_value(pf_json_get(h->config->root, "bias"));
    pk_real *value = NULL;
    int64_t rows;
    if (!bias || !strcmp(bias, "none") || (strcmp(bias, "all") && !h->module->target)) return PEFT_OK;
    peft_status s = read_tensor(h, ".bias", h->classes, 0, &value, &rows);
    for (int64_t i = 0; i < h->classes && !s; i++) h->bias[i] = value[i];
    pf_free(h->b->ctx, value);
    return s;
}

/* Reads a tensor of the backbone as doubles; without one they stay 0. */
static peft_status start_from(const peft_backbone *b, const char *name, double *out)
{
    const peft_tensor *t = pf_backbone_find(b, name);
    const int64_t count = t ? peft_tensor_count(t) : 0;
    pk_real *buffer = pf_alloc(b->ctx, (size_t)(count + 1) * sizeof *buffer);
    if (!buffer) return pf_nomem("classifier", (size_t)count * sizeof *buffer);
    if (t) pf_tensor_read(buffer, t);
    for (int64_t i = 0; i < count; i++) out[i] = buffer[i];
    pf_free(b->ctx, buffer);
    return PEFT_OK;
}

/* Sets a parameter of the head; without one of this name nothing happens. */
static void set_param(const pf_params *params, const char *name, const double *from)
{
    pf_param *p = pf_params_find(params, name);
    const int64_t count = p ? peft_tensor_count(&p->value) : 0;
    for (int64_t i = 0; i < count; i++) ((pk_real *)p->value.data)[i] = (pk_real)from[i];
}

peft_status pf_peft_fill_head(const peft_backbone *b, const pf_peft_config *c, const pf_module *module,
                              const pf_st *file, const pf_params *params)
{
    const pf_peft_type type = c->type;
    const int64_t classes = b->shape.classes, width = pf_vit_feature_width(&b->shape, b->shape.pool);
    const size_t bytes = (size_t)(classes * (width + 1)) * sizeof(double);
    head h = { b, c, module, file, classes, width, pf_alloc_zero(b->ctx, bytes), NULL };
    if (!h.weight) return pf_nomem("classifier", bytes);
    h.bias = h.weight + classes * width;
    peft_status s = start_from(b, "head.weight", h.weight);
    if (!s) s = start_from(b, "head.bias", h.bias);
    if (!s) s = replace_bias(&h);
    if (!s && module->target)
        s = type == PF_PEFT_LORA ? add_lora(&h) : type == PF_PEFT_VERA ? add_vera(&h)
          : type == PF_PEFT_OFT ? rotate(&h) : scale_by_ia3(&h);
    if (!s) set_param(params, "head.weight", h.weight);
    if (!s) set_param(params, "head.bias", h.bias);
    pf_free(b->ctx, h.weight);
    return s;
}
