/* SPDX-License-Identifier: Apache-2.0
 * backbone.c -- allocating and freeing a backbone, and its public getters. */
#include <string.h>
#include "core/weights/backbone.h"

peft_status pf_backbone_alloc(peft_context *ctx, const pf_vit_shape *shape, peft_backbone **out)
{
    size_t n = pf_vit_tensor_count(shape), bytes = n * sizeof(pf_weight);
    peft_backbone *b = pf_alloc_zero(ctx, sizeof *b);
    if (!b) return pf_nomem("backbone", sizeof *b);
    b->weight = pf_alloc_zero(ctx, bytes);
    if (!b->weight) {
        pf_free(ctx, b);
        return pf_nomem("backbone", bytes);
    }
    atomic_init(&b->refs, 1);
    pthread_mutex_init(&b->lock, NULL);
    b->ctx = pf_context_retain(ctx);
    b->shape = *shape;
    pf_backbone_settings(shape, b->settings);
    pf_backbone_parts(shape, b->parts);
    b->weights = n;
    for (size_t i = 0; i < n; i++) {
        pf_tensor_spec t;
        pf_vit_tensor(shape, i, &t);
        memcpy(b->weight[i].name, t.name, sizeof t.name);
        peft_tensor *x = &b->weight[i].tensor;
        x->ctx = ctx;
        x->type = PF_REAL;
        x->ndim = t.ndim;
        memcpy(x->dim, t.dim, sizeof t.dim);
    }
    *out = b;
    return PEFT_OK;
}

void *pf_backbone_alloc_data(peft_backbone *b, size_t i)
{
    peft_tensor *t = &b->weight[i].tensor;
    t->data = pf_alloc(b->ctx, pf_tensor_bytes(t));
    if (!t->data) pf_nomem(b->weight[i].name, pf_tensor_bytes(t));
    else t->owned = true;
    return t->data;
}

peft_backbone *pf_backbone_retain(peft_backbone *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void peft_backbone_free(peft_backbone *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
    peft_context *ctx = b->ctx;
    for (size_t i = 0; i < b->weights; i++) {
        if (b->weight[i].tensor.owned) pf_free(ctx, b->weight[i].tensor.data);
        pf_free(ctx, b->weight[i].tensor.scales);
    }
    for (int i = 0; i < PF_SOURCES; i++) pf_source_free(&b->source[i], ctx);
    pf_free(ctx, b->class_names);
    pf_free(ctx, b->rope);
    if (b->native_pos.owned) pf_free(ctx, b->native_pos.data);
    pf_st_close(b->file);
    pthread_mutex_destroy(&b->lock);
    pf_free(ctx, b->weight);
    pf_free(ctx, b);
    peft_context_free(ctx);
}

peft_status pf_backbone_make_rope(peft_backbone *b)
{
    const pf_vit_shape *s = &b->shape;
    const int64_t elements = pf_rope_tables(s) * pf_vit_patches(s) * 2 * (s->width / s->heads);
    const peft_tensor *freqs = pf_backbone_find(b, "rope.freqs");
    if (!elements) return PEFT_OK;
    pf_free(b->ctx, b->rope);
    b->rope = pf_alloc(b->ctx, (size_t)elements * sizeof *b->rope);
    if (!b->rope) return pf_nomem("rotary positions", (size_t)elements * sizeof *b->rope);
    pf_rope_fill(s, freqs ? freqs->data : NULL, b->rope);
    return PEFT_OK;
}

const peft_tensor *pf_backbone_find(const peft_backbone *b, const char *name)
{
    for (size_t i = 0; i < b->weights; i++) if (!strcmp(b->weight[i].name, name)) return &b->weight[i].tensor;
    return NULL;
}

/* t must be the member `tensor` of a pf_weight. */
const char *pf_weight_name(const peft_tensor *t)
{
    return ((const pf_weight *)(const void *)((const char *)t - offsetof(pf_weight, tensor)))->name;
}

bool pf_is_classifier(const char *name) { return !strncmp(name, "head.", 5); }
bool pf_is_float(peft_dtype type)
{
    return type == PEFT_F32 || type == PEFT_F16 || type == PEFT_BF16 || type == PEFT_F64;
}

int64_t peft_backbone_get(const peft_backbone *b, const char *what)
{
    if (!b || !what) return -1;
    const pf_vit_shape *s = &b->shape;
    int64_t parameters = 0;
    for (size_t i = 0; i < b->weights; i++) parameters += peft_tensor_count(&b->weight[i].tensor);
    const struct { const char *name; int64_t value; } facts[] = {
        { "width", s->width }, { "depth", s->depth }, { "heads", s->heads }, { "mlp", s->mlp }, { "patch", s->patch },
        { "image_size", s->image.h == s->image.w ? s->image.h : -1 }, { "image_height", s->image.h },
        { "image_width", s->image.w }, { "tokens", pf_vit_tokens(s) }, { "prefix", pf_vit_prefix(s) },
        { "registers", s->registers }, { "classes", s->classes }, { "parameters", parameters },
        { "feature_width", pf_vit_feature_width(s, s->pool) } };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) if (!strcmp(what, facts[i].name)) return facts[i].value;
    return -1;
}

peft_context *peft_backbone_context(const peft_backbone *b) { return b ? b->ctx : NULL; }

size_t peft_backbone_tensor_count(const peft_backbone *b) { return b ? b->weights : 0; }
const char *peft_backbone_tensor_name(const peft_backbone *b, size_t i)
{
    return b && i < b->weights ? b->weight[i].name : NULL;
}

const peft_tensor *peft_backbone_tensor(const peft_backbone *b, size_t i)
{
    return b && i < b->weights ? &b->weight[i].tensor : NULL;
}

const char *const pf_note_name[PF_NOTES] = { "mean", "std", "image_size", "crop_pct", "interpolation", "link" };

const char *peft_backbone_note(const peft_backbone *b, const char *key)
{
    for (int i = 0; b && key && i < PF_NOTES; i++)
        if (!strcmp(key, pf_note_name[i])) return *b->note[i] ? b->note[i] : NULL;
    if (!b || !key) return NULL;
    const struct { const char *key, *text; } longer[] = {
        { "settings", b->settings }, { "parts", b->parts }, { "assumed", b->assumed },
        { "preprocess", b->preprocess }, { "class_names", b->class_names } };
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        if (!strcmp(key, longer[i].key)) return longer[i].text && *longer[i].text ? longer[i].text : NULL;
    return NULL;
}
