/* SPDX-License-Identifier: Apache-2.0
 * hf_names.c -- lists the backbone's modules under the names of transformers or timm; detects the naming and prefix of
 * PEFT's files. */
#include <stdio.h>
#include <string.h>
#include "core/arch/names.h"
#include "core/interop/hf_dir.h"

const char *const pf_peft_naming_name[PF_PEFT_NAMINGS] = { "hf", "hf5", "timm", "hf-clip", "timm-unfused",
                                                                "clip", "hf-dinov3" };

static const pf_naming *const naming_of[PF_PEFT_NAMINGS] = {
    [PF_PEFT_HF] = &pf_naming_hf, [PF_PEFT_HF5] = &pf_naming_hf5, [PF_PEFT_TIMM] = &pf_naming_timm,
    [PF_PEFT_HF_CLIP] = &pf_naming_hf_clip, [PF_PEFT_UNFUSED] = &pf_naming_timm_unfused,
    [PF_PEFT_CLIP] = &pf_naming_clip, [PF_PEFT_DINOV3] = &pf_naming_hf_dinov3 };

const pf_naming *pf_peft_naming_of(pf_peft_naming n) { return naming_of[n]; }

/* part: 1, 2, 3 for q, k, v, parts of attn.qkv; 4, 5 for the halves of a gated mlp.fc1; 0 (PF_WHOLE_TENSOR): a whole
 * module. A naming has either a whole module or its parts; path_of says which. */
enum { GATE = 4, VALUE = 5 };
typedef struct { const char *ours; pf_module_kind kind; int part; } row;
static const row block_rows[] = {
    { "norm1", PF_MODULE_NORM, 0 }, { "attn.qkv", PF_MODULE_LINEAR, 0 }, { "attn.q", PF_MODULE_LINEAR, 1 },
    { "attn.k", PF_MODULE_LINEAR, 2 }, { "attn.v", PF_MODULE_LINEAR, 3 }, { "attn.proj", PF_MODULE_LINEAR, 0 },
    { "norm2", PF_MODULE_NORM, 0 }, { "mlp.fc1", PF_MODULE_LINEAR, 0 },
    { "mlp.fc1_g", PF_MODULE_LINEAR, GATE }, { "mlp.fc1_x", PF_MODULE_LINEAR, VALUE },
    { "mlp.fc2", PF_MODULE_LINEAR, 0 },
    { "attn.q_norm", PF_MODULE_NORM, 0 }, { "attn.k_norm", PF_MODULE_NORM, 0 }, { "attn.norm", PF_MODULE_NORM, 0 },
    { "mlp.norm", PF_MODULE_NORM, 0 } };
static const row top_rows[] = {
    { "patch_embed.proj", PF_MODULE_CONV, 0 }, { "norm_pre", PF_MODULE_NORM, 0 }, { "norm", PF_MODULE_FINAL, 0 },
    { "fc_norm", PF_MODULE_FINAL, 0 }, { "head", PF_MODULE_HEAD, 0 } };
#define ELEMENTS_OF(a) (sizeof(a) / sizeof *(a))
enum { TIMM_NORMS = 4 };                                   /* modules of a timm block that are an Identity by default */
enum { POOLING = 12 };                                     /* modules of attention pooling, in all namings */

pf_peft_names pf_peft_names_of(const peft_backbone *b, pf_peft_naming naming)
{
    return (pf_peft_names){ .naming = naming, .shape = &b->shape };
}

/* Replaces the last name of path. */
static void rename_last(char path[PF_NAME_MAX], const char *name)
{
    char *dot = strrchr(path, '.');
    snprintf(dot ? dot + 1 : path, PF_NAME_MAX - (size_t)(dot ? dot + 1 - path : 0), "%s", name);
}

/* Gives the layers of a gated MLP the names of their modules, which may differ from those of the tensors in files:
 * gate_proj, up_proj and down_proj in transformers 5. false: the naming does not have this module. */
