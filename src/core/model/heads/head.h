/* SPDX-License-Identifier: Apache-2.0
 * head.h -- the table of heads, which compute logits of the backbone's features. A new head is a file with its pf_head
 * and a line in heads.def. */
#ifndef PF_HEAD_H
#define PF_HEAD_H
#include "core/adapt/adapter.h"

typedef struct pf_head {
    const char *name;
    const char *options;           /* the model's options that have an effect with it, separated by blanks */
    const char *init;              /* the init rule of head_init=auto */
    /* true: emit reads all patch tokens, and a sample's logits are [h, w, classes]; false: it reads the pooled feature,
     * and they are [classes]. */
    bool patches;
    /* Makes parameters (m->params) and buffers (m->buffers); source as for pf_adapter_make. NULL: it has none. */
    peft_status (*declare)(peft_model *m, const char *init, pf_source *source);
    /* Computes logits [b, 1, classes] of the pooled feature x [b, 1, d], or [b, h*w, classes] of all patch tokens
     * [b, h*w, d]; head=none returns x. NULL: the network of a method makes the logits (head=side_encoder). */
    pf_val (*emit)(const peft_model *m, pf_graph *g, pf_val x);
    /* Returns the tensor that becomes `name` ("head.weight", "head.bias") in a merged backbone. NULL: the head is no
     * linear classifier of the pooled feature; peft_model_merge and peft_model_save_hf refuse it. */
    const peft_tensor *(*merge)(const peft_model *m, const char *name);
} pf_head;

extern const pf_head pf_head_backbone;                       /* classes=0: the backbone's own classifier, frozen */
#define PF_HEAD(name, help) extern const pf_head pf_head_##name;
#include "core/model/heads/heads.def"
#undef PF_HEAD
const pf_head *pf_head_find(const char *name);               /* NULL, with PEFT_E_OPTION's message: no such head */
/* The shape of a sample's logits: peft_model_output. */
pf_shape       pf_head_output(const pf_head *head, const pf_vit_shape *v, int64_t classes);

/* --- parts of heads, in head.c ------------------------------------------------------------------------------------ */
enum { PF_NO_COLS = 0 };                                     /* as cols: the tensor has one extent, [rows] */
/* Adds STEM.weight [rows, cols] and STEM.bias [rows]; weight and bias are their init rules. */
peft_status pf_head_add_weight_and_bias(peft_model *m, const char *stem, int64_t rows, int64_t cols, const char *weight,
                                        const char *bias, pf_source *source);
/* Adds the buffers STEM.running_mean and STEM.running_var [d]. */
peft_status pf_head_add_statistics(peft_model *m, const char *stem, int64_t d, pf_source *source);
/* x times STEM.weight, plus STEM.bias. */
pf_val      pf_head_linear_of(const peft_model *m, pf_graph *g, pf_val x, const char *stem);
/* Batch norm over all rows of x. It has no affine part if there are no STEM.weight and STEM.bias. */
pf_val      pf_head_batch_norm(const peft_model *m, pf_graph *g, pf_val x, const char *stem, double eps);
#endif
