/* SPDX-License-Identifier: Apache-2.0
 * fingerprint.c -- SHA-256 digests of a backbone: of all that features depend on, and of its classifier. */
#include <string.h>
#include "core/bits/sha256.h"
#include "core/bits/weight_reader.h"
#include "core/weights/backbone.h"
#include "kernels/ref/int8.h"

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
static void hash_sources(pf_sha256 *s, const peft_backbone *b, const pf_weight *w)
{
    hash_heading(s, w->name, &w->tensor);
    for (int i = 0; i < w->sources; i++) hash_source(s, b->file, w->source[i]);
}

/* The same with the bytes and scales in which it is stored. */
static void hash_stored(pf_sha256 *s, const char *name, const peft_tensor *t)
{
    hash_heading(s, name, t);
    pf_sha256_add(s, t->data, pf_tensor_bytes(t));
    pf_sha256_add(s, t->scales, (size_t)(t->dim[0] * pk_int8_pieces(t->dim[1]).count) * sizeof *t->scales);
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
/* Which values of a matrix that is stored as int8: those that were rounded, where the file has them, or the stored. */
enum values { VALUES_OF_FILE, VALUES_STORED };
/* SHA-256 of all that features depend on: the facts that are in no tensor, then name, extents and values of every
 * tensor but the classifier's. */
static void digest(const peft_backbone *b, enum positions positions, enum values values, char hex[65])
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
        if (b->weight[i].sources && values == VALUES_OF_FILE) hash_sources(&s, b, &b->weight[i]);
        else if (t->scales) hash_stored(&s, b->weight[i].name, t);
        else hash_tensor(&s, b->weight[i].name, t);
    }
    pf_sha256_hex(&s, hex);
}

/* Replaces the fingerprint, which is the digest of a file's int8 matrices, by that of the backbone that was rounded, as
 * the file states it. false: the digest is not that which the file states for its own content. */
static bool take_stated(peft_backbone *b)
{
    if (!*b->stated) return true;
    if (strcmp(b->fingerprint, b->content)) return false;
    memcpy(b->fingerprint, b->stated, sizeof b->fingerprint);
    return true;
}

const char *peft_backbone_fingerprint(peft_backbone *b)
{
    bool taken = true;
    if (!b) return NULL;
    pthread_mutex_lock(&b->lock);
    if (!*b->fingerprint) {
        digest(b, POSITIONS_OF_FILE, VALUES_OF_FILE, b->fingerprint);
        taken = take_stated(b);
    }
    pthread_mutex_unlock(&b->lock);
    if (!taken)
        pf_warn(b->ctx, "the fingerprint of the backbone is that of its int8 values: the file states that they were "
                "rounded from backbone %s, but its tensors or the network's settings are not those with which it was "
                "written (settings: options of loading, the file's header, configuration files)", b->stated);
    return b->fingerprint;
}

void pf_backbone_content(const peft_backbone *b, char hex[65])
{
    digest(b, POSITIONS_IN_USE, VALUES_STORED, hex);
}

const char *pf_backbone_effective(peft_backbone *b)
{
    if (!b->native_pos.data) return peft_backbone_fingerprint(b);
    pthread_mutex_lock(&b->lock);
    if (!*b->effective) digest(b, POSITIONS_IN_USE, VALUES_OF_FILE, b->effective);
    pthread_mutex_unlock(&b->lock);
    return b->effective;
}
