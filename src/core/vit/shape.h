/* SPDX-License-Identifier: Apache-2.0
 * shape.h -- pf_vit_shape, the facts in which one ViT differs from another, and the tensors that follow from them,
 * under timm's names. */
#ifndef PF_SHAPE_H
#define PF_SHAPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kernels/pk.h"

#define PF_NAME_MAX 64                  /* bytes of a tensor's name */

/* A gated MLP multiplies one half of fc1's outputs by the activation of the other half, FIRST or LAST. */
typedef enum pf_gate { PF_GATE_NONE, PF_GATE_FIRST, PF_GATE_LAST } pf_gate;

/* Rotary positions, by which q and k of the patches are rotated. AXIAL: half of a head's angles are the patch's row
 * times frequencies temperature^(-4 i / head width), the other half the column; CENTRED: the same of coordinates in
 * -1..1 times 2 pi (DINOv3); MIXED: each block and head has trained frequencies of row and column, the tensor
 * rope.freqs. */
typedef enum pf_rope_kind { PF_ROPE_NONE, PF_ROPE_AXIAL, PF_ROPE_CENTRED, PF_ROPE_MIXED } pf_rope_kind;
typedef struct pf_rope {
    pf_rope_kind kind;
    double temperature;
    double offset;                      /* is added to row and column */
    int64_t reference;                  /* side of the grid in patches to which rows and columns are scaled; 0: none */
    bool xy;                            /* the column comes first */
    bool halves;                        /* pairs of elements are (j, j + head width / 2), else (2 j, 2 j + 1) */
} pf_rope;

/* The feature that a head reads. CLS: the class token. MEAN: the mean of the patch tokens. CLS_MEAN: class token and
 * mean of the patches side by side, 2 * width columns. CLS_DIST: class token and distillation token (the register) side
 * by side. ATTENTION: what the first learned query of an attention pooling reads from the tokens. The numbers of
 * CLS and MEAN are part of fingerprints. */
typedef enum pf_feature { PF_FEATURE_CLS, PF_FEATURE_MEAN, PF_FEATURE_CLS_MEAN, PF_FEATURE_CLS_DIST,
                          PF_FEATURE_ATTENTION } pf_feature;

/* Attention pooling (tensors attn_pool.*): learned queries attend to the tokens; then proj and, with an MLP,
 * x + mlp(norm(x)). */
typedef struct pf_attn_pool {
    int64_t width;                      /* columns of a query and of the feature; 0: the network has no such pooling */
    int64_t heads;
    int64_t queries;                    /* rows of attn_pool.latent; the first one is the feature's */
    int64_t mlp;                        /* hidden columns of its MLP; 0: none */
    int act;                            /* pk_act of this MLP */
    double eps;                         /* of its norms, and of fc_norm after it */
    bool norms;                         /* LayerNorm of the queries (ln_q) and of the tokens (ln_k) */
    bool bias;                          /* the projections to q, k and v have biases */
} pf_attn_pool;

/* How a file with timm's names names some parts of the network, as bits; most are flags of timm's class Eva. GAMMA:
 * LayerScale is gamma_1 and gamma_2, else ls1.gamma and ls2.gamma. SPLIT_QKV: q, k, v are q_proj, k_proj and v_proj.
 * NO_K_BIAS: q and v have biases and k has none; without SPLIT_QKV they are q_bias and v_bias. SPLIT_GATE: the halves
 * of a gated fc1 are fc1_g and fc1_x. PREFIX_ROWS: pos_embed has a row for the class token and for each register.
 * KNOWN: the others are those of a file. */
enum { PF_TIMM_GAMMA = 1, PF_TIMM_SPLIT_QKV = 2, PF_TIMM_NO_K_BIAS = 4, PF_TIMM_SPLIT_GATE = 8,
       PF_TIMM_PREFIX_ROWS = 16, PF_TIMM_KNOWN = 32 };

/* Rows and columns of a rectangle, in pixels or in patches. */
typedef struct pf_grid { int64_t h, w; } pf_grid;
static inline bool    pf_grid_equal(pf_grid a, pf_grid b) { return a.h == b.h && a.w == b.w; }
static inline int64_t pf_grid_area(pf_grid g) { return g.h * g.w; }

typedef struct pf_vit_shape {
    pf_grid image;                      /* in pixels */
    int64_t patch;                      /* side of a patch in pixels */
    int64_t width;                      /* columns of a token */
    int64_t depth;                      /* number of blocks */
    int64_t heads;                      /* attention heads of a block */
    int64_t mlp;                        /* input features of fc2 */
    int64_t classes;                    /* rows of the classifier; 0: none */
    int64_t registers;                  /* register tokens, between class token and patches */
    double eps;                         /* of LayerNorm */
    int act;                            /* pk_act of the MLP, or of its gate */
    pf_gate gate;                       /* other than NONE: the MLP is gated, and fc1 has 2*mlp rows */
    pf_feature pool;                    /* what the classifier reads */
    bool pool_all;                      /* mean and attention pooling read class token and registers too */
    bool norm;                          /* LayerNorm of the tokens after the last block, before pooling, "norm" */
    bool fc_norm;                       /* LayerNorm of the pooled feature, "fc_norm" */
    pf_attn_pool attn_pool;
    bool class_token;                   /* a learned token before the patches */
    bool pos_embed;                     /* a learned position embedding, which is added to the tokens */
    bool pos_prefix;                    /* pos_embed has a row for the class token */
    pf_rope rope;
    bool layer_scale;                   /* LayerScale after attention and MLP */
    bool qkv_bias;                      /* the projections to q, k and v have biases */
    bool patch_bias;                    /* the patch embedding has a bias */
    bool proj_bias;                     /* attn.proj, fc1 and fc2 have biases */
    bool norm_pre;                      /* LayerNorm before the blocks */
    bool qk_norm;                       /* LayerNorm of each head's q and k, with one q_norm and k_norm for all heads */
    bool attn_norm;                     /* LayerNorm of the attention's result, before attn.proj */
    bool mlp_norm;                      /* LayerNorm of fc2's input */
    unsigned timm_form;                 /* PF_TIMM_*, while a file of timm's names is written; else 0 */
} pf_vit_shape;

