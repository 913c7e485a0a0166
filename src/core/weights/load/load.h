/* SPDX-License-Identifier: Apache-2.0
 * load.h -- loading a backbone from a file of any library, opened as a pf_st. The steps in their order: translate the
 * names of the file's tensors to timm's, read the configuration files, find the shape, complete it by facts that no
 * tensor states, fill the tensors, set the notes. */
#ifndef PF_LOAD_H
#define PF_LOAD_H
#include "core/weights/int8_file.h"
#include "core/describe/config.h"
#include "core/vit/pos_embed.h"

/* --- load_options.c ----------------------------------------------------------------------------------------------- */
extern const pf_opt pf_backbone_load_options[];

/* --- load_names.c ------------------------------------------------------------------------------------------------- */
/* A tensor of the file and its timm name. used: the backbone took it; asked: the option "ignore" leaves it out. */
typedef struct pf_found { pf_timm_name timm; const pf_st_tensor *tensor; bool used, asked; } pf_found;

typedef struct pf_loader {
    peft_context *ctx;
    const peft_options *o;               /* of the load (load_options.c) */
    pf_st *file;
    pf_families families;
    const pf_naming *naming;
    const pf_family *family;
    char prefix[PF_NAME_MAX];            /* of the ViT's names in the file, "module.backbone." */
    pf_found *found; size_t count;       /* all of the file's tensors, in its order */
    pf_st_tensor part[4]; size_t parts;  /* pieces of tensors that timm stores as several (PF_POOL_QKV) */
    pf_config config;                    /* what the configuration files state */
    pf_vit_shape shape;
    pf_grid native_grid;                 /* of the file's pos_embed */
    int64_t native_prefix;               /* its rows before those of the patches */
    bool fold_prefix;                    /* loading adds the native_prefix rows to class token and registers, and drops
                                            them from pos_embed */
    pf_int8_header int8;                 /* of a file whose matrices are stored as int8 */
    const char *rule;                    /* for resampling the position embedding */
    char assumed[PF_ASSUMED_MAX];        /* a line for each fact that no file states: "heads=12: width / 64" */
} pf_loader;

peft_status pf_load_names(pf_loader *l);
/* The classifier of the distillation token, whose outputs are averaged with those of the class token's classifier: in
 * the backbone they are one classifier, of both tokens side by side. */
#define PF_SECOND_CLASSIFIER "head_dist"
/* Is name a bias that the naming's networks need not have (pf_naming.absent_biases) and no block of the file has? The
 * backbone then holds zeros. */
bool        pf_load_is_absent_bias(const pf_loader *l, const char *name);
/* Write to part the file's tensor whose timm name is name, or the tensors that are its parts (q, k, v); return how
 * many. 0: the tensor or one of its parts is missing. Some parts of a bias may be NULL, which stands for zeros
 * (pf_naming.absent_biases). take: marks them as used, too. */
int         pf_load_find(const pf_loader *l, const char *name, const pf_st_tensor *part[3]);
int         pf_load_take(pf_loader *l, const char *name, const pf_st_tensor *part[3]);
bool        pf_load_has_tensor(const pf_loader *l, const char *glob);    /* glob: for a name as it is in the file */
/* Renames the tensor `from` (a timm name) to `to`, such as "norm.weight" to "fc_norm.weight" where this norm is applied
 * to the mean of the patches. */
void        pf_load_rename(pf_loader *l, const char *from, const char *to);
/* Changes the kind of the tensors whose timm names match glob to PF_NAME_IGNORED. */
void        pf_load_ignore(pf_loader *l, const char *glob);

/* --- load_complete.c ---------------------------------------------------------------------------------------------- */
/* Leaves out the tensors that the option "ignore" names. Runs when all names are translated. PEFT_E_OPTION: a pattern
 * matches no tensor, or one that the ViT needs. */
peft_status pf_load_leave_out(pf_loader *l);
/* PEFT_E_FORMAT: the message lists the tensors of b that the file does not have, and those of the file that are neither
 * used nor ignored. */
peft_status pf_load_check_complete(pf_loader *l, const peft_backbone *b);

/* --- load_shape.c ------------------------------------------------------------------------------------------------- */
/* Finds width and patch, class token and position embedding, and refuses a file that lacks one that networks of its
 * family have. Runs before configuration files are read, so that such a file gets this error. */
