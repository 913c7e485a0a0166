/* SPDX-License-Identifier: Apache-2.0
 * head.h -- the table of heads, which compute logits of the backbone's features. A new head is a file with its pf_head
 * and a line in heads.def. */
#ifndef PF_HEAD_H
#define PF_HEAD_H
#include "core/adapt/adapter.h"

/* What a head reads. FEATURE: x[0] is the pooled feature [b, 1, d]. PATCHES: x[0] are the patch tokens after the final
 * norm, [b, h*w, d]. BLOCKS: x[i] are the patch tokens that leave block m->spec.block[i], without a norm. Tokens that a
 * method adds, class token and registers are never among patch tokens. */
typedef enum { PF_READS_FEATURE, PF_READS_PATCHES, PF_READS_BLOCKS } pf_head_reads;
/* Of what a head makes logits: of the image, a sample's are [classes]; of each patch, [h, w, classes]; of each pixel of
 * the model's input, [H, W, classes]. */
typedef enum { PF_OF_IMAGE, PF_OF_PATCHES, PF_OF_PIXELS } pf_head_output_of;

/* Settings of a head, from the model's options of the same names. block: those of head_blocks, in rising order. */
enum { PF_HEAD_BLOCKS_MAX = 4 };
typedef struct pf_head_spec { int64_t layers, width, block[PF_HEAD_BLOCKS_MAX]; int blocks; } pf_head_spec;

typedef struct pf_head {
    const char *name;
    const char *options;           /* the model's options that have an effect with it, separated by blanks */
    const char *init;              /* the init rule of head_init=auto; NULL: each tensor has one of its own */
    pf_head_reads reads;
    pf_head_output_of of;
    /* Makes parameters (m->params) and buffers (m->buffers). init: the rule of all weights; NULL: see above. source as
     * for pf_adapter_make. NULL: it has none. */
    peft_status (*declare)(peft_model *m, const char *init, pf_source *source);
    /* Computes logits of x (see `reads`): [b, 1, classes], or [b, rows, classes] with a row for each patch or pixel,
     * line by line; head=none returns x[0]. NULL: the network of a method makes the logits (head=side_encoder). */
    pf_val (*emit)(const peft_model *m, pf_graph *g, const pf_val *x);
    /* Returns the tensor that becomes `name` ("head.weight", "head.bias") in a merged backbone. NULL: the head is no
     * linear classifier of the pooled feature; peft_model_merge and peft_model_save_hf refuse it. */
    const peft_tensor *(*merge)(const peft_model *m, const char *name);
} pf_head;

extern const pf_head pf_head_backbone;                       /* classes=0: the backbone's own classifier, frozen */
#define PF_HEAD(name, help) extern const pf_head pf_head_##name;
#include "core/model/heads/heads.def"
#undef PF_HEAD
const pf_head *pf_head_find(const char *name);               /* NULL, with PEFT_E_OPTION's message: no such head */
/* Sets blocks and block of spec by option head_blocks ("auto", or numbers of blocks). PEFT_E_OPTION: see there. */
peft_status    pf_head_read_blocks(pf_head_spec *spec, const char *text, const pf_vit_shape *v);
/* The shape of a sample's logits: peft_model_output. */
pf_shape       pf_head_output(const pf_head *head, const pf_vit_shape *v, int64_t classes);

/* --- parts of heads, in head.c ------------------------------------------------------------------------------------ */
enum { PF_NO_COLS = 0 };                                     /* as cols: the tensor has one extent, [rows] */
/* Adds STEM.weight with these extents, which end with 0. */
peft_status pf_head_add_weight(peft_model *m, const char *stem, const int64_t *dims, const char *init,
                               pf_source *source);
/* Adds STEM.weight [rows, cols] and STEM.bias [rows]; weight and bias are their init rules. */
peft_status pf_head_add_weight_and_bias(peft_model *m, const char *stem, int64_t rows, int64_t cols, const char *weight,
                                        const char *bias, pf_source *source);
/* Adds the buffers STEM.running_mean and STEM.running_var [d]. */
peft_status pf_head_add_statistics(peft_model *m, const char *stem, int64_t d, pf_source *source);
/* x times STEM.weight, plus STEM.bias. */
pf_val      pf_head_linear_of(const peft_model *m, pf_graph *g, pf_val x, const char *stem);
/* Batch norm over all rows of x, with relu followed by ReLU. It has no affine part if there are no STEM.weight and
 * STEM.bias. */
pf_val      pf_head_batch_norm(const peft_model *m, pf_graph *g, pf_val x, const char *stem, double eps, bool relu);
/* The tensor STEM.SUFFIX of the head; PF_NONE: it has none. */
pf_val      pf_head_tensor(const peft_model *m, pf_graph *g, const char *stem, const char *suffix);

/* --- parts of heads of maps, in map_parts.c ----------------------------------------------------------------------- */
pf_grid pf_head_patches(const peft_model *m);                   /* rows and columns of patches */
pf_grid pf_head_pixels(const peft_model *m);                    /* of the model's input */
/* A convolution without bias, batch norm and ReLU. Adds STEM.weight [out, in, k, k], of k = 1 [out, in], and the batch
 * norm's STEM.bn.weight, bias, running_mean and running_var [out]. init NULL: kaiming_out, the convolutions' of
 * mmsegmentation. */
peft_status pf_head_add_conv(peft_model *m, const char *stem, int64_t out, int64_t in, int64_t k, const char *init,
                             pf_source *source);
pf_val      pf_head_conv_of(const peft_model *m, pf_graph *g, pf_val x, pf_grid size, const char *stem);
/* The last layer, a linear one on each pixel: head.classifier.weight [classes, in] and bias. init NULL: normal:0.01. */
peft_status pf_head_add_classifier(peft_model *m, int64_t in, const char *init, pf_source *source);
pf_val      pf_head_classifier_of(const peft_model *m, pf_graph *g, pf_val x);
/* The map x of this size, resampled to the pixels of the model's input. */
pf_val      pf_head_enlarged(const peft_model *m, pf_graph *g, pf_val x, pf_grid size);
/* Columns of the hidden maps: option head_width, whose 0 is 256. */
int64_t     pf_head_width(const peft_model *m);
#endif
