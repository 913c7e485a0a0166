/* SPDX-License-Identifier: Apache-2.0
 * targets.h -- the linear layers that methods adapt, and the options by which a user selects them. Shared by the
 * methods whose option "targets" lists linear layers. */
#ifndef PF_TARGETS_H
#define PF_TARGETS_H
#include <peft/sys/method.h>

/* Linear layers, in the order of the forward pass. Q, K and V are thirds of the rows of QKV, and FC1_G and FC1_X are
 * halves of the rows of a gated FC1: gate and value. PATCH is outside the blocks. */
typedef enum pf_layer {
    PF_LAYER_QKV, PF_LAYER_Q, PF_LAYER_K, PF_LAYER_V, PF_LAYER_PROJ, PF_LAYER_FC1, PF_LAYER_FC1_G, PF_LAYER_FC1_X,
    PF_LAYER_FC2, PF_LAYER_PATCH, PF_LAYERS
} pf_layer;
enum { PF_OUTSIDE = PEFT_DEPTH_MAX };    /* index of the block for PATCH */
enum { PF_ALIASES = 8 };
typedef struct pf_layer_name { const char *name; peft_role role; const char *alias[PF_ALIASES]; } pf_layer_name;
/* name: this library's, "attn.q"; role: of the site where the layer is adapted; alias: shorter names, and those in
 * models of Hugging Face and others. NULL ends the list. */
extern const pf_layer_name pf_layer_names[PF_LAYERS];
/* For messages and help. */
#define PF_TARGET_NAMES \
    "attn.qkv, attn.q, attn.k, attn.v, attn.proj, mlp.fc1, mlp.fc1_g, mlp.fc1_x, mlp.fc2, patch_embed.proj, each " \
    "also for one block: blocks.3.attn.q"
#define PF_NO_OVERLAP "either attn.qkv or some of attn.q, attn.k and attn.v, and either mlp.fc1 or its halves"
#define PF_OTHER_TARGET_NAMES \
    "qkv, q, k, v, proj, fc1, fc2, or Hugging Face's query, key, value, q_proj, k_proj, v_proj, o_proj, gate_proj, .."

/* The selected layers: bit l of block[k] for layer k of block l; patch for PATCH. */
typedef struct pf_targets { uint64_t block[PF_LAYERS]; bool patch; int kinds; } pf_targets;
bool pf_is_target(const pf_targets *t, pf_layer k, int64_t block);      /* block: or PF_OUTSIDE */
/* Reads the list of layers in the option `option`. An item without "blocks.N." selects the layer in the blocks of the
 * option `layers` (NULL: in all blocks). An item that is unknown, that appears twice, or that the backbone cannot have
 * is refused. */
pf_targets pf_read_targets(peft_adapter *ad, const peft_vit *v, const char *option, const char *layers);

/* Input and output width of layer k. */
int64_t pf_layer_in(const peft_vit *v, pf_layer k);
int64_t pf_layer_out(const peft_vit *v, pf_layer k);
/* The layer's rows in the backbone's tensor that contains them: the tensor's name, "attn.qkv", and the first row. */
const char *pf_layer_tensor(pf_layer k);
int64_t pf_layer_first_row(const peft_vit *v, pf_layer k);
/* Writes the path of layer k in block l, or PF_OUTSIDE: "blocks.3.attn.q", "patch_embed.proj". */
enum { PF_LAYER_PATH = 64 };
void pf_layer_path(char path[PF_LAYER_PATH], pf_layer k, int64_t l);
/* The same for the tensor that contains the layer's rows: "blocks.3.attn.qkv". */
void pf_layer_tensor_path(char path[PF_LAYER_PATH], pf_layer k, int64_t l);

/* true: in some block both attn.qkv and one of its parts are selected, or both mlp.fc1 and a half of it. */
bool pf_targets_overlap(const pf_targets *t);
/* Half of a gated fc1. */
bool pf_is_half(pf_layer k);
/* Values y [b,t,out] for the outputs of layer k as values for those of its tensor: of a half of fc1 [b,t,fc1], with
 * zeros for the other half; of another layer y. */
peft_val pf_whole_output(peft_build *b, const peft_vit *v, pf_layer k, peft_val y);
/* For peft_sys_constant: fill with 0 and 1. */
void pf_fill_zeros(void *user, peft_real *data, int64_t count);
void pf_fill_ones(void *user, peft_real *data, int64_t count);

/* true: the layer is a part of the rows of the tensor pf_layer_tensor(k). */
bool pf_is_part(pf_layer k);
#endif
