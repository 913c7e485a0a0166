/* SPDX-License-Identifier: Apache-2.0
 * samples.c -- the steps alpha (composites the image over white) and grey (RGB becomes luma). */
#include "io/transform/steps/luma.h"
#include "io/transform/steps.h"

/* Sample v with alpha a composited over white: (v * a + white * (max - a)) / max. 16-bit results are rounded to
 * nearest; 8-bit ones as by Pillow's alpha_composite, with the same integer operations. */
static int64_t composite_sample(int64_t v, int64_t a, io_type type)
{
    if (type == IO_U16) return (v * a + 65535 * (65535 - a) + 32767) / 65535;
    if (a == 0) return 255;
    int64_t scaled = a * 128, sum = v * scaled + 255 * (255 * 128 - scaled) + 0x80 * 128;
    return (((sum >> 8) + sum) >> 8) >> 7;                    /* sum / 255 / 128, rounded */
}

/* The image composited over white; an opaque image is retained. */
static peft_status composite(const peft_image *im, peft_image **out)
{
    if (!im->alpha) {
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    peft_image *to;
    peft_status s = io_image_like(im, im->width, im->height, im->channels, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++) {
        int64_t pixel = i / im->channels;
        int64_t a = im->type == IO_U8 ? ((const uint8_t *)im->alpha)[pixel] : ((const uint16_t *)im->alpha)[pixel];
        io_set_sample(to, i, composite_sample(io_sample(im, i), a, im->type));
    }
    *out = to;
    return PEFT_OK;
}

/* The luma of an RGB image; a grey image is retained. */
static peft_status to_luma(const peft_image *im, peft_image **out)
{
    if (im->channels == 1) {
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    peft_image *to;
    peft_status s = io_image_like(im, im->width, im->height, 1, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height; i++) io_set_sample(to, i, io_luma_at(im, i));
    *out = to;
    return PEFT_OK;
}

static bool wants_white(const io_recipe *r, bool training) { (void)training; return r->alpha == IO_ALPHA_WHITE; }
static bool wants_grey(const io_recipe *r, bool training) { (void)training; return r->grey; }

/* Here and in apply_grey io_replace frees *im and sets it to next. */
static peft_status apply_alpha(const io_run *run, peft_image **im)
{
    peft_image *next = NULL;
    (void)run;
    return io_replace(composite(*im, &next), &next, im);
}

static peft_status apply_grey(const io_run *run, peft_image **im)
{
    peft_image *next = NULL;
    (void)run;
    return io_replace(to_luma(*im, &next), &next, im);
}

const io_step io_step_alpha = { .wanted = wants_white, .apply = apply_alpha };
const io_step io_step_grey = { .wanted = wants_grey, .apply = apply_grey };