/* What most ViTs have, for initialisers of a pf_vit_shape. */
#define PF_PLAIN_VIT .norm = true, .class_token = true, .pos_embed = true, .pos_prefix = true, .qkv_bias = true, \
    .patch_bias = true, .proj_bias = true

/* The names of the activations that an MLP can have, for messages. */
#define PF_ACT_NAMES "gelu, gelu_tanh, quickgelu, silu, relu, tanh or sigmoid"
/* The pk_act of an MLP's activation by its name; -1: unknown. */
int         pf_act_named(const char *name);
const char *pf_act_name(int act);       /* the reverse; NULL: unknown */
/* The pf_rope_kind of this name ("none", "axial", "dinov3", "mixed"); -1: unknown. */
int         pf_rope_named(const char *name);
const char *pf_rope_name(pf_rope_kind kind);
/* The most common gated MLP: SiLU of the first half times the second half (SwiGLU). */
static inline bool pf_vit_is_swiglu(const pf_vit_shape *s) { return s->gate == PF_GATE_FIRST && s->act == PK_SILU; }

typedef struct pf_tensor_spec { char name[PF_NAME_MAX]; int ndim; int64_t dim[4]; } pf_tensor_spec;

/* Rows and columns of patches, and the number of patches. */
static inline pf_grid pf_vit_grid(const pf_vit_shape *s)
{
    return (pf_grid){ s->image.h / s->patch, s->image.w / s->patch };
}
static inline int64_t pf_vit_patches(const pf_vit_shape *s) { return pf_grid_area(pf_vit_grid(s)); }
/* Pixels of an image. */
static inline int64_t pf_vit_pixels(const pf_vit_shape *s) { return pf_grid_area(s->image); }
/* Tokens before the patches: class token, registers. */
static inline int64_t pf_vit_prefix(const pf_vit_shape *s) { return s->class_token + s->registers; }
/* All tokens. */
static inline int64_t pf_vit_tokens(const pf_vit_shape *s)
{
    return pf_vit_prefix(s) + pf_vit_patches(s);
}

/* Columns of a feature of this kind. */
static inline int64_t pf_vit_feature_width(const pf_vit_shape *s, pf_feature pool)
{
    if (pool == PF_FEATURE_ATTENTION) return s->attn_pool.width;
    return pool == PF_FEATURE_CLS_MEAN || pool == PF_FEATURE_CLS_DIST ? 2 * s->width : s->width;
}
/* A pf_feature by its name ("cls", "mean", "cls_mean", "cls_dist", "attention"); -1: unknown. */
int         pf_feature_named(const char *name);
const char *pf_feature_name(pf_feature pool);                   /* the reverse */
/* The network for a head that reads the feature pool in place of s->pool. A network with one final norm, norm or
 * fc_norm, then applies it to the tokens before pooling (norm); but if s->pool is CLS and pool is MEAN, to the mean
 * (fc_norm). A network with both keeps both. Attention pooling is left out. */
pf_vit_shape pf_vit_with_pool(const pf_vit_shape *s, pf_feature pool);

/* Writes name and extents of tensor i of the network, in the order of the forward pass; false: there is none. */
bool   pf_vit_tensor(const pf_vit_shape *s, size_t i, pf_tensor_spec *out);
size_t pf_vit_tensor_count(const pf_vit_shape *s);

/* --- sides.c ------------------------------------------------------------------------------------------------------ */
#define PF_SIDES_MAX 48                 /* bytes of a text of sides */
/* Writes the value of the option image_size: "224" for a square, else "384x512", height first. Returns text. */
const char *pf_sides_text(char text[PF_SIDES_MAX], pf_grid sides);
/* Reads such a text; false: it is none, and *sides is not written. */
bool        pf_sides_read(const char *text, pf_grid *sides);

/* --- rope.c ------------------------------------------------------------------------------------------------------- */
/* How many tables of rotary positions a network has: one, or one for each head of each block. 0: it has none. Each is
 * [patches, 2 * head width], as graph/ops/heads/rope.h says. */
int64_t pf_rope_tables(const pf_vit_shape *s);
/* Fills all tables, one after the other. freqs: the tensor rope.freqs [2, depth, heads, head width / 2], or NULL. */
void    pf_rope_fill(const pf_vit_shape *s, const pk_real *freqs, pk_real *tables);
#endif
