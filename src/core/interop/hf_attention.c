/* SPDX-License-Identifier: Apache-2.0
 * hf_attention.c -- LoRA of torch's MultiheadAttention, in open_clip's models. PEFT adapts it as one module: in_proj
 * (attn.qkv) and out_proj (attn.proj) together, with one rank and alpha. An adapter that has other ranks, or only one
 * of them, or parts of attn.qkv, is written with the larger rank: the rows of A and columns of B that are added are
 * zeros, so that B A stays the same. in_proj of parts is of block-diagonal form, as in hf_fuse.c. PEFT adds the update
 * of out_proj twice (lora.MultiheadAttention.merge adds it, and calls merge of out_proj, which adds it again), so the
 * scale of attn.proj is PF_OUT_PROJ_TIMES that of attn.qkv. */
#include <stdio.h>
#include <string.h>
#include "core/interop/hf_dir.h"

static const char ends_a[] = ".lora_A.weight", ends_b[] = ".lora_B.weight";

/* One of the matrices that LoRA adapts: in_proj, attn.q, attn.k, attn.v or out_proj. */
enum { PIECES = 5, OUT_PROJ = 4 };
static const struct { const char *stem; int whole; int64_t first, rows; } rows_of[PIECES] = {   /* in units of width */
    { "attn.qkv", 0, 0, 3 }, { "attn.q", 0, 0, 1 }, { "attn.k", 0, 1, 1 }, { "attn.v", 0, 2, 1 },
    { "attn.proj", 1, 0, 1 } };

/* What the adapter has of a block's attention. rank: of in_proj, of out_proj; both are written with the larger one. */
typedef struct {
    pf_param *a[PIECES], *b[PIECES];
    double scale[PIECES];                                    /* by which the file's B is multiplied: alpha / rank */
    int64_t rank[2];
} attention;

/* Writes the name of a module of the block whose number is layer. */
static void module_name(char name[PF_NAME_MAX], int64_t layer, const char *stem)
{
    snprintf(name, PF_NAME_MAX, "blocks.%lld.%s", (long long)layer, stem);
}

static attention collect(const peft_adapter *a, int64_t layer)
{
    attention x = { .rank = { 0, 0 } };
    char ours[PF_NAME_MAX], name[PF_NAME_MAX + 32];
    for (int i = 0; i < PIECES; i++) {
        module_name(ours, layer, rows_of[i].stem);
        snprintf(name, sizeof name, "%s%s", ours, ends_a);
        if (!(x.a[i] = pf_params_find(&a->params, name))) continue;
        snprintf(name, sizeof name, "%s%s", ours, ends_b);
        x.b[i] = pf_params_find(&a->params, name);
        x.scale[i] = pf_lora_scale(a, ours, x.a[i]) / (i == OUT_PROJ ? PF_OUT_PROJ_TIMES : 1);
        x.rank[rows_of[i].whole] += x.a[i]->value.dim[0];
    }
    return x;
}

static bool adapts(const attention *x) { return x->rank[0] || x->rank[1]; }
static int64_t common_rank(const attention *x) { return x->rank[0] > x->rank[1] ? x->rank[0] : x->rank[1]; }

/* The scale of the update that is written: that of the first matrix. */
static double common_scale(const attention *x)
{
    for (int i = 0; i < PIECES; i++) if (x->a[i]) return x->scale[i];
    return 1;
}

/* true: in_proj and out_proj are adapted with equal numbers, and can be written as they are. */
static bool is_plain(const attention *x)
{
    return x->a[0] && x->a[OUT_PROJ] && x->rank[0] == x->rank[1] && x->rank[0] == x->a[0]->value.dim[0]
        && x->scale[0] == x->scale[OUT_PROJ];
}

/* The number of the block of a parameter of its attention, "blocks.3.attn.q.lora_A.weight"; -1: of another one. */
static int64_t layer_of(const char *name)
{
    long long layer;
    int end = 0;
    return sscanf(name, "blocks.%lld.attn.%n", &layer, &end) == 1 && end ? layer : -1;
}

bool pf_peft_in_attention(const peft_adapter *a, const pf_peft_names *n, const pf_param *p)
{
    if (n->naming != PF_PEFT_CLIP || layer_of(p->name) < 0) return false;
    const attention x = collect(a, layer_of(p->name));
    return !is_plain(&x) || (strcmp(pf_peft_ending(p->name) ? pf_peft_ending(p->name) : "", ends_a)
                             && strcmp(pf_peft_ending(p->name) ? pf_peft_ending(p->name) : "", ends_b));
}

