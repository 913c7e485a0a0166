/* SPDX-License-Identifier: Apache-2.0
 * merge.c -- peft_model_merge: makes a new backbone whose weights include the adapters and the linear head, and the
 * functions of peft/sys/method.h for methods that can be merged. The model and its backbone do not change. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/bits/cayley.h"
#include "core/bits/weight_reader.h"
#include "core/model/locks.h"

/* One adapter's merge into the backbone `to`; status: the first error. */
struct peft_merge { peft_backbone *to; const peft_method *method; peft_status status; };

pk_real *peft_sys_merge_tensor(peft_merge *m, const char *format, ...)
{
    char name[PF_NAME_MAX];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    const peft_tensor *t = pf_backbone_find(m->to, name);
    if (!t) peft_sys_merge_refuse(m, "the backbone lacks a tensor that it would change, such as a bias");
    return t ? t->data : NULL;
}

bool peft_sys_merge_has(const peft_merge *m, const char *name) { return pf_backbone_find(m->to, name) != NULL; }
const pk_real *peft_sys_merge_value(const pf_param *p) { return p->value.data; }

/* Adds scale * B A (pb, pa) to rows first, first + 1, .. of w. lengths: the L2 norms that these rows are then scaled to
 * (DoRA's magnitudes); NULL: they are not scaled. */
void peft_sys_merge_low_rank(pk_real *w, int64_t first, const pf_param *pa, const pf_param *pb, double scale,
                         const pf_param *lengths)
{
    const pk_real *a = pa->value.data, *b = pb->value.data, *length = lengths ? lengths->value.data : NULL;
    const int64_t rows = pb->value.dim[0], rank = pa->value.dim[0], cols = pa->value.dim[1];
    for (int64_t i = 0; w && i < rows; i++) {
        pk_real *row = w + (first + i) * cols;
        double sum_of_squares = 0;                        /* of the new row */
        for (int64_t j = 0; j < cols; j++) {
            double sum = 0;
            for (int64_t k = 0; k < rank; k++) sum += (double)b[i * rank + k] * (double)a[k * cols + j];
            row[j] = (pk_real)(row[j] + scale * sum);
            sum_of_squares += (double)row[j] * (double)row[j];
        }
        for (int64_t j = 0; length && j < cols; j++)
            row[j] = (pk_real)(row[j] * (length[i] / sqrt(sum_of_squares)));
    }
}

void peft_sys_merge_rotate(peft_merge *m, pk_real *w, int64_t first, int64_t rows, const pf_param *packed, int64_t size,
                           int64_t cols, int64_t terms)
{
    peft_context *ctx = m->to->ctx;
    const size_t n = (size_t)(size * size), result = (n + (size_t)size) * sizeof *w;      /* R, and a row of w R' */
    const size_t bytes = n * PF_CAYLEY_SPACES * sizeof(double) + result;
    double *space = w ? pf_alloc(ctx, bytes) : NULL;
    if (w && !space && !m->status) m->status = pf_nomem("matrix of OFT", bytes);
    const int64_t elements = size * (size - 1) / 2, matrices = packed->value.dim[0];
    for (int64_t h = 0; space && h < cols / size; h++) {
        pk_real *r = (pk_real *)(space + n * PF_CAYLEY_SPACES), *row = r + n;
        pf_cayley((const pk_real *)packed->value.data + h % matrices * elements, size, (int)terms, space, r);
        for (int64_t i = first; i < first + rows; i++) {
            pk_real *at = w + i * cols + h * size;
            for (int64_t k = 0; k < size; k++) {
                double sum = 0;
                for (int64_t c = 0; c < size; c++) sum += (double)at[c] * (double)r[k * size + c];
                row[k] = (pk_real)sum;
            }
            memcpy(at, row, sizeof *row * (size_t)size);
        }
    }
    pf_free(ctx, space);
}

void peft_sys_merge_refuse(peft_merge *m, const char *reason)
{
    if (!m->status) m->status = pf_fail(PEFT_E_UNSUPPORTED, "method '%s' cannot be merged: %s", m->method->name,
                                        reason);
}

/* The tensor `name`; if there is none, norm.* in place of fc_norm.* and vice versa. A model with pool=mean on a
 * backbone that pools the class token trains norm, and the merged backbone has fc_norm. */
static const peft_tensor *find_tensor(const peft_backbone *b, const char *name)
{
    char other[PF_NAME_MAX + 4];
    const bool fc = !strncmp(name, "fc_", strlen("fc_"));
    const peft_tensor *t = pf_backbone_find(b, name);
    snprintf(other, sizeof other, "%s%s", fc ? "" : "fc_", fc ? name + strlen("fc_") : name);
    return t ? t : pf_backbone_find(b, other);
}

