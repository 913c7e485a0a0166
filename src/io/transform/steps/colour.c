/* SPDX-License-Identifier: Apache-2.0
 * colour.c -- the step colour: random brightness, contrast and saturation, as ColorJitter of torchvision. */
#include "io/transform/steps/luma.h"
#include "io/transform/steps.h"
#include <math.h>

enum { PIXEL_LUMA = -1 };                                     /* as base of blend: the luma of each pixel */

/* Every sample v becomes base + factor * (v - base), rounded towards 0 and clipped to the range of its type. */
static peft_status blend(const peft_image *im, int64_t base, double factor, peft_image **out)
{
    peft_image *to;
    const int64_t low = (int64_t)io_types[im->type].lowest, top = (int64_t)io_types[im->type].highest;
    peft_status s = io_image_like(im, im->width, im->height, im->channels, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++) {
        int64_t b = base == PIXEL_LUMA ? io_luma_at(im, i / im->channels) : base;
        float v = (float)b + (float)factor * (float)(io_sample(im, i) - b);
        io_set_sample(to, i, v <= (float)low ? low : v >= (float)top ? top : (int64_t)v);
    }
    *out = to;
    return PEFT_OK;
}

/* The mean luma, rounded to nearest. */
static int64_t mean_luma(const peft_image *im)
{
    int64_t sum = 0, n = im->width * im->height;
    for (int64_t i = 0; i < n; i++) sum += io_luma_at(im, i);
    return (int64_t)((double)sum / (double)n + 0.5);
}

/* Blends with black (brightness), with the mean luma (contrast) and with the luma of each pixel (saturation), in random
 * order: one bit chooses the order of brightness and contrast, then saturation is inserted at a random position. */
static peft_status jitter(const io_run *run, peft_image **im)
{
    enum { BRIGHTNESS, CONTRAST, SATURATION };
    const io_recipe *r = run->recipe;
    const double strength[3] = { r->brightness, r->contrast, r->saturation };
    double factor[3];
    io_rng g = io_run_rng(run, IO_RNG_JITTER);
    const int first = (int)(io_rng_next(&g) >> 63);           /* BRIGHTNESS or CONTRAST */
    int order[3] = { first, first == BRIGHTNESS ? CONTRAST : BRIGHTNESS, SATURATION };
    for (int i = 0; i < 3; i++)
        factor[order[i]] = io_rng_uniform(&g, fmax(0, 1 - strength[order[i]]), 1 + strength[order[i]]);
    int64_t position = io_rng_below(&g, 3);
    for (int i = 2; i > position; i--) order[i] = order[i - 1];               /* makes room for saturation */
    order[position] = SATURATION;
    for (int i = 0; i < 3; i++) {
        int change = order[i];
        peft_image *next = NULL;
        if (strength[change] == 0) continue;
        int64_t base = change == BRIGHTNESS ? 0 : change == CONTRAST ? mean_luma(*im) : PIXEL_LUMA;
        peft_status s = io_replace(blend(*im, base, factor[change], &next), &next, im);
        if (s) return s;
    }
    return PEFT_OK;
}

static bool wanted(const io_recipe *r, bool training)
{
    return training && (r->brightness > 0 || r->contrast > 0 || r->saturation > 0);
}

const io_step io_step_colour = { .random = true, .wanted = wanted, .apply = jitter };
