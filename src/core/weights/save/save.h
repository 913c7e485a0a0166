/* SPDX-License-Identifier: Apache-2.0
 * save.h -- saving a backbone under the names of timm or another library: what the options chose (pf_form), and the
 * configuration files that are written beside the tensors. */
#ifndef PF_SAVE_H
#define PF_SAVE_H
#include "core/weights/backbone.h"

/* An element type of files: its name as an option and in torch; values of magnitude `limit` and above round to Inf.
 * int8: the matrices of the blocks are stored as int8, and `type` is that of the others. */
typedef struct pf_stored_type { const char *name, *torch; peft_dtype type; double limit; bool int8; } pf_stored_type;

/* The form in which a backbone is saved: its options with their defaults resolved. */
typedef struct pf_form {
    const pf_naming *naming;             /* of the option; with dtype there is a config.json */
    const pf_naming *names;              /* of the tensors */
    pf_vit_shape shape;                  /* of the backbone, with timm_form */
    const pf_hf_model *model;            /* the model class; NULL: the naming has none (timm) */
    bool classifier;                     /* the backbone has one, and it is written */
    const char *class_names;             /* one a line; "": none */
    const char *link;                    /* "softmax", "sigmoid"; "": unknown */
    bool names_given;                    /* true: the caller gave class_names, and two classes of one name are an error;
                                            false: they are the backbone's note, where two classes may have one name */
    const pf_stored_type *type;
    bool k_bias;                         /* a bias of k is written: one is not 0, or the naming needs it */
} pf_form;

/* Tensors that saving makes, of which the file borrows the data until it is written. */
typedef struct pf_made { void *data[16]; size_t count; } pf_made;

/* --- save_tensors.c ----------------------------------------------------------------------------------------------- */
/* Adds timm's tensor under the name or names that f gives it. */
peft_status pf_save_tensor(const peft_backbone *b, const pf_form *f, pf_made *made, pf_st_out *o, const char *timm,
                           const peft_tensor *t);
/* Adds the tensors that the model class has and does not use. */
peft_status pf_save_filled(const peft_backbone *b, const pf_form *f, pf_made *made, pf_st_out *o);

/* --- save_storage.c ----------------------------------------------------------------------------------------------- */
/* Makes a backbone with the tensors of b, whose matrices of the blocks are stored as int8, or if int8 is false, as f32.
 * It borrows all other tensors, so that b must outlive it. */
peft_status pf_save_restored(const peft_backbone *b, bool int8, peft_backbone **out);

/* --- save_class.c ------------------------------------------------------------------------------------------------- */
/* *model: the class that computes the network of shape s (that of b, with the pooling of a model) under the names n;
 * NULL: one of timm's, which are not listed. PEFT_E_UNSUPPORTED: none does, or, with a classifier, the class's own
 * reads another feature; the message names the reason and the cure. Without a classifier pooling does not matter. */
peft_status pf_save_class(const peft_backbone *b, const pf_vit_shape *s, const pf_naming *n, bool classifier,
                          const pf_hf_model **model);

/* --- save_config.c, save_prep.c ----------------------------------------------------------------------------------- */
/* PEFT_E_UNSUPPORTED: the model class f->model has no place for a part of the network; the message names it. */
peft_status pf_save_expressible(const pf_vit_shape *s, const pf_form *f);
/* Writes preprocessor_config.json for the note "preprocess"; false: the note is incomplete, or no image processor of
 * Hugging Face has its settings. */
bool        pf_save_processor(const char *preprocess, char out[PF_PREP_MAX]);
/* PEFT_OK: there is one class name for each class, in UTF-8. */
peft_status pf_save_check_names(const pf_vit_shape *s, const pf_form *f);
/* The text of config.json, to be freed with pf_free. */
peft_status pf_save_config(peft_context *ctx, const pf_vit_shape *s, const pf_form *f, char **out);
#endif