static bool rename_gated_module(const pf_peft_names *n, const row *r, char path[PF_NAME_MAX])
{
    static const char *const timm_names[PF_MLPS][4] = {      /* fc1, its halves, fc2; NULL: there is no such module */
        [PF_MLP_FC1] = { "fc1", NULL, NULL, "fc2" }, [PF_MLP_HALVES] = { NULL, "fc1_g", "fc1_x", "fc2" },
        [PF_MLP_W12] = { "w12", NULL, NULL, "w3" } };
    static const char *const hf5_names[4] = { NULL, "gate_proj", "up_proj", "down_proj" };
    const char *const *names = n->naming == PF_PEFT_HF5 ? hf5_names : timm_names[n->mlp];
    const int i = r->part == GATE ? 1 : r->part == VALUE ? 2 : strcmp(r->ours, "mlp.fc2") ? 0 : 3;
    if (n->naming != PF_PEFT_HF5 && !pf_is_timm(n->naming)) return r->part != GATE && r->part != VALUE;
    if (names[i]) rename_last(path, names[i]);
    return names[i];
}

/* The ends of the names of a MultiheadAttention's weights without "weight", and how PEFT's tensors name its modules:
 * "attn.lora_A.weight" and "attn.base_layer.out_proj.lora_A.weight". */
static const char in_proj[] = ".in_proj", out_proj[] = ".out_proj", base_out_proj[] = ".base_layer.out_proj";

/* The end of the prefix that the blocks of DINOv3 have and its other modules lack: "model.layer.0.norm1" and "norm". */
static const char inner[] = "model.";

/* Cuts the end off the path; false: the path does not have it. */
static bool cut_end(char *path, const char *end)
{
    const size_t length = strlen(path), tail = strlen(end);
    if (length <= tail || strcmp(path + length - tail, end)) return false;
    path[length - tail] = 0;
    return true;
}

/* Writes the path of a row's module, the name of its weight without ".weight"; false: the naming does not have the
 * module. The classifier of Hugging Face's models has no prefix. */
static bool path_of(const pf_peft_names *n, const row *r, int64_t layer, char path[PF_PATH_MAX])
{
    static const char suffix[] = ".weight";
    char front[32] = "", timm[PF_NAME_MAX], theirs[PF_NAME_MAX];
    const bool outside = r->kind == PF_MODULE_HEAD && !pf_is_timm(n->naming), half = r->part >= GATE;
    const bool in_mlp = !strncmp(r->ours, "mlp.fc", strlen("mlp.fc")), dinov3 = n->naming == PF_PEFT_DINOV3;
    const int part = !half ? r->part : dinov3 ? r->part - GATE + 1 : PF_WHOLE_TENSOR;
    char prefix[PF_NAME_MAX];
    if (layer >= 0) snprintf(front, sizeof front, "blocks.%lld.", (long long)layer);
    snprintf(timm, sizeof timm, "%s%s%s", front, half ? "mlp.fc1" : r->part ? "attn.qkv" : r->ours, suffix);
    if (half && !n->shape->gate) return false;
    if (outside) snprintf(theirs, sizeof theirs, "classifier%s", suffix);
    else if (!pf_naming_from_timm(pf_all_families, naming_of[n->naming], n->shape, timm, part, theirs))
        return false;
    theirs[strlen(theirs) - (sizeof suffix - 1)] = 0;
    if (n->shape->gate && in_mlp && !dinov3 && !rename_gated_module(n, r, theirs)) return false;
    if (n->naming == PF_PEFT_CLIP && !cut_end(theirs, in_proj) && cut_end(theirs, out_proj))
        snprintf(theirs + strlen(theirs), sizeof theirs - strlen(theirs), "%s", base_out_proj);
    snprintf(prefix, sizeof prefix, "%s", outside ? "" : n->prefix);
    if (dinov3 && layer < 0 && pf_path_ends_with(prefix, inner)) prefix[strlen(prefix) - strlen(inner)] = 0;
    snprintf(path, PF_PATH_MAX, "%s%s", prefix, theirs);
    return true;
}

bool pf_module_path(const pf_peft_names *n, const char *ours, char path[PF_PATH_MAX])
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
    if (n->naming == PF_PEFT_CLIP && !strncmp(r->ours, "attn.", strlen("attn."))) {
        cut_end(to->path, base_out_proj);
        to->kind = PF_MODULE_ATTENTION;
    }
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

const pf_module *pf_module_find(const pf_modules *m, const char *ours, size_t length)
{
    for (size_t i = 0; i < m->count; i++)
        if (strlen(m->item[i].ours) == length && !strncmp(m->item[i].ours, ours, length)) return &m->item[i];
    return NULL;
}

const char *pf_module_stem(const char *ours)
{
    int skip = 0;
    return sscanf(ours, "blocks.%*d.%n", &skip) == 0 && skip ? ours + skip : ours;
}

