/* SPDX-License-Identifier: Apache-2.0
 * hf_entries.c -- lists an adapter's parameters as tensors of PEFT's file, with their keys. A layer that is one module
 * here and several in the naming, such as attn.qkv and q_proj, k_proj, v_proj, gives one tensor for each part. */
#include <stdio.h>
#include <string.h>
#include "core/interop/hf_dir.h"

#define ELEMENTS_OF(a) (sizeof(a) / sizeof *(a))
/* Of a norm, a bias or a classifier that is trained itself. */
static const char *const plain[] = { ".weight", ".bias" };

static bool ends_in(const char *name, const char *ending)
{
    const size_t length = strlen(name), tail = strlen(ending);
    return length > tail && !strcmp(name + length - tail, ending);
}

/* Sets the extents of the patch embedding's tensors, which PEFT stores as those of a convolution: A [r, 3, p, p],
 * B [out, r, 1, 1], magnitude [1, out, 1, 1], factors of IA3 [1, out, 1, 1]. */
static void as_convolution(pf_peft_entry *e, int64_t patch)
{
    const int64_t first = e->dim[0], second = e->dim[1];
    if (e->ndim == 1 || ends_in(e->param->name, ".ia3_l"))
        memcpy(e->dim, (int64_t[]){ 1, first, 1, 1 }, sizeof e->dim);
    else if (ends_in(e->param->name, ".lora_A.weight"))
        memcpy(e->dim, (int64_t[]){ first, 3, patch, patch }, sizeof e->dim);
    else memcpy(e->dim, (int64_t[]){ first, second, 1, 1 }, sizeof e->dim);
    e->ndim = 4;
}

/* Magnitudes and biases are vectors in PEFT's files. Here those of a half of fc1 are rows [1,n]. */
static bool is_vector(const char *ending)
{
    return !strcmp(ending, ".lora_magnitude_vector") || !strcmp(ending, ".bias");
}

/* Adds parameter p of the module `ours`, whose path in PEFT's model is path. */
static peft_status add_whole(const pf_modules *m, const peft_backbone *b, pf_param *p, const char *ours,
                             const char *path, const char *ending, pf_peft_entries *e)
{
    char key[PF_KEY_MAX];
    pf_peft_key(pf_module_find(m, ours, strlen(ours)), path, ending, key);
    const bool row = p->value.ndim == 2 && p->value.dim[0] == 1 && is_vector(ending);
    pf_peft_entry *to = pf_peft_entries_add(e, p, key, 0, p->value.ndim - row, p->value.dim + row);
    if (!to) return pf_nomem("list of tensors", sizeof *to);
    if (!strcmp(ours, "patch_embed.proj") && strcmp(ending, ".bias")) as_convolution(to, b->shape.patch);
    return PEFT_OK;
}

/* Adds parameter p of a module that is several in this naming: of tensors with the module's outputs as rows each part
 * has some rows; A and factors of inputs are the same for all parts. false: the naming does not have these parts. */
static bool add_parts(const pf_peft_names *n, const pf_modules *m, pf_param *p, const char *ours, const char *ending,
                      pf_peft_entries *e, peft_status *status)
{
    char name[PF_NAME_MAX], path[PF_PATH_MAX], key[PF_KEY_MAX];
    const char *stem = pf_module_stem(ours);
    const pf_parts *w = pf_parts_of(stem, NULL);
    const int64_t *dim = p->value.dim;
    if (w && !strncmp(ending, ".vera_", strlen(".vera_"))) return false;        /* parts read other rows of vera_B */
    const bool same = !strcmp(ending, ".lora_A.weight") || !strcmp(ending, ".oft_R.weight")
                   || (!strcmp(ending, ".ia3_l") && dim[0] == 1);
    for (int i = 0; w && i < w->count; i++) {
        int64_t extents[2] = { same ? dim[0] : dim[0] / w->count, p->value.ndim > 1 ? dim[1] : 1 };
        snprintf(name, sizeof name, "%.*s%s", (int)(stem - ours), ours, w->part[i]);
        if (!pf_module_path(n, name, path)) return false;
        pf_peft_key(pf_module_find(m, name, strlen(name)), path, ending, key);
        if (!pf_peft_entries_add(e, p, key, same ? 0 : i * extents[0] * extents[1], p->value.ndim, extents)) {
            *status = pf_nomem("list of tensors", sizeof(pf_peft_entry));
            return true;
        }
    }
    return w;
}

/* Adds the tensor or tensors of parameter p. */
static peft_status add_param(const peft_adapter *a, const pf_peft_names *n, const pf_modules *m, pf_param *p,
                             pf_peft_entries *e)
{
    char ours[PF_NAME_MAX * 2], path[PF_PATH_MAX];
    int part;
    peft_status s = PEFT_OK;
    const char *ending = pf_peft_ending(p->name);
    for (size_t i = 0; !ending && i < ELEMENTS_OF(plain); i++)
        if (ends_in(p->name, plain[i])) ending = p->name + strlen(p->name) - strlen(plain[i]);
    const bool known = ending && (size_t)(ending - p->name) < PF_NAME_MAX;
    if (known) snprintf(ours, sizeof ours, "%.*s", (int)(ending - p->name), p->name);
    if (known && pf_peft_in_attention(a, n, p)) return pf_peft_attention(a, n, m, p, e);
    if (known && pf_module_path(n, ours, path)) return add_whole(m, a->backbone, p, ours, path, ending, e);
    if (known && add_parts(n, m, p, ours, ending, e, &s)) return s;
    const bool separate = known && (!strncmp(ending, ".vera_", strlen(".vera_")) || !strcmp(ending, ".oft_R.weight"));
    if (known && !separate && pf_parts_of(pf_module_stem(ours), &part)) return pf_peft_fuse(a, n, m, p, e);
    return pf_fail(PEFT_E_UNSUPPORTED, "parameter '%s' has no name of its own in the %s naming; expected another "
                   "naming (" PF_PEFT_NAMING_LIST ")", p->name, pf_peft_naming_name[n->naming]);
}

/* Adds a matrix that VeRA's layers share: base_model.vera_A. */
static peft_status add_buffer(pf_param *p, pf_peft_entries *e)
{
    char key[PF_KEY_MAX];
    snprintf(key, sizeof key, PF_PEFT_SHARED "%s", p->name);
    return pf_peft_entries_add(e, p, key, 0, p->value.ndim, p->value.dim) ? PEFT_OK : pf_nomem("list of tensors", 0);
}

peft_status pf_peft_entries_make(const peft_adapter *a, const pf_params *head, const pf_peft_names *n,
                                 const pf_modules *m, pf_peft_entries *out)
{
    pf_peft_entries e = { .ctx = a->backbone->ctx };
    peft_status s = PEFT_OK;
    for (size_t i = 0; i < a->params.count && !s; i++) s = add_param(a, n, m, a->params.item[i], &e);
    for (size_t i = 0; i < a->buffers.count && !s; i++) s = add_buffer(a->buffers.item[i], &e);
    for (size_t i = 0; head && i < head->count && !s; i++) s = add_param(a, n, m, head->item[i], &e);
    if (s) pf_peft_entries_free(&e);
    else *out = e;
    return s;
}
