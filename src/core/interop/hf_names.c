/* SPDX-License-Identifier: Apache-2.0
 * hf_names.c -- lists the backbone's modules under the names of transformers or timm, and an adapter's parameters under
 * their keys in PEFT's files; detects the naming and prefix of such a file. */
#include <stdio.h>
#include <string.h>
#include "core/interop/hf_dir.h"

const char *const pf_peft_naming_name[PF_PEFT_NAMINGS] = { "hf", "hf5", "timm" };

static const pf_naming *const naming_of[PF_PEFT_NAMINGS] = { &pf_naming_hf, &pf_naming_hf5, &pf_naming_timm };

/* part: 1, 2, 3 for q, k, v, parts of attn.qkv; 0 (PF_WHOLE_TENSOR): a whole module. A naming has either attn.qkv or
 * its parts; path_of says which. */
typedef struct { const char *ours; pf_module_kind kind; int part; } row;
static const row block_rows[] = {
    { "norm1", PF_MODULE_NORM, 0 }, { "attn.qkv", PF_MODULE_LINEAR, 0 }, { "attn.q", PF_MODULE_LINEAR, 1 },
    { "attn.k", PF_MODULE_LINEAR, 2 }, { "attn.v", PF_MODULE_LINEAR, 3 }, { "attn.proj", PF_MODULE_LINEAR, 0 },
    { "norm2", PF_MODULE_NORM, 0 }, { "mlp.fc1", PF_MODULE_LINEAR, 0 }, { "mlp.fc2", PF_MODULE_LINEAR, 0 },
    { "attn.q_norm", PF_MODULE_NORM, 0 }, { "attn.k_norm", PF_MODULE_NORM, 0 }, { "attn.norm", PF_MODULE_NORM, 0 },
    { "mlp.norm", PF_MODULE_NORM, 0 } };
static const row top_rows[] = {
    { "patch_embed.proj", PF_MODULE_CONV, 0 }, { "norm_pre", PF_MODULE_NORM, 0 }, { "norm", PF_MODULE_FINAL, 0 },
    { "fc_norm", PF_MODULE_FINAL, 0 }, { "head", PF_MODULE_HEAD, 0 } };
#define ELEMENTS_OF(a) (sizeof(a) / sizeof *(a))

pf_peft_names pf_peft_names_of(const peft_backbone *b, pf_peft_naming naming)
{
    return (pf_peft_names){ .naming = naming, .shape = &b->shape };
}

/* The modules of transformers 5's gated MLP have other names than the tensors in files: gate_proj, up_proj, down_proj.
 * Replaces the name in path; false: it is that of fc1, which is two modules there. */
static bool rename_gated_module(char path[PF_NAME_MAX])
{
    static const char in[] = "mlp.weights_in", out[] = "mlp.weights_out", down[] = "mlp.down_proj";
    if (pf_path_ends_with(path, in)) return false;
    if (pf_path_ends_with(path, out)) memcpy(path + strlen(path) - (sizeof out - 1), down, sizeof down);
    return true;
}

/* Writes the path of a row's module, the name of its weight without ".weight"; false: the naming does not have the
 * module. The classifier of Hugging Face's models has no prefix. */
static bool path_of(const pf_peft_names *n, const row *r, int64_t layer, char path[PF_PATH_MAX])
{
    static const char suffix[] = ".weight";
    char front[32] = "", timm[PF_NAME_MAX], theirs[PF_NAME_MAX];
    const bool outside = r->kind == PF_MODULE_HEAD && n->naming != PF_PEFT_TIMM;
    if (layer >= 0) snprintf(front, sizeof front, "blocks.%lld.", (long long)layer);
    snprintf(timm, sizeof timm, "%s%s%s", front, r->part ? "attn.qkv" : r->ours, suffix);
    if (!pf_naming_from_timm(pf_all_families, naming_of[n->naming], n->shape, timm, r->part, theirs)) return false;
    theirs[strlen(theirs) - (sizeof suffix - 1)] = 0;
    if (n->naming == PF_PEFT_HF5 && n->shape->gate && !rename_gated_module(theirs)) return false;
    snprintf(path, PF_PATH_MAX, "%s%s", outside ? "" : n->prefix, theirs);
    return true;
}

/* Writes the path of the module that this library names `ours`; false: the naming does not have it. */
static bool module_path(const pf_peft_names *n, const char *ours, char path[PF_PATH_MAX])
{
    long long layer = PF_NO_LAYER;
    int skip = 0;                                          /* length of "blocks.N." */
    if (sscanf(ours, "blocks.%lld.%n", &layer, &skip) != 1 || !skip) layer = PF_NO_LAYER, skip = 0;
    const row *rows = layer < 0 ? top_rows : block_rows;
    for (size_t i = 0; i < (layer < 0 ? ELEMENTS_OF(top_rows) : ELEMENTS_OF(block_rows)); i++)
        if (!strcmp(rows[i].ours, ours + skip)) return path_of(n, &rows[i], layer, path);
    return false;
}

