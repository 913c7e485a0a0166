/* SPDX-License-Identifier: Apache-2.0
 * save_tensors.c -- the tensors of a saved backbone: each under its name in the library's naming, or in the parts or
 * the form in which the library stores it. */
#include <stdio.h>
#include <string.h>
#include "core/bits/weight_reader.h"
#include "core/weights/int8_file.h"
#include "core/weights/save/save.h"
#include "kernels/ref/int8.h"

/* Adds a tensor whose name in the library, without prefix, is name. timm: whose it is or is made of. */
static peft_status put(const pf_form *f, pf_st_out *o, const char *timm, const char *name, bool flat,
                       const peft_tensor *t)
{
    const char *dot = "", *prefix = f->model ? f->model->prefix : "";
    char full_name[3 * PF_NAME_MAX];
    int skip = 0;
    if (!prefix) prefix = f->classifier ? f->model->type : "", dot = *prefix ? "." : "";
    if (!strncmp(timm, "head", strlen("head"))) prefix = dot = "";         /* head and head_dist, the classifiers */
    while (flat && skip < t->ndim - 1 && t->dim[skip] == 1) skip++;
    snprintf(full_name, sizeof full_name, "%s%s%s", prefix, dot, name);
    if (t->scales) return pf_int8_add(o, full_name, t);
    return pf_st_out_floats(o, full_name, f->type->type, t->ndim - skip, t->dim + skip, t->type, t->data);
}

/* Adds t under the name that the row of the timm name gives it; *found false: there is no such row. */
static peft_status put_named(const pf_form *f, pf_st_out *o, const char *timm, int part, const peft_tensor *t,
                             bool *found)
{
    char name[PF_NAME_MAX];
    const pf_name_row *r = pf_naming_from_timm(pf_all_families, f->names, &f->shape, timm, part, name);
    *found = r != NULL;
    return r ? put(f, o, timm, name, r->needs & PF_FLAT, t) : PEFT_OK;
}

/* A tensor like t with dim as its extent `axis`, whose data is to be filled, as f32; data NULL: no memory. */
static peft_tensor make(const peft_backbone *b, pf_made *made, const peft_tensor *t, int axis, int64_t dim)
{
    peft_tensor out = *t;
    out.type = PF_REAL;
    out.dim[axis] = dim;
    const bool room = made->count < sizeof made->data / sizeof *made->data;
    out.data = room ? pf_alloc(b->ctx, pf_tensor_bytes(&out)) : NULL;
    if (out.data) made->data[made->count++] = out.data;
    else pf_nomem("a tensor to save", pf_tensor_bytes(&out));
    return out;
}

/* A library's position embedding has a row for the class token, and some also for registers. If b has none, because
 * that row was added to the token, *out becomes a copy with rows of -0 for them: adding -0 changes no bit, whereas
 * adding +0 would change -0. Else it is t. */
static peft_status make_positions(const peft_backbone *b, const pf_form *f, pf_made *made, const peft_tensor *t,
                                  peft_tensor *out)
{
    const pf_vit_shape *s = &f->shape;
    const bool timm = f->names == &pf_naming_timm || f->names == &pf_naming_timm_unfused;
    const bool all_rows = timm ? s->timm_form & PF_TIMM_PREFIX_ROWS : f->model && f->model->all_rows;
    const int64_t given = s->pos_prefix, patches = t->dim[1] - given;
    const int64_t wanted = timm && !all_rows ? given : s->class_token + (all_rows ? s->registers : 0);
    *out = *t;
    if (given >= wanted) return PEFT_OK;
    *out = make(b, made, t, 1, wanted + patches);
    pk_real *x = out->data;
    if (!x) return PEFT_E_NOMEM;
    const pk_real *from = t->data;
    memcpy(x, from, (size_t)(given * s->width) * sizeof *x);
    for (int64_t c = given * s->width; c < wanted * s->width; c++) x[c] = (pk_real)-0.0;
    memcpy(x + wanted * s->width, from + given * s->width, (size_t)(patches * s->width) * sizeof *x);
    return PEFT_OK;
}

/* Adds the parts of a tensor that the naming stores in parts, 1 to n, of equal numbers of rows. *found false: the
 * naming stores it whole. */
static peft_status put_parts(const pf_form *f, pf_st_out *o, const char *timm, const peft_tensor *t, bool *found)
{
    const int n = pf_name_parts(timm);
    peft_tensor part = *t;
    part.dim[0] /= n;
    PF_TRY(put_named(f, o, timm, 1, &part, found));
    for (int p = 2; *found && p <= n; p++) {
        const bool of_k = n == 3 && p == 2 && t->ndim == 1;
        part.data = (char *)t->data + (size_t)(p - 1) * pf_tensor_bytes(&part);
        if (t->scales) part.scales = t->scales + (p - 1) * part.dim[0] * pk_int8_pieces(part.dim[1]).count;
        if (!of_k || f->k_bias) PF_TRY(put_named(f, o, timm, p, &part, found));
    }
    return PEFT_OK;
}