/* Copies the adapter's trained versions of backbone tensors over those of the new backbone. */
static void copy_unfrozen(peft_merge *m, const peft_adapter *a)
{
    for (size_t i = 0; i < a->params.count; i++) {
        const peft_tensor *t = find_tensor(m->to, a->params.item[i]->name);
        if (t) memcpy(t->data, a->params.item[i]->value.data, pf_tensor_bytes(t));
        else if (!a->method->merge)
            peft_sys_merge_refuse(m, "it computes more than a backbone with changed weights does");
    }
}

/* Fills the new backbone's tensor i from the head or the model's backbone. */
static peft_status copy_tensor(const peft_model *m, peft_backbone *to, size_t i)
{
    const char *name = to->weight[i].name;
    const peft_tensor *from = pf_is_classifier(name) ? m->head->merge(m, name) : find_tensor(m->backbone, name);
    if (!from) return pf_fail(PEFT_E_INTERNAL, "tensor '%s': neither the head nor the model's backbone has it", name);
    if (!pf_backbone_alloc_data(to, i)) return PEFT_E_NOMEM;
    pf_tensor_read(to->weight[i].tensor.data, from);
    return PEFT_OK;
}

/* Fills `to` with the model's weights and lets the adapters change them, in the order of attachment. */
static peft_status merge_adapters(const peft_model *m, peft_backbone *to)
{
    const peft_vit vit = pf_vit_of(&m->backbone->shape);
    for (size_t i = 0; i < to->weights; i++) PF_TRY(copy_tensor(m, to, i));
    size_t merging = 0;                                   /* adapters whose method has a function merge */
    /* Unfrozen tensors of all adapters come first: the forward pass reads them whatever the order of attachment. */
    for (size_t i = 0; i < m->adapters; i++) {
        peft_merge merge = { .to = to, .method = m->adapter[i]->method };
        copy_unfrozen(&merge, m->adapter[i]);
        PF_TRY(merge.status);
        merging += merge.method->merge != NULL;
    }
    for (size_t i = 0; i < m->adapters; i++) {
        peft_merge merge = { .to = to, .method = m->adapter[i]->method };
        const bool several = merging > 1;
        if (merge.method->merge) merge.method->merge(m->adapter[i]->state, &merge, &vit, several);
        PF_TRY(merge.status);
    }
    return PEFT_OK;
}

/* Sets the preprocessing and class names of the new backbone: those in the model's notes, else those of its
 * backbone. */
static peft_status copy_descriptions(const peft_model *m, peft_backbone *to)
{
    const char *note = peft_model_note(m, "preprocess"), *names = peft_model_note(m, "class_names");
    const char *no_change = NULL;                         /* of the class names */
    if (!names && m->head == &pf_head_backbone) names = m->backbone->class_names;
    PF_TRY(pf_backbone_describe(to, m->backbone->preprocess, names));
    if (!note || !pf_backbone_describe(to, note, no_change)) return PEFT_OK;
    pf_warn(to->ctx, "the model's note \"preprocess\" is not copied to the merged backbone: %s", peft_last_error());
    return PEFT_OK;
}

peft_status peft_model_merge(const peft_model *m, peft_backbone **out)
{
    PK_FLOAT_SCOPE;
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    if (!m->head->merge)
        return pf_fail(PEFT_E_UNSUPPORTED, "head %s cannot be merged: a backbone holds a linear classifier",
                       m->head->name);
    pf_vit_shape s = pf_vit_with_pool(&m->backbone->shape, m->pool);
    peft_backbone *b;
    s.classes = m->classes;
    PF_TRY(pf_backbone_alloc(m->backbone->ctx, &s, &b));
    pf_model_lock_read(m);
    peft_status status = merge_adapters(m, b);
    if (!status) status = pf_source_merge(m, b);
    pf_model_unlock(m);
    memcpy(b->rule, m->backbone->rule, sizeof b->rule);
    memcpy(b->note, m->backbone->note, sizeof b->note);
    memcpy(b->model_type, m->backbone->model_type, sizeof b->model_type);
    b->timm_form = m->backbone->timm_form;
    b->naming = m->backbone->naming;
    if (!status) status = pf_backbone_make_rope(b);
    if (!status) status = copy_descriptions(m, b);
    if (status) peft_backbone_free(b);
    else *out = b;
    return status;
}
