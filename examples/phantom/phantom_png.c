/* SPDX-License-Identifier: Apache-2.0
 * phantom_png.c -- writes phantoms and their masks as PNG files (phantom.h). */
#include "phantom.h"
#include "common/program/errors.h"
#include "common/segment/palette.h"
#include <peft/image.h>
#include <stdlib.h>

/* An image of samples [side, side] of 8 bits. */
static peft_image *grey_image(peft_context *ctx, const uint8_t *samples, int64_t side)
{
    const int channels = 1, bits = 8, rows_without_gaps = 0;
    peft_image *im;
    must(peft_image_from_buffer(ctx, samples, side, side, channels, bits, rows_without_gaps, &im));
    return im;
}

void save_png(peft_context *ctx, const char *folder, const phantom_place *p, const uint8_t *grey, int64_t side)
{
    peft_image *im = grey_image(ctx, grey, side);
    char *path;
    if (asprintf(&path, "%s/%s/%04lld.png", folder, phantom_class[p->class], (long long)p->index) < 0)
        fail("out of memory");
    must(peft_image_save_png(im, path));
    peft_image_free(im);
    free(path);
}

void save_mask(peft_context *ctx, const char *path, const uint8_t *mask, int64_t side)
{
    uint8_t palette[PALETTE_COLOURS * 3];
    peft_image *im = grey_image(ctx, mask, side);
    class_palette(palette);
    must(peft_image_save_png_palette(im, palette, PHANTOM_CLASSES, path));   /* 0 and the two classes of lesions */
    peft_image_free(im);
}
