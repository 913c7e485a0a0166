/* SPDX-License-Identifier: Apache-2.0
 * load_tensors.c -- fills the backbone's tensors from the file: a tensor whose type is used as it is stays in the
 * mapped file, others are converted. Then adds prefix rows of the position embedding to the tokens
 * (pf_loader.fold_prefix) and resamples it to the grid of the image size. */
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"
#include "core/vit/pos_embed.h"

/* Does the file's tensor p fit t? Extents of 1 do not count: [1, 197, 768] fits [197, 768]. If t is a kernel
 * [out, in, h, w], p may be the matrix [out, in * h * w]. The caller compares the number of elements. */
static bool same_extents(const peft_tensor *t, const pf_st_tensor *p)
{
    int i = 0, k = 0;
    for (;; i++, k++) {
        while (i < t->ndim && t->dim[i] == 1) i++;
        while (k < p->ndim && p->dim[k] == 1) k++;
        if (i == t->ndim || k == p->ndim || t->dim[i] != p->dim[k]) break;
    }
    return (i == t->ndim && k == p->ndim) || (t->ndim == 4 && p->ndim == 2 && t->dim[0] == p->dim[0]);
}

/* Checks the extents. Parts are stacked along the first axis, so that their other extents are those of t. */
static peft_status check_extents(const peft_tensor *t, const pf_st_tensor *const *part, int parts)
{
    int64_t count = 0;
    bool fits = parts > 1 || same_extents(t, part[0]);
    const pf_st_tensor *named = NULL;
    char given[96], expected[96];
    for (int p = 0; p < parts; p++) {
        if (!part[p]) {                                 /* zeros in the place of a bias */
            count += t->dim[0] / parts;
            continue;
        }
        if (!named) named = part[p];
        count += pf_dims_count(part[p]->ndim, part[p]->dim);
        if (parts > 1 && (part[p]->ndim != t->ndim || (t->ndim > 1 && part[p]->dim[1] != t->dim[1]))) fits = false;
    }
    if (fits && count == peft_tensor_count(t)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "tensor '%s'%s: given %s, expected %s", named->name,
                   parts > 1 ? " and the other parts of it" : "",
                   pf_dims_text(given, sizeof given, named->ndim, named->dim),
                   pf_dims_text(expected, sizeof expected, t->ndim, t->dim));
}

/* PEFT_E_DTYPE: a part has an element type that is not one of floating-point numbers. */
static peft_status check_types(const pf_st_tensor *const *part, int parts)
{
    for (int p = 0; p < parts; p++)
        if (part[p] && !pf_is_float(part[p]->type))
            return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16, BF16 or F64%s", part[p]->name,
                           part[p]->type_name, part[p]->type == PEFT_I8 ? ", or the metadata that convert --dtype int8 "
                           "writes beside matrices of I8" : "");
    return PEFT_OK;
}

/* The element type in the backbone: a weight matrix keeps f16 or bf16 if all its parts have that type; all other
 * tensors become pk_real. */
static peft_dtype held_type(const pf_weight *w, const pf_st_tensor *const *part, int parts)
{
    const char *end = strrchr(w->name, '.');
    const peft_dtype type = part[0] ? part[0]->type : PF_REAL;
    bool keep = w->tensor.ndim > 1 && end && !strcmp(end, ".weight") && (type == PEFT_F16 || type == PEFT_BF16);
    for (int p = 1; p < parts; p++) keep &= part[p] && part[p]->type == type;
    return keep ? type : PF_REAL;
}

/* Fills tensor i of the backbone by its parts, stacked. A single part that has the right type and alignment stays in
 * the mapped file; else the parts are copied or converted into owned memory. */
static peft_status fill_weight(peft_backbone *b, size_t i, const pf_st_tensor *const *part, int parts)
{
    peft_tensor *t = &b->weight[i].tensor;
    PF_TRY(check_types(part, parts));
    PF_TRY(check_extents(t, part, parts));
    for (int p = 0; p < parts; p++) if (part[p]) PF_TRY(pf_st_fetch(b->file, part[p]));
    t->type = held_type(&b->weight[i], part, parts);
    const size_t size = pf_dtype_size(t->type);
    if (parts == 1 && part[0]->type == t->type && (uintptr_t)part[0]->data % size == 0) {
        t->data = (void *)(uintptr_t)part[0]->data;
        return PEFT_OK;
    }
    char *to = pf_backbone_alloc_data(b, i);
    if (!to) return PEFT_E_NOMEM;
    for (int p = 0; p < parts; p++) {
        const int64_t n = part[p] ? pf_dims_count(part[p]->ndim, part[p]->dim) : t->dim[0] / parts;
        if (!part[p]) memset(to, 0, (size_t)n * size);
        else if (part[p]->type == t->type && n) memcpy(to, part[p]->data, part[p]->bytes);
        else pf_to_real((pk_real *)(void *)to, part[p]->data, part[p]->type, n);
        to += (size_t)n * size;
    }
    return PEFT_OK;
}

