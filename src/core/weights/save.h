/* SPDX-License-Identifier: Apache-2.0
 * save.h -- a backbone on its way into files under the names of another library. */
#ifndef PF_SAVE_H
#define PF_SAVE_H
#include "core/weights/backbone.h"

/* An element type of files: the option's word for it, torch's, and the magnitude from which on it rounds to Inf. */
typedef struct pf_stored { const char *name, *torch; peft_dtype type; double limit; } pf_stored;

typedef struct pf_form {
    const pf_naming *naming;
    const pf_hf_model *model;            /* the model of Hugging Face; NULL: the naming has no config.json */
    bool classifier;                     /* the backbone has one, and it is written */
    const char *class_names;             /* one a line; "": none */
    const char *link;                    /* softmax, sigmoid; "": not said */
    bool names_given;                    /* by the caller, so that they must differ; a description's may repeat */
    const pf_stored *as;
} pf_form;

/* --- save_config.c: what Hugging Face's models of this shape are -------------------------------------------------- */
/* PEFT_E_UNSUPPORTED names what their networks lack. */
peft_status pf_save_expressible(const pf_vit_shape *s, const pf_form *f);
/* preprocessor_config.json; false: not a complete text, or one that no processor of Hugging Face follows. */
bool        pf_save_processor(const char *preprocess, char out[PF_PREP_MAX]);
/* PEFT_OK where class_names are as many as the classes, in UTF-8. */
peft_status pf_save_check_names(const pf_vit_shape *s, const pf_form *f);
/* The text of config.json, to be freed with pf_free. */
peft_status pf_save_config(peft_context *ctx, const pf_vit_shape *s, const pf_form *f, char **out);
#endif
