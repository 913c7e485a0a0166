/* SPDX-License-Identifier: Apache-2.0
 * golden_case.h -- an inference or training case of the golden vectors: what its metadata describe, as objects of the
 * library. */
#ifndef GOLDEN_CASE_H
#define GOLDEN_CASE_H
#include <peft/trainer.h>
#include <stdio.h>
#include <string.h>
#include "golden.h"

typedef struct golden_case {
    peft_context *ctx;
    const char *path;
    const pf_st *file;
    peft_backbone *backbone;
    peft_model *model;
    peft_trainer *trainer;
    bool train_masks;                    /* masks are trained, whatever the metadata say */
} golden_case;

bool        golden_has_methods(const golden_case *c);                /* the library has all methods of the case */
peft_status golden_open(golden_case *c, const char *backbone_key);   /* backbone_key: "backbone" or "backbone_hf" */
void        golden_close(golden_case *c);
peft_status golden_set_start(golden_case *c);                        /* initial values of parameters and buffers */
peft_status golden_make_trainer(golden_case *c);
#endif