/* Stores tensor i, which was filled by its parts, as int8, and evicts what it was read from. */
static peft_status store_int8(peft_backbone *b, size_t i, const pf_st_tensor *const *part, int parts)
{
    pf_weight *w = &b->weight[i];
    PF_TRY(pf_backbone_store_int8(b, i));
    for (int p = 0; p < parts; p++) {
        w->source[p] = part[p];
        pf_st_evict(b->file, part[p]);
    }
    w->sources = parts;
    return PEFT_OK;
}

/* Sets *int8 to whether the option "weights" asks for int8. */
static peft_status read_storage(const pf_loader *l, bool *int8)
{
    const char *weights = pf_options_string(l->o, pf_backbone_load_options, "weights");
    *int8 = !strcmp(weights, "int8");
    return *int8 || !strcmp(weights, "file") ? PEFT_OK
         : pf_fail(PEFT_E_OPTION, "weights: given '%s', expected file or int8", weights);
}

/* Fills tensor i of the backbone with zeros: a bias that the file lacks. */
static peft_status fill_zeros(peft_backbone *b, size_t i)
{
    char *to = pf_backbone_alloc_data(b, i);
    if (!to) return PEFT_E_NOMEM;
    memset(to, 0, pf_tensor_bytes(&b->weight[i].tensor));
    return PEFT_OK;
}

/* The index of the weight of this name, which exists. */
static size_t weight_index(const peft_backbone *b, const char *name)
{
    size_t i = 0;
    while (i < b->weights && strcmp(b->weight[i].name, name)) i++;
    return i;
}

/* Replaces mapped data by an owned copy, so that it can be changed. */
static peft_status own_copy(peft_backbone *b, size_t i)
{
    peft_tensor *t = &b->weight[i].tensor;
    const void *from = t->data;
    if (t->owned) return PEFT_OK;
    pk_real *to = pf_alloc(b->ctx, pf_tensor_bytes(t));
    if (!to) return pf_nomem(b->weight[i].name, pf_tensor_bytes(t));
    memcpy(to, from, pf_tensor_bytes(t));
    t->data = to;
    t->owned = true;
    return PEFT_OK;
}

/* Sets the elements of the bias, weight i, to 0 where the tensor NAME_mask of the file is 0. */
static peft_status apply_mask(pf_loader *l, peft_backbone *b, size_t i)
{
    const pf_st_tensor *part[3];
    peft_tensor *t = &b->weight[i].tensor;
    char name[PF_NAME_MAX + 8];
    snprintf(name, sizeof name, "%s_mask", b->weight[i].name);
    if (strlen(name) >= PF_NAME_MAX || !t->data || !pf_load_take(l, name, part)) return PEFT_OK;
    PF_TRY(check_extents(t, part, 1));
    PF_TRY(check_types(part, 1));
    PF_TRY(pf_st_fetch(b->file, part[0]));
    PF_TRY(own_copy(b, i));
    pk_real *x = t->data;
    for (int64_t k = 0; k < t->dim[0]; k++) {
        const char *at = (const char *)part[0]->data + (size_t)k * (part[0]->bytes / (size_t)t->dim[0]);
        pk_real factor;
        pf_to_real(&factor, at, part[0]->type, 1);
        if (factor == 0) x[k] = 0;
    }
    return PEFT_OK;
}

/* Adds the prefix rows of the position embedding to class token and registers, as the forward pass would, and removes
 * these rows. */
static peft_status fold_prefix_rows(const pf_loader *l, peft_backbone *b)
{
    const bool class_token = b->shape.class_token, both = class_token && l->native_prefix > 1;
    const char *const token[] = { class_token ? "cls_token" : "reg_token", "reg_token" };
    const size_t pos = weight_index(b, "pos_embed");
    peft_tensor *p = &b->weight[pos].tensor;
    const pk_real *row = p->data;
    for (int k = 0; k < (both ? 2 : 1); k++) {
        const size_t i = weight_index(b, token[k]);
        PF_TRY(own_copy(b, i));
        peft_tensor *t = &b->weight[i].tensor;
        pk_real *x = t->data;
        for (int64_t c = 0; c < peft_tensor_count(t); c++) x[c] += *row++;
    }
    PF_TRY(own_copy(b, pos));
    const size_t skip = (size_t)(l->native_prefix * b->shape.width) * sizeof(pk_real);
    memmove(p->data, (char *)p->data + skip, pf_tensor_bytes(p) - skip);
    p->dim[1] -= l->native_prefix;
    b->shape.pos_prefix = false;
    return PEFT_OK;
}

