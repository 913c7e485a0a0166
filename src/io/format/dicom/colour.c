/* SPDX-License-Identifier: Apache-2.0
 * colour.c -- io_dicom_colour: the RGB image of a DICOM frame in colour, as pydicom makes it (pixel_array, then
 * apply_color_lut for a palette). */
#include "io/format/dicom/frame.h"
#include <math.h>

/* An RGB image for samples of so many bits, all of which are used from 0 on. */
static peft_status new_image(peft_context *ctx, const io_dicom_info *n, const io_load_options *limits, int bits,
                             peft_image **out)
{
    const io_type type = bits <= 8 ? IO_U8 : bits <= 16 ? IO_U16 : IO_F32;
    peft_status s = io_dicom_new_image(ctx, n, limits, 3, type, out);
    if (s) return s;
    (*out)->full[0] = 0;
    (*out)->full[1] = ldexp(1, bits) - 1;
    return PEFT_OK;
}

static peft_status make_rgb(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                            peft_image **out)
{
    const io_dicom_info *n = f->info;
    peft_status s = new_image(ctx, n, limits, n->stored, out);
    if (s) return s;
    for (int64_t p = 0; p < n->rows * n->columns; p++)
        for (int c = 0; c < 3; c++) {
            const int64_t v = io_dicom_sample(f, io_dicom_sample_index(f, p, c));
            if ((*out)->type != IO_F32) io_set_sample(*out, 3 * p + c, v);
            else if (!io_dicom_set_exactly(*out, 3 * p + c, (double)v)) return io_dicom_inexact((double)v, out);
        }
    return PEFT_OK;
}

/* Rounds to nearest and clips to 8 bits. */
static int64_t to_byte(float v) { return v <= 0 ? 0 : v >= 255 ? 255 : (int64_t)floorf(v + 0.5f); }

/* The coefficients of JFIF (ITU-T T.871), in float as in pydicom. */
static peft_status make_from_ybr(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                                 peft_image **out)
{
    const io_dicom_info *n = f->info;
    if (f->layout.bytes != 1 || n->stored != 8)
        return io_fail(PEFT_E_UNSUPPORTED, "DICOM: %.16s with %d of %d bits; expected 8 of 8", f->layout.photometric,
                       n->stored, 8 * f->layout.bytes);
    peft_status s = new_image(ctx, n, limits, 8, out);
    if (s) return s;
    const float red = 1.402f, blue = 1.772f;
    const float green_of_blue = (float)(-0.114 * 1.772 / 0.587), green_of_red = (float)(-0.299 * 1.402 / 0.587);
    for (int64_t p = 0; p < n->rows * n->columns; p++) {
        const float y = (float)io_dicom_sample(f, io_dicom_sample_index(f, p, 0));
        const float b = (float)io_dicom_sample(f, io_dicom_sample_index(f, p, 1)) - 128;
        const float r = (float)io_dicom_sample(f, io_dicom_sample_index(f, p, 2)) - 128;
        io_set_sample(*out, 3 * p, to_byte(y + red * r));
        io_set_sample(*out, 3 * p + 1, to_byte(y + green_of_blue * b + green_of_red * r));
        io_set_sample(*out, 3 * p + 2, to_byte(y + blue * b));
    }
    return PEFT_OK;
}

/* The bits of the palette's entries: those it states, or 16 where an entry is larger. */
static int palette_bits(const io_dicom_table palette[3])
{
    const int bits = palette[0].bits;
    for (int c = 0; c < 3; c++)
        for (int64_t i = 0; i < palette[c].entries; i++)
            if (palette[c].entry[i] >> bits) return 16;
    return bits;
}

static peft_status make_from_palette(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                                     peft_image **out)
{
    const io_dicom_info *n = f->info;
    for (int c = 0; c < 3; c++)
        if (n->palette[c].entries < 1 || n->palette[c].entries != n->palette[0].entries)
            return io_fail(PEFT_E_FORMAT, "DICOM: PALETTE COLOR, but the tables of red, green and blue have %lld, %lld "
                           "and %lld entries; expected equal numbers, above 0", (long long)n->palette[0].entries,
                           (long long)n->palette[1].entries, (long long)n->palette[2].entries);
    peft_status s = new_image(ctx, n, limits, palette_bits(n->palette), out);
    if (s) return s;
    for (int64_t p = 0; p < n->rows * n->columns; p++) {
        const int64_t last = n->palette[0].entries - 1, v = io_dicom_sample(f, p) - n->palette[0].first;
        for (int c = 0; c < 3; c++)
            io_set_sample(*out, 3 * p + c, n->palette[c].entry[v < 0 ? 0 : v > last ? last : v]);
    }
    return PEFT_OK;
}

peft_status io_dicom_colour(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                            peft_image **out)
{
    static const struct {
        const char *photometric;
        int channels;
        peft_status (*make)(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                            peft_image **out);
    } rows[] = { { "RGB", 3, make_rgb }, { "YBR_FULL", 3, make_from_ybr }, { "YBR_FULL_422", 3, make_from_ybr },
                 { "PALETTE COLOR", 1, make_from_palette } };
    const char *given = f->layout.photometric;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(given, rows[i].photometric)) continue;
        if (f->info->channels == rows[i].channels && f->info->samples == IO_DICOM_INTEGERS)
            return rows[i].make(ctx, f, limits, out);
        return io_fail(PEFT_E_FORMAT, "DICOM: %s with %d samples a pixel; expected %d, integers", given,
                       f->info->channels, rows[i].channels);
    }
    return io_fail(PEFT_E_UNSUPPORTED, "DICOM: the photometric interpretation '%.32s'; expected MONOCHROME1, "
                   "MONOCHROME2, PALETTE COLOR, RGB, YBR_FULL or YBR_FULL_422", given);
}
