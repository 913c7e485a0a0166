/* SPDX-License-Identifier: Apache-2.0
 * augment.c -- the steps random_crop, shift, flip and erase: augmentations that move pixels, or overwrite a box of the
 * normalised input. They follow RandomResizedCrop, RandomCrop with padding, RandomHorizontalFlip and RandomErasing of
 * torchvision. */
#include "io/transform/steps.h"
#include <math.h>

typedef struct box { int64_t left, top, width, height; } box;
/* Whether a box may be as wide or as high as the whole image. RandomErasing of torchvision takes only smaller ones. */
typedef enum box_limit { UP_TO_WHOLE, SMALLER_THAN_WHOLE } box_limit;

/* Draws a box inside width x height: its area over the whole one uniform in scale[0]..scale[1], its width / height
 * log-uniform in ratio[0]..ratio[1]. false: none of ten draws fitted. */
static bool draw_box(int64_t width, int64_t height, const double scale[2], const double ratio[2], box_limit limit,
                     io_rng *g, box *out)
{
    const int64_t widest = limit == SMALLER_THAN_WHOLE ? width - 1 : width;
    const int64_t highest = limit == SMALLER_THAN_WHOLE ? height - 1 : height;
    double area = (double)width * (double)height, low = log(ratio[0]), high = log(ratio[1]);
    for (int draw = 0; draw < 10; draw++) {
        double a = area * io_rng_uniform(g, scale[0], scale[1]), shape = exp(io_rng_uniform(g, low, high));
        box b = { .width = (int64_t)nearbyint(sqrt(a * shape)), .height = (int64_t)nearbyint(sqrt(a / shape)) };
        if (b.width < 1 || b.height < 1 || b.width > widest || b.height > highest) continue;
        b.top = io_rng_below(g, height - b.height + 1);
        b.left = io_rng_below(g, width - b.width + 1);
        *out = b;
        return true;
    }
    return false;
}

/* The largest centred box whose width / height is in r->ratio, for images in which no drawn box fits. */
static box centred_box(const io_recipe *r, int64_t width, int64_t height)
{
    double shape = (double)width / (double)height;
    box b = { 0, 0, width, height };
    if (shape < r->ratio[0]) b.height = (int64_t)nearbyint((double)b.width / r->ratio[0]);
    else if (shape > r->ratio[1]) b.width = (int64_t)nearbyint((double)b.height * r->ratio[1]);
    if (b.height < 1) b.height = 1;
    if (b.width < 1) b.width = 1;
    b.left = (width - b.width) / 2;
    b.top = (height - b.height) / 2;
    return b;
}

/* The box that random_crop draws in an image of this size. */
static box crop_box(const io_run *run, int64_t width, int64_t height)
{
    const io_recipe *r = run->recipe;
    io_rng g = io_run_rng(run, IO_RNG_CROP);
    box b;
    return draw_box(width, height, r->scale, r->ratio, UP_TO_WHOLE, &g, &b) ? b : centred_box(r, width, height);
}

/* The drawn box of the image, resized to the size of the input. */
static peft_status random_crop(const io_run *run, peft_image **im)
{
    const io_recipe *r = run->recipe;
    const box b = crop_box(run, (*im)->width, (*im)->height);
    peft_image *next = NULL;
    peft_status s = io_replace(peft_image_crop(*im, b.left, b.top, b.width, b.height, &next), &next, im);
    if (s) return s;
    const io_scaling input = io_whole(r->size.width, r->size.height, (io_filter)r->interpolation,
                                      (io_order)r->resize_order);
    return io_replace(io_resize(*im, &input, &next), &next, im);
}

static peft_status move_crop(const io_run *run, io_grid *grid)
{
    const io_recipe *r = run->recipe;
    const box b = crop_box(run, grid->width, grid->height);
    const io_scaling input = io_whole(r->size.width, r->size.height, IO_NEAREST, (io_order)r->resize_order);
    peft_status s = io_grid_part(grid, &(io_part){ b.left, b.top, b.width, b.height }, false);
    return s ? s : io_grid_scale(grid, &input);
}

/* Pixel (x, y) of the result is pixel (left + x, top + y) of im; outside im that of its mirror image. */
static peft_status shift_mirrored(const peft_image *im, int64_t left, int64_t top, peft_image **out)
{
    peft_image *to;
    peft_status s = io_image_like(im, im->width, im->height, im->channels, &to);
    if (s) return s;
    size_t pixel = io_image_pixel_bytes(im), row = io_image_row_bytes(im);
    uint8_t *target = (uint8_t *)to->pixels;
    for (int64_t y = 0; y < im->height; y++) {
        const uint8_t *from = (const uint8_t *)im->pixels + (size_t)io_mirrored(top + y, im->height) * row;
        for (int64_t x = 0; x < im->width; x++, target += pixel)
            memcpy(target, from + (size_t)io_mirrored(left + x, im->width) * pixel, pixel);
    }
    *out = to;
    return PEFT_OK;
}

