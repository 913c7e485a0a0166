/* SPDX-License-Identifier: Apache-2.0
 * pass.h -- the forward pass of a Vision Transformer while its graph is built. A site is a place in the pass at which
 * adapters may change the graph, such as the output of a linear layer (peft_where in peft/sys/method.h). */
#ifndef PF_VIT_PASS_H
#define PF_VIT_PASS_H
#include "core/model/model.h"

enum { PF_OUTSIDE_BLOCKS = -1 };         /* layer of sites and tensors outside the blocks */

/* One transformer of a graph: the backbone (scope ""), or a network that a method declared under a scope. */
typedef struct pf_vit_pass {
    const peft_model *m;
    pf_graph *g;
    const char *scope;                   /* prefix of its tensors' names */
    const pf_vit_shape *shape;           /* the pooling is that of the model (pf_vit_with_pool) */
    pf_head_reads reads;                 /* what the result is */
    peft_site_fn site_fn; void *site_user;       /* called at each site in place of the model's adapters; or NULL */
    pf_tap_fn tap; void *tap_user;       /* gets intermediate values (model.h); NULL: nobody asked for them */
} pf_vit_pass;

/* --- sites.c. A tensor of block `layer` has the name blocks.LAYER.NAME ------------------------------------------- */
/* The tensor of the transformer with this name; PF_NONE: it has none. */
pf_val pf_pass_weight(const pf_vit_pass *p, int64_t layer, const char *name);
/* The same of the tensor `stem`.`suffix`. */
pf_val pf_pass_weight_of(const pf_vit_pass *p, int64_t layer, const char *stem, const char *suffix);
/* Lets the adapters that act at this site, or site_fn, add to the graph; they change s->out. */
void   pf_pass_site(const pf_vit_pass *p, peft_site *s);
/* The same at a site that has no more than an input and an output. Returns the output, perhaps changed. At the kinds of
 * sites for which peft_where names no roles, role has no meaning. */
pf_val pf_pass_value_site(const pf_vit_pass *p, peft_where where, peft_role role, int64_t layer, pf_val in, pf_val out);
/* The linear layer `name` and its sites: the output is one; so is the input of proj, fc1 and fc2. */
pf_val pf_pass_linear(const pf_vit_pass *p, peft_role role, int64_t layer, const char *name, pf_val x);
/* The LayerNorm `name`, and the site of its output. */
pf_val pf_pass_norm(const pf_vit_pass *p, peft_role role, int64_t layer, const char *name, pf_val x);
/* The LayerNorm `name`, which is no site. */
pf_val pf_pass_inner_norm(const pf_vit_pass *p, int64_t layer, const char *name, pf_val x);
/* Calls the tap function, if there is one. */
void   pf_pass_tap(const pf_vit_pass *p, const char *name, pf_val v);
/* Reports the share of attention that the sinks of block l take, if the tap function wants it. lse: the logsumexp of
 * each row of the block's attention. */
void   pf_pass_tap_sink_mass(const pf_vit_pass *p, int64_t l, pf_val sink, pf_val lse);

/* --- pool.c ------------------------------------------------------------------------------------------------------- */
/* The network's final norms of x, with what adapters do at their site. */
pf_val pf_pass_final_norm(const pf_vit_pass *p, pf_val x);
/* The patches of the tokens x [b,t,d], the last rows: [b,h*w,d]. */
pf_val pf_pass_patches(const pf_vit_pass *p, pf_val x);
/* tokens [b,t,d] of the last block to the feature [b,1,pf_vit_feature_width] or, for PF_READS_PATCHES, to all patch
 * tokens after the final norm, [b,h*w,d]. */
pf_val pf_pass_pool(const pf_vit_pass *p, pf_val tokens);

/* --- block.c ------------------------------------------------------------------------------------------------------ */
/* x + attention(norm1(x)), then x + mlp(norm2(x)). */
pf_val pf_pass_block(const pf_vit_pass *p, int64_t l, pf_val x);
#endif
