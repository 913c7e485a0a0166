/* SPDX-License-Identifier: Apache-2.0
 * seg.c -- peft_dicom_seg: a segmentation file, its segments and frames. */
#include "io/format/dicom/segmentation/seg.h"
#include "io/format/dicom/segmentation/fields.h"

#define WHO "DICOM segmentation"
#define MAX_FILE_BYTES (4ll << 30)

void peft_dicom_seg_free(peft_dicom_seg *s)
{
    if (!s || !io_release(&s->refs)) return;
    peft_context *ctx = s->ctx;
    if (s->file.file) io_dicom_close(&s->file);
    pthread_mutex_destroy(&s->lock);
    peft_sys_free(ctx, s->data);
    peft_sys_free(ctx, s);
    peft_context_free(ctx);
}

peft_dicom_seg *io_seg_retain(peft_dicom_seg *s)
{
    io_retain(&s->refs);
    return s;
}

/* Takes ownership of data, also on failure. */
static peft_status open_bytes(peft_context *ctx, uint8_t *data, size_t size, peft_dicom_seg **out)
{
    io_dicom_message why = { "" };
    peft_dicom_seg *s = io_alloc(ctx, 1, sizeof *s);
    if (!s) {
        peft_sys_free(ctx, data);
        return io_nomem(WHO);
    }
    s->ctx = peft_sys_context_retain(ctx);
    atomic_init(&s->refs, 1);
    s->data = data;
    pthread_mutex_init(&s->lock, NULL);
    peft_status status = io_dicom_probe(data, size) ? io_dicom_open(data, size, MAX_FILE_BYTES, false, &s->file)
                       : io_fail(PEFT_E_FORMAT, "not a DICOM file; expected DICM at byte 128");
    if (!status) {
        status = s->file.plugin->seg_read(s->file.file, &s->seg, &why);
        if (status) io_dicom_failed(status, &why);
    }
    if (status) peft_dicom_seg_free(s);
    else *out = s;
    return status;
}

peft_status peft_dicom_seg_read(peft_context *ctx, const char *path, peft_dicom_seg **out)
{
    uint8_t *data;
    size_t size;
    if (!ctx || !path || !out) return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", !ctx ? "ctx" : path ? "out" : "path");
    peft_status status = io_read_file(ctx, path, MAX_FILE_BYTES, &data, &size);
    if (!status) status = open_bytes(ctx, data, size, out);
    return status ? io_fail_in(status, path) : PEFT_OK;
}

peft_status peft_dicom_seg_read_memory(peft_context *ctx, const void *data, size_t size, peft_dicom_seg **out)
{
    if (!ctx || !data || !out) return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", !ctx ? "ctx" : data ? "out" : "data");
    uint8_t *copy = peft_sys_alloc(ctx, size + 1);
    if (!copy) return io_nomem(WHO);
    memcpy(copy, data, size);
    copy[size] = 0;
    return open_bytes(ctx, copy, size, out);
}

int64_t peft_dicom_seg_rows(const peft_dicom_seg *s) { return s ? s->file.info->rows : 0; }
int64_t peft_dicom_seg_columns(const peft_dicom_seg *s) { return s ? s->file.info->columns : 0; }
int64_t peft_dicom_seg_frames(const peft_dicom_seg *s) { return s ? s->seg->frames : 0; }
int64_t peft_dicom_seg_segments(const peft_dicom_seg *s) { return s ? s->seg->segments : 0; }

int64_t peft_dicom_seg_number(const peft_dicom_seg *s, int64_t i)
{
    return s && i >= 0 && i < s->seg->segments ? s->seg->segment[i].number : -1;
}

int64_t io_seg_index(const io_seg_file *f, int64_t number)
{
    return number >= 0 && number < 65536 ? f->index_of[number] : -1;
}

const char *peft_dicom_seg_text(const peft_dicom_seg *s, int64_t segment, const char *field)
{
    if (!s || !field) return NULL;
    const int64_t i = segment ? io_seg_index(s->seg, segment) : 0;
    const int column = io_seg_find_field(!segment, field);
    if (i < 0 || column < 0) return NULL;
    return segment ? s->seg->segment[i].text[column] : s->seg->text[column];
}

const char *peft_dicom_seg_source(const peft_dicom_seg *s, int64_t i)
{
    return s && i >= 0 && i < s->seg->instances ? s->seg->instance[i] : NULL;
}

static const io_seg_read_frame *frame_of(const peft_dicom_seg *s, int64_t frame)
{
    return s && frame >= 0 && frame < s->seg->frames ? &s->seg->frame[frame] : NULL;
}

int64_t peft_dicom_seg_frame_segment(const peft_dicom_seg *s, int64_t frame)
{
    const io_seg_read_frame *f = frame_of(s, frame);
    return f ? f->segment : -1;
}

const char *peft_dicom_seg_frame_source(const peft_dicom_seg *s, int64_t frame, int64_t *source_frame)
{
    const io_seg_read_frame *f = frame_of(s, frame);
    const io_seg_link *link = f && f->links ? &s->seg->link[f->first_link] : NULL;
    if (source_frame) *source_frame = link ? link->source_frame : -1;
    return link ? link->instance : f ? "" : NULL;
}

/* PEFT_E_FORMAT: a sample is above the maximum, so that its part of it would be above 1. */
static peft_status check_samples(const peft_dicom_seg *s, int64_t frame, const uint8_t *sample)
{
    const int64_t columns = s->file.info->columns, pixels = s->file.info->rows * columns;
    for (int64_t p = 0; p < pixels; p++)
        if (sample[p] > s->seg->maximum)
            return io_fail(PEFT_E_FORMAT, WHO ": sample %d in frame %lld, row %lld, column %lld is above Maximum "
                           "Fractional Value (0062,000E); expected 0 to %d", sample[p], (long long)frame,
                           (long long)(p / columns), (long long)(p % columns), s->seg->maximum);
    return PEFT_OK;
}

peft_status io_seg_samples(peft_dicom_seg *s, int64_t frame, uint8_t *out)
{
    io_dicom_layout layout;
    io_dicom_message why = { "" };
    const size_t size = (size_t)(s->file.info->rows * s->file.info->columns);
    /* One byte more, as decoders write an even number. */
    uint8_t *raw = peft_sys_alloc(s->ctx, size + 1);
    if (!raw) return io_nomem(WHO);
    pthread_mutex_lock(&s->lock);
    peft_status status = s->file.plugin->frame(s->file.file, frame, raw, size + 1, &layout, &why);
    pthread_mutex_unlock(&s->lock);
    if (status) io_dicom_failed(status, &why);
    else status = check_samples(s, frame, raw);
    if (!status) memcpy(out, raw, size);
    peft_sys_free(s->ctx, raw);
    return status;
}

peft_status peft_dicom_seg_frame(peft_dicom_seg *s, int64_t frame, float *out)
{
    if (!s || !out) return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", s ? "out" : "s");
    if (!frame_of(s, frame))
        return io_fail(PEFT_E_INVALID, WHO ": frame %lld; expected 0 to %lld", (long long)frame,
                       (long long)s->seg->frames - 1);
    const int64_t pixels = s->file.info->rows * s->file.info->columns;
    uint8_t *samples = io_alloc(s->ctx, pixels, 1);
    if (!samples) return io_nomem(WHO);
    peft_status status = io_seg_samples(s, frame, samples);
    for (int64_t p = 0; p < pixels && !status; p++) out[p] = (float)samples[p] / (float)s->seg->maximum;
    peft_sys_free(s->ctx, samples);
    return status;
}
