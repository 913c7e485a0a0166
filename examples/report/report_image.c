/* SPDX-License-Identifier: Apache-2.0
 * report_image.c -- embeds a reduced image in the page, as a data URI of a PNG file in base64. */
#include "common/figures/picture.h"
#include "common/program/errors.h"
#include "common/program/verbose.h"
#include "report_parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes three bytes as four digits of six bits each; '=' stands in the place of digits after the last byte. */
static void put_base64(FILE *f, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t remaining = size - i;
        unsigned v = (unsigned)data[i] << 16;
        if (remaining > 1) v |= (unsigned)data[i + 1] << 8;
        if (remaining > 2) v |= data[i + 2];
        char four[4] = { digits[v >> 18], digits[v >> 12 & 63], remaining > 1 ? digits[v >> 6 & 63] : '=',
                         remaining > 2 ? digits[v & 63] : '=' };
        fwrite(four, 1, 4, f);
    }
}

/* Returns the image as the bytes of a PNG file, to be freed; alpha: opacity of each pixel, or NULL. Writes it
 * to a temporary folder and reads it back. */
static unsigned char *png_bytes(const peft_image *im, const unsigned char *alpha, size_t *size)
{
    const char *parent = getenv("TMPDIR");
    char *folder, *path;
    if (asprintf(&folder, "%s/peft-report-XXXXXX", parent && *parent ? parent : "/tmp") < 0) fail("out of memory");
    if (!mkdtemp(folder)) fail("temporary folder %s: %s; set TMPDIR to a writable folder", folder, strerror(errno));
    if (asprintf(&path, "%s/image.png", folder) < 0) fail("out of memory");
    peft_status s = alpha ? peft_image_save_png_alpha(im, alpha, path) : peft_image_save_png(im, path);
    FILE *f = s ? NULL : fopen(path, "rb");
    long length = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    unsigned char *bytes = length > 0 ? check_alloc(malloc((size_t)length)) : NULL;
    *size = length > 0 ? (size_t)length : 0;
    bool bad = !bytes || fseek(f, 0, SEEK_SET) || fread(bytes, 1, *size, f) != *size;
    if (f) fclose(f);
    unlink(path);
    rmdir(folder);
    must(s);
    if (bad) fail("temporary file %s: cannot be read back; set TMPDIR to a folder on another disk", path);
    free(path);
    free(folder);
    return bytes;
}

static void put_png_uri(FILE *f, const peft_image *im, const unsigned char *alpha)
{
    size_t size;
    unsigned char *bytes = png_bytes(im, alpha, &size);
    fputs("data:image/png;base64,", f);
    put_base64(f, bytes, size);
    free(bytes);
}

/* An image of rgb [height,width,3], to be freed. */
static peft_image *make_rgb(const unsigned char *rgb, int64_t width, int64_t height)
{
    const int channels = 3, bits = 8, rows_without_gaps = 0;
    peft_image *im;
    peft_context *ctx = make_context();
    must(peft_image_from_buffer(ctx, rgb, width, height, channels, bits, rows_without_gaps, &im));
    peft_context_free(ctx);
    return im;
}

/* The image in 8 bits, to be freed. */
static peft_image *convert_to_rgb(const peft_image *im)
{
    const int64_t width = peft_image_width(im), height = peft_image_height(im);
    unsigned char *rgb = check_alloc(malloc((size_t)(width * height) * 3));
    draw_picture(im, rgb);
    peft_image *out = make_rgb(rgb, width, height);
    free(rgb);
    return out;
}

/* Sides are rounded to whole pixels, and are at least 1. */
void put_image_uri(FILE *f, const peft_image *im, int64_t side)
{
    int64_t w = peft_image_width(im), h = peft_image_height(im), longer = w > h ? w : h;
    peft_image *rgb = peft_image_depth(im) == 8 ? NULL : convert_to_rgb(im), *small = NULL;
    if (rgb) im = rgb;
    if (longer > side) {
        int64_t small_width = (side * w + longer / 2) / longer, small_height = (side * h + longer / 2) / longer;
        must(peft_image_resize(im, small_width ? small_width : 1, small_height ? small_height : 1, "bicubic", &small));
    }
    put_png_uri(f, small ? small : im, NULL);
    peft_image_free(small);
    peft_image_free(rgb);
}

void put_rgb_uri(FILE *f, const unsigned char *rgb, const unsigned char *alpha, int64_t width, int64_t height)
{
    peft_image *im = make_rgb(rgb, width, height);
    put_png_uri(f, im, alpha);
    peft_image_free(im);
}
