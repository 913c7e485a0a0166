/* SPDX-License-Identifier: Apache-2.0
 * create.c -- checks the shape of a backbone, and makes backbones with random weights. */
#include <string.h>
#include "core/base/rng.h"
#include "core/weights/backbone.h"

peft_status pf_shape_check(const pf_vit_shape *s)
{
    const struct { const char *name; int64_t value, lo, hi; } bounds[] = {
        { "patch", s->patch, 1, 1024 }, { "image_size", s->image.h, 1, 65536 },
        { "image_size", s->image.w, 1, 65536 }, { "width", s->width, 1, 65536 },
        { "depth", s->depth, 1, PEFT_DEPTH_MAX }, { "heads", s->heads, 1, 65536 }, { "mlp", s->mlp, 1, 1 << 20 },
        { "classes", s->classes, 0, 1 << 24 }, { "registers", s->registers, 0, 65536 } };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (bounds[i].value < bounds[i].lo || bounds[i].value > bounds[i].hi)
            return pf_fail(PEFT_E_INVALID, "%s %lld: expected %lld to %lld%s", bounds[i].name,
                           (long long)bounds[i].value, (long long)bounds[i].lo, (long long)bounds[i].hi,
                           strcmp(bounds[i].name, "depth") ? "" : " blocks (PEFT_DEPTH_MAX)");
    char sides[PF_SIDES_MAX];
    if (s->image.h % s->patch || s->image.w % s->patch)
        return pf_fail(PEFT_E_INVALID, "image_size %s: expected %s of the patch side %lld",
                       pf_sides_text(sides, s->image),
                       s->image.h == s->image.w ? "a multiple" : "height and width that are multiples",
                       (long long)s->patch);
    if (s->width % s->heads)
        return pf_fail(PEFT_E_INVALID, "heads %lld: expected a divisor of the width %lld", (long long)s->heads,
                       (long long)s->width);
    if (!(s->eps >= 0 && s->eps <= 1)) return pf_fail(PEFT_E_INVALID, "eps of LayerNorm: expected 0 to 1");
    if (s->act < 0) return pf_fail(PEFT_E_OPTION, "act: expected " PF_ACT_NAMES);
    const bool rope_numbers = s->rope.temperature > 0 && s->rope.reference >= 0 && s->rope.reference <= 65536;
    if (s->rope.kind && s->width / s->heads % 4)
        return pf_fail(PEFT_E_INVALID, "heads %lld: expected heads of a multiple of 4 columns for rotary positions; "
                       "the width is %lld", (long long)s->heads, (long long)s->width);
    if (s->rope.kind && !rope_numbers)
        return pf_fail(PEFT_E_INVALID, "rope_temperature: expected a positive number; ref_feat_shape: 0 to 65536");
    if (s->rope.kind == PF_ROPE_MIXED && s->rope.halves)
        return pf_fail(PEFT_E_OPTION, "rope_rotate_half: given true with rope=mixed, which needs false");
    if (s->attn_pool.width && (s->attn_pool.heads < 1 || s->attn_pool.width % s->attn_pool.heads))
        return pf_fail(PEFT_E_INVALID, "pool_heads %lld: expected a divisor of the %lld columns of attention pooling",
                       (long long)s->attn_pool.heads, (long long)s->attn_pool.width);
    return pf_shape_check_pool(s, s->pool);
}

peft_status pf_shape_check_pool(const pf_vit_shape *s, pf_feature pool)
{
    const bool reads_class = pool != PF_FEATURE_MEAN && pool != PF_FEATURE_ATTENTION;
    const char *lack = NULL;
    if (pool == PF_FEATURE_ATTENTION && !s->attn_pool.width) lack = "attention pooling";
    if (pool == PF_FEATURE_CLS_DIST && s->registers != 1) lack = "distillation token";
    if (reads_class && !s->class_token) lack = "class token";
    if (!lack) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "pool: given '%s', but the backbone has no %s: expected %s", pf_feature_name(pool),
                   lack, s->class_token ? "cls, mean or cls_mean" : "mean");
}

