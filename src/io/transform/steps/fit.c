/* SPDX-License-Identifier: Apache-2.0
 * fit.c -- the step fit: resizes the image and takes the centre of the size of the network's input; in training
 * random_crop (augment.c) may take its place. */
#include "io/transform/steps.h"
#include <math.h>

/* Not where random_crop takes its place. */
static bool wanted(const io_recipe *r, bool training) { return !training || !r->random_crop; }

/* The image in proportion, rounded half to even, so that it just fits into width x height (covers: just covers it), as
 * in ResizeKeepRatio of timm and open_clip. */
static void keep_ratio(const peft_image *im, bool covers, int64_t *width, int64_t *height)
{
    const double ratio_x = (double)im->width / (double)*width, ratio_y = (double)im->height / (double)*height;
    const double ratio = (ratio_x > ratio_y) == covers ? ratio_y : ratio_x;
    *width = (int64_t)fmax(1, nearbyint((double)im->width / ratio));
    *height = (int64_t)fmax(1, nearbyint((double)im->height / ratio));
}

/* The size of the resized image, from which the centre is taken. */
static void resized_size(const io_recipe *r, const peft_image *im, int64_t *width, int64_t *height)
{
    const bool square = r->size.height == r->size.width;
    *width = io_before_crop(r, r->size.width);
    *height = io_before_crop(r, r->size.height);
    switch (r->resize.word) {
    case IO_RESIZE_SQUASH: return;
    case IO_RESIZE_SHORTER:                                   /* timm resizes to squares by torchvision, which rounds
                                                               * the longer side down, else by its ResizeKeepRatio */
        if (square) io_shorter_size(im, *height, width, height);
        else keep_ratio(im, true, width, height);
        return;
    case IO_RESIZE_LONGEST:
    case IO_RESIZE_LONGEST_MEAN: keep_ratio(im, false, width, height); return;
    case IO_RESIZE_NONE: *width = im->width, *height = im->height; return;
    default:                                                  /* resize=N or HxW */
        if (!r->resize.width) io_shorter_size(im, r->resize.height, width, height);
        else *width = r->resize.width, *height = r->resize.height;
    }
}

/* im: the crop that s has made, which reaches beyond the resized image. Copies im with the mean colour, rounded half to
 * even, in the pixels outside of the resized image. A grey image becomes RGB where the means of the channels differ. */
static peft_status fill_border(const io_recipe *r, const io_scaling *s, const peft_image *im, peft_image **out)
{
    const double largest = io_types[im->type].highest;
    const int64_t left = -s->part.left, top = -s->part.top;
    int channels = im->channels;
    int64_t mean[3];
    peft_image *to;
    for (int c = 0; c < 3; c++) mean[c] = (int64_t)fmin(largest, fmax(0, nearbyint(largest * r->mean[c])));
    if (mean[0] != mean[1] || mean[0] != mean[2]) channels = 3;
    peft_status status = io_image_like(im, im->width, im->height, channels, &to);
    if (status) return status;
    for (int64_t i = 0; i < im->width * im->height; i++) {
        const int64_t x = i % im->width, y = i / im->width;
        const bool inside = x >= left && x < left + s->width && y >= top && y < top + s->height;
        for (int c = 0; c < channels; c++) {
            const int64_t source = i * im->channels + (im->channels == 3 ? c : 0);
            io_set_sample(to, i * channels + c, inside ? io_sample(im, source) : mean[c]);
        }
    }
    *out = to;
    return PEFT_OK;
}

static io_scaling scaling_of(const io_recipe *r, const peft_image *im)
{
    io_scaling s = { .filter = (io_filter)r->interpolation, .order = (io_order)r->resize_order };
    const io_half half = r->crop_offset == IO_CROP_ROUND ? IO_HALF_EVEN : IO_HALF_DOWN;
    resized_size(r, im, &s.width, &s.height);
    s.part = (io_part){ .left = io_centre_offset(s.width, r->size.width, half),
                        .top = io_centre_offset(s.height, r->size.height, half), .width = r->size.width,
                        .height = r->size.height };
    return s;
}

void io_fit_box(const io_recipe *r, int64_t width, int64_t height, double box[4])
{
    const peft_image im = { .width = width, .height = height };
    const io_scaling s = scaling_of(r, &im);
    const double x = (double)width / (double)s.width, y = (double)height / (double)s.height;
    box[0] = (double)s.part.left * x;
    box[1] = (double)s.part.top * y;
    box[2] = (double)(s.part.left + s.part.width) * x;
    box[3] = (double)(s.part.top + s.part.height) * y;
}

/* Resizes and crops in one call, which computes only the crop; then fills the border that longest_mean leaves. */
static peft_status fit(const io_run *run, peft_image **im)
{
    const io_recipe *r = run->recipe;
    const io_scaling s = scaling_of(r, *im);
    peft_image *next = NULL;
    peft_status status = io_replace(io_resize_crop(*im, &s, &next), &next, im);
    const bool has_border = s.width < r->size.width || s.height < r->size.height;
    if (status || r->resize.word != IO_RESIZE_LONGEST_MEAN || !has_border) return status;
    return io_replace(fill_border(r, &s, *im, &next), &next, im);
}

static peft_status move(const io_run *run, io_grid *grid)
{
    const peft_image im = { .width = grid->width, .height = grid->height };
    const io_scaling s = scaling_of(run->recipe, &im);
    return io_grid_scale(grid, &s);
}

const io_step io_step_fit = { .wanted = wanted, .apply = fit, .move = move };
