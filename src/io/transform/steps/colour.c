/* SPDX-License-Identifier: Apache-2.0
 * colour.c -- augmentations that change colours: brightness, contrast, saturation. */
#include "io/transform/steps/luma.h"
#include "io/transform/steps.h"
#include <math.h>

enum { OWN_LUMA = -1 };                                       /* base of blend: the luma of each pixel */

/* Every sample v becomes base + factor * (v - base), rounded towards 0 and clipped to the range of its type. */
static peft_status blend(const peft_image *im, int64_t base, double factor, peft_image **out)
{
    peft_image *to;
    const int64_t low = (int64_t)io_types[im->type].lowest, top = (int64_t)io_types[im->type].highest;
    peft_status s = io_image_like(im, im->width, im->height, im->channels, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++) {
        int64_t from = base == OWN_LUMA ? io_luma_at(im, i / im->channels) : base;
        float v = (float)from + (float)factor * (float)(io_sample(im, i) - from);
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

/* Blends with black (brightness), with the mean luma (contrast) and with each pixel's own luma (saturation), in random
 * order. */
static peft_status jitter(const io_run *run, peft_image **im)
{
    enum { BRIGHTNESS, CONTRAST, SATURATION };
    const io_recipe *r = run->recipe;
    const double range[3] = { r->brightness, r->contrast, r->saturation };
    double factor[3];
    io_rng g = io_run_rng(run, IO_RNG_JITTER);
    int first = (int)(io_rng_next(&g) >> 63), order[3] = { first, !first, SATURATION };
    for (int i = 0; i < 3; i++)
        factor[order[i]] = io_rng_uniform(&g, fmax(0, 1 - range[order[i]]), 1 + range[order[i]]);
    int64_t place = io_rng_below(&g, 3);
    for (int i = 2; i > place; i--) order[i] = order[i - 1];
    order[place] = SATURATION;
    for (int i = 0; i < 3; i++) {
        int which = order[i];
        peft_image *next = NULL;
        if (range[which] == 0) continue;
        int64_t base = which == BRIGHTNESS ? 0 : which == CONTRAST ? mean_luma(*im) : OWN_LUMA;
        peft_status s = io_replace(blend(*im, base, factor[which], &next), &next, im);
        if (s) return s;
    }
    return PEFT_OK;
}

static bool wanted(const io_recipe *r, bool training)
{
    return training && (r->brightness > 0 || r->contrast > 0 || r->saturation > 0);
}

const io_step io_step_colour = { .random = true, .wanted = wanted, .apply = jitter };