/* Draws a shift of up to `pad` pixels along each axis: the box that takes the place of an image of this size. */
static io_part shifted(const io_run *run, int64_t width, int64_t height)
{
    const int64_t pad = run->recipe->pad;
    io_rng g = io_run_rng(run, IO_RNG_SHIFT);
    const int64_t left = io_rng_below(&g, 2 * pad + 1) - pad, top = io_rng_below(&g, 2 * pad + 1) - pad;
    return (io_part){ left, top, width, height };
}

static peft_status shift(const io_run *run, peft_image **im)
{
    const io_part p = shifted(run, (*im)->width, (*im)->height);
    peft_image *next = NULL;
    peft_status s = run->recipe->pad_mode == IO_PAD_REFLECT ? shift_mirrored(*im, p.left, p.top, &next)
                  : peft_image_crop(*im, p.left, p.top, p.width, p.height, &next);
    return io_replace(s, &next, im);
}

static peft_status move_shift(const io_run *run, io_grid *grid)
{
    const io_part p = shifted(run, grid->width, grid->height);
    return io_grid_part(grid, &p, run->recipe->pad_mode == IO_PAD_REFLECT);
}

/* Whether the image is mirrored: with probability r->flip. */
static bool draws_flip(const io_run *run)
{
    io_rng g = io_run_rng(run, IO_RNG_FLIP);
    return io_rng_uniform(&g, 0, 1) < run->recipe->flip;
}

/* Mirrors left and right. */
static peft_status flip(const io_run *run, peft_image **im)
{
    peft_image *next = NULL;
    return draws_flip(run) ? io_replace(peft_image_flip(*im, &next), &next, im) : PEFT_OK;
}

static peft_status move_flip(const io_run *run, io_grid *grid)
{
    if (draws_flip(run)) io_grid_flip(grid);
    return PEFT_OK;
}

/* A draw from the normal distribution, by the method of Box and Muller. */
static double draw_normal(io_rng *g)
{
    double radius = sqrt(-2 * log(1 - io_rng_uniform(g, 0, 1)));
    return radius * cos(2 * M_PI * io_rng_uniform(g, 0, 1));
}

/* The input that an erased pixel gets in channel c. */
static float erased_value(const io_recipe *r, int c, io_rng *g)
{
    switch (r->erase_fill) {
    case IO_ERASE_RANDOM: return (float)draw_normal(g);
    case IO_ERASE_UNIFORM: return io_normalise(r, c, (double)io_rng_below(g, 256), 255);
    default: return 0;                                        /* the mean colour after normalisation */
    }
}

/* Overwrites a drawn box of the input with probability r->erase. */
static void erase(const io_run *run, float *input)
{
    const io_recipe *r = run->recipe;
    io_rng g = io_run_rng(run, IO_RNG_ERASE);
    const double ratio[2] = { 1 / r->erase_ratio[1], 1 / r->erase_ratio[0] };            /* width / height */
    box b;
    if (io_rng_uniform(&g, 0, 1) >= r->erase) return;
    if (!draw_box(r->size.width, r->size.height, r->erase_area, ratio, SMALLER_THAN_WHOLE, &g, &b)) return;
    for (int c = 0; c < 3; c++)
        for (int64_t y = b.top; y < b.top + b.height; y++)
            for (int64_t x = b.left; x < b.left + b.width; x++)
                input[(c * r->size.height + y) * r->size.width + x] = erased_value(r, c, &g);
}

static bool wants_crop(const io_recipe *r, bool training) { return training && r->random_crop; }
static bool wants_shift(const io_recipe *r, bool training) { return training && r->pad > 0; }
static bool wants_flip(const io_recipe *r, bool training) { return training && r->flip > 0; }
static bool wants_erase(const io_recipe *r, bool training) { return training && r->erase > 0; }

const io_step io_step_random_crop = { .random = true, .wanted = wants_crop, .apply = random_crop,
                                      .move = move_crop };
const io_step io_step_shift = { .random = true, .wanted = wants_shift, .apply = shift, .move = move_shift };
const io_step io_step_flip = { .random = true, .wanted = wants_flip, .apply = flip, .move = move_flip };
const io_step io_step_erase = { .random = true, .wanted = wants_erase, .apply_to_input = erase };
