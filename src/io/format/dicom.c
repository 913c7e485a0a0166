/* SPDX-License-Identifier: Apache-2.0
 * dicom.c -- the picture format DICOM, read by the plug-in libpeft-dicom (dicom/plugin.h). The frames of a file are its
 * slices. The state of an open file is its io_dicom. */
#include "io/format/dicom/frame.h"
#include "io/format/dicom/header.h"
#include "io/format/formats.h"

/* Sizes and bits that the plug-in passes on as the file states them. */
static peft_status check_info(const io_dicom_info *n)
{
    if (!n->has_pixels) return io_fail(PEFT_E_FORMAT, "DICOM: the file has no pixels (no element Pixel Data)");
    if (n->rows < 1 || n->columns < 1 || (n->channels != 1 && n->channels != 3))
        return io_fail(PEFT_E_FORMAT, "DICOM: %lld rows, %lld columns, %d samples a pixel; expected sides above 0 and "
                       "1 or 3 samples", (long long)n->rows, (long long)n->columns, n->channels);
    if (n->samples != IO_DICOM_INTEGERS && n->channels == 1) return PEFT_OK;
    if (n->samples != IO_DICOM_INTEGERS)
        return io_fail(PEFT_E_UNSUPPORTED, "DICOM: 3 floating-point samples a pixel; expected 1");
    if (n->allocated != 1 && n->allocated != 8 && n->allocated != 16 && n->allocated != 32)
        return io_fail(PEFT_E_UNSUPPORTED, "DICOM: %d bits allocated for a sample; expected 1, 8, 16 or 32",
                       n->allocated);
    if (n->stored < 1 || n->stored > n->allocated || n->high_bit >= n->allocated || n->high_bit < n->stored - 1)
        return io_fail(PEFT_E_FORMAT, "DICOM: %d bits stored of %d allocated, the highest is bit %d; expected stored "
                       "bits inside the allocated ones", n->stored, n->allocated, n->high_bit);
    if (n->is_signed && n->channels == 3)
        return io_fail(PEFT_E_UNSUPPORTED, "DICOM: %.32s with signed samples (Pixel Representation 1); expected "
                       "unsigned ones (0)", n->photometric);
    return PEFT_OK;
}

static void close_file(io_encoded *f)
{
    io_dicom_close(f->state);
    peft_sys_free(f->ctx, f->state);
}

static peft_status open_file(io_encoded *f)
{
    const bool pixels_too = false;
    io_dicom *d = f->state = io_alloc(f->ctx, 1, sizeof *d);
    if (!d) return io_nomem("DICOM");
    peft_status s = io_dicom_open(f->data, f->size, f->options->max_bytes, pixels_too, d);
    if (s) {
        peft_sys_free(f->ctx, d);
        return s;
    }
    s = check_info(d->info);
    f->slices = d->info->frames;
    if (s) close_file(f);
    return s;
}

/* Whether the frame is in colour. */
static bool is_colour(const io_dicom_frame *f) { return strncmp(f->layout.photometric, "MONOCHROME", 10) != 0; }

/* Makes the image of the samples. */
static peft_status make_image(const io_encoded *f, io_dicom_frame *frame, int64_t slice, peft_image **out)
{
    const io_dicom *d = f->state;
    const char *window = f->options->window;
    io_dicom_view view;
    io_dicom_message why = { "" };
    if (is_colour(frame)) {
        if (!strcmp(window, "first") || !strcmp(window, "none")) return io_dicom_colour(f->ctx, frame, f->options, out);
        return io_fail(PEFT_E_OPTION, "DICOM: window=%s, but the image is %s, which has no windows; expected first or "
                       "none", window, frame->layout.photometric);
    }
    if (frame->info->channels != 1)
        return io_fail(PEFT_E_FORMAT, "DICOM: %s with 3 samples a pixel; expected 1", frame->layout.photometric);
    peft_status s = d->plugin->view(d->file, slice, &view, &why);
    return s ? io_dicom_failed(s, &why) : io_dicom_grey(f->ctx, frame, &view, f->options, out);
}

/* Gives the image the distances between its pixels that the file states; frees it on failure. */
static peft_status add_spacing(const io_dicom *d, int64_t slice, peft_image **im)
{
    io_dicom_message why = { "" };
    double spacing[3] = { 0 };
    const peft_status s = d->plugin->spacing(d->file, slice, spacing, &why);
    for (int i = 0; i < 3; i++) (*im)->spacing[i] = io_known_spacing(spacing[i]);
    if (!s) return PEFT_OK;
    peft_image_free(*im);
    *im = NULL;
    return io_dicom_failed(s, &why);
}

/* Limits are checked before memory for the stored samples is allocated, and again before that of the image, which may
 * have larger samples. */
static peft_status read_frame(const io_encoded *f, int64_t slice, peft_image **out)
{
    const io_dicom *d = f->state;
    const io_dicom_info *n = d->info;
    const int bits = n->samples == IO_DICOM_DOUBLES ? 64 : n->samples == IO_DICOM_FLOATS ? 32
                   : n->allocated < 8 ? 8 : n->allocated;
    peft_status s = io_check_limits(f->options, n->columns, n->rows, n->channels, bits);
    if (s) return s;
    /* One byte more, as decoders write an even number. */
    const size_t size = (size_t)(n->rows * n->columns * n->channels) * (size_t)(bits / 8) + 1;
    io_dicom_frame frame = { .info = n };
    io_dicom_message why = { "" };
    void *raw = peft_sys_alloc(f->ctx, size);
    if (!raw) return io_nomem("DICOM frame");
    s = d->plugin->frame(d->file, slice, raw, size, &frame.layout, &why);
    if (s) io_dicom_failed(s, &why);
    frame.raw = raw;
    if (!s) s = make_image(f, &frame, slice, out);
    peft_sys_free(f->ctx, raw);
    return s ? s : add_spacing(d, slice, out);
}

const io_format io_format_dicom = { .name = "DICOM", .endings = "dcm|dicom|ima", .probe = io_dicom_probe,
                                    .open = open_file, .read = read_frame, .close = close_file };
