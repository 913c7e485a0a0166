/* SPDX-License-Identifier: Apache-2.0
 * transform.c -- applies a preprocessing that a text describes: from an image to floats [3, size, size]. */
#include "io/transform/transform.h"
#include <math.h>

peft_status peft_transform_parse(const char *text, peft_transform **out)
{
    return peft_transform_parse_over(NULL, text, out);
}

peft_status peft_transform_parse_over(const char *base, const char *text, peft_transform **out)
{
    if (!out) return io_fail(PEFT_E_INVALID, "transform: out is NULL");
    peft_transform *t = io_alloc(1, sizeof *t);
    if (!t) return io_nomem("transform");
    atomic_init(&t->refs, 1);
    atomic_init(&t->warned, false);
    peft_status s = io_recipe_parse(base, text, &t->recipe);
    if (!s) s = io_recipe_print(&t->recipe, &t->text);
    if (s) peft_transform_free(t);
    else *out = t;
    return s;
}

peft_transform *io_transform_retain(peft_transform *t)
{
    io_retain(&t->refs);
    return t;
}

void peft_transform_free(peft_transform *t)
{
    if (!t || !io_release(&t->refs)) return;
    free(t->text);
    free(t);
}

const char *peft_transform_text(const peft_transform *t) { return t ? t->text : NULL; }
int64_t     peft_transform_size(const peft_transform *t) { return t ? t->recipe.size : 0; }

peft_status io_step(peft_status s, peft_image *const *result, peft_image **im)
{
    peft_image_free(*im);
    *im = s ? NULL : *result;
    return s;
}

/* The image's size before the crop. */
static void resized_size(const io_recipe *r, const peft_image *im, int64_t *width, int64_t *height)
{
    int64_t side = (int64_t)floor((double)r->size / r->crop_pct);
    switch (r->resize.word) {
    case IO_SQUASH: *width = *height = side; return;
    case IO_SHORTER: io_shorter_size(im, side, width, height); return;
    case IO_NONE: *width = im->width, *height = im->height; return;
    default:
        if (!r->resize.width) io_shorter_size(im, r->resize.height, width, height);
        else *width = r->resize.width, *height = r->resize.height;
    }
}

/* Resize and centre crop as in evaluation: *im becomes size x size. */
static peft_status fit(const io_recipe *r, peft_image **im)
{
    io_scaling s = { .filter = (io_filter)r->filter, .order = (io_order)r->order };
    bool even = r->offset == IO_CROP_ROUND;
    peft_image *next = NULL;
    resized_size(r, *im, &s.width, &s.height);
    s.part = (io_part){ io_centre_offset(s.width, r->size, even), io_centre_offset(s.height, r->size, even), r->size,
                        r->size };
    return io_step(io_resize_crop(*im, &s, &next), &next, im);
}

float io_normal(const io_recipe *r, int c, double sample, double full)
{
    return (float)((sample / full - r->mean[c]) / r->std[c]);
}

/* [height, width, channels] samples to [3, height, width] floats; 8-bit samples go through a table. */
static void normalise(const io_recipe *r, const peft_image *im, float *out)
{
    int64_t pixels = im->width * im->height, step = im->channels;
    for (int c = 0; c < 3; c++, out += pixels) {
        int64_t from = step == 3 ? c : 0;
        const uint16_t *wide = (const uint16_t *)im->pixels + from;
        const uint8_t *narrow = (const uint8_t *)im->pixels + from;
        float table[256];
        for (int v = 0; v < 256; v++) table[v] = io_normal(r, c, v, 255);
        for (int64_t i = 0; i < pixels; i++)
            out[i] = im->type == IO_U8 ? table[narrow[i * step]] : io_normal(r, c, wide[i * step], 65535);
    }
}

/* 12-bit samples in a 16-bit image make a nearly black picture, which no later step would report. Each transform warns
 * once. */
static void warn_of_dark(peft_transform *t, const peft_image *im)
{
    if (im->type != IO_U16 || io_rescaled(im)) return;
    if (t->recipe.range.kind != PEFT_RANGE_FULL || atomic_load(&t->warned)) return;
    int64_t largest = 0;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++)
        if (io_sample(im, i) > largest) largest = io_sample(im, i);
    if (largest == 0 || largest >= 65536 / 8 || atomic_exchange(&t->warned, true)) return;
    io_warn("transform: the largest sample of a 16-bit image is %lld of 65535, so that its pixels are nearly black; "
            "for 12-bit samples put range=0:4095 into the preprocessing (reported once)", (long long)largest);
}

static peft_status begin(const peft_transform *t, const peft_image *im, const float *out, peft_image **work)
{
    if (!t || !im || !out)
        return io_fail(PEFT_E_INVALID, "transform: %s is NULL", !t ? "transform" : !im ? "image" : "out");
    const io_recipe *r = &t->recipe;
    peft_image *next = NULL;
    peft_status s = r->alpha == IO_ALPHA_WHITE ? io_on_white(im, work) : PEFT_OK;
    if (s) return s;
    if (r->alpha != IO_ALPHA_WHITE) *work = io_image_retain(im);
    warn_of_dark((peft_transform *)t, *work);
    s = io_step(io_windowed(&r->range, *work, &next), &next, work);
    if (!s && r->grey) s = io_step(io_luma(*work, &next), &next, work);
    return s;
}

peft_status peft_transform_apply(const peft_transform *t, const peft_image *im, float *out)
{
    peft_image *work;
    peft_status s = begin(t, im, out, &work);
    if (!s) s = fit(&t->recipe, &work);
    if (s) return s;
    normalise(&t->recipe, work, out);
    peft_image_free(work);
    return PEFT_OK;
}

bool io_recipe_random(const io_recipe *r)
{
    return r->random_crop || r->pad > 0 || r->flip > 0 || r->brightness > 0 || r->contrast > 0 || r->saturation > 0 ||
           r->erase > 0;
}

peft_status peft_transform_apply_train(const peft_transform *t, const peft_image *im, uint64_t seed, int64_t epoch,
                                       int64_t sample, float *out)
{
    peft_image *work;
    peft_status s = begin(t, im, out, &work);
    if (s) return s;
    const io_recipe *r = &t->recipe;
    const struct { bool wanted; io_random_step step; } steps[] = {
        { r->random_crop, io_random_crop }, { r->pad > 0, io_random_shift }, { r->flip > 0, io_random_flip },
        { r->brightness > 0 || r->contrast > 0 || r->saturation > 0, io_random_colour } };
    if (!r->random_crop) s = fit(r, &work);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !s; i++)
        if (steps[i].wanted) s = steps[i].step(r, seed, epoch, sample, &work);
    if (s) return s;
    normalise(r, work, out);
    peft_image_free(work);
    if (r->erase > 0) io_random_erase(r, seed, epoch, sample, out);
    return PEFT_OK;
}
