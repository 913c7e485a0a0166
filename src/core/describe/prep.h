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

enum { PF_PREP_MAX = 1024 };                        /* bytes of the settings as text */

/* How a picture is resized before the centre crop of size x size pixels. S is floor(size / crop_pct). SHORTER: its
 * shorter side becomes S; SQUASH: both sides become S; LONGEST: its longer side becomes S, and pixels of the crop that
 * lie outside the picture are 0; LONGEST_MEAN: as LONGEST, but such pixels have the mean colour; NONE: it is not
 * resized; SIDE: its shorter side becomes `height`; BOX: its sides become `height` and `width`. */
typedef enum pf_fit {
    PF_FIT_SHORTER, PF_FIT_SQUASH, PF_FIT_LONGEST, PF_FIT_LONGEST_MEAN, PF_FIT_NONE, PF_FIT_SIDE, PF_FIT_BOX
} pf_fit;
typedef struct pf_prep {
    bool stated;                                    /* a file states the preprocessing */
    int64_t size;                                   /* side of the network's square input */
    pf_fit fit;
    int64_t height, width;                          /* for PF_FIT_SIDE and PF_FIT_BOX */
    double crop_pct;                                /* for PF_FIT_SHORTER to PF_FIT_LONGEST_MEAN */
    bool floor_offset;                              /* the crop's offset is rounded down; else half to even */
    bool white;                                     /* transparent pixels are put on white; else alpha is dropped */
    const char *interpolation;                      /* name of a Pillow filter */
    double mean[3], std[3];                         /* of pixels divided by the largest value of their type */
    char inexpressible[160];                        /* a setting of the file that pf_prep_text cannot write; "": none */
} pf_prep;

/* Read p from a configuration. side: the side in pixels of the network's input; for timm that of the option image_size,
 * where 0 stands for the side that the file states. PEFT_E_FORMAT: a key has a value of a wrong type. A valid setting
 * that pf_prep_text cannot write is no error: p->inexpressible names it. */
peft_status pf_prep_timm(const json_t *cfg, int64_t side, pf_prep *p);              /* timm's pretrained_cfg */
peft_status pf_prep_open_clip(const json_t *cfg, int64_t side, pf_prep *p);         /* preprocess_cfg; NULL: defaults */
/* An image processor of Hugging Face. usual: the class to assume if the file names none, such as "ViT"; NULL: none. */
peft_status pf_prep_hf(const json_t *o, const char *usual, pf_prep *p);

/* The name of the Pillow filter that v gives by name or by Pillow's number; NULL: v is neither. */
const char *pf_prep_filter(const json_t *v);

/* Writes the settings: "size=224,resize=shorter,crop_pct=0.875,.. ". */
void        pf_prep_text(const pf_prep *p, char text[PF_PREP_MAX]);
/* The same settings for an input of another side: "size" becomes side, and numbers of pixels in "resize" change in
 * proportion, rounded to nearest. PEFT_E_FORMAT: text has no valid size. */
peft_status pf_prep_scale(const char *text, int64_t side, char out[PF_PREP_MAX]);
/* Copies the value of the setting "name=" in text to out; false, with "" in out: the text does not have the setting, or
 * its value is empty or does not fit. */
bool        pf_prep_value(const char *text, const char *name, char *out, size_t capacity);
/* Writes v as "a:b:c", each number with as many digits as are needed to read the same double back. */
void        pf_prep_print_triple(const double v[3], char *text, size_t capacity);
#endif
