/* SPDX-License-Identifier: Apache-2.0
 * maps.c -- label maps and planes of the images that a segmentation is of. */
#include "io/format/dicom/segmentation/seg.h"
#include "io/format/dicom/segmentation/sources.h"

#define WHO "DICOM segmentation"

/* Where the frames of one image go: to labels [pixels], with the largest sample so far in best, or to the planes of all
 * segments, `stride` apart. */
typedef struct painting { int64_t *labels; uint8_t *best; float *planes; int64_t stride; } painting;

static peft_status overlap(const peft_dicom_seg *s, int64_t a, int64_t b, int64_t pixel, const io_seg_target *t)
{
    const int64_t columns = s->file.info->columns;
    return io_fail(PEFT_E_UNSUPPORTED, WHO ": segments %lld '%.64s' and %lld '%.64s' overlap at row %lld, column %lld "
                   "of the image %s, frame %lld, so that there is no label map; peft_dicom_seg_planes reads them",
                   (long long)a, peft_dicom_seg_text(s, a, "label"), (long long)b, peft_dicom_seg_text(s, b, "label"),
                   (long long)(pixel / columns), (long long)(pixel % columns), t->instance, (long long)t->frame);
}

/* A pixel has the segment with the largest sample of at least half of the maximum, the first of equal ones. */
static peft_status paint_labels(const peft_dicom_seg *s, int64_t number, const uint8_t *samples, painting *to,
                                const io_seg_target *t)
{
    const io_seg_file *f = s->seg;
    for (int64_t p = 0; p < s->file.info->rows * s->file.info->columns; p++) {
        const uint8_t v = samples[p];
        const int64_t had = to->labels[p];
        if (2 * v < f->maximum || !v) continue;
        if (!f->fractional && had && had != number) return overlap(s, had, number, p, t);
        if (had && (v < to->best[p] || (v == to->best[p] && io_seg_index(f, had) < io_seg_index(f, number)))) continue;
        to->labels[p] = number;
        to->best[p] = v;
    }
    return PEFT_OK;
}

static void paint_plane(const peft_dicom_seg *s, int64_t number, const uint8_t *samples, const painting *to)
{
    float *plane = to->planes + io_seg_index(s->seg, number) * to->stride;
    for (int64_t p = 0; p < s->file.info->rows * s->file.info->columns; p++) {
        const float v = (float)samples[p] / (float)s->seg->maximum;
        if (v > plane[p]) plane[p] = v;
    }
}

/* Paints the frames that show the image. samples: room for those of one frame. */
static peft_status paint(peft_dicom_seg *s, const io_seg_target *t, uint8_t *samples, painting *to)
{
    peft_status status = io_seg_check_target(s->seg, t);
    io_seg_search found = io_seg_search_begin(s->seg, t);
    while (!status && io_seg_search_next(&found)) {
        const int64_t number = s->seg->frame[found.frame].segment;
        status = io_seg_samples(s, found.frame, samples);
        if (status) break;
        if (to->labels) status = paint_labels(s, number, samples, to, t);
        else paint_plane(s, number, samples, to);
    }
    return status;
}

static io_seg_target target_of(const io_dicom_source *source, int64_t frame)
{
    return (io_seg_target){ source->instance, source->series, source->frame_of_reference, frame,
                            &source->place[frame] };
}

/* Paints all frames of the sources into the tensor [frames, rows, columns], or [segments, frames, rows, columns]. */
static peft_status paint_sources(peft_dicom_seg *s, const io_seg_sources *sources, const char *const *paths,
                                 peft_tensor *out)
{
    const int64_t pixels = s->file.info->rows * s->file.info->columns;
    const bool planes = peft_tensor_ndim(out) == 4;
    uint8_t *samples = io_alloc(s->ctx, pixels, 2);           /* and behind them the best ones */
    peft_status status = samples ? PEFT_OK : io_nomem(WHO);
    int64_t done = 0;
    for (int64_t i = 0; i < sources->count; i++) {
        const io_dicom_source *source = &sources->item[i];
        for (int64_t f = 0; f < source->frames && !status; f++, done++) {
            const io_seg_target t = target_of(source, f);
            painting to = { NULL, samples + pixels, NULL, sources->frames * pixels };
            if (planes) to.planes = (float *)peft_tensor_data(out) + done * pixels;
            else to.labels = (int64_t *)peft_tensor_data(out) + done * pixels;
            status = paint(s, &t, samples, &to);
            if (status) io_fail_in(status, paths[i]);
        }
    }
    peft_sys_free(s->ctx, samples);
    return status;
}

