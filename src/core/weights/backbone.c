/* SPDX-License-Identifier: Apache-2.0
 * backbone.c -- allocating and freeing a backbone, its public getters, its fingerprint. */
#include <string.h>
#include "core/bits/sha256.h"
#include "core/bits/weight_reader.h"
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
    const int64_t grid = pf_vit_grid(s), elements = pf_rope_tables(s) * grid * grid * 2 * (s->width / s->heads);
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
        { "image_size", s->image }, { "tokens", pf_vit_tokens(s) }, { "prefix", pf_vit_prefix(s) },
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

/* Adds the values of a tensor of the file, as pk_real, and evicts them from memory again. */
static void hash_source(pf_sha256 *s, const pf_st *file, const pf_st_tensor *t)
{
    const int64_t n = pf_dims_count(t->ndim, t->dim);
    pk_real x[PF_READ_PIECE];
    for (int64_t first = 0; first < n; first += PF_READ_PIECE) {
        const int64_t count = n - first < PF_READ_PIECE ? n - first : PF_READ_PIECE;
        pf_to_real(x, (const char *)t->data + (size_t)first * pf_dtype_size(t->type), t->type, count);
        pf_sha256_add(s, x, (size_t)count * sizeof *x);
    }
    pf_st_evict(file, t);
}

static void hash_heading(pf_sha256 *s, const char *name, const peft_tensor *t)
{
    pf_sha256_add(s, name, strlen(name) + 1);
    pf_sha256_add(s, t->dim, sizeof(int64_t) * (size_t)t->ndim);
}

/* Adds name, extents and values, as pk_real, to the digest. */
static void hash_tensor(pf_sha256 *s, const char *name, const peft_tensor *t)
{
    hash_heading(s, name, t);
    const pk_weight w = pf_tensor_weight(t);
    pf_reader r;
    pf_reader_start(&r, t->ctx->kernels, &w);
    while (pf_reader_next(&r)) pf_sha256_add(s, r.x, (size_t)r.n * sizeof *r.x);
}

/* The same of a matrix that is stored as int8, with the values that it had in the file: the fingerprint is that of the
 * backbone without weights=int8, so that adapters of one fit the other. */
static void hash_int8(pf_sha256 *s, const peft_backbone *b, const pf_weight *w)
{
    hash_heading(s, w->name, &w->tensor);
    for (int i = 0; i < w->sources; i++) hash_source(s, b->file, w->source[i]);
}

void pf_classifier_digest(const peft_backbone *b, char hex[65])
{
    pf_sha256 s;
    pf_sha256_init(&s);
    for (size_t i = 0; i < b->weights; i++)
        if (pf_is_classifier(b->weight[i].name)) hash_tensor(&s, b->weight[i].name, &b->weight[i].tensor);
    pf_sha256_hex(&s, hex);
}

static void hash_rope(pf_sha256 *s, const pf_rope *r)
{
    const int64_t whole[] = { r->kind, r->reference, r->xy, r->halves };
    const double real[] = { r->temperature, r->offset };
    pf_sha256_add(s, whole, sizeof whole);
    pf_sha256_add(s, real, sizeof real);
}

/* Which position embedding a digest covers: that of the file, or the one that it was resampled to. */
enum positions { POSITIONS_OF_FILE, POSITIONS_IN_USE };
/* SHA-256 of all that features depend on: the facts that are in no tensor, then name, extents and values of every
 * tensor but the classifier's. */
static void digest(const peft_backbone *b, enum positions positions, char hex[65])
{
    pf_sha256 s;
    const pf_vit_shape *v = &b->shape;
    /* A gated MLP with SiLU of the first half counts as GELU: its fingerprint was defined before there were others. */
    const int64_t facts[] = { v->heads, pf_vit_is_swiglu(v) ? PK_GELU : v->act, v->pool };
    const int64_t gate = v->gate;
    pf_sha256_init(&s);
    pf_sha256_add(&s, facts, sizeof facts);
    pf_sha256_add(&s, &v->eps, sizeof v->eps);
    if (!v->norm && !v->fc_norm) pf_sha256_add(&s, "no final norm", sizeof "no final norm");
    if (v->gate && !pf_vit_is_swiglu(v)) pf_sha256_add(&s, &gate, sizeof gate);
    if (v->rope.kind) hash_rope(&s, &v->rope);
    if (v->pool_all) pf_sha256_add(&s, "pools all tokens", sizeof "pools all tokens");
    if (v->attn_pool.width) {
        pf_sha256_add(&s, &v->attn_pool.heads, sizeof v->attn_pool.heads);
        pf_sha256_add(&s, &v->attn_pool.eps, sizeof v->attn_pool.eps);
        if (v->attn_pool.act != v->act) pf_sha256_add(&s, &v->attn_pool.act, sizeof v->attn_pool.act);
    }
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        if (pf_is_classifier(b->weight[i].name)) continue;
        const bool resampled = b->native_pos.data && !strcmp(b->weight[i].name, "pos_embed");
        if (resampled && positions == POSITIONS_OF_FILE) t = &b->native_pos;
        if (b->weight[i].sources) hash_int8(&s, b, &b->weight[i]);
        else hash_tensor(&s, b->weight[i].name, t);
    }
    pf_sha256_hex(&s, hex);
}

const char *peft_backbone_fingerprint(peft_backbone *b)
{
    if (!b) return NULL;
    pthread_mutex_lock(&b->lock);
    if (!*b->fingerprint) digest(b, POSITIONS_OF_FILE, b->fingerprint);
    pthread_mutex_unlock(&b->lock);
    return b->fingerprint;
}

const char *pf_backbone_effective(peft_backbone *b)
{
    if (!b->native_pos.data) return peft_backbone_fingerprint(b);
    pthread_mutex_lock(&b->lock);
    if (!*b->effective) digest(b, POSITIONS_IN_USE, b->effective);
    pthread_mutex_unlock(&b->lock);
    return b->effective;
}