const pf_opt pf_backbone_create_options[] = {
    { "image_size", 'x', "224", 1, 65536, "side of the square images in pixels, or HEIGHTxWIDTH" },
    { "patch", 'i', "16", 1, 1024, "side of a patch in pixels" },
    { "width", 'i', "768", 1, 65536, "width of the residual stream" },
    { "depth", 'i', "12", 1, PEFT_DEPTH_MAX, "number of blocks" },
    { "heads", 'i', "12", 1, 65536, "attention heads of a block" },
    { "mlp", 'i', "0", 0, 1 << 20, "hidden width of the MLP; 0: four times the width" },
    { "classes", 'i', "0", 0, 1 << 24, "classes of the classifier; 0: the backbone has no classifier" },
    { "registers", 'i', "0", 0, 65536, "number of register tokens" },
    { "layer_scale", 'b', "false", 0, 0, "LayerScale after attention and MLP" },
    { "swiglu", 'b', "false", 0, 0, "the MLP is gated: SiLU(first half of fc1) * second half; the same as "
      "gate=first,act=silu" },
    { "gate", 's', "none", 0, 0, "half of fc1's outputs to which a gated MLP applies the activation, before it "
      "multiplies by the other half: first or last; none: the MLP is not gated" },
    { "qkv_bias", 'b', "true", 0, 0, "the projections to q, k and v have biases" },
    { "proj_bias", 'b', "true", 0, 0, "the other linear layers of the blocks have biases" },
    { "class_token", 'b', "true", 0, 0, "there is a class token" },
    { "pos_embed", 'b', "true", 0, 0, "there is a learned position embedding" },
    { "rope", 's', "none", 0, 0, "rotary positions: none; axial (timm's cat); dinov3, of coordinates in -1..1; mixed, "
      "with trained frequencies" },
    { "rope_temperature", 'f', "100", 1e-6, 1e9, "base of the frequencies" },
    { "rope_grid_offset", 'f', "0", -1e6, 1e6, "is added to row and column of a patch" },
    { "rope_grid_indexing", 's', "ij", 0, 0, "ij: the row comes first; xy: the column" },
    { "rope_rotate_half", 'b', "false", 0, 0, "pairs of elements are (j, j + half of the head), else neighbours" },
    { "ref_feat_shape", 'i', "0", 0, 65536, "with rope=axial: side of the grid to which rows and columns are scaled; "
      "0: none" },
    { "no_embed_class", 'b', "false", 0, 0, "the position embedding has no row for the class token" },
    { "norm_pre", 'b', "false", 0, 0, "LayerNorm before the blocks" },
    { "qk_norm", 'b', "false", 0, 0, "LayerNorm of each head's q and k" },
    { "attn_norm", 'b', "false", 0, 0, "LayerNorm of the attention's result, before its projection" },
    { "mlp_norm", 'b', "false", 0, 0, "LayerNorm of the input of the MLP's second layer" },
    { "final_norm", 's', "auto", 0, 0, "LayerNorm behind the blocks: before (norm, of the tokens before pooling), "
      "after (fc_norm, of the pooled feature), both or none; auto: after with pool=mean, else before" },
    { "eps", 'f', "1e-6", 0, 1, "epsilon of LayerNorm" },
    { "act", 's', "gelu", 0, 0, "activation of the MLP, or of its gate: " PF_ACT_NAMES },
    { "pool", 's', "cls", 0, 0, "what the head reads: cls (the class token), mean (of the patch tokens), "
      "cls_mean (both side by side), cls_dist (class token and the one register side by side) or attention (attention "
      "pooling of the patch tokens by one query, with an MLP)" },
    { "seed", 'i', "0", 0, 9e15, "seed of the random weights, combined with the context's seed" },
    { 0 } };

const peft_option *peft_backbone_create_option(size_t i) { return pf_option_at(pf_backbone_create_options, i); }

static peft_status read_rope(const peft_options *o, pf_rope *r)
{
    const pf_opt *t = pf_backbone_create_options;
    const char *name = pf_options_string(o, t, "rope"), *order = pf_options_string(o, t, "rope_grid_indexing");
    const int kind = pf_rope_named(name);
    if (kind < 0) return pf_fail(PEFT_E_OPTION, "rope: given '%s', expected none, axial, dinov3 or mixed", name);
    if (strcmp(order, "ij") && strcmp(order, "xy"))
        return pf_fail(PEFT_E_OPTION, "rope_grid_indexing: given '%s', expected ij or xy", order);
    if (!kind) return PEFT_OK;
    *r = (pf_rope){ .kind = (pf_rope_kind)kind, .temperature = pf_options_float(o, t, "rope_temperature"),
                    .offset = pf_options_float(o, t, "rope_grid_offset"), .xy = !strcmp(order, "xy"),
                    .halves = pf_options_int(o, t, "rope_rotate_half"),
                    .reference = pf_options_int(o, t, "ref_feat_shape") };
    return PEFT_OK;
}

