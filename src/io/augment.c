/* SPDX-License-Identifier: Apache-2.0
 * augment.c -- the random part of training: a box of random area and shape, a flip, brightness and contrast. */
#include "io/rng.h"
#include "io/transform.h"
#include <math.h>

typedef struct box { int64_t left, top, width, height; } box;

/* The largest centred box whose shape is allowed: what remains when no draw fitted. */
static box centred_box(const io_recipe *r, const peft_image *im)
{
    double shape = (double)im->width / (double)im->height;
    box b = { 0, 0, im->width, im->height };
    if (shape < r->ratio[0]) b.height = (int64_t)nearbyint((double)b.width / r->ratio[0]);
    else if (shape > r->ratio[1]) b.width = (int64_t)nearbyint((double)b.height * r->ratio[1]);
    if (b.height < 1) b.height = 1;
    if (b.width < 1) b.width = 1;
    b.left = (im->width - b.width) / 2;
    b.top = (im->height - b.height) / 2;
    return b;
}

/* Ten draws of area (uniform in scale) and shape (log-uniform in ratio); the first that fits inside counts. */
static box random_box(const io_recipe *r, const peft_image *im, io_rng *g)
{
    double area = (double)im->width * (double)im->height, low = log(r->ratio[0]), high = log(r->ratio[1]);
    for (int draw = 0; draw < 10; draw++) {
        double a = area * io_rng_uniform(g, r->scale[0], r->scale[1]), shape = exp(io_rng_uniform(g, low, high));
        box b = { .width = (int64_t)nearbyint(sqrt(a * shape)), .height = (int64_t)nearbyint(sqrt(a / shape)) };
        if (b.width < 1 || b.height < 1 || b.width > im->width || b.height > im->height) continue;
        b.top = io_rng_below(g, im->height - b.height + 1);
        b.left = io_rng_below(g, im->width - b.width + 1);
        return b;
    }
    return centred_box(r, im);
}

peft_status io_random_crop(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im)
{
    io_rng g = io_rng_make(IO_RNG_CROP, seed, epoch, sample);
    box b = random_box(r, *im, &g);
    peft_image *next = NULL;
    peft_status s = io_step(peft_image_crop(*im, b.left, b.top, b.width, b.height, &next), &next, im);
    if (s) return s;
    return io_step(io_resize(*im, r->size, r->size, (io_filter)r->filter, &next), &next, im);
}

static int64_t sample_at(const peft_image *im, int64_t i)
{
    return im->depth == 8 ? ((const uint8_t *)im->pixels)[i] : ((const uint16_t *)im->pixels)[i];
}

static void set_sample(peft_image *im, int64_t i, int64_t v)
{
    if (im->depth == 8) ((uint8_t *)im->pixels)[i] = (uint8_t)v;
    else ((uint16_t *)im->pixels)[i] = (uint16_t)v;
}

static int64_t luma_at(const peft_image *im, int64_t pixel)
{
    if (im->channels == 1) return sample_at(im, pixel);
    int64_t i = 3 * pixel;
    return (19595 * sample_at(im, i) + 38470 * sample_at(im, i + 1) + 7471 * sample_at(im, i + 2) + 0x8000) >> 16;
}

peft_status io_luma(const peft_image *im, peft_image **out)
{
    if (im->channels == 1) {
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    peft_image *to;
    peft_status s = io_image_new(im->width, im->height, 1, im->depth, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height; i++) set_sample(to, i, luma_at(im, i));
    *out = to;
    return PEFT_OK;
}

/* Every sample v becomes base + factor * (v - base), cut to a whole number inside the range. */
static peft_status blend(const peft_image *im, int64_t base, double factor, peft_image **out)
{
    peft_image *to;
    int64_t top = im->depth == 8 ? 255 : 65535;
    peft_status s = io_image_new(im->width, im->height, im->channels, im->depth, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++) {
        float v = (float)base + (float)factor * (float)(sample_at(im, i) - base);
        set_sample(to, i, v <= 0 ? 0 : v >= (float)top ? top : (int64_t)v);
    }
    *out = to;
    return PEFT_OK;
}

static int64_t mean_luma(const peft_image *im)
{
    int64_t sum = 0, n = im->width * im->height;
    for (int64_t i = 0; i < n; i++) sum += luma_at(im, i);
    return (int64_t)((double)sum / (double)n + 0.5);
}

static peft_status jitter(const io_recipe *r, io_rng g, peft_image **im)
{
    double range[2] = { r->brightness, r->contrast };
    bool contrast_first = io_rng_next(&g) >> 63;
    for (int i = 0; i < 2; i++) {
        int which = i ^ contrast_first;                       /* 0: towards black, 1: towards the mean grey */
        double factor = io_rng_uniform(&g, fmax(0, 1 - range[which]), 1 + range[which]);
        peft_image *next = NULL;
        if (range[which] == 0) continue;
        peft_status s = io_step(blend(*im, which ? mean_luma(*im) : 0, factor, &next), &next, im);
        if (s) return s;
    }
    return PEFT_OK;
}

peft_status io_random_look(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im)
{
    io_rng g = io_rng_make(IO_RNG_FLIP, seed, epoch, sample);
    if (io_rng_uniform(&g, 0, 1) < r->flip) {
        peft_image *next = NULL;
        peft_status s = io_step(peft_image_flip(*im, &next), &next, im);
        if (s) return s;
    }
    if (r->brightness == 0 && r->contrast == 0) return PEFT_OK;
    return jitter(r, io_rng_make(IO_RNG_JITTER, seed, epoch, sample), im);
}