/* Reads the headers of the images. PEFT_E_MISMATCH: their size is not that of the segmentation. */
static peft_status read_sources(const peft_dicom_seg *s, const char *const *paths, int64_t count, io_seg_sources *out)
{
    const int64_t rows = s->file.info->rows, columns = s->file.info->columns;
    peft_status status = io_seg_sources_read(s->ctx, paths, count, out);
    if (status || (out->item->rows == rows && out->item->columns == columns)) return status;
    status = io_fail(PEFT_E_MISMATCH, WHO ": it has %lld rows and %lld columns, the image %s has %lld and %lld; "
                     "expected the same", (long long)rows, (long long)columns, paths[0], (long long)out->item->rows,
                     (long long)out->item->columns);
    io_seg_sources_free(out);
    return status;
}

static peft_status read_maps(peft_dicom_seg *s, const char *const *paths, int64_t count, bool planes, peft_tensor **out)
{
    io_seg_sources sources;
    peft_tensor *made = NULL;
    if (!s || !paths || !out) return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", !s ? "s" : paths ? "out" : "sources");
    peft_status status = read_sources(s, paths, count, &sources);
    if (status) return status;
    const int64_t dims[4] = { s->seg->segments, sources.frames, s->file.info->rows, s->file.info->columns };
    status = planes ? peft_tensor_create(s->ctx, PEFT_F32, 4, dims, &made)
                    : peft_tensor_create(s->ctx, PEFT_I64, 3, dims + 1, &made);
    if (!status) status = paint_sources(s, &sources, paths, made);
    io_seg_sources_free(&sources);
    if (status) peft_tensor_free(made);
    else *out = made;
    return status;
}

peft_status io_seg_frame_labels(peft_dicom_seg *s, const char *path, int64_t frame, int64_t *out)
{
    io_seg_sources sources;
    const int64_t pixels = s->file.info->rows * s->file.info->columns;
    peft_status status = read_sources(s, &path, 1, &sources);
    if (status) return status;
    uint8_t *samples = io_alloc(s->ctx, pixels, 2);
    if (!samples) status = io_nomem(WHO);
    else if (frame >= sources.frames)
        status = io_fail(PEFT_E_INVALID, WHO ": frame %lld of %s; expected 0 to %lld", (long long)frame, path,
                         (long long)sources.frames - 1);
    else {
        const io_seg_target t = target_of(sources.item, frame);
        memset(out, 0, (size_t)pixels * sizeof *out);
        status = paint(s, &t, samples, &(painting){ out, samples + pixels, NULL, 0 });
    }
    peft_sys_free(s->ctx, samples);
    io_seg_sources_free(&sources);
    return status;
}

peft_status peft_dicom_seg_labels(peft_dicom_seg *s, const char *const *sources, int64_t count, peft_tensor **out)
{
    return read_maps(s, sources, count, false, out);
}

peft_status peft_dicom_seg_planes(peft_dicom_seg *s, const char *const *sources, int64_t count, peft_tensor **out)
{
    return read_maps(s, sources, count, true, out);
}

peft_status peft_dicom_seg_instance_labels(peft_dicom_seg *s, const char *instance, int64_t source_frame,
                                           peft_tensor **out)
{
    peft_tensor *made;
    if (!s || !instance || !out)
        return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", !s ? "s" : instance ? "out" : "instance");
    const int64_t dims[2] = { s->file.info->rows, s->file.info->columns }, pixels = dims[0] * dims[1];
    const io_seg_target t = { instance, "", "", source_frame, NULL };
    peft_status status = peft_tensor_create(s->ctx, PEFT_I64, 2, dims, &made);
    if (status) return status;
    uint8_t *samples = io_alloc(s->ctx, pixels, 2);
    if (samples) status = paint(s, &t, samples, &(painting){ peft_tensor_data(made), samples + pixels, NULL, 0 });
    else status = io_nomem(WHO);
    peft_sys_free(s->ctx, samples);
    if (status) peft_tensor_free(made);
    else *out = made;
    return status;
}