/* Sets norm and fc_norm by the option final_norm, and the kind of MLP by swiglu, gate and act. */
static peft_status read_words(const peft_options *o, pf_vit_shape *s)
{
    const pf_opt *t = pf_backbone_create_options;
    const char *pool = pf_options_string(o, t, "pool"), *norm = pf_options_string(o, t, "final_norm");
    const char *gate = pf_options_string(o, t, "gate");
    const int feature = pf_feature_named(pool);
    if (feature < 0)
        return pf_fail(PEFT_E_OPTION, "pool: given '%s', expected cls, mean, cls_mean, cls_dist or attention", pool);
    s->pool = (pf_feature)feature;
    if (!strcmp(norm, "auto")) norm = s->pool == PF_FEATURE_MEAN ? "after" : "before";
    s->norm = !strcmp(norm, "before") || !strcmp(norm, "both");
    s->fc_norm = !strcmp(norm, "after") || !strcmp(norm, "both");
    if (!s->norm && !s->fc_norm && strcmp(norm, "none"))
        return pf_fail(PEFT_E_OPTION, "final_norm: given '%s', expected auto, before, after, both or none", norm);
    s->act = pf_act_named(pf_options_string(o, t, "act"));
    s->gate = !strcmp(gate, "first") ? PF_GATE_FIRST : !strcmp(gate, "last") ? PF_GATE_LAST : PF_GATE_NONE;
    if (!s->gate && strcmp(gate, "none"))
        return pf_fail(PEFT_E_OPTION, "gate: given '%s', expected none, first or last", gate);
    if (!pf_options_int(o, t, "swiglu")) return PEFT_OK;
    if (s->gate == PF_GATE_LAST)
        return pf_fail(PEFT_E_OPTION, "gate: given 'last' with swiglu=true, whose gate is the first half; expected one "
                       "of the two options");
    s->gate = PF_GATE_FIRST;
    s->act = PK_SILU;
    return PEFT_OK;
}

/* The initial values that timm gives vision transformers: weights normal with deviation 0.02, weights of norms 1,
 * biases 0, LayerScale 1e-5. timm truncates at +-2, a hundred standard deviations, which no drawn number reaches. */
static void randomise(pf_weight *w, uint64_t seed)
{
    pk_real *x = w->tensor.data;
    int64_t n = peft_tensor_count(&w->tensor);
    pf_rng r = { seed, pf_rng_stream(w->name), 0 };
    bool gamma = strstr(w->name, "gamma"), bias = strstr(w->name, "bias"), norm = strstr(w->name, "norm");
    double constant = gamma ? 1e-5 : bias ? 0 : 1;
    /* a frequency of rope.freqs is an angle from patch to patch */
    const double deviation = strstr(w->name, "freqs") ? 0.3 : 0.02;
    for (int64_t i = 0; i < n; i++) {
        x[i] = (pk_real)(gamma || bias || norm ? constant : deviation * pf_rng_normal(&r, (uint64_t)i));
    }
}

peft_status peft_backbone_create(peft_context *ctx, const peft_options *o, peft_backbone **out)
{
    PK_FLOAT_SCOPE;
    const pf_opt *t = pf_backbone_create_options;
    if (!ctx || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", ctx ? "out" : "ctx");
    PF_TRY(pf_options_check(o, t, "a new backbone"));
    pf_vit_shape s = {
        .patch = pf_options_int(o, t, "patch"),
        .width = pf_options_int(o, t, "width"), .depth = pf_options_int(o, t, "depth"),
        .heads = pf_options_int(o, t, "heads"), .mlp = pf_options_int(o, t, "mlp"),
        .classes = pf_options_int(o, t, "classes"), .registers = pf_options_int(o, t, "registers"),
        .eps = pf_options_float(o, t, "eps"), .layer_scale = pf_options_int(o, t, "layer_scale"),
        .qkv_bias = pf_options_int(o, t, "qkv_bias"), .proj_bias = pf_options_int(o, t, "proj_bias"),
        .class_token = pf_options_int(o, t, "class_token"), .pos_embed = pf_options_int(o, t, "pos_embed"),
        .norm_pre = pf_options_int(o, t, "norm_pre"), .qk_norm = pf_options_int(o, t, "qk_norm"),
        .attn_norm = pf_options_int(o, t, "attn_norm"), .mlp_norm = pf_options_int(o, t, "mlp_norm"),
        .patch_bias = true };
    pf_options_sides(o, t, "image_size", &s.image.h, &s.image.w);
    PF_TRY(read_words(o, &s));
    PF_TRY(read_rope(o, &s.rope));
    s.pos_prefix = s.class_token && s.pos_embed && !pf_options_int(o, t, "no_embed_class");
    if (!s.mlp) s.mlp = 4 * s.width;
    if (s.pool == PF_FEATURE_ATTENTION)
        s.attn_pool = (pf_attn_pool){ .width = s.width, .heads = s.heads, .queries = 1, .mlp = s.mlp, .act = s.act,
                                      .eps = s.eps, .bias = true };
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
    const peft_status status = pf_backbone_make_rope(b);
    if (status) peft_backbone_free(b);
    else *out = b;
    return status;
}
