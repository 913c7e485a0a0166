/* SPDX-License-Identifier: Apache-2.0
 * shape.h -- pf_vit_shape, the facts in which one ViT differs from another, and the tensors that follow from them,
 * under timm's names. */
#ifndef PF_SHAPE_H
#define PF_SHAPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PF_NAME_MAX 64

typedef struct pf_vit_shape {
    int64_t image, patch;               /* side of an image, of a patch in pixels */
    int64_t width, depth, heads, mlp, classes, registers;     /* mlp: input features of fc2 */
    double eps;                         /* of LayerNorm */
    int act;                            /* pk_act */
    bool mean_pool;                     /* feature: fc_norm of the mean of the patches; else norm of the class token */
    bool bare;                          /* the feature has no norm */
    bool layer_scale, qkv_bias, patch_bias, norm_pre;
    bool swiglu;                        /* gated MLP: fc1 has 2*mlp rows, fc2 reads SiLU(first half) * second half */
    bool pos_prefix;                    /* pos_embed has a row for the class token */
} pf_vit_shape;

/* The pk_act of an MLP's activation by its name ("gelu", "quickgelu"); -1: unknown. And the reverse; NULL: unknown. */
int         pf_act_named(const char *name);
const char *pf_act_name(int act);

typedef struct pf_tensor_spec { char name[PF_NAME_MAX]; int ndim; int64_t dim[4]; } pf_tensor_spec;

/* Patches along one side; tokens before the patches (class token, registers); all tokens. */
static inline int64_t pf_vit_grid(const pf_vit_shape *s) { return s->image / s->patch; }
static inline int64_t pf_vit_prefix(const pf_vit_shape *s) { return 1 + s->registers; }
static inline int64_t pf_vit_tokens(const pf_vit_shape *s)
{
    return pf_vit_prefix(s) + pf_vit_grid(s) * pf_vit_grid(s);
}

/* Writes name and extents of tensor i of the network, in the order of the forward pass; false: there is none. */
bool   pf_vit_tensor(const pf_vit_shape *s, size_t i, pf_tensor_spec *out);
size_t pf_vit_tensor_count(const pf_vit_shape *s);
#endif
