/* SPDX-License-Identifier: Apache-2.0
 * prep.h -- the preprocessing of pictures (resize, crop, normalise) that a network expects: read from the configuration
 * of timm, open_clip or Hugging Face, and written as settings for peft_transform_parse of libpeft-io. A loaded backbone
 * keeps these settings as its note "preprocess" (peft_backbone_note); saving it in a naming of Hugging Face writes them
 * as preprocessor_config.json. */
#ifndef PF_PREP_H
#define PF_PREP_H
#include <jansson.h>
#include <peft/status.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/vit/shape.h"

enum { PF_PREP_MAX = 1024 };                        /* bytes of the settings as text */

/* How a picture is resized before the centre crop of `size` pixels. S is floor(size / crop_pct), of height and width.
 * SHORTER: the picture keeps its proportions and just covers S: if that is a square, its shorter side becomes S;
 * SQUASH: its sides become S; LONGEST: it keeps its proportions and just fits into S, and pixels of the crop that lie
 * outside the picture are 0; LONGEST_MEAN: as LONGEST, but such pixels have the mean colour; NONE: it is not
 * resized; SIDE: its shorter side becomes `height`; BOX: its sides become `height` and `width`. */
typedef enum pf_fit {
    PF_FIT_SHORTER, PF_FIT_SQUASH, PF_FIT_LONGEST, PF_FIT_LONGEST_MEAN, PF_FIT_NONE, PF_FIT_SIDE, PF_FIT_BOX
} pf_fit;
typedef struct pf_prep {
    bool stated;                                    /* a file states the preprocessing */
    pf_grid size;                                   /* of the network's input */
    pf_fit fit;
    int64_t height, width;                          /* for PF_FIT_SIDE and PF_FIT_BOX */
    double crop_pct;                                /* for PF_FIT_SHORTER to PF_FIT_LONGEST_MEAN */
    bool floor_offset;                              /* the crop's offset is rounded down; else half to even */
    bool white;                                     /* transparent pixels are put on white; else alpha is dropped */
    const char *interpolation;                      /* name of a Pillow filter */
    double mean[3], std[3];                         /* of pixels divided by the largest value of their type */
    char inexpressible[160];                        /* a setting of the file that pf_prep_text cannot write; "": none */
} pf_prep;

/* Read p from a configuration. side: the network's input in pixels; for timm the option image_size, where 0 stands for
 * what the file states. PEFT_E_FORMAT: a key has a value of a wrong type. A valid setting that pf_prep_text cannot
 * write is no error: p->inexpressible names it. */
peft_status pf_prep_timm(const json_t *cfg, pf_grid side, pf_prep *p);              /* timm's pretrained_cfg */
peft_status pf_prep_open_clip(const json_t *cfg, int64_t side, pf_prep *p);         /* preprocess_cfg; NULL: defaults */
/* An image processor of Hugging Face. usual: the class to assume if the file names none, such as "ViT"; NULL: none. */
peft_status pf_prep_hf(const json_t *o, const char *usual, pf_prep *p);

/* The name of the Pillow filter that v gives by name or by Pillow's number; NULL: v is neither. */
const char *pf_prep_filter(const json_t *v);

/* Writes the settings: "size=224,resize=shorter,crop_pct=0.875,.. ". */
void        pf_prep_text(const pf_prep *p, char text[PF_PREP_MAX]);
/* The same settings for another input: "size" becomes side, "384x512" if it is not square, and numbers of pixels in
 * "resize" change in proportion, rounded to nearest. If an input is not square, resize=N, the shorter side of the
 * picture, becomes "shorter,crop_pct=.." of the same proportion. PEFT_E_FORMAT: text has no valid size. */
peft_status pf_prep_scale(const char *text, pf_grid side, char out[PF_PREP_MAX]);
/* Copies the value of the setting "name=" in text to out; false, with "" in out: the text does not have the setting, or
 * its value is empty or does not fit. */
bool        pf_prep_value(const char *text, const char *name, char *out, size_t capacity);
/* Writes v as "a:b:c", each number with as many digits as are needed to read the same double back. */
void        pf_prep_print_triple(const double v[3], char *text, size_t capacity);
#endif
