/* SPDX-License-Identifier: Apache-2.0
 * backbone.c -- allocating and freeing a backbone, its public getters, its fingerprint; backbones with random
 * weights. */
#include <string.h>
#include "core/base/rng.h"
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
    for (size_t i = 0; i < b->weights; i++) if (b->weight[i].tensor.owned) pf_free(ctx, b->weight[i].tensor.data);
    pf_free(ctx, b->class_names);
    if (b->native_pos.owned) pf_free(ctx, b->native_pos.data);
    pf_st_close(b->file);
    pthread_mutex_destroy(&b->lock);
    pf_free(ctx, b->weight);
    pf_free(ctx, b);
    peft_context_free(ctx);
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
        { "registers", s->registers }, { "classes", s->classes }, { "parameters", parameters } };
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
        { "assumed", b->assumed }, { "preprocess", b->preprocess }, { "class_names", b->class_names } };
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        if (!strcmp(key, longer[i].key)) return longer[i].text && *longer[i].text ? longer[i].text : NULL;
    return NULL;
}

/* Adds name, extents and values, as pk_real, to the digest. */
static void hash_tensor(pf_sha256 *s, const char *name, const peft_tensor *t)
{
    pf_sha256_add(s, name, strlen(name) + 1);
    pf_sha256_add(s, t->dim, sizeof(int64_t) * (size_t)t->ndim);
    const pk_weight w = pf_tensor_weight(t);
    pf_reader r;
    pf_reader_start(&r, t->ctx->kernels, &w);
    while (pf_reader_next(&r)) pf_sha256_add(s, r.x, (size_t)r.n * sizeof *r.x);
}

void pf_classifier_digest(const peft_backbone *b, char hex[65])
{
    pf_sha256 s;
    pf_sha256_init(&s);
    for (size_t i = 0; i < b->weights; i++)
        if (pf_is_classifier(b->weight[i].name)) hash_tensor(&s, b->weight[i].name, &b->weight[i].tensor);
    pf_sha256_hex(&s, hex);
}

/* Which position embedding a digest covers: that of the file, or the one that it was resampled to. */
enum positions { POSITIONS_OF_FILE, POSITIONS_IN_USE };
/* SHA-256 of all that features depend on: the facts that are in no tensor, then name, extents and values of every
 * tensor but the classifier's. */
