/* SPDX-License-Identifier: Apache-2.0
 * transform.c -- a described preprocessing: text to recipe and back, and the way from an image to [3, size, size]. */
#include "io/transform.h"
#include <math.h>

#define AT(field) offsetof(io_recipe, field)
static const io_key keys[] = {
    { "size",          'i', AT(size),        1, 16384, NULL },
    { "resize",        'c', AT(fit),         0, 0, "squash|shorter" },
    { "crop_pct",      'f', AT(crop_pct),    0.01, 100, NULL },
    { "interpolation", 'c', AT(filter),      0, 0, IO_FILTERS },
    { "grey",          'b', AT(grey),        0, 0, NULL },
    { "mean",          '3', AT(mean),        -1e6, 1e6, NULL },
    { "std",           '3', AT(std),         1e-6, 1e6, NULL },
    { "random_crop",   'b', AT(random_crop), 0, 0, NULL },
    { "scale",         '2', AT(scale),       1e-6, 1, NULL },
    { "ratio",         '2', AT(ratio),       1e-3, 1e3, NULL },
    { "flip",          'f', AT(flip),        0, 1, NULL },
    { "brightness",    'f', AT(brightness),  0, 10, NULL },
    { "contrast",      'f', AT(contrast),    0, 10, NULL },
    { "saturation",    'f', AT(saturation),  0, 10, NULL },
    { "pad",           'i', AT(pad),         0, 16384, NULL },
    { "pad_mode",      'c', AT(pad_mode),    0, 0, "zero|reflect" },
    { "erase",         'f', AT(erase),       0, 1, NULL },
    { "erase_area",    '2', AT(erase_area),  1e-6, 1, NULL },
    { "erase_ratio",   '2', AT(erase_ratio), 1e-3, 1e3, NULL },
    { "erase_fill",    'c', AT(erase_fill),  0, 0, "mean|random" },
    { 0 }
};
#undef AT

peft_status peft_transform_parse(const char *text, peft_transform **out)
{
    if (!out) return io_fail(PEFT_E_INVALID, "transform: out is NULL");
    peft_transform *t = io_alloc(1, sizeof *t);
    if (!t) return io_nomem("transform");
    atomic_init(&t->refs, 1);
    t->recipe = (io_recipe){ .size = 224, .crop_pct = 0.875, .mean = { 0.5, 0.5, 0.5 }, .std = { 0.5, 0.5, 0.5 },
                             .scale = { 0.08, 1 }, .ratio = { 3.0 / 4.0, 4.0 / 3.0 },
                             .erase_area = { 0.02, 0.33 }, .erase_ratio = { 0.3, 3.3 } };
    peft_status s = io_spec_parse(keys, text, "transform", &t->recipe);
    if (!s && floor((double)t->recipe.size / t->recipe.crop_pct) < 1)
        s = io_fail(PEFT_E_OPTION, "transform: size / crop_pct is below one pixel");
    if (!s) s = io_spec_print(keys, &t->recipe, &t->text);
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

const char *peft_transform_text(const peft_transform *t) { return t->text; }
int64_t     peft_transform_size(const peft_transform *t) { return t->recipe.size; }

peft_status io_step(peft_status s, peft_image *const *result, peft_image **im)
{
    peft_image_free(*im);
    *im = s ? NULL : *result;
    return s;
}

/* The evaluation geometry: *im becomes size x size. */
static peft_status fit(const io_recipe *r, peft_image **im)
{
    int64_t width = r->size, height = r->size;
    peft_image *next = NULL;
    if (r->fit == IO_SHORTER)
        io_shorter_size(*im, (int64_t)floor((double)r->size / r->crop_pct), &width, &height);
    peft_status s = io_step(io_resize(*im, width, height, (io_filter)r->filter, &next), &next, im);
    if (s || r->fit != IO_SHORTER) return s;
    return io_step(peft_image_centre_crop(*im, r->size, r->size, &next), &next, im);
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
            out[i] = im->depth == 8 ? table[narrow[i * step]] : io_normal(r, c, wide[i * step], 65535);
    }
}

static peft_status begin(const peft_transform *t, const peft_image *im, const float *out, peft_image **work)
{
    if (!t || !im || !out)
        return io_fail(PEFT_E_INVALID, "transform: %s is NULL", !t ? "transform" : !im ? "image" : "out");
    if (t->recipe.grey) return io_luma(im, work);
    *work = io_image_retain(im);
    return PEFT_OK;
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