peft_status pf_load_width_and_patch(pf_loader *l);
/* Finds the whole shape; runs after configuration files are read. */
peft_status pf_load_shape(pf_loader *l);

/* --- load_stated.c ------------------------------------------------------------------------------------------------ */
/* The fact in the file's header, else in the configuration files, else of the architecture that they name; NULL: none
 * states it. */
const char *pf_load_text(const pf_loader *l, const char *name);
/* The same, with the option of this name before them: a positive number, false: none states it; a word, NULL. */
bool        pf_load_number(const pf_loader *l, const char *name, double *v);
const char *pf_load_word(const pf_loader *l, const char *name);
/* Sets *out to a fact that is a whole number; fallback: its value if nothing states it. */
peft_status pf_load_whole(const pf_loader *l, const char *name, int64_t fallback, int64_t *out);
/* The sides of images in pixels that the file's header states, else the configuration files; false: none does. */
bool        pf_load_image(const pf_loader *l, pf_grid *image);
/* Adds a line to the assumptions: "heads=12: width / 64". */
void        pf_load_assume(pf_loader *l, const char *name, const char *value, const char *why);

/* --- load_facts.c ------------------------------------------------------------------------------------------------- */
/* PEFT_E_UNSUPPORTED: the configuration names an architecture whose tensors are those of a ViT, but whose computation
 * is another one. */
peft_status pf_load_check_architecture(const pf_loader *l);
/* Completes the shape by the facts that no tensor states: heads, eps, activation, pooling, rule of resampling. */
peft_status pf_load_facts(pf_loader *l);

/* --- load_rope.c -------------------------------------------------------------------------------------------------- */
/* Sets the rotary positions, and the image size of a network without a position embedding. */
peft_status pf_load_positions(pf_loader *l);

/* --- load_pool.c -------------------------------------------------------------------------------------------------- */
/* Finds what the classifier reads, the place of the final norm, and the facts of attention pooling. Leaves out tensors
 * that the chosen pooling does not read. */
peft_status pf_load_pool(pf_loader *l);
/* Sets heads and eps of attention pooling, which are often those of the blocks: runs after these are known. */
peft_status pf_load_attention_pooling(pf_loader *l);

/* --- load_config.c ------------------------------------------------------------------------------------------------ */
/* Reads the configuration files that the option "config" names. weights: path of the file with the tensors, beside
 * which config=auto looks; NULL: the tensors are in memory. */
peft_status pf_config_read(const pf_loader *l, const char *weights, pf_config *c);

/* --- load_agree.c ------------------------------------------------------------------------------------------------- */
/* Compares the configuration files with the tensors. The error names the fact that the tensors contradict, or the
 * computation that this library does not support. */
peft_status pf_load_check_config(const pf_loader *l);
/* Compares the image size of Hugging Face's configuration with the grid of the position embedding, for which
 * transformers makes a tensor of another extent. timm resamples the positions. */
peft_status pf_load_check_image_size(const pf_loader *l);

/* --- load_notes.c ------------------------------------------------------------------------------------------------- */
peft_status pf_load_notes(const pf_loader *l, peft_backbone *b);

/* --- load_form.c -------------------------------------------------------------------------------------------------- */
/* PF_TIMM_* of the file; 0: it has other names than timm's. */
unsigned    pf_load_form(const pf_loader *l);
/* Writes the type of the model (pf_hf_model.type) that the file holds; "": unknown. */
void        pf_load_model_type(const pf_loader *l, char out[PF_MODEL_TYPE_MAX]);

/* --- load.c ------------------------------------------------------------------------------------------------------- */
/* peft_backbone_load with another table of families, for tests. */
peft_status pf_backbone_load(peft_context *ctx, const char *path, const peft_options *o, pf_families families,
                             peft_backbone **out);
/* The facts that follow from the network's name in the configuration files. */
static inline pf_arch pf_load_arch(const pf_loader *l)
{
    return pf_arch_of(l->families, pf_config_get(&l->config, "architecture"), pf_config_get(&l->config, "model_type"));
}

/* --- load_tensors.c ----------------------------------------------------------------------------------------------- */
peft_status pf_load_tensors(pf_loader *l, peft_backbone *b);
/* Gives the system back the memory pages of the mapped file that hold tensors of which b has converted copies. To be
 * called last. */
void        pf_load_release_copied(const pf_loader *l, const peft_backbone *b);
#endif