/* Appends the module of this row, unless the naming does not have it. */
static void append_module(pf_modules *m, const pf_peft_names *n, const row *r, int64_t layer)
{
    pf_module *to = &m->item[m->count];
    *to = (pf_module){ .kind = r->kind, .layer = layer };
    if (!path_of(n, r, layer, to->path)) return;
    if (layer >= 0) snprintf(to->ours, sizeof to->ours, "blocks.%lld.%s", (long long)layer, r->ours);
    else snprintf(to->ours, sizeof to->ours, "%s", r->ours);
    m->count++;
}

/* Has each block of the network this module? */
static bool block_has(const pf_vit_shape *s, const char *ours)
{
    if (!strcmp(ours, "attn.q_norm") || !strcmp(ours, "attn.k_norm")) return s->qk_norm;
    if (!strcmp(ours, "attn.norm")) return s->attn_norm;
    return strcmp(ours, "mlp.norm") || s->mlp_norm;
}

peft_status pf_modules_make(const peft_backbone *b, const pf_peft_names *n, pf_modules *out)
{
    const pf_vit_shape *s = &b->shape;
    size_t capacity = (size_t)s->depth * ELEMENTS_OF(block_rows) + ELEMENTS_OF(top_rows) + 1;        /* 1: the pooler */
    pf_modules m = { .ctx = b->ctx, .item = pf_alloc(b->ctx, capacity * sizeof *m.item) };
    if (!m.item) return pf_nomem("list of modules", capacity * sizeof *m.item);
    for (int64_t l = 0; l < s->depth; l++)
        for (size_t i = 0; i < ELEMENTS_OF(block_rows); i++)
            if (block_has(s, block_rows[i].ours)) append_module(&m, n, &block_rows[i], l);
    for (size_t i = 0; i < ELEMENTS_OF(top_rows); i++) {
        const char *ours = top_rows[i].ours;
        const bool absent = (!s->norm && !strcmp(ours, "norm")) || (!s->fc_norm && !strcmp(ours, "fc_norm"))
                         || (!s->norm_pre && !strcmp(ours, "norm_pre"));
        if (!absent) append_module(&m, n, &top_rows[i], PF_NO_LAYER);
    }
    if (n->naming != PF_PEFT_TIMM) {                       /* ViTModel has a pooler, which "dense" matches as well */
        pf_module *to = &m.item[m.count++];
        *to = (pf_module){ .kind = PF_MODULE_OTHER, .layer = PF_NO_LAYER };
        snprintf(to->path, sizeof to->path, "%spooler.dense", n->prefix);
    }
    *out = m;
    return PEFT_OK;
}

void pf_modules_free(pf_modules *m) { pf_free(m->ctx, m->item); }

/* Ends of the names of adapters' tensors, equal in this library and in PEFT. */
static const char *const endings[] = { ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector", ".ia3_l",
                                       ".ln_tuning_layers.weight", ".ln_tuning_layers.bias" };

/* The end of name that is in list; NULL: none is. */
static const char *ending_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(name), tail = strlen(list[i]);
        if (length > tail && !strcmp(name + length - tail, list[i])) return name + length - tail;
    }
    return NULL;
}

/* Does the tensor `key` belong to a module of m? Paths in m have no prefix; writes the one that key has. blocks:
 * compares with the modules in blocks, else with those outside. */
static bool prefix_of(const pf_modules *m, const char *key, bool blocks, char prefix[PF_NAME_MAX])
{
    const char *end = ending_of(key, endings, ELEMENTS_OF(endings));
    if (!end || strncmp(key, PF_PEFT_FRONT, strlen(PF_PEFT_FRONT))) return false;
    key += strlen(PF_PEFT_FRONT);
    for (size_t i = 0; i < m->count; i++) {
        size_t tail = strlen(m->item[i].path), before = end > key ? (size_t)(end - key) : 0;
        if ((m->item[i].layer >= 0) != blocks || before < tail) continue;
        if (m->item[i].kind == PF_MODULE_HEAD || m->item[i].kind == PF_MODULE_OTHER) continue;
        before -= tail;
        if (before >= PF_NAME_MAX || strncmp(key + before, m->item[i].path, tail) || (before && key[before - 1] != '.'))
            continue;
        memcpy(prefix, key, before);
        prefix[before] = 0;
        return true;
    }
    return false;
}

/* Counts the tensors of the file that belong to modules in this naming, in the blocks or outside them. n->prefix is set
 * to the prefix of the first one. */
static peft_status count_matches(const peft_backbone *b, const pf_st *st, bool blocks, pf_peft_names *n, size_t *count)
{
    pf_modules m;
    char prefix[PF_NAME_MAX];
    *count = 0;
    PF_TRY(pf_modules_make(b, n, &m));
    for (size_t i = 0; i < pf_st_count(st); i++)
        if (prefix_of(&m, pf_st_at(st, i)->name, blocks, *count ? prefix : n->prefix)) ++*count;
    pf_modules_free(&m);
    return PEFT_OK;
}

