/* SPDX-License-Identifier: Apache-2.0
 * method.h -- all that a PEFT method may see. src/methods includes this header of core, and no other.
 *
 * A method says which trainable parameters it has (init) and how the forward pass changes at the sites it asked for
 * (emit). It writes no backward pass, allocates no activation, and checks no error: a failing call records the first
 * error and every later call does nothing. */
#ifndef PF_METHOD_H
#define PF_METHOD_H
#include <peft/options.h>
#include <peft/status.h>
#include "core/base/options.h"
#include "core/graph/val.h"

typedef struct pf_graph     pf_build;   /* the graph being built */
typedef struct peft_adapter pf_adapter; /* owner of one method's parameters and state */
typedef struct peft_param   pf_param;

/* The backbone's shape. prefix: class and register tokens, which stand in front of the patches; image: side in pixels;
 * patch_values: numbers in a patch, 3 p p; fc1: rows of fc1, mlp or, gated (SwiGLU), twice that. */
typedef struct { int64_t width, depth, heads, mlp, fc1, tokens, prefix, image, patch_values; } pf_vit;

/* Where a method may act. In the order of the forward pass:
 * IMAGE      out: the normalised images [b,3,s,s]
 * TOKENS     out: [b,t,d] entering block 0
 * BLOCK_IN   out: the residual stream entering block `layer`
 * NORM       out: a normalised value (role NORM1, NORM2, FINAL)
 * LINEAR_IN  out: what is about to enter a linear layer (role PROJ, FC1, FC2)
 * LINEAR     in, out: input and output of a linear layer (role PATCH, Q, K, V, PROJ, FC1, FC2), FC1 before its
 *            activation; w, bias: its weights as they are. Role QKV comes before Q, K, V: out starts as PF_NONE, and what
 *            a method puts there, [b,t,3d], is added to q, k and v side by side before their own sites
 * ATTN       q, k, v [b,t,d]; xk, xv: further keys and values [n,d] or [b,n,d]; sink [t]: a further logit a query row;
 *            head_scale [heads]; the last four start as PF_NONE
 * BRANCH     in: the residual stream; out: what is about to be added to it (role SA, MLP)
 * BLOCK_OUT  out: the residual stream leaving block `layer`
 * POOL       out: the pooled feature [b,1,d] entering the head */
typedef enum { PF_IMAGE, PF_TOKENS, PF_BLOCK_IN, PF_NORM, PF_LINEAR_IN, PF_LINEAR, PF_ATTN, PF_BRANCH, PF_BLOCK_OUT,
               PF_POOL } pf_where;
#define PF_AT(w) (1u << (w))
typedef enum { PF_PATCH, PF_QKV, PF_Q, PF_K, PF_V, PF_PROJ, PF_FC1, PF_FC2, PF_NORM1, PF_NORM2, PF_FINAL, PF_SA,
               PF_MLP } pf_role;

typedef struct {
    pf_where where;
    pf_role role;
    int64_t layer;                      /* -1 outside the blocks */
    pf_val in, out;                     /* a method replaces out */
    pf_val w, bias;
    pf_val q, k, v, xk, xv, sink, head_scale;
} pf_site;

/* Folding into a copy of the backbone's weights, which the words below give and take. */
typedef struct pf_merge pf_merge;

/* A method may have a network of its own in place of emit: images [b,3,s,s] to logits [b,1,classes]. */
typedef struct pf_net pf_net;
typedef void (*pf_site_fn)(void *user, pf_build *b, pf_site *s);

typedef struct pf_method {
    const char   *name, *summary, *paper;
    const pf_opt *opts;                 /* ends with a NULL name; NULL: none */
    uint32_t      sites;                /* PF_AT(..) | ..: emit is called at these only */
    size_t        state_size;           /* zeroed, owned by the adapter */
    peft_status (*init)(pf_adapter *a, const pf_vit *vit);
    void        (*emit)(const void *state, pf_build *b, pf_site *s);
    /* NULL: nothing but unfrozen tensors can be merged. others: further adapters act on the same model. */
    void        (*merge)(const void *state, pf_merge *m, const pf_vit *vit, bool others);
    pf_val      (*network)(const void *state, pf_build *b, const pf_net *net, pf_val images);
} pf_method;

/* --- in init: options and parameters -------------------------------------------------------------------------------- */
int64_t     pf_opt_int   (const pf_adapter *a, const char *name);
double      pf_opt_float (const pf_adapter *a, const char *name);
const char *pf_opt_string(const pf_adapter *a, const char *name);
/* "all", "0", "6-11", "2,5", "[0,1,2]" as a set of bits; the backbone's depth bounds it. */
uint64_t    pf_opt_layers(pf_adapter *a, const char *name);

/* Lists: "[attn.q,attn.v]" or "q,v". How many items, and is this one of them? */
int64_t     pf_opt_items (const pf_adapter *a, const char *name);
bool        pf_opt_lists (const pf_adapter *a, const char *name, const char *item);
/* Patterns: "attn.qkv=16,blocks.3.mlp.fc1=4": the number of the first item whose key ends path at a dot, else fallback. */
double      pf_opt_pattern(pf_adapter *a, const char *name, const char *path, double fallback);

