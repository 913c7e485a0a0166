/* SPDX-License-Identifier: Apache-2.0
 * load.h -- loading a backbone from a file. The steps in their order: translate the file's names to timm's, find the
 * facts that the weights do not tell, the shape, the tensors. "Description" is any configuration file. */
#ifndef PF_LOAD_H
#define PF_LOAD_H
#include "core/weights/backbone.h"
#include "core/describe/config.h"
#include "core/vit/pos_embed.h"

/* --- load_options.c ----------------------------------------------------------------------------------------------- */
extern const pf_opt pf_backbone_load_options[];

/* --- load_names.c ------------------------------------------------------------------------------------------------- */
/* A tensor of the file; used: it became part of the backbone. */
typedef struct pf_found { pf_timm_name timm; const pf_st_tensor *tensor; bool used; } pf_found;

typedef struct pf_loader {
    peft_context *ctx;
    const peft_options *o;
    pf_st *file;
    pf_families families;
    const pf_naming *naming;
    const pf_family *family;
    char prefix[PF_NAME_MAX];
    pf_found *found; size_t count;       /* all of the file's tensors, in its order */
    pf_config config;
    pf_vit_shape shape;
    int64_t native_grid, native_prefix;  /* of the file's pos_embed */
    bool fold;                           /* its rows in front of the patches are added to class token and registers */
    const char *rule;                    /* of resampling positions */
    char assumed[PF_ASSUMED_MAX];        /* a line for each fact that no file stated: "heads=12: width / 64" */
} pf_loader;

peft_status pf_load_names(pf_loader *l);
/* Writes the file's tensor that timm calls name, or its parts (q, k, v), to part; returns their number. take: marks
 * them as used. 0: the file lacks it or one of its parts. */
int         pf_load_find(pf_loader *l, const char *name, bool take, const pf_st_tensor *part[3]);
bool        pf_load_has(const pf_loader *l, const char *glob);                          /* among the file's names */
/* Renames the tensor `from` (a timm name) to `to`: "norm.weight" to "fc_norm.weight" where it stands behind the
 * mean. */
void        pf_load_rename(pf_loader *l, const char *from, const char *to);
/* Marks the tensors whose timm names fit glob as ignored. */
void        pf_load_leave_out(pf_loader *l, const char *glob);
/* PEFT_E_FORMAT lists, in one message, the tensors of b that the file lacks and those of the file that nothing used. */
peft_status pf_load_account(pf_loader *l, const peft_backbone *b);

/* --- load_shape.c ------------------------------------------------------------------------------------------------- */
/* Width and patch, and what every ViT has; before descriptions are read. */
peft_status pf_load_tokens(pf_loader *l);
peft_status pf_load_shape(pf_loader *l);

/* --- load_facts.c ------------------------------------------------------------------------------------------------- */
/* PEFT_E_UNSUPPORTED: a description names a network that has the same tensors and computes something else with them. */
peft_status pf_load_named(const pf_loader *l);
/* Completes the shape by what no tensor tells. */
peft_status pf_load_facts(pf_loader *l);

/* --- load_config.c ------------------------------------------------------------------------------------------------ */
/* Reads the descriptions that the option "config" names; weights: path of the file with the tensors, may be NULL. */
peft_status pf_config_read(const pf_loader *l, const char *weights, pf_config *c);

/* --- load_agree.c ------------------------------------------------------------------------------------------------- */
/* The error names a fact of the description that the tensors contradict, or that this library does not compute. */
peft_status pf_load_agree(const pf_loader *l);

/* --- load_notes.c ------------------------------------------------------------------------------------------------- */
peft_status pf_load_notes(const pf_loader *l, peft_backbone *b);

/* --- load_heads.c ------------------------------------------------------------------------------------------------- */
/* The number of attention heads that networks of this width and depth usually have; *why: from which ones. */
int64_t     pf_usual_heads(const pf_vit_shape *s, const char **why);

/* --- load.c ------------------------------------------------------------------------------------------------------- */
/* peft_backbone_load with a table of families of the caller's, for tests. */
peft_status pf_backbone_load(peft_context *ctx, const char *path, const peft_options *o, pf_families families,
                             peft_backbone **out);
/* What follows from the name of the network in the configuration files. */
static inline pf_arch pf_load_arch(const pf_loader *l)
{
    return pf_arch_of(l->families, pf_config_get(&l->config, "architecture"), pf_config_get(&l->config, "model_type"));
}

/* --- load_tensors.c ----------------------------------------------------------------------------------------------- */
peft_status pf_load_tensors(pf_loader *l, peft_backbone *b);
/* Last: takes those pages of the mapped file out of memory whose tensors b holds as converted copies. */
void        pf_load_forget_copied(const pf_loader *l, const peft_backbone *b);
#endif
