/* SPDX-License-Identifier: Apache-2.0
 * pixels.c -- makes the frames of a segmentation file of label maps and planes. A frame is one segment at one frame of
 * the sources; those in which the segment has no pixel are left out. */
#include "io/format/dicom/segmentation/pixels.h"
#include <math.h>
#include <stdio.h>

#define MAX_PIXEL_BYTES 4294967294u                           /* of an element, whose length is even */

/* What frames are made of. value: the sample of pixel p of a segment, from 0 on, at a frame of the sources. used: a
 * byte for each segment of each frame, whether the segment has a pixel there. */
typedef struct maps {
    const void *data;
    peft_dtype type;
    int64_t segments, frames, pixels;
    uint8_t (*value)(const struct maps *m, int64_t segment, int64_t frame, int64_t p);
    uint8_t *used;
} maps;

static int64_t label_at(const maps *m, int64_t i)
{
    return m->type == PEFT_U8 ? ((const uint8_t *)m->data)[i] : m->type == PEFT_I32 ? ((const int32_t *)m->data)[i]
                                                              : ((const int64_t *)m->data)[i];
}

static uint8_t label_value(const maps *m, int64_t segment, int64_t frame, int64_t p)
{
    return label_at(m, frame * m->pixels + p) == segment + 1;
}

static uint8_t plane_bit(const maps *m, int64_t segment, int64_t frame, int64_t p)
{
    return ((const uint8_t *)m->data)[(segment * m->frames + frame) * m->pixels + p];
}

static uint8_t plane_fraction(const maps *m, int64_t segment, int64_t frame, int64_t p)
{
    const float v = ((const float *)m->data)[(segment * m->frames + frame) * m->pixels + p];
    return (uint8_t)lrint((double)v * IO_SEG_MAXIMUM);
}

void io_seg_pixels_free(io_seg_pixels *p)
{
    peft_sys_free(p->ctx, p->frame);
    peft_sys_free(p->ctx, p->bytes);
    *p = (io_seg_pixels){ 0 };
}

/* Lists the frames: of each segment those of the sources, in their order; one empty frame where all are empty. */
static peft_status list_frames(const io_seg_sources *s, const maps *m, io_seg_pixels *out)
{
    for (int64_t i = 0; i < m->segments * m->frames; i++) out->frames += m->used[i] != 0;
    const bool empty = !out->frames;
    if (empty) out->frames = 1;
    out->frame = io_alloc(s->ctx, out->frames, sizeof *out->frame);
    if (!out->frame) return io_nomem("DICOM segmentation");
    io_seg_frame *next = out->frame;
    for (int64_t segment = 0, k = 0; segment < m->segments && !empty; segment++)
        for (int64_t source = 0; source < s->count; source++)
            for (int64_t f = 0; f < s->item[source].frames; f++, k++)
                if (m->used[k]) *next++ = (io_seg_frame){ segment + 1, source, f };
    if (empty) out->frame[0] = (io_seg_frame){ 1, 0, 0 };
    return PEFT_OK;
}

static peft_status pack_frames(const maps *m, io_seg_pixels *out)
{
    const uint64_t samples = (uint64_t)(out->frames * m->pixels);      /* no more than the tensor has, or one frame */
    const uint64_t size = out->fractional ? samples : (samples + 7) / 8;
    if (size > MAX_PIXEL_BYTES || out->frames > INT32_MAX)
        return io_fail(PEFT_E_UNSUPPORTED, "DICOM segmentation: %lld frames of %lld pixels are %llu bytes; expected at "
                       "most 4 GiB in a file: write fewer sources or segments", (long long)out->frames,
                       (long long)m->pixels, (unsigned long long)size);
    out->size = (size_t)size;
    out->bytes = io_alloc(out->ctx, (int64_t)size, 1);
    if (!out->bytes) return io_nomem("DICOM segmentation");
    uint64_t at = 0;
    for (int64_t k = 0; k < m->segments * m->frames; k++)
        for (int64_t p = 0; p < m->pixels && m->used[k]; p++, at++) {
            const uint8_t v = m->value(m, k / m->frames, k % m->frames, p);
            if (out->fractional) out->bytes[at] = v;
            else out->bytes[at / 8] |= (uint8_t)(v << at % 8);
        }
    return PEFT_OK;
}

/* Marks what a label map uses. PEFT_E_INVALID: a label that is no segment. */
static peft_status mark_labels(maps *m)
{
    for (int64_t frame = 0; frame < m->frames; frame++)
        for (int64_t p = 0; p < m->pixels; p++) {
            const int64_t label = label_at(m, frame * m->pixels + p);
            if (label < -1 || label > m->segments)
                return io_fail(PEFT_E_INVALID, "DICOM segmentation: label %lld in frame %lld, pixel %lld; expected 0 "
                               "to %lld, the number of segments, or -1", (long long)label, (long long)frame,
                               (long long)p, (long long)m->segments);
            if (label > 0) m->used[(label - 1) * m->frames + frame] = 1;
        }
    return PEFT_OK;
}

