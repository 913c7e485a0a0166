/* SPDX-License-Identifier: Apache-2.0
 * pnm.c -- the picture formats PGM (P5) and PPM (P6): samples of one byte, or of two bytes in big-endian order. The
 * header states the largest sample. Where that is below 255 (one byte) or 65535 (two), samples are scaled to the full
 * range: v / largest * 255, rounded half to even, as in Pillow. */
#include "io/format/formats.h"
#include <math.h>

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Skips blanks and comments (# to the end of the line), reads a decimal number, and moves *text behind it; false: no
 * number in 1..2^24 follows. */
static bool header_number(const uint8_t **text, const uint8_t *end, int64_t *out)
{
    const uint8_t *p = *text;
    while (p < end && (*p == '#' || is_blank(*p)))
        if (*p++ == '#')
            while (p < end && *p != '\n') p++;
    int64_t v = 0;
    const uint8_t *first = p;
    for (; p < end && *p >= '0' && *p <= '9' && v < 1 << 24; p++) v = v * 10 + (*p - '0');
    *text = p;
    *out = v;
    return p > first && v > 0 && v <= 1 << 24;
}

/* Reads count samples into im; false: a sample exceeds largest. */
static bool read_samples(const uint8_t *p, int64_t count, uint32_t largest, peft_image *im)
{
    const bool one_byte = im->type == IO_U8;
    const double full = io_types[im->type].highest;
    for (int64_t i = 0; i < count; i++) {
        uint32_t v = one_byte ? p[i] : (uint32_t)p[2 * i] << 8 | p[2 * i + 1];
        if (v > largest) return false;
        if (largest != full) v = (uint32_t)nearbyint((double)v / (double)largest * full);
        if (one_byte) ((uint8_t *)im->pixels)[i] = (uint8_t)v;
        else ((uint16_t *)im->pixels)[i] = (uint16_t)v;
    }
    return true;
}

static bool probe(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 'P' && (data[1] == '5' || data[1] == '6');
}

/* The only slice of the file is its one image. */
static peft_status decode(const io_encoded *f, int64_t slice, peft_image **out)
{
    const uint8_t *p = f->data + 2, *end = f->data + f->size;
    (void)slice;
    int64_t width, height, largest;
    peft_image *im;
    if (!header_number(&p, end, &width) || !header_number(&p, end, &height) || !header_number(&p, end, &largest) ||
        largest > 65535 || p == end || !is_blank(*p))
        return io_fail(PEFT_E_FORMAT, "PNM: broken header; expected width, height and largest sample (1..65535)");
    p++;                                                      /* the blank between header and samples */
    int channels = f->data[1] == '5' ? 1 : 3, depth = largest < 256 ? 8 : 16;
    peft_status s = io_check_limits(f->options, width, height, channels, depth);
    if (s) return s;
    int64_t count = width * height * channels;
    if (end - p < count * (depth / 8))
        return io_fail(PEFT_E_FORMAT, "PNM: %lld bytes of pixels, expected %lld; fetch the file again",
                       (long long)(end - p),
                       (long long)(count * (depth / 8)));
    if ((s = io_image_new(f->ctx, width, height, channels, depth == 8 ? IO_U8 : IO_U16, &im))) return s;
    if (!read_samples(p, count, (uint32_t)largest, im)) {
        peft_image_free(im);
        return io_fail(PEFT_E_FORMAT, "PNM: a sample is larger than %lld, the largest sample that the header states",
                       (long long)largest);
    }
    *out = im;
    return PEFT_OK;
}

const io_format io_format_pnm = {
    .name = "PNM (P5, P6)", .endings = "pgm|ppm|pnm", .probe = probe, .read = decode };