/* Attention pooling: adds q and kv as one tensor, if the naming has it; t is that of q. *found: q and kv are done. */
static peft_status put_pool_qkv(const peft_backbone *b, const pf_form *f, pf_made *made, pf_st_out *o, const char *timm,
                                const peft_tensor *t, bool *found)
{
    char name[PF_NAME_MAX], kv_name[PF_NAME_MAX], qkv[PF_NAME_MAX];
    const char *word = strrchr(timm, '.') + 1;
    snprintf(qkv, sizeof qkv, "attn_pool.qkv.%s", word);
    snprintf(kv_name, sizeof kv_name, "attn_pool.kv.%s", word);
    const pf_name_row *r = pf_naming_from_timm(pf_all_families, f->names, &f->shape, qkv, PF_WHOLE_TENSOR, name);
    *found = r != NULL;
    if (!r || strcmp(timm, kv_name) == 0) return PEFT_OK;
    const peft_tensor *kv = pf_backbone_find(b, kv_name);
    peft_tensor whole = make(b, made, t, 0, t->dim[0] + kv->dim[0]);
    if (!whole.data) return PEFT_E_NOMEM;
    pf_tensor_read(whole.data, t);
    pf_tensor_read((pk_real *)whole.data + peft_tensor_count(t), kv);
    return put(f, o, timm, name, false, &whole);
}

/* The classifier of class and distillation token side by side as two, whose outputs are averaged: each weight is twice
 * the part of its token, each bias is the whole one. *found false: the naming has one classifier. */
static peft_status put_pair(const peft_backbone *b, const pf_form *f, pf_made *made, pf_st_out *o, const char *timm,
                            const peft_tensor *t, bool *found)
{
    const bool weight = t->ndim == 2;
    const char *name[2] = { timm, weight ? "head_dist.weight" : "head_dist.bias" };
    const int64_t rows = t->dim[0], cols = f->shape.width;
    char theirs[PF_NAME_MAX];
    *found = pf_naming_from_timm(pf_all_families, f->names, &f->shape, name[1], PF_WHOLE_TENSOR, theirs) != NULL;
    for (int k = 0; *found && k < 2; k++) {
        peft_tensor half = *t;
        if (weight) {
            peft_tensor all = make(b, made, t, 1, t->dim[1]);
            half = make(b, made, t, 1, cols);
            if (!all.data || !half.data) return PEFT_E_NOMEM;
            pf_tensor_read(all.data, t);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t c = 0; c < cols; c++)
                    ((pk_real *)half.data)[r * cols + c] = 2 * ((pk_real *)all.data)[(2 * r + k) * cols + c];
        }
        PF_TRY(put_named(f, o, name[k], PF_WHOLE_TENSOR, &half, found));
    }
    return PEFT_OK;
}

peft_status pf_save_tensor(const peft_backbone *b, const pf_form *f, pf_made *made, pf_st_out *o, const char *timm,
                           const peft_tensor *t)
{
    bool found = false;
    peft_tensor positions;
    if (!strcmp(timm, "pos_embed")) {
        PF_TRY(make_positions(b, f, made, t, &positions));
        t = &positions;
    }
    if (pf_name_matches("attn_pool.q.@", timm) || pf_name_matches("attn_pool.kv.@", timm))
        PF_TRY(put_pool_qkv(b, f, made, o, timm, t, &found));
    if (pf_is_classifier(timm) && f->shape.pool == PF_FEATURE_CLS_DIST)
        PF_TRY(put_pair(b, f, made, o, timm, t, &found));
    if (!found) PF_TRY(put_parts(f, o, timm, t, &found));
    if (!found) PF_TRY(put_named(f, o, timm, PF_WHOLE_TENSOR, t, &found));
    return found ? PEFT_OK : pf_fail(PEFT_E_UNSUPPORTED, "tensor '%s' has no name in the naming %s: expected "
                                     "naming=timm", timm, f->naming->name);
}

peft_status pf_save_filled(const peft_backbone *b, const pf_form *f, pf_made *made, pf_st_out *o)
{
    for (const pf_filled *c = f->model ? f->model->filled : NULL; c && c->name; c++) {
        if (c->with_classifier && !f->classifier) continue;
        const peft_tensor row = { .ndim = 1 + c->leading, .dim = { 1, 1, 1 } };
        const peft_tensor t = make(b, made, &row, c->leading, f->shape.width);
        if (!t.data) return PEFT_E_NOMEM;
        for (int64_t i = 0; i < f->shape.width; i++) ((pk_real *)t.data)[i] = c->value;
        PF_TRY(put(f, o, "norm.weight", c->name, false, &t));
    }
    if (!f->model || !f->model->no_registers || f->shape.registers) return PEFT_OK;
    const peft_tensor none = { .ndim = 3, .dim = { 1, 0, f->shape.width }, .type = PF_REAL, .data = made };
    return put(f, o, "reg_token", f->model->no_registers, false, &none);
}
