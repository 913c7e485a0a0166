/* SPDX-License-Identifier: Apache-2.0
 * webp.c -- the picture format WebP, decoded by libwebp, which allocates with malloc. Pictures are RGB, with or without
 * alpha; animations are refused. */
#include "io/format/formats.h"
#include "io/format/pixels/exif.h"
#include "io/format/optional/signature.h"
#include <webp/decode.h>

/* The error for a status of libwebp. */
static peft_status webp_failed(VP8StatusCode e)
{
    switch (e) {
    case VP8_STATUS_OUT_OF_MEMORY: return io_nomem("WebP");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return io_fail(PEFT_E_UNSUPPORTED, "WebP: a feature of the file is not read; convert it to PNG");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return io_fail(PEFT_E_FORMAT, "WebP: the file ends early; fetch it again");
    default: return io_fail(PEFT_E_FORMAT, "WebP: the data are damaged; fetch the file again");
    }
}

/* The orientation in the chunk EXIF. A chunk: four letters, its length, its data, a byte of padding if that is odd. */
static int orientation_of(const uint8_t *data, size_t size)
{
    enum { RIFF_HEADER = 12, CHUNK_HEADER = 8, NAME = 6 };
    for (size_t at = RIFF_HEADER; at < size && size - at >= CHUNK_HEADER;) {
        const uint8_t *p = data + at;
        const size_t length = (size_t)p[4] | (size_t)p[5] << 8 | (size_t)p[6] << 16 | (size_t)p[7] << 24;
        if (length > size - at - CHUNK_HEADER) return 1;
        if (!memcmp(p, "EXIF", 4)) {
            /* Some programs put the name of JPEG's segment in front. */
            const size_t name = length >= NAME && !memcmp(p + CHUNK_HEADER, "Exif\0\0", NAME) ? NAME : 0;
            return io_exif_orientation(p + CHUNK_HEADER + name, length - name);
        }
        at += CHUNK_HEADER + length + length % 2;
    }
    return 1;
}

/* Separates alpha from the n pixels of RGBA. */
static peft_status split_alpha(const uint8_t *rgba, size_t n, peft_image *im)
{
    uint8_t *rgb = (uint8_t *)im->pixels, *alpha = io_alloc(im->ctx, (int64_t)n, 1);
    if (!alpha) return io_nomem("WebP");
    im->alpha = alpha;
    for (size_t i = 0; i < n; i++) {
        memcpy(rgb + 3 * i, rgba + 4 * i, 3);
        alpha[i] = rgba[4 * i + 3];
    }
    io_image_drop_opaque(im);
    return PEFT_OK;
}

/* Decodes to rows of RGB, or of RGBA if channels is 4, without gaps. */
static peft_status decode_to(const io_encoded *f, WebPDecoderConfig *c, int channels, uint8_t *to)
{
    const size_t row = (size_t)c->input.width * (size_t)channels;
    c->output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    c->output.is_external_memory = 1;
    c->output.u.RGBA = (WebPRGBABuffer){ .rgba = to, .stride = (int)row, .size = row * (size_t)c->input.height };
    const VP8StatusCode e = WebPDecode(f->data, f->size, c);
    WebPFreeDecBuffer(&c->output);
    return e == VP8_STATUS_OK ? PEFT_OK : webp_failed(e);
}

/* Decodes into im, with alpha through a buffer of RGBA. */
static peft_status decode_image(const io_encoded *f, WebPDecoderConfig *c, peft_image *im)
{
    const size_t pixels = (size_t)(im->width * im->height);
    if (!c->input.has_alpha) return decode_to(f, c, 3, (uint8_t *)im->pixels);
    uint8_t *rgba = peft_sys_alloc(f->ctx, 4 * pixels);
    if (!rgba) return io_nomem("WebP");
    peft_status s = decode_to(f, c, 4, rgba);
    if (!s) s = split_alpha(rgba, pixels, im);
    peft_sys_free(f->ctx, rgba);
    return s;
}

static peft_status decode(const io_encoded *f, int64_t slice, peft_image **out)
{
    WebPDecoderConfig c;
    peft_image *im;
    (void)slice;
    if (!WebPInitDecoderConfig(&c))
        return io_fail(PEFT_E_INTERNAL, "WebP: libwebp has another version than its headers");
    const VP8StatusCode e = WebPGetFeatures(f->data, f->size, &c.input);
    if (e != VP8_STATUS_OK) return webp_failed(e);
    if (c.input.has_animation)
        return io_fail(PEFT_E_UNSUPPORTED, "WebP: an animation is not read; save the picture that is meant as PNG");
    peft_status s = io_check_limits(f->options, c.input.width, c.input.height, c.input.has_alpha ? 8 : 3, 8);
    if (!s) s = io_image_new(f->ctx, c.input.width, c.input.height, 3, IO_U8, &im);
    if (s) return s;
    s = decode_image(f, &c, im);
    if (!s) s = io_exif_apply(f, orientation_of(f->data, f->size), &im);
    else peft_image_free(im);
    if (!s) *out = im;
    return s;
}

const io_format io_format_webp = { .name = "WebP", .endings = IO_WEBP_ENDINGS, .probe = io_is_webp, .read = decode };
