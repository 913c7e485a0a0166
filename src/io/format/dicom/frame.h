/* SPDX-License-Identifier: Apache-2.0
 * frame.h -- the samples of one DICOM frame in memory, and the images that are made of them. */
#ifndef IO_DICOM_FRAME_H
#define IO_DICOM_FRAME_H
#include "io/format/dicom/plugin.h"
#include "io/format/dicom/view.h"
#include "io/format/decoder.h"

typedef struct io_dicom_frame {
    const io_dicom_info *info;
    io_dicom_layout layout;
    const void *raw;                                          /* the samples, as layout says */
} io_dicom_frame;

/* The number of channel c of pixel p among the samples. */
static inline int64_t io_dicom_sample_index(const io_dicom_frame *f, int64_t p, int c)
{
    const int64_t pixels = f->info->rows * f->info->columns;
    if (f->layout.halved) return p / 2 * 4 + (c ? c + 1 : p % 2);
    return f->layout.planar ? c * pixels + p : p * f->info->channels + c;
}

/* Sample i, an integer: its stored bits without those around them, and with its sign. */
static inline int64_t io_dicom_sample(const io_dicom_frame *f, int64_t i)
{
    const io_dicom_info *n = f->info;
    const uint32_t v = f->layout.bytes == 1 ? ((const uint8_t *)f->raw)[i]
                     : f->layout.bytes == 2 ? ((const uint16_t *)f->raw)[i] : ((const uint32_t *)f->raw)[i];
    const int64_t span = (int64_t)1 << n->stored, bits = (v >> (n->high_bit + 1 - n->stored)) & (span - 1);
    return n->is_signed && bits >= span / 2 ? bits - span : bits;
}

/* An image of the frame's size, whose samples are all 0. PEFT_E_UNSUPPORTED: it exceeds the limits. */
peft_status io_dicom_new_image(peft_context *ctx, const io_dicom_info *n, const io_load_options *limits, int channels,
                               io_type type, peft_image **out);
/* Sets sample i of an IO_F32 image; false: a float cannot hold v without loss. */
static inline bool io_dicom_set_exactly(peft_image *im, int64_t i, double v)
{
    const float held = ((float *)im->pixels)[i] = (float)v;
    return (double)held == v;
}
/* The error for an integer v that a float cannot hold; frees the unfinished image. */
peft_status io_dicom_inexact(double v, peft_image **out);
/* Makes the image of a grey frame, through the window that the options say. The caller frees *out. */
peft_status io_dicom_grey(peft_context *ctx, const io_dicom_frame *f, const io_dicom_view *view,
                          const io_load_options *options, peft_image **out);
/* Makes the image of a frame in colour: RGB, YBR_FULL, YBR_FULL_422 or PALETTE COLOR. PEFT_E_UNSUPPORTED: another
 * photometric interpretation. */
peft_status io_dicom_colour(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                            peft_image **out);
#endif