/* Appends a module of kind FIXED or OTHER. layer: of the block that it is in, or PF_NO_LAYER; front: of the names of
 * blocks. */
static void append_other(pf_modules *m, const pf_peft_names *n, pf_module_kind kind, const char *front,
                         const char *name, int64_t layer)
{
    pf_module *to = &m->item[m->count++];
    *to = (pf_module){ .kind = kind, .layer = layer };
    if (layer < 0) snprintf(to->path, sizeof to->path, "%s%s", n->prefix, name);
    else snprintf(to->path, sizeof to->path, "%s%s%lld.%s", n->prefix, front, (long long)layer, name);
}

/* The modules of attention pooling. PEFT adapts out_proj of SigLIP's as a linear layer, but MultiheadAttention does not
 * call it. */
static void append_pooling(pf_modules *m, const pf_peft_names *n)
{
    static const struct { pf_peft_naming naming; pf_module_kind kind; const char *name; } pooling[POOLING] = {
        { PF_PEFT_TIMM, PF_MODULE_FIXED, "attn_pool.q" }, { PF_PEFT_TIMM, PF_MODULE_FIXED, "attn_pool.kv" },
        { PF_PEFT_TIMM, PF_MODULE_FIXED, "attn_pool.proj" }, { PF_PEFT_TIMM, PF_MODULE_FIXED, "attn_pool.mlp.fc1" },
        { PF_PEFT_TIMM, PF_MODULE_FIXED, "attn_pool.mlp.fc2" }, { PF_PEFT_TIMM, PF_MODULE_FIXED, "attn_pool.norm" },
        { PF_PEFT_HF_CLIP, PF_MODULE_OTHER, "head.attention.out_proj" },
        { PF_PEFT_HF_CLIP, PF_MODULE_FIXED, "head.mlp.fc1" }, { PF_PEFT_HF_CLIP, PF_MODULE_FIXED, "head.mlp.fc2" },
        { PF_PEFT_HF_CLIP, PF_MODULE_FIXED, "head.layernorm" }, { PF_PEFT_CLIP, PF_MODULE_FIXED, "attn_pool.attn" },
        { PF_PEFT_CLIP, PF_MODULE_OTHER, "attn_pool.attn.out_proj" } };
    const pf_peft_naming naming = pf_is_timm(n->naming) ? PF_PEFT_TIMM : n->naming;
    for (int i = 0; i < POOLING; i++)
        if (pooling[i].naming == naming) append_other(m, n, pooling[i].kind, "", pooling[i].name, PF_NO_LAYER);
}

/* Modules of the models in timm, transformers and open_clip that no adapter changes here: names in a configuration may
 * match them. */
static void append_others(pf_modules *m, const pf_peft_names *n)
{
    static const char *const in_timm_blocks[TIMM_NORMS] = { "attn.norm", "mlp.norm", "attn.q_norm", "attn.k_norm" };
    const pf_module_kind other = PF_MODULE_OTHER;
    if (n->shape->attn_pool.width) append_pooling(m, n);
    if (n->naming == PF_PEFT_HF || n->naming == PF_PEFT_HF5) append_other(m, n, other, "", "pooler.dense", PF_NO_LAYER);
    if (n->naming == PF_PEFT_HF_CLIP && !n->shape->norm) append_other(m, n, other, "", "post_layernorm", PF_NO_LAYER);
    for (int64_t l = 0; n->naming == PF_PEFT_CLIP && l < n->shape->depth; l++)
        append_other(m, n, other, "transformer.resblocks.", "attn.out_proj", l);
    if (!pf_is_timm(n->naming)) return;
    append_other(m, n, other, "", "patch_embed.norm", PF_NO_LAYER);
    for (int64_t l = 0; l < n->shape->depth; l++)
        for (int i = 0; i < TIMM_NORMS; i++)
            if (!block_has(n->shape, in_timm_blocks[i])) append_other(m, n, other, "blocks.", in_timm_blocks[i], l);
}

peft_status pf_modules_make(const peft_backbone *b, const pf_peft_names *n, pf_modules *out)
{
    const pf_vit_shape *s = &b->shape;
    size_t capacity = (size_t)s->depth * (ELEMENTS_OF(block_rows) + TIMM_NORMS) + ELEMENTS_OF(top_rows) + 1 + POOLING;
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
    append_others(&m, n);
    *out = m;
    return PEFT_OK;
}

