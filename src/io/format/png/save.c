/* SPDX-License-Identifier: Apache-2.0
 * save.c -- writes images as PNG by libspng: as they are, with alpha, or as indices into a palette. */
#include "io/format/png/spng.h"
#include "io/image/image.h"

/* What is encoded: samples [height, width, samples of a pixel] of the size and depth of im, and the colour type. */
typedef struct picture {
    const peft_image *im;
    const void *samples;
    int per_pixel, colour_type;
    const uint8_t *palette;                                   /* [colours, 3]; NULL: none */
    int colours;
} picture;

/* Encodes p; returns a code of libspng. *data is memory of libspng's allocator. */
static int encode(spng_ctx *png, const picture *p, void **data, size_t *size)
{
    const peft_image *im = p->im;
    struct spng_ihdr h = { .width = (uint32_t)im->width, .height = (uint32_t)im->height,
                           .bit_depth = (uint8_t)(8 * io_types[im->type].bytes),
                           .color_type = (uint8_t)p->colour_type };
    const size_t bytes = (size_t)(im->width * im->height * p->per_pixel) * io_types[im->type].bytes;
    struct spng_plte plte = { .n_entries = (uint32_t)p->colours };
    for (int i = 0; i < p->colours; i++)
        plte.entries[i] = (struct spng_plte_entry){ .red = p->palette[3 * i], .green = p->palette[3 * i + 1],
                                                    .blue = p->palette[3 * i + 2] };
    int e = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    if (!e) e = spng_set_ihdr(png, &h);
    if (!e && p->palette) e = spng_set_plte(png, &plte);
    if (!e) e = spng_encode_image(png, p->samples, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (!e) *data = spng_get_png_buffer(png, size, &e);
    return e;
}

/* What PNG can hold. */
static peft_status check_savable(const peft_image *im, const char *path)
{
    if (!im || !path) return io_fail(PEFT_E_INVALID, "save PNG: %s is NULL", im ? "path" : "image");
    if (im->type != IO_U8 && im->type != IO_U16)
        return io_fail(PEFT_E_UNSUPPORTED, "save PNG: the image's samples are %s, PNG holds unsigned ones; make %s",
                       io_types[im->type].name, im->type == IO_I16 ? "the image of samples + 32768, with depth 16"
                                                                   : "an image with depth 16 of the range to be kept");
    if (io_rescaled(im))
        return io_fail(PEFT_E_UNSUPPORTED, "save PNG: the image has a slope and an intercept, which PNG does not hold; "
                       "save the image before peft_image_rescale");
    if (im->width <= INT32_MAX && im->height <= INT32_MAX) return PEFT_OK;
    return io_fail(PEFT_E_UNSUPPORTED, "save PNG: %lldx%lld pixels (height x width); PNG holds sides up to 2147483647",
                   (long long)im->height, (long long)im->width);
}

static peft_status save(const picture *p, const char *path)
{
    void *data = NULL;
    size_t size = 0;
    spng_ctx *png = io_spng_begin(p->im->ctx, SPNG_CTX_ENCODER);
    if (!png) return io_nomem("save PNG");
    int e = encode(png, p, &data, &size);
    peft_status s = e ? io_fail_in(io_spng_failed(e, ""), path) : peft_write_file(path, data, size);
    io_spng_release(data);
    io_spng_end(png);
    return s;
}

peft_status peft_image_save_png(const peft_image *im, const char *path)
{
    const peft_status s = check_savable(im, path);
    if (s) return s;
    const int type = im->channels == 3 ? SPNG_COLOR_TYPE_TRUECOLOR : SPNG_COLOR_TYPE_GRAYSCALE;
    return save(&(picture){ .im = im, .samples = im->pixels, .per_pixel = im->channels, .colour_type = type }, path);
}

peft_status peft_image_save_png_alpha(const peft_image *im, const uint8_t *alpha, const char *path)
{
    peft_status s = check_savable(im, path);
    if (s) return s;
    if (!alpha) return io_fail(PEFT_E_INVALID, "save PNG: alpha is NULL");
    if (im->type != IO_U8)
        return io_fail(PEFT_E_UNSUPPORTED, "save PNG with alpha: the image's samples are %s, expected 8 bits",
                       io_types[im->type].name);
    const int64_t pixels = im->width * im->height;
    const int channels = im->channels;
    const int type = channels == 3 ? SPNG_COLOR_TYPE_TRUECOLOR_ALPHA : SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    uint8_t *both = io_alloc(im->ctx, (size_t)pixels, (size_t)channels + 1);
    if (!both) return io_nomem("save PNG with alpha");
    const uint8_t *from = (const uint8_t *)im->pixels;
    for (int64_t i = 0; i < pixels; i++) {
        for (int c = 0; c < channels; c++) both[i * (channels + 1) + c] = from[i * channels + c];
        both[i * (channels + 1) + channels] = alpha[i];
    }
    s = save(&(picture){ .im = im, .samples = both, .per_pixel = channels + 1, .colour_type = type }, path);
    peft_sys_free(im->ctx, both);
    return s;
}

/* Each sample must name a colour. */
static peft_status check_indices(const peft_image *im, int colours)
{
    const uint8_t *index = (const uint8_t *)im->pixels;
    for (int64_t i = 0; i < im->width * im->height; i++)
        if (index[i] >= colours)
            return io_fail(PEFT_E_INVALID, "save PNG with a palette: the sample in row %lld, column %lld is %d, the "
                           "palette has %d colours; expected samples below that", (long long)(i / im->width),
                           (long long)(i % im->width), index[i], colours);
    return PEFT_OK;
}

peft_status peft_image_save_png_palette(const peft_image *im, const uint8_t *palette, int colours, const char *path)
{
    peft_status s = check_savable(im, path);
    if (s) return s;
    if (!palette || colours < 1 || colours > 256)
        return io_fail(PEFT_E_INVALID, "save PNG with a palette: %s%d colours, expected 1 to 256",
                       palette ? "" : "palette is NULL, with ", colours);
    if (im->type != IO_U8 || im->channels != 1)
        return io_fail(PEFT_E_UNSUPPORTED, "save PNG with a palette: the image has %d channels with samples that are "
                       "%s; expected 1 channel of 8 bits", im->channels, io_types[im->type].name);
    s = check_indices(im, colours);
    if (s) return s;
    return save(&(picture){ .im = im, .samples = im->pixels, .per_pixel = 1, .colour_type = SPNG_COLOR_TYPE_INDEXED,
                            .palette = palette, .colours = colours }, path);
}