/* Chooses the naming that matches most tensors, as namings share some names (encoder.layer.N.mlp.fc1 of DINOv2 before
 * and since transformers 5). Modules outside the blocks count only if no tensor belongs to one in a block. */
peft_status pf_peft_detect(const peft_backbone *b, const pf_st *st, pf_peft_names *out)
{
    for (int pass = 0; pass < 2; pass++) {
        const bool blocks = pass == 0;
        size_t most = 0;
        for (int k = 0; k < PF_PEFT_NAMINGS; k++) {
            pf_peft_names n = pf_peft_names_of(b, (pf_peft_naming)k);
            size_t count;
            PF_TRY(count_matches(b, st, blocks, &n, &count));
            if (count <= most) continue;
            most = count;
            *out = n;
        }
        if (most) return PEFT_OK;
    }
    const char *name = pf_st_count(st) ? pf_st_at(st, 0)->name : "";
    return pf_fail(PEFT_E_FORMAT,
                   "no tensor adapts a module of this backbone ('%.150s' is the first of %zu): expected " PF_PEFT_FRONT
                   "[prefix.]encoder.layer.N.., layers.N.. or blocks.N.. with N below %lld",
                   name, pf_st_count(st), (long long)b->shape.depth);
}

/* The path of the parameter's module, then the ending of its name. */
bool pf_peft_key(const pf_peft_names *n, pf_peft_key_form form, const char *name, char key[PF_PATH_MAX + 64])
{
    static const char *const plain[] = { ".weight", ".bias" };
    char ours[PF_NAME_MAX * 2], path[PF_PATH_MAX];
    const char *end = ending_of(name, endings, ELEMENTS_OF(endings));
    const bool whole = !end;                               /* a weight or bias that is trained itself */
    if (whole) end = ending_of(name, plain, ELEMENTS_OF(plain));
    if (!end || (size_t)(end - name) >= PF_NAME_MAX) return false;
    memcpy(ours, name, (size_t)(end - name));
    ours[end - name] = 0;
    if (!module_path(n, ours, path)) return false;
    snprintf(key, PF_PATH_MAX + 64, PF_PEFT_FRONT "%s%s%s", path,
             whole && form == PF_KEYS_LN_TUNING && !pf_is_classifier(name) ? ".ln_tuning_layers" : "", end);
    return true;
}

/* Sets the extents of the patch embedding's tensors, which PEFT stores as those of a convolution: A [r, 3, p, p],
 * B [out, r, 1, 1], magnitude [1, out, 1, 1]. */
static void as_convolution(pf_peft_entry *e, int64_t patch)
{
    const int64_t first = e->param->value.dim[0], second = e->param->value.dim[1];
    if (e->ndim == 1) memcpy(e->dim, (int64_t[]){ 1, first, 1, 1 }, sizeof e->dim);
    else if (ending_of(e->param->name, endings, 1))        /* the first ending, .lora_A.weight */
        memcpy(e->dim, (int64_t[]){ first, 3, patch, patch }, sizeof e->dim);
    else memcpy(e->dim, (int64_t[]){ first, second, 1, 1 }, sizeof e->dim);
    e->ndim = 4;
}

/* Fills in the entry of parameter p. */
static peft_status make_entry(const peft_adapter *a, const pf_peft_names *n, pf_param *p, pf_peft_entry *e)
{
    const pf_peft_key_form form = strcmp(a->method->name, "ln_tune") ? PF_KEYS_PLAIN : PF_KEYS_LN_TUNING;
    if (!pf_peft_key(n, form, p->name, e->key))
        return pf_fail(PEFT_E_UNSUPPORTED, "parameter '%s' has no name of its own in the %s naming; expected another "
                       "naming (hf, hf5, timm)", p->name, pf_peft_naming_name[n->naming]);
    e->param = p;
    e->ndim = p->value.ndim;
    memcpy(e->dim, p->value.dim, sizeof(int64_t) * (size_t)e->ndim);
    if (!strncmp(p->name, "patch_embed.", strlen("patch_embed."))) as_convolution(e, a->backbone->shape.patch);
    return PEFT_OK;
}

peft_status pf_peft_entries_make(const peft_adapter *a, const pf_params *head, const pf_peft_names *n,
                                 pf_peft_entries *out)
{
    peft_context *ctx = a->backbone->ctx;
    size_t count = a->params.count + (head ? head->count : 0), bytes = count * sizeof(pf_peft_entry);
    pf_peft_entries e = { .ctx = ctx, .item = pf_alloc_zero(ctx, bytes), .count = count };
    if (!e.item) return pf_nomem("list of tensors", bytes);
    peft_status s = PEFT_OK;
    for (size_t i = 0; i < count && !s; i++)
        s = make_entry(a, n, i < a->params.count ? a->params.item[i] : head->item[i - a->params.count], &e.item[i]);
    if (s) pf_peft_entries_free(&e);
    else *out = e;
    return s;
}

void pf_peft_entries_free(pf_peft_entries *e) { pf_free(e->ctx, e->item); }
