/* SPDX-License-Identifier: Apache-2.0
 * fit.c -- the resize and the centre crop of a transform, which make any image size x size. */
#include "io/transform/steps.h"
#include <math.h>

static bool wanted(const io_recipe *r, bool training) { return !training || !r->random_crop; }

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

static peft_status fit(const io_run *run, peft_image **im)
{
    const io_recipe *r = run->recipe;
    io_scaling s = { .filter = (io_filter)r->interpolation, .order = (io_order)r->resize_order };
    bool even = r->crop_offset == IO_CROP_ROUND;
    peft_image *next = NULL;
    resized_size(r, *im, &s.width, &s.height);
    s.part = (io_part){ io_centre_offset(s.width, r->size, even), io_centre_offset(s.height, r->size, even), r->size,
                        r->size };
    return io_replace(io_resize_crop(*im, &s, &next), &next, im);
}

const io_step io_step_fit = { .wanted = wanted, .apply = fit };
