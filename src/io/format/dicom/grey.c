/* SPDX-License-Identifier: Apache-2.0
 * grey.c -- io_dicom_grey: the image of a grey DICOM frame. */
#include "io/format/dicom/frame.h"
#include <math.h>

peft_status io_dicom_new_image(peft_context *ctx, const io_dicom_info *n, const io_load_options *limits, int channels,
                               io_type type, peft_image **out)
{
    peft_status s = io_check_limits(limits, n->columns, n->rows, channels, (int)(8 * io_types[type].bytes));
    return s ? s : io_image_new(ctx, n->columns, n->rows, channels, type, out);
}

/* Sample i as a number, of integers and of floating-point pixels. */
static double stored_value(const io_dicom_frame *f, int64_t i)
{
    switch (f->info->samples) {
    case IO_DICOM_FLOATS:  return ((const float *)f->raw)[i];
    case IO_DICOM_DOUBLES: return ((const double *)f->raw)[i];
    default:               return (double)io_dicom_sample(f, i);
    }
}

/* Where only slope and intercept lie between samples and values, the image keeps the samples: this type. */
static io_type sample_type(const io_dicom_frame *f)
{
    return f->info->is_signed ? IO_I16 : f->layout.bytes == 1 ? IO_U8 : IO_U16;
}

/* An image of samples: *s is their slope and intercept. An inverted one has a negative slope. */
static peft_status make_samples(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                                const io_dicom_steps *s, peft_image **out)
{
    const io_dicom_info *n = f->info;
    peft_status status = io_dicom_new_image(ctx, n, limits, 1, sample_type(f), out);
    if (status) return status;
    for (int64_t i = 0; i < n->rows * n->columns; i++) io_set_sample(*out, i, io_dicom_sample(f, i));
    (*out)->slope = s->inverted ? -s->slope : s->slope;
    (*out)->intercept = s->inverted ? s->full[0] + s->full[1] - s->intercept : s->intercept;
    return PEFT_OK;
}

peft_status io_dicom_inexact(double v, peft_image **out)
{
    char text[32];
    peft_image_free(*out);
    *out = NULL;
    return io_fail(PEFT_E_UNSUPPORTED, "DICOM: the value %s of a sample of 32 bits does not fit a float without loss; "
                   "save the file with values of at most 16777216, or read a grey one through a window of the file",
                   peft_sys_opt_number(text, v));
}

/* Whether the values are integers that an image should hold exactly: no table, no window and no fraction from the
 * rescale is between them and the samples. */
static bool are_integers(const io_dicom_info *n, const io_dicom_steps *s)
{
    return n->samples == IO_DICOM_INTEGERS && !s->modality && !s->choice.window && !s->choice.table &&
           fabs(s->slope) == 1 && s->intercept == floor(s->intercept);
}

/* Sets the values of an image that has more pixels than its samples have values: computes each value once. Frees the
 * image on failure. */
static peft_status look_up_values(peft_context *ctx, const io_dicom_frame *f, const io_dicom_steps *s, peft_image **out)
{
    const io_dicom_info *n = f->info;
    const int64_t span = (int64_t)1 << n->stored;
    float *table = io_alloc(ctx, span, sizeof *table), *to = (float *)(*out)->pixels;     /* by the bits of a sample */
    if (!table) {
        peft_image_free(*out);
        *out = NULL;
        return io_nomem("DICOM");
    }
    for (int64_t i = 0; i < span; i++)
        table[i] = (float)io_dicom_value(s, (double)(n->is_signed && i >= span / 2 ? i - span : i));
    for (int64_t i = 0; i < n->rows * n->columns; i++) to[i] = table[io_dicom_sample(f, i) & (span - 1)];
    peft_sys_free(ctx, table);
    return PEFT_OK;
}

static peft_status make_values(peft_context *ctx, const io_dicom_frame *f, const io_load_options *limits,
                               const io_dicom_steps *s, peft_image **out)
{
    const io_dicom_info *n = f->info;
    peft_status status = io_dicom_new_image(ctx, n, limits, 1, IO_F32, out);
    if (status) return status;
    const bool integers = are_integers(n, s);
    if (!integers && n->samples == IO_DICOM_INTEGERS && f->layout.bytes < 4 && n->rows * n->columns > 1 << n->stored)
        return look_up_values(ctx, f, s, out);
    for (int64_t i = 0; i < n->rows * n->columns; i++) {
        const double v = io_dicom_value(s, stored_value(f, i));
        if (!io_dicom_set_exactly(*out, i, v) && integers) return io_dicom_inexact(v, out);
    }
    return PEFT_OK;
}

/* Floating-point pixels have no number of bits, so that the ends of a window's result and of an inversion are not
 * known: window=first is none for them, another window an error. */
static peft_status choose_for_floats(const io_dicom_info *n, const char *window, io_dicom_choice *choice)
{
    *choice = (io_dicom_choice){ 0 };
    if (strcmp(window, "first") && strcmp(window, "none"))
        return io_fail(PEFT_E_OPTION, "DICOM: window=%s, but the pixels are floating-point numbers, for whose windows "
                       "DICOM gives no range; expected first or none", window);
    if (!strcmp(n->photometric, "MONOCHROME1"))
        return io_fail(PEFT_E_UNSUPPORTED, "DICOM: MONOCHROME1 with floating-point pixels; expected MONOCHROME2");
    return PEFT_OK;
}

peft_status io_dicom_grey(peft_context *ctx, const io_dicom_frame *f, const io_dicom_view *view,
                          const io_load_options *options, peft_image **out)
{
    const io_dicom_info *n = f->info;
    const bool integers = n->samples == IO_DICOM_INTEGERS, inverted = !strcmp(n->photometric, "MONOCHROME1");
    /* NaN: the range of floating-point pixels is not known. */
    const double span = integers ? ldexp(1, n->stored) : NAN;
    const double lowest = !integers ? NAN : n->is_signed ? -span / 2 : 0;
    io_dicom_choice choice;
    io_dicom_steps steps;
    peft_status s = integers ? io_dicom_choose(view, options->window, &choice)
                             : choose_for_floats(n, options->window, &choice);
    if (!s) s = io_dicom_steps_of(view, &choice, inverted, lowest, lowest + span - 1, &steps);
    if (s) return s;
    if (view->ignored && strcmp(options->window, "none"))
        io_warn(ctx, "DICOM: the VOI LUT Sequence has no LUT Descriptor or no LUT Data in its first item, and is not "
                "used; window=none reads the values without it");
    const bool shown = choice.window || choice.table;
    const bool keep = integers && !shown && !steps.modality && f->layout.bytes < 4;
    s = keep ? make_samples(ctx, f, options, &steps, out) : make_values(ctx, f, options, &steps, out);
    if (s) return s;
    (*out)->windowed = shown;
    /* Values of the modality lie between both ends, also with a negative slope; a window maps its lower end to the
     * first. */
    (*out)->full[0] = shown ? steps.full[0] : fmin(steps.full[0], steps.full[1]);
    (*out)->full[1] = shown ? steps.full[1] : fmax(steps.full[0], steps.full[1]);
    /* All that signed or rescaled bits can hold, -32768..32767, makes Hounsfield units nearly one grey: such values
     * need a range. */
    const bool plain = integers && !n->is_signed && steps.slope == 1 && steps.intercept == 0;
    if (!shown && !steps.modality && !plain) (*out)->full[0] = (*out)->full[1] = NAN;
    return PEFT_OK;
}