/* Marks what planes use, and whether segments overlap. PEFT_E_INVALID: a value that no sample can have. */
static peft_status mark_planes(maps *m, bool *overlap)
{
    const bool bits = m->type == PEFT_U8;
    for (int64_t frame = 0; frame < m->frames; frame++)
        for (int64_t p = 0; p < m->pixels; p++) {
            int there = 0;
            for (int64_t segment = 0; segment < m->segments; segment++) {
                const int64_t i = (segment * m->frames + frame) * m->pixels + p;
                const double v = bits ? ((const uint8_t *)m->data)[i] : (double)((const float *)m->data)[i];
                if (!(v >= 0 && v <= 1))                      /* also NaN */
                    return io_fail(PEFT_E_INVALID, "DICOM segmentation: the value %g of segment %lld in frame %lld, "
                                   "pixel %lld; expected %s", v, (long long)segment + 1, (long long)frame, (long long)p,
                                   bits ? "0 or 1" : "0 to 1");
                if (!m->value(m, segment, frame, p)) continue;
                m->used[segment * m->frames + frame] = 1;
                *overlap |= there++ > 0;
            }
        }
    return PEFT_OK;
}

/* Checks the extents that sources and segments give. shorter: the first may be left out where it is 1. */
static peft_status check_extents(const peft_tensor *t, const char *what, const int64_t *expected, int ndim,
                                 bool shorter)
{
    const int given = peft_tensor_ndim(t), missing = ndim - given;
    char have[200] = "", want[200] = "";
    bool fits = given == ndim || (shorter && given == ndim - 1 && expected[0] == 1);
    for (int i = 0; i < given && fits; i++) fits = peft_tensor_dim(t, i) == expected[i + missing];
    if (fits) return PEFT_OK;
    for (int i = 0; i < given; i++)
        snprintf(have + strlen(have), 24, "%s%lld", i ? ", " : "", (long long)peft_tensor_dim(t, i));
    for (int i = 0; i < ndim; i++) snprintf(want + strlen(want), 24, "%s%lld", i ? ", " : "", (long long)expected[i]);
    return io_fail(PEFT_E_SHAPE, "DICOM segmentation: %s [%s]; expected [%s], as the sources and segments give", what,
                   have, want);
}

/* Makes the frames of the tensor whose extents have been checked. */
static peft_status make(const io_seg_sources *s, int64_t segments, const peft_tensor *t, bool planes,
                        io_seg_pixels *out)
{
    maps m = { .data = peft_tensor_cdata(t), .type = peft_tensor_dtype(t), .segments = segments, .frames = s->frames,
               .pixels = s->item->rows * s->item->columns };
    io_seg_pixels made = { .ctx = s->ctx, .fractional = planes && m.type == PEFT_F32 };
    if (segments < 1)
        return io_fail(PEFT_E_INVALID, "DICOM segmentation: no segments; expected at least 1, by "
                       "peft_dicom_seg_writer_add");
    m.value = !planes ? label_value : made.fractional ? plane_fraction : plane_bit;
    m.used = io_alloc(s->ctx, segments * s->frames, 1);
    if (!m.used) return io_nomem("DICOM segmentation");
    peft_status status = planes ? mark_planes(&m, &made.overlap) : mark_labels(&m);
    if (!status) status = list_frames(s, &m, &made);
    if (!status) status = pack_frames(&m, &made);
    peft_sys_free(s->ctx, m.used);
    if (status) io_seg_pixels_free(&made);
    else *out = made;
    return status;
}

peft_status io_seg_pixels_of_labels(const io_seg_sources *s, int64_t segments, const peft_tensor *labels,
                                    io_seg_pixels *out)
{
    const peft_dtype type = peft_tensor_dtype(labels);
    const int64_t extents[3] = { s->frames, s->item->rows, s->item->columns };
    if (type != PEFT_U8 && type != PEFT_I32 && type != PEFT_I64)
        return io_fail(PEFT_E_DTYPE, "DICOM segmentation: labels of type %d; expected PEFT_U8, PEFT_I32 or PEFT_I64",
                       (int)type);
    peft_status status = check_extents(labels, "labels", extents, 3, true);
    return status ? status : make(s, segments, labels, false, out);
}

peft_status io_seg_pixels_of_planes(const io_seg_sources *s, int64_t segments, const peft_tensor *planes,
                                    io_seg_pixels *out)
{
    const peft_dtype type = peft_tensor_dtype(planes);
    const int64_t extents[4] = { segments, s->frames, s->item->rows, s->item->columns };
    if (type != PEFT_U8 && type != PEFT_F32)
        return io_fail(PEFT_E_DTYPE, "DICOM segmentation: planes of type %d; expected PEFT_U8 or PEFT_F32", (int)type);
    peft_status status = check_extents(planes, "planes", extents, 4, false);
    return status ? status : make(s, segments, planes, true, out);
}
