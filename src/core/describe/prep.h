/* SPDX-License-Identifier: Apache-2.0
 * prep.h -- how pictures are prepared for a network: read from the configuration of timm, open_clip or Hugging Face,
 * and written as text for peft_transform_parse. */
#ifndef PF_PREP_H
#define PF_PREP_H
#include <jansson.h>
#include <peft/status.h>
#include <stdbool.h>
#include <stdint.h>

enum { PF_PREP_MAX = 1024 };                        /* bytes of a text */

typedef enum pf_fit {
    PF_FIT_SHORTER, PF_FIT_SQUASH, PF_FIT_LONGEST, PF_FIT_LONGEST_MEAN, PF_FIT_NONE, PF_FIT_SIDE, PF_FIT_BOX
} pf_fit;
typedef struct pf_prep {
    bool told;                                      /* a file states it */
    int64_t size;                                   /* side of the network's input that the file is for */
    pf_fit fit;
    int64_t height, width;                          /* BOX: sides before the crop; SIDE: height is the shorter one */
    double crop_pct;                                /* SHORTER to LONGEST_MEAN: resized to floor(size / crop_pct) */
    bool floor_offset, white;                       /* crop_offset=floor, alpha=white */
    const char *interpolation;
    double mean[3], std[3];                         /* of samples that were divided by their largest value */
    char lacks[160];                                /* what a text cannot express; "": nothing */
} pf_prep;

/* Read p from a configuration. side: the side in pixels that the network will work at (option image_size); 0: the one
 * that the file states. PEFT_E_FORMAT: a key has a value of a wrong type. A valid setting that a text cannot express is
 * named in lacks. */
peft_status pf_prep_timm(const json_t *cfg, int64_t side, pf_prep *p);              /* timm's pretrained_cfg */
peft_status pf_prep_open_clip(const json_t *cfg, int64_t size, pf_prep *p);         /* preprocess_cfg; NULL: defaults */
/* An image processor of Hugging Face. usual: its class, such as "ViT", where the file names none; NULL: not known. */
peft_status pf_prep_hf(const json_t *o, const char *usual, pf_prep *p);

/* The name of a Pillow filter that v gives by name or by Pillow's number; NULL: neither. */
const char *pf_prep_filter(const json_t *v);

/* The text for p->size. */
void        pf_prep_text(const pf_prep *p, char text[PF_PREP_MAX]);
/* The same preparation for another side: "size" becomes side, and sides in pixels of "resize" grow in proportion,
 * rounded to nearest. PEFT_E_FORMAT: not a text with a size. */
peft_status pf_prep_scale(const char *text, int64_t side, char out[PF_PREP_MAX]);
/* Copies the value of "name=" in text to out; false, with "": the text has no such name, or the value does not fit. */
bool        pf_prep_word(const char *text, const char *name, char *out, size_t room);
/* v as "a:b:c", each with as many digits as reading it back needs. */
void        pf_prep_print_triple(const double v[3], char *text, size_t room);
#endif