static void digest(const peft_backbone *b, enum positions positions, char hex[65])
{
    pf_sha256 s;
    const int64_t facts[] = { b->shape.heads, b->shape.act, b->shape.mean_pool };
    pf_sha256_init(&s);
    pf_sha256_add(&s, facts, sizeof facts);
    pf_sha256_add(&s, &b->shape.eps, sizeof b->shape.eps);
    if (b->shape.no_final_norm) pf_sha256_add(&s, "no final norm", sizeof "no final norm");
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        if (pf_is_classifier(b->weight[i].name)) continue;
        const bool resampled = b->native_pos.data && !strcmp(b->weight[i].name, "pos_embed");
        if (resampled && positions == POSITIONS_OF_FILE) t = &b->native_pos;
        hash_tensor(&s, b->weight[i].name, t);
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

peft_status pf_shape_check(const pf_vit_shape *s)
{
    const struct { const char *name; int64_t value, lo, hi; } bounds[] = {
        { "patch", s->patch, 1, 1024 }, { "image_size", s->image, 1, 65536 }, { "width", s->width, 1, 65536 },
        { "depth", s->depth, 1, PEFT_DEPTH_MAX }, { "heads", s->heads, 1, 65536 }, { "mlp", s->mlp, 1, 1 << 20 },
        { "classes", s->classes, 0, 1 << 24 }, { "registers", s->registers, 0, 65536 } };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (bounds[i].value < bounds[i].lo || bounds[i].value > bounds[i].hi)
            return pf_fail(PEFT_E_INVALID, "%s %lld: expected %lld to %lld%s", bounds[i].name,
                           (long long)bounds[i].value, (long long)bounds[i].lo, (long long)bounds[i].hi,
                           strcmp(bounds[i].name, "depth") ? "" : " blocks (PEFT_DEPTH_MAX)");
    if (s->image % s->patch)
        return pf_fail(PEFT_E_INVALID, "image_size %lld: expected a multiple of the patch side %lld",
                       (long long)s->image, (long long)s->patch);
    if (s->width % s->heads)
        return pf_fail(PEFT_E_INVALID, "heads %lld: expected a divisor of the width %lld", (long long)s->heads,
                       (long long)s->width);
    if (!(s->eps >= 0 && s->eps <= 1)) return pf_fail(PEFT_E_INVALID, "eps of LayerNorm: expected 0 to 1");
    if (s->act < 0) return pf_fail(PEFT_E_OPTION, "act: expected gelu or quickgelu");
    return PEFT_OK;
}

const pf_opt pf_backbone_create_options[] = {
    { "image_size", 'i', "224", 1, 65536, "side of the square image in pixels" },
    { "patch", 'i', "16", 1, 1024, "side of a patch in pixels" },
    { "width", 'i', "768", 1, 65536, "width of the residual stream" },
    { "depth", 'i', "12", 1, PEFT_DEPTH_MAX, "number of blocks" },
    { "heads", 'i', "12", 1, 65536, "attention heads of a block" },
    { "mlp", 'i', "0", 0, 1 << 20, "hidden width of the MLP; 0: four times the width" },
    { "classes", 'i', "0", 0, 1 << 24, "classes of the classifier; 0: the backbone has no classifier" },
    { "registers", 'i', "0", 0, 65536, "number of register tokens" },
    { "layer_scale", 'b', "false", 0, 0, "LayerScale after attention and MLP" },
    { "swiglu", 'b', "false", 0, 0, "the MLP is gated: SiLU(first half of fc1) * second half" },
    { "qkv_bias", 'b', "true", 0, 0, "the projections to q, k and v have biases" },
    { "norm_pre", 'b', "false", 0, 0, "LayerNorm before the blocks" },
    { "eps", 'f', "1e-6", 0, 1, "epsilon of LayerNorm" },
    { "act", 's', "gelu", 0, 0, "activation of the MLP: gelu or quickgelu" },
    { "pool", 's', "cls", 0, 0, "what the head reads: cls (the class token) or mean (of the patch tokens)" },
    { "seed", 'i', "0", 0, 9e15, "seed of the random weights, combined with the context's seed" },
    { 0 } };

const peft_option *peft_backbone_create_option(size_t i) { return pf_option_at(pf_backbone_create_options, i); }

/* The initial values that timm gives vision transformers: weights normal with deviation 0.02, weights of norms 1,
 * biases 0, LayerScale 1e-5. timm truncates at +-2, a hundred standard deviations, which no drawn number reaches. */
static void randomise(pf_weight *w, uint64_t seed)
{
    pk_real *x = w->tensor.data;
    int64_t n = peft_tensor_count(&w->tensor);
    pf_rng r = { seed, pf_rng_stream(w->name), 0 };
    bool gamma = strstr(w->name, "gamma"), bias = strstr(w->name, "bias"), norm = strstr(w->name, "norm");
    double constant = gamma ? 1e-5 : bias ? 0 : 1;
    for (int64_t i = 0; i < n; i++) {
        x[i] = (pk_real)(gamma || bias || norm ? constant : 0.02 * pf_rng_normal(&r, (uint64_t)i));
    }
}

peft_status peft_backbone_create(peft_context *ctx, const peft_options *o, peft_backbone **out)
{
    PK_FLOAT_SCOPE;
    const pf_opt *t = pf_backbone_create_options;
    if (!ctx || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", ctx ? "out" : "ctx");
    PF_TRY(pf_options_check(o, t, "a new backbone"));
    pf_vit_shape s = {
        .image = pf_options_int(o, t, "image_size"), .patch = pf_options_int(o, t, "patch"),
        .width = pf_options_int(o, t, "width"), .depth = pf_options_int(o, t, "depth"),
        .heads = pf_options_int(o, t, "heads"), .mlp = pf_options_int(o, t, "mlp"),
        .classes = pf_options_int(o, t, "classes"), .registers = pf_options_int(o, t, "registers"),
        .eps = pf_options_float(o, t, "eps"), .act = pf_act_named(pf_options_string(o, t, "act")),
        .mean_pool = !strcmp(pf_options_string(o, t, "pool"), "mean"),
        .layer_scale = pf_options_int(o, t, "layer_scale"), .qkv_bias = pf_options_int(o, t, "qkv_bias"),
        .norm_pre = pf_options_int(o, t, "norm_pre"), .swiglu = pf_options_int(o, t, "swiglu"),
        .patch_bias = true, .pos_prefix = true };
    const char *pool = pf_options_string(o, t, "pool");
    if (strcmp(pool, "mean") && strcmp(pool, "cls"))
        return pf_fail(PEFT_E_OPTION, "pool: given '%s', expected cls or mean", pool);
    if (!s.mlp) s.mlp = 4 * s.width;
    PF_TRY(pf_shape_check(&s));
    peft_backbone *b;
    PF_TRY(pf_backbone_alloc(ctx, &s, &b));
    memcpy(b->rule, "timm", sizeof "timm");
    /* times 2^64 / golden ratio, so that seeds 0, 1, 2, .. differ in all their bits */
    uint64_t seed = ctx->seed ^ (uint64_t)pf_options_int(o, t, "seed") * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < b->weights; i++) {
        if (!pf_backbone_alloc_data(b, i)) {
            peft_backbone_free(b);
            return PEFT_E_NOMEM;
        }
        randomise(&b->weight[i], seed);
    }
    *out = b;
    return PEFT_OK;
}
