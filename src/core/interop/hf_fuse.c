/* SPDX-License-Identifier: Apache-2.0
 * hf_fuse.c -- writes adapters of q, k and v, or of the halves of a gated fc1, for a model in which these are one
 * module. LoRA's pairs become one pair of block-diagonal form: for attn.q and attn.v of rank r, A' [2r,in] holds both A
 * one above the other, and B' [3d,2r] holds B of q in the rows of q and columns 0 .. r-1, B of v in the rows of v and
 * columns r .. 2r-1, and zeros elsewhere. So B' A' has B A of each part in its rows, and zeros in those of k. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/bits/weight_reader.h"
#include "core/interop/hf_dir.h"

/* The whole module of some parts, and what the adapter has of each part: the parameter with the ending, and for LoRA
 * the pair. */
typedef struct {
    char whole[PF_NAME_MAX];                                 /* "blocks.0.attn.qkv" */
    int parts;
    int64_t rows;                                            /* of a part */
    const char *ending;
    pf_param *param[PF_PARTS_MAX], *lora_a[PF_PARTS_MAX];
    double scale[PF_PARTS_MAX];                              /* of LoRA's update */
} whole;

double pf_lora_alpha(const peft_adapter *a, const char *ours)
{
    /* The call records errors in the adapter, but this pattern was checked when the adapter was made. */
    return peft_sys_opt_pattern((peft_adapter *)(uintptr_t)a, "alpha_pattern", ours, peft_sys_opt_float(a, "alpha"));
}

double pf_lora_scale(const peft_adapter *a, const char *ours, const pf_param *lora_a)
{
    const double rank = (double)lora_a->value.dim[0];
    return pf_lora_alpha(a, ours) / (peft_sys_opt_int(a, "rslora") ? sqrt(rank) : rank);
}

/* Finds the whole of p's module and the parameters of all parts. false: p is not the first of them. */
static bool collect(const peft_adapter *a, const pf_param *p, const char *ending, whole *w)
{
    char ours[PF_NAME_MAX], name[PF_NAME_MAX + 32];
    int index;
    bool first = true;
    snprintf(ours, sizeof ours, "%.*s", (int)(ending - p->name), p->name);
    const char *stem = pf_module_stem(ours);
    const pf_parts *row = pf_parts_of(stem, &index);
    *w = (whole){ .parts = row->count, .ending = ending };
    snprintf(w->whole, sizeof w->whole, "%.*s%s", (int)(stem - ours), ours, row->whole);
    w->rows = row->count == 2 ? a->backbone->shape.mlp : a->backbone->shape.width;
    for (int i = 0; i < row->count; i++) {
        snprintf(name, sizeof name, "%.*s%s%s", (int)(stem - ours), ours, row->part[i], ending);
        w->param[i] = pf_params_find(&a->params, name);
        snprintf(name, sizeof name, "%.*s%s.lora_A.weight", (int)(stem - ours), ours, row->part[i]);
        w->lora_a[i] = pf_params_find(&a->params, name);
        name[strlen(name) - strlen(".lora_A.weight")] = 0;
        if (w->lora_a[i]) w->scale[i] = pf_lora_scale(a, name, w->lora_a[i]);
        if (i < index && w->param[i]) first = false;
    }
    return first;
}

/* The scale of the whole's update: that of its first part. The rows of B of parts with another scale are multiplied by
 * the quotient. */
static double common_scale(const whole *w)
{
    for (int i = 0; i < w->parts; i++) if (w->lora_a[i]) return w->scale[i];
    return 1;
}

pf_peft_entry *pf_peft_add_made(pf_peft_entries *e, pf_param *p, const char *key, int ndim, const int64_t *dim)
{
    pf_peft_entry *to = pf_peft_entries_add(e, p, key, 0, ndim, dim);
    if (to) to->made = pf_alloc_zero(e->ctx, (size_t)pf_peft_entry_count(to) * sizeof *to->made);
    return to && to->made ? to : NULL;
}

/* Copies the rows of the parts' A, one part below the other. */
static void fuse_a(const whole *w, pk_real *out)
{
    for (int i = 0; i < w->parts; i++) {
        if (!w->lora_a[i]) continue;
        const int64_t n = peft_tensor_count(&w->lora_a[i]->value);
        memcpy(out, w->lora_a[i]->value.data, sizeof *out * (size_t)n);
        out += n;
    }
}

/* Fills B [rows of all parts, rank] with the parts' B on its diagonal. */
static void fuse_b(const whole *w, int64_t rank, pk_real *out)
{
    int64_t column = 0;
    for (int i = 0; i < w->parts; i++) {
        if (!w->lora_a[i]) continue;
        const int64_t r = w->lora_a[i]->value.dim[0];
        const pk_real *b = w->param[i]->value.data;
        const double factor = w->scale[i] / common_scale(w);
        for (int64_t k = 0; k < w->rows * r; k++)
            out[(i * w->rows + k / r) * rank + column + k % r] = (pk_real)(factor * b[k]);
        column += r;
    }
}