bool pf_peft_is_outside(const pf_peft_names *n, const char *key)
{
    char name[PF_KEY_MAX];
    const char *end = pf_peft_ending(key);
    if (!end || strncmp(key, PF_PEFT_FRONT, strlen(PF_PEFT_FRONT))) return false;
    key += strlen(PF_PEFT_FRONT);
    snprintf(name, sizeof name, "%.*s.weight", (int)(end > key ? end - key : 0), key);
    return pf_naming_to_timm(pf_all_families, naming_of[n->naming], n->prefix, name).kind == PF_NAME_IGNORED;
}

void pf_modules_free(pf_modules *m) { pf_free(m->ctx, m->item); }

/* Does the tensor `key` belong to a module of m? Paths in m have no prefix; writes the one that key has. blocks:
 * compares with the modules in blocks, else with those outside. */
static bool prefix_of(const pf_modules *m, const char *key, bool blocks, char prefix[PF_NAME_MAX])
{
    const char *end = pf_peft_ending(key);
    if (!end || strncmp(key, PF_PEFT_FRONT, strlen(PF_PEFT_FRONT))) return false;
    key += strlen(PF_PEFT_FRONT);
    for (size_t i = 0; i < m->count; i++) {
        size_t tail = strlen(m->item[i].path), before = end > key ? (size_t)(end - key) : 0;
        if ((m->item[i].layer >= 0) != blocks || before < tail) continue;
        if (m->item[i].kind >= PF_MODULE_HEAD) continue;
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
 * to the prefix of the first one. The text tower of CLIP and SigLIP has the same names: its tensors are not counted
 * where its prefix tells ("text_model."), and the prefix "visual." is preferred to none. */
static peft_status count_matches(const peft_backbone *b, const pf_st *st, bool blocks, pf_peft_names *n, size_t *count)
{
    pf_modules m;
    char prefix[PF_NAME_MAX];
    *count = 0;
    PF_TRY(pf_modules_make(b, n, &m));
    for (size_t i = 0; i < pf_st_count(st); i++) {
        if (!prefix_of(&m, pf_st_at(st, i)->name, blocks, prefix) || strstr(prefix, "text")) continue;
        if (!*count || (strstr(prefix, "visual.") && !strstr(n->prefix, "visual.")))
            memcpy(n->prefix, prefix, sizeof prefix);
        ++*count;
    }
    pf_modules_free(&m);
    return PEFT_OK;
}

/* Chooses the naming that matches most tensors, as namings share some names (encoder.layer.N.mlp.fc1 of DINOv2 before
 * and since transformers 5); of several the one with the shortest prefix: "vision_model." before "encoder.layers." of
 * SigLIP, where another naming would have the prefix "vision_model.encoder.". Modules outside the blocks count only if
 * no tensor belongs to one in a block. */
peft_status pf_peft_detect(const peft_backbone *b, const pf_st *st, pf_peft_names *out)
{
    for (int pass = 0; pass < 2; pass++) {
        const bool blocks = pass == 0;
        size_t most = 0;
        for (int k = 0; k < PF_PEFT_NAMINGS * PF_MLPS; k++) {
            pf_peft_names n = pf_peft_names_of(b, (pf_peft_naming)(k / PF_MLPS));
            size_t count;
            n.mlp = (pf_peft_mlp)(k % PF_MLPS);
            if (b->shape.norm_pre && (n.naming == PF_PEFT_HF || n.naming == PF_PEFT_HF5)) continue;    /* CLIP alone */
            if (n.mlp && (!pf_is_timm(n.naming) || !b->shape.gate)) continue;
            PF_TRY(count_matches(b, st, blocks, &n, &count));
            if (count < most || !count || (count == most && strlen(n.prefix) >= strlen(out->prefix))) continue;
            most = count;
            *out = n;
        }
        if (most) return PEFT_OK;
    }
    const char *name = pf_st_count(st) ? pf_st_at(st, 0)->name : "";
    return pf_fail(PEFT_E_FORMAT,
                   "no tensor adapts a module of this backbone ('%.150s' is the first of %zu): expected " PF_PEFT_FRONT
                   "[prefix.]encoder.layer.N.., layers.N.., encoder.layers.N.., transformer.resblocks.N.. or "
                   "blocks.N.. with N below %lld",
                   name, pf_st_count(st), (long long)b->shape.depth);
}