#define PF_DIMS(...) (const int64_t[]){ __VA_ARGS__, 0 }
void       *pf_state(pf_adapter *a);
/* A trainable tensor with extents dims (0 ends them). init: "zero", "one", "normal:STD", "normal:STD:MEAN",
 * "trunc_normal:STD", "uniform:BOUND", "kaiming" (uniform +-1/sqrt(fan_in)), "kaiming_normal" (sqrt(2/fan_in)), "xavier" (uniform); fan_in
 * is the product of the extents behind the first, fan_out that of all but the second. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
pf_param   *pf_declare(pf_adapter *a, const int64_t *dims, const char *init, const char *name, ...);
/* "kind:size" for an init whose size is computed; good until the next call for this adapter. */
const char *pf_rule(pf_adapter *a, const char *kind, double size);
/* The value of p becomes the L2 norms of rows first .. of a backbone tensor. */
void        pf_fill_row_norms(pf_adapter *a, pf_param *p, const char *tensor, int64_t first);
/* the backbone's tensors so named become trainable copies */
void        pf_unfreeze(pf_adapter *a, const char *pattern);
/* For options whose check is the method's own: records PEFT_E_OPTION. */
void        pf_reject(pf_adapter *a, const char *option, const char *expected);
peft_status pf_done(pf_adapter *a);                            /* the first error, or PEFT_OK */

/* --- in merge --------------------------------------------------------------------------------------------------------- */
/* A tensor of the new backbone, to change in place (timm name; rows as stored); NULL and a refusal when it has none. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
pk_real       *pf_merge_tensor(pf_merge *m, const char *name, ...);
bool           pf_merge_has(const pf_merge *m, const char *name);
const pk_real *pf_merge_value(const pf_param *p);
void           pf_merge_refuse(pf_merge *m, const char *reason);

/* --- in emit: the forward vocabulary; every word has its backward pass in core/graph/ops ----------------------------- */
int64_t pf_extent(const pf_build *b, pf_val x, int axis);
pf_val pf_use(pf_build *b, pf_param *p);
pf_val pf_at(pf_build *b, pf_val x, int64_t i);                /* x[i] along the first extent; x straight from pf_use */
pf_val pf_slice(pf_build *b, pf_val x, int64_t at, int64_t n); /* rows at .. at+n-1 of the first extent; the same */
pf_val pf_add(pf_build *b, pf_val x, pf_val y);                /* y repeats over x's leading extents; PF_NONE is 0 */
pf_val pf_mul(pf_build *b, pf_val x, pf_val y);
pf_val pf_scale(pf_build *b, pf_val x, double s);
pf_val pf_affine(pf_build *b, pf_val x, pf_val gamma, pf_val beta);            /* PF_NONE: 1 and 0 */
pf_val pf_linear(pf_build *b, pf_val x, pf_val w, pf_val bias);                /* x w^T + bias; bias may be PF_NONE */
pf_val pf_activate(pf_build *b, pf_val x, const char *kind);  /* gelu quickgelu relu tanh sigmoid silu */
pf_val pf_layernorm(pf_build *b, pf_val x, pf_val gamma, pf_val beta, double eps);
pf_val pf_logsumexp(pf_build *b, pf_val x);                    /* over the last extent */
pf_val pf_logaddexp(pf_build *b, pf_val a, pf_val c);          /* log(e^a + e^c); PF_NONE is -inf */
pf_val pf_insert_rows(pf_build *b, pf_val x, int64_t at, pf_val rows);
pf_val pf_take_rows(pf_build *b, pf_val x, int64_t at, int64_t n);
pf_val pf_drop_rows(pf_build *b, pf_val x, int64_t at, int64_t n);
pf_val pf_mean_rows(pf_build *b, pf_val x, int64_t at, int64_t n);             /* [b,t,d] -> [b,1,d] */
pf_val pf_replace_rows(pf_build *b, pf_val x, int64_t at, pf_val rows);        /* as many as `rows` has */
pf_val pf_repeat(pf_build *b, pf_val rows);                     /* [n,d] -> [batch,n,d] */
pf_val pf_dropout(pf_build *b, pf_val x, double p);            /* in training only; drawn anew each step */
pf_val pf_swap(pf_build *b, pf_val x);                         /* [h,n,d] -> [n,h*d] */
pf_val pf_frame(pf_build *b, pf_val up, pf_val down, pf_val left,
                pf_val right); /* pads of an image -> [3,s,s], 0 inside */
pf_val pf_row_scale(pf_build *b, pf_val w, pf_val lora_a, pf_val lora_b,
                    double s); /* 1/|rows of w + s b a|; no gradient */
pf_val pf_resize(pf_build *b, pf_val images, int64_t side);    /* bilinear with antialiasing; no gradient */
pf_val pf_side_images(pf_build *b, int64_t side);              /* given at each run beside the images */
/* What each key receives, [b,heads,t]: the mean over all query rows, or row 0 alone; no gradient. */
pf_val pf_attention_mass(pf_build *b, int64_t heads, const pf_site *s, bool class_token);
/* Per head the n rows of x [b,t,d] with the largest mass, largest first, [b,n,d]; no gradient. */
pf_val pf_top_rows(pf_build *b, pf_val x, pf_val mass, int64_t n);
pf_val pf_attention(pf_build *b, int64_t heads, const pf_site *s);             /* of s->q, k, v, xk, xv, sink, .. */

/* --- whole transformers, for network --------------------------------------------------------------------------------- */
/* In init: a trainable ViT of this shape (patch side, eps and activation as the backbone's) under a scope such as
 * "side_encoder."; classes > 0 declares head.weight and head.bias in it too. */
void   pf_declare_vit(pf_adapter *a, const char *scope, const pf_vit *shape, int64_t classes);
pf_param *pf_find(pf_adapter *a, const char *name);            /* a declared parameter */
/* In network: the pooled feature [b,1,d] of the backbone (scope "") or of a declared network; at is called at every
 * site of it (NULL: the adapters' emit). */
pf_val pf_vit_forward(pf_build *b, const pf_net *net, const char *scope, pf_val images, pf_site_fn at, void *user);
#endif