bool pf_peft_changes_ranks(const peft_adapter *a, const pf_peft_names *n)
{
    if (pf_peft_fuses(a, n)) return true;
    for (int64_t l = 0; n->naming == PF_PEFT_CLIP && l < n->shape->depth; l++) {
        const attention x = collect(a, l);
        if (adapts(&x) && !is_plain(&x)) return true;
    }
    return false;
}

void pf_peft_mark_attention(const peft_adapter *a, const pf_peft_names *n, pf_modules *m)
{
    for (size_t i = 0; n->naming == PF_PEFT_CLIP && i < m->count; i++) {
        pf_module *t = &m->item[i];
        if (t->kind != PF_MODULE_ATTENTION) continue;
        const attention x = collect(a, t->layer);
        t->target = adapts(&x);
        if (adapts(&x) && is_plain(&x) && !strcmp(pf_module_stem(t->ours), "attn.proj")) t->alpha /= PF_OUT_PROJ_TIMES;
        if (!adapts(&x) || is_plain(&x)) continue;           /* marked as any other module */
        t->rank = common_rank(&x);
        t->alpha = common_scale(&x) * (double)t->rank;
    }
}

/* Adds A and B of in_proj (whole 0) or out_proj (whole 1). */
static peft_status add_pair(const attention *x, const pf_peft_names *n, const pf_modules *m, int64_t layer, int whole,
                            pf_param *p, pf_peft_entries *e)
{
    const int64_t width = n->shape->width, rank = common_rank(x), rows = whole ? width : 3 * width;
    char ours[PF_NAME_MAX], path[PF_PATH_MAX], key[PF_KEY_MAX];
    int64_t used = 0;
    module_name(ours, layer, whole ? "attn.proj" : "attn.qkv");
    pf_module_path(n, ours, path);
    const pf_module *module = pf_module_find(m, ours, strlen(ours));
    pf_peft_key(module, path, ends_a, key);
    pf_peft_entry *to = pf_peft_add_made(e, p, key, 2, (int64_t[]){ rank, width });
    if (!to) return pf_nomem("tensor", sizeof(pk_real) * (size_t)(rank * width));
    pk_real *a = to->made;
    pf_peft_key(module, path, ends_b, key);
    to = pf_peft_add_made(e, p, key, 2, (int64_t[]){ rows, rank });
    if (!to) return pf_nomem("tensor", sizeof(pk_real) * (size_t)(rank * rows));
    for (int i = 0; i < PIECES; i++) {
        if (!x->a[i] || rows_of[i].whole != whole) continue;
        const int64_t r = x->a[i]->value.dim[0], first = rows_of[i].first * width;
        const pk_real *b = x->b[i]->value.data;
        const double factor = x->scale[i] / common_scale(x);
        memcpy(a + used * width, x->a[i]->value.data, sizeof *a * (size_t)(r * width));
        for (int64_t k = 0; k < rows_of[i].rows * width * r; k++)
            to->made[(first + k / r) * rank + used + k % r] = (pk_real)(factor * b[k]);
        used += r;
    }
    return PEFT_OK;
}

peft_status pf_peft_attention(const peft_adapter *a, const pf_peft_names *n, const pf_modules *m, pf_param *p,
                              pf_peft_entries *e)
{
    const int64_t layer = layer_of(p->name);
    const char *ending = pf_peft_ending(p->name);
    const attention x = collect(a, layer);
    if (!ending || (strcmp(ending, ends_a) && strcmp(ending, ends_b)))
        return pf_fail(PEFT_E_UNSUPPORTED, "parameter '%s': PEFT adapts the MultiheadAttention of the %s naming by "
                       "LoRA alone, without DoRA and biases", p->name, pf_peft_naming_name[n->naming]);
    if (x.a[0] && (x.a[1] || x.a[2] || x.a[3]))
        return pf_fail(PEFT_E_UNSUPPORTED, "block %lld: attn.qkv and its parts are one module in the %s naming, which "
                       "cannot express an adapter of both", (long long)layer, pf_peft_naming_name[n->naming]);
    for (size_t i = 0; i < a->params.count; i++) {
        if (layer_of(a->params.item[i]->name) != layer) continue;
        if (a->params.item[i] != p) return PEFT_OK;          /* not the first one of this block's attention */
        break;
    }
    PF_TRY(add_pair(&x, n, m, layer, 0, p, e));
    return add_pair(&x, n, m, layer, 1, p, e);
}
