/* SPDX-License-Identifier: Apache-2.0
 * shape.h -- pf_vit_shape, the facts in which one ViT differs from another, and the tensors that follow from them,
 * under timm's names. */
#ifndef PF_SHAPE_H
#define PF_SHAPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PF_NAME_MAX 64                  /* bytes of a tensor's name */

typedef struct pf_vit_shape {
    int64_t image, patch;               /* side of an image, of a patch in pixels */
    int64_t width;                      /* columns of a token */
    int64_t depth;                      /* number of blocks */
    int64_t heads;                      /* attention heads of a block */
    int64_t mlp;                        /* input features of fc2 */
    int64_t classes;                    /* rows of the classifier; 0: none */
    int64_t registers;                  /* register tokens, between class token and patches */
    double eps;                         /* of LayerNorm */
    int act;                            /* pk_act */
    bool mean_pool;                     /* feature: fc_norm of the mean of the patches; else norm of the class token */
    bool no_final_norm;                 /* the feature has neither norm nor fc_norm */
    bool layer_scale;                   /* LayerScale after attention and MLP */
    bool qkv_bias;                      /* the projections to q, k and v have biases */
    bool patch_bias;                    /* the patch embedding has a bias */
    bool norm_pre;                      /* LayerNorm before the blocks */
    bool swiglu;                        /* gated MLP: fc1 has 2*mlp rows, fc2 reads SiLU(first half) * second half */
    bool pos_prefix;                    /* pos_embed has a row for the class token */
} pf_vit_shape;

/* The pk_act of an MLP's activation by its name ("gelu", "quickgelu"); -1: unknown. */
int         pf_act_named(const char *name);
const char *pf_act_name(int act);       /* the reverse; NULL: unknown */

typedef struct pf_tensor_spec { char name[PF_NAME_MAX]; int ndim; int64_t dim[4]; } pf_tensor_spec;

/* Patches along one side. */
static inline int64_t pf_vit_grid(const pf_vit_shape *s) { return s->image / s->patch; }
/* Tokens before the patches: class token, registers. */
static inline int64_t pf_vit_prefix(const pf_vit_shape *s) { return 1 + s->registers; }
/* All tokens. */
static inline int64_t pf_vit_tokens(const pf_vit_shape *s)
{
    return pf_vit_prefix(s) + pf_vit_grid(s) * pf_vit_grid(s);
}

/* Writes name and extents of tensor i of the network, in the order of the forward pass; false: there is none. */
bool   pf_vit_tensor(const pf_vit_shape *s, size_t i, pf_tensor_spec *out);
size_t pf_vit_tensor_count(const pf_vit_shape *s);
#endif