/* Resamples pos_embed to the grid of the option image_size. b->native_pos takes over the file's tensor. */
static peft_status resample_positions(const pf_loader *l, peft_backbone *b)
{
    const pf_grid grid = pf_vit_grid(&b->shape), old = l->native_grid;
    if (pf_grid_equal(grid, old) || !b->shape.pos_embed) return PEFT_OK;
    const size_t i = weight_index(b, "pos_embed");
    peft_tensor *t = &b->weight[i].tensor;
    b->native_pos = *t;
    t->owned = false;
    t->dim[1] = b->shape.pos_prefix + pf_grid_area(grid);
    if (!pf_backbone_alloc_data(b, i)) return PEFT_E_NOMEM;
    snprintf(b->resample, sizeof b->resample, "%s", l->rule);       /* the rule that was applied */
    return pf_pos_embed_resample(b->ctx, l->rule, b->native_pos.data, b->shape.pos_prefix, (int)old.h,
                                 (int)old.w, t->data, (int)grid.h, (int)grid.w, b->shape.width);
}

/* Fills a tensor of the classifier of class and distillation token side by side from the file's two classifiers, whose
 * outputs are averaged: half of both weights side by side, and half the sum of both biases. */
static peft_status fill_two_classifiers(pf_loader *l, peft_backbone *b, size_t i)
{
    const pf_st_tensor *part[3], *two[2];
    peft_tensor *t = &b->weight[i].tensor;
    const bool weight = t->ndim == 2;
    const char *name[2] = { weight ? "head.weight" : "head.bias",
                            weight ? PF_SECOND_CLASSIFIER ".weight" : PF_SECOND_CLASSIFIER ".bias" };
    peft_tensor one = { .ndim = t->ndim, .dim = { t->dim[0], b->shape.width } };   /* extents of one in the file */
    const int64_t rows = t->dim[0], cols = weight ? b->shape.width : 1;
    for (int k = 0; k < 2; k++) {
        if (!pf_load_take(l, name[k], part)) return PEFT_OK;           /* reported as missing */
        two[k] = part[0];
        PF_TRY(check_extents(&one, &two[k], 1));
        PF_TRY(check_types(&two[k], 1));
        PF_TRY(pf_st_fetch(b->file, two[k]));
    }
    pk_real *to = pf_backbone_alloc_data(b, i), *row = pf_alloc(b->ctx, (size_t)cols * sizeof *row);
    if (!to || !row) {
        pf_free(b->ctx, row);
        return to ? pf_nomem("classifier", (size_t)cols * sizeof *row) : PEFT_E_NOMEM;
    }
    memset(to, 0, pf_tensor_bytes(t));
    for (int64_t r = 0; r < rows; r++)
        for (int k = 0; k < 2; k++) {
            const size_t skip = (size_t)(r * cols) * pf_dtype_size(two[k]->type);
            pf_to_real(row, (const char *)two[k]->data + skip, two[k]->type, cols);
            for (int64_t c = 0; c < cols; c++) to[weight ? (2 * r + k) * cols + c : r] += row[c] / 2;
        }
    pf_free(b->ctx, row);
    return PEFT_OK;
}

/* Fills the tensors, refuses missing and unexpected ones, and adapts the position embedding. */
peft_status pf_load_tensors(pf_loader *l, peft_backbone *b)
{
    snprintf(b->rule, sizeof b->rule, "%s", l->rule);               /* for another image size */
    peft_status s = PEFT_OK;
    bool int8;
    PF_TRY(read_storage(l, &int8));
    for (size_t i = 0; i < b->weights && !s; i++) {
        const pf_st_tensor *part[3];
        if (!strcmp(b->weight[i].name, "pos_embed"))    /* as in the file; folding and resampling change it below */
            b->weight[i].tensor.dim[1] = l->native_prefix + pf_grid_area(l->native_grid);
        if (pf_is_classifier(b->weight[i].name) && pf_load_find(l, PF_SECOND_CLASSIFIER ".weight", part)) {
            s = fill_two_classifiers(l, b, i);
            continue;
        }
        const int parts = pf_load_take(l, b->weight[i].name, part);
        const bool matrix = pf_is_int8_matrix(b->weight[i].name);
        if (parts && matrix && l->int8.int8) s = pf_int8_fill(b, i, part, parts);
        else if (parts) s = fill_weight(b, i, part, parts);
        else if (pf_load_is_absent_bias(l, b->weight[i].name)) s = fill_zeros(b, i);
        if (!s) s = apply_mask(l, b, i);
        if (!s && int8 && parts && matrix && !l->int8.int8) s = store_int8(b, i, part, parts);
    }
    PF_TRY(s);
    PF_TRY(pf_load_check_complete(l, b));
    if (l->fold_prefix) PF_TRY(fold_prefix_rows(l, b));
    return resample_positions(l, b);
}

/* Does a tensor of b point to this data? */
static bool in_use(const peft_backbone *b, const void *data)
{
    for (size_t i = 0; i < b->weights; i++) if (b->weight[i].tensor.data == data) return true;
    return b->native_pos.data == data;
}

/* A tensor that was taken, but to which no tensor of b points, was copied. */
void pf_load_release_copied(const pf_loader *l, const peft_backbone *b)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->found[i].used && !in_use(b, l->found[i].tensor->data)) pf_st_evict(b->file, l->found[i].tensor);
}