/* Fills a vector of one element for each row: those of the parts that have one, else the norms of the backbone's rows
 * (DoRA's magnitudes), the backbone's bias, or ones (IA3). */
static peft_status fuse_rows(const peft_adapter *a, const whole *w, pk_real *out)
{
    const bool dora = !strcmp(w->ending, ".lora_magnitude_vector"), bias = !strcmp(w->ending, ".bias");
    char name[PF_NAME_MAX + 8];
    snprintf(name, sizeof name, "%s.%s", w->whole, bias ? "bias" : "weight");
    const peft_tensor *t = pf_backbone_find(a->backbone, name);
    const pk_weight matrix = t ? pf_tensor_weight(t) : (pk_weight){ 0 };
    const pk_table *kernels = a->backbone->ctx->kernels;
    const int64_t cols = t ? peft_tensor_count(t) / t->dim[0] : 0;
    pk_real *buffer = pf_alloc(a->backbone->ctx, (size_t)(cols + 1) * sizeof *buffer);
    if (!buffer) return pf_nomem("row", (size_t)cols * sizeof *buffer);
    for (int64_t i = 0; i < w->parts * w->rows; i++) {
        const pf_param *p = w->param[i / w->rows];
        if (p || (!dora && !bias)) {
            out[i] = p ? ((const pk_real *)p->value.data)[i % w->rows] : 1;
            continue;
        }
        double squares = 0;
        const pk_real *row = pk_weight_read(kernels, &matrix, i * cols, cols, buffer);
        if (dora) kernels->sums(NULL, &squares, row, cols);
        out[i] = dora ? (pk_real)sqrt(squares) : *row;
    }
    pf_free(a->backbone->ctx, buffer);
    return PEFT_OK;
}

/* Refuses what a pair of the whole cannot express: the whole is adapted as well, or factors of a part's input. */
static peft_status check(const peft_adapter *a, const pf_peft_names *n, const whole *w)
{
    char name[PF_NAME_MAX + 32];
    bool input = false;
    snprintf(name, sizeof name, "%s%s", w->whole, w->ending);
    for (int i = 0; i < w->parts; i++)
        input |= w->param[i] && !strcmp(w->ending, ".ia3_l") && w->param[i]->value.dim[0] == 1;
    if (input || (strcmp(w->ending, ".bias") && pf_params_find(&a->params, name)))
        return pf_fail(PEFT_E_UNSUPPORTED, "module '%s' and its parts are one module in the %s naming, which cannot "
                       "express %s; expected another naming (hf, hf5)", w->whole, pf_peft_naming_name[n->naming],
                       input ? "factors of a part's input" : "an adapter of both");
    return PEFT_OK;
}

bool pf_peft_fuses(const peft_adapter *a, const pf_peft_names *n)
{
    char ours[PF_NAME_MAX], path[PF_PATH_MAX];
    int index;
    for (size_t i = 0; i < a->params.count; i++) {
        const char *name = a->params.item[i]->name, *ending = pf_peft_ending(name);
        if (!ending || ending - name >= PF_NAME_MAX) continue;
        snprintf(ours, sizeof ours, "%.*s", (int)(ending - name), name);
        if (pf_parts_of(pf_module_stem(ours), &index) && !pf_module_path(n, ours, path)) return true;
    }
    return false;
}

peft_status pf_peft_fuse(const peft_adapter *a, const pf_peft_names *n, const pf_modules *m, pf_param *p,
                         pf_peft_entries *e)
{
    char path[PF_PATH_MAX], key[PF_KEY_MAX];
    const char *ending = pf_peft_ending(p->name);
    whole w;
    if (!ending) ending = strrchr(p->name, '.');            /* ".bias" */
    const bool first = collect(a, p, ending, &w);
    PF_TRY(check(a, n, &w));
    if (!first) return PEFT_OK;
    if (!pf_module_path(n, w.whole, path))
        return pf_fail(PEFT_E_UNSUPPORTED, "module '%s' has no name in the %s naming", w.whole,
                       pf_peft_naming_name[n->naming]);
    pf_peft_key(pf_module_find(m, w.whole, strlen(w.whole)), path, ending, key);
    int64_t rank = 0, rows = w.parts * w.rows;
    for (int i = 0; i < w.parts; i++) rank += w.lora_a[i] ? w.lora_a[i]->value.dim[0] : 0;
    const bool is_a = !strcmp(ending, ".lora_A.weight"), is_b = !strcmp(ending, ".lora_B.weight");
    int64_t dim[2] = { is_a ? rank : rows, is_a ? p->value.dim[1] : is_b ? rank : 1 };
    const bool vector = !strcmp(ending, ".lora_magnitude_vector") || !strcmp(ending, ".bias");
    pf_peft_entry *to = pf_peft_add_made(e, p, key, vector ? 1 : 2, dim);
    if (!to) return pf_nomem("tensor", sizeof(pk_real) * (size_t)(dim[0] * dim[1]));
    if (is_a) fuse_a(&w, to->made);
    else if (is_b) fuse_b(&w, rank, to->made);
    else return fuse_rows(a, &w, to->made);
    return PEFT_OK;
}
