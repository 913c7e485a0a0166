/* SPDX-License-Identifier: Apache-2.0
 * writer.c -- peft_dicom_seg_writer: sources, segments and fields of a segmentation, and the file of them. */
#include "io/format/dicom/segmentation/fields.h"
#include "io/format/dicom/segmentation/pixels.h"
#include "io/format/dicom/segmentation/uids.h"
#include "io/format/dicom/header.h"
#include <peft/dicom_seg.h>

#define WHO "DICOM segmentation"
enum { MOST_SEGMENTS = 65535 };

/* Texts of fields; those of all segments follow each other, IO_SEG_SEGMENT_FIELDS each. */
struct peft_dicom_seg_writer {
    peft_context *ctx;
    io_seg_sources sources;
    char *file_text[IO_SEG_FILE_FIELDS], **segment_text;
    int64_t segments, capacity;
};

/* Copies defaults of fields; fields that are only read are "". The caller frees what was copied, also on failure. */
static peft_status copy_defaults(peft_context *ctx, const io_seg_field *field, int count, char **text)
{
    for (int i = 0; i < count; i++)
        if (!(text[i] = io_copy(ctx, field[i].fallback ? field[i].fallback : ""))) return io_nomem(WHO);
    return PEFT_OK;
}

static peft_status replace(peft_context *ctx, char **text, const char *value)
{
    char *copy = io_copy(ctx, value);
    if (!copy) return io_nomem(WHO);
    peft_sys_free(ctx, *text);
    *text = copy;
    return PEFT_OK;
}

void peft_dicom_seg_writer_free(peft_dicom_seg_writer *w)
{
    if (!w) return;
    peft_context *ctx = w->ctx;
    io_seg_sources_free(&w->sources);
    for (int i = 0; i < IO_SEG_FILE_FIELDS; i++) peft_sys_free(ctx, w->file_text[i]);
    for (int64_t i = 0; i < w->segments * IO_SEG_SEGMENT_FIELDS; i++) peft_sys_free(ctx, w->segment_text[i]);
    peft_sys_free(ctx, w->segment_text);
    peft_sys_free(ctx, w);
    peft_context_free(ctx);
}

peft_status peft_dicom_seg_writer_create(peft_context *ctx, const char *const *sources, int64_t count,
                                         peft_dicom_seg_writer **out)
{
    if (!ctx || !sources || !out)
        return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", !ctx ? "ctx" : sources ? "out" : "sources");
    io_seg_sources read;
    peft_status s = io_seg_sources_read(ctx, sources, count, &read);
    if (s) return s;
    peft_dicom_seg_writer *w = io_alloc(ctx, 1, sizeof *w);
    if (!w) {
        io_seg_sources_free(&read);
        return io_nomem(WHO);
    }
    w->ctx = peft_sys_context_retain(ctx);
    w->sources = read;
    s = io_seg_sources_are_one(&read, sources);
    if (!s) s = copy_defaults(ctx, io_seg_file_field, IO_SEG_FILE_FIELDS, w->file_text);
    if (!s) s = replace(ctx, &w->file_text[IO_SEG_FILE_SOFTWARE], peft_version_string());
    if (s) peft_dicom_seg_writer_free(w);
    else *out = w;
    return s;
}

int64_t peft_dicom_seg_writer_frames(const peft_dicom_seg_writer *w) { return w ? w->sources.frames : 0; }
int64_t peft_dicom_seg_writer_rows(const peft_dicom_seg_writer *w) { return w ? w->sources.item->rows : 0; }
int64_t peft_dicom_seg_writer_columns(const peft_dicom_seg_writer *w) { return w ? w->sources.item->columns : 0; }

peft_status peft_dicom_seg_writer_add(peft_dicom_seg_writer *w, const char *label)
{
    enum { FIELDS = IO_SEG_SEGMENT_FIELDS };
    char *text[FIELDS] = { NULL };
    if (!w || !label) return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", w ? "label" : "w");
    if (w->segments == MOST_SEGMENTS)
        return io_fail(PEFT_E_INVALID, WHO ": more than %d segments, the most of a file", MOST_SEGMENTS);
    peft_status s = io_seg_check_value(&io_seg_segment_field[IO_SEG_SEGMENT_LABEL], label);
    if (s) return s;
    if (!io_grow(w->ctx, &w->segment_text, w->segments, &w->capacity, sizeof text)) return io_nomem(WHO);
    s = copy_defaults(w->ctx, io_seg_segment_field, FIELDS, text);
    if (!s) s = replace(w->ctx, &text[IO_SEG_SEGMENT_LABEL], label);
    if (!s) memcpy(w->segment_text + w->segments++ * FIELDS, text, sizeof text);
    for (int i = 0; i < FIELDS && s; i++) peft_sys_free(w->ctx, text[i]);
    return s;
}

peft_status peft_dicom_seg_writer_set(peft_dicom_seg_writer *w, int64_t segment, const char *field, const char *value)
{
    if (!w || !field || !value)
        return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", !w ? "w" : field ? "value" : "field");
    if (segment < 0 || segment > w->segments)
        return io_fail(PEFT_E_INVALID, WHO ": segment %lld; expected 0, the file, to %lld, the number of segments",
                       (long long)segment, (long long)w->segments);
    const int i = io_seg_find_field(!segment, field);
    const io_seg_field *row = segment ? io_seg_segment_field : io_seg_file_field;
    if (i < 0 || !row[i].fallback)
        return io_fail(PEFT_E_INVALID, WHO ": %s has no field '%.40s' that can be set; <peft/dicom_seg.h> lists them",
                       segment ? "a segment" : "the file", field);
    peft_status s = io_seg_check_value(&row[i], value);
    if (s) return s;
    return replace(w->ctx, segment ? &w->segment_text[(segment - 1) * IO_SEG_SEGMENT_FIELDS + i] : &w->file_text[i],
                   value);
}

/* The UIDs of the file, as dicom_seg.h says. */
typedef struct uids { char series[65], instance[65], dimension[65]; } uids;

static void make_uids(const peft_dicom_seg_writer *w, const io_seg_pixels *p, uids *out)
{
    static const int of_series[] = { IO_SEG_FILE_SERIES_NUMBER, IO_SEG_FILE_SERIES_DESCRIPTION,
                                     IO_SEG_FILE_MANUFACTURER, IO_SEG_FILE_MODEL, IO_SEG_FILE_SOFTWARE,
                                     IO_SEG_FILE_SEED };
    io_seg_digest series = { "libpeft DICOM segmentation: series" }, d = { "libpeft DICOM segmentation: instance" };
    const int64_t numbers[5] = { w->sources.count, w->sources.frames, w->segments, p->fractional, p->frames };
    io_seg_digest_text(&series, w->sources.item->series);
    for (size_t i = 0; i < sizeof of_series / sizeof *of_series; i++)
        io_seg_digest_text(&series, w->file_text[of_series[i]]);
    io_seg_uid(&series, out->series);
    io_seg_digest_text(&d, out->series);
    io_seg_digest_text(&d, peft_version_string());
    io_seg_digest_add(&d, numbers, sizeof numbers);
    for (int i = 0; i < IO_SEG_FILE_FIELDS; i++) io_seg_digest_text(&d, w->file_text[i]);
    for (int64_t i = 0; i < w->segments * IO_SEG_SEGMENT_FIELDS; i++) io_seg_digest_text(&d, w->segment_text[i]);
    for (int64_t i = 0; i < w->sources.count; i++) io_seg_digest_text(&d, w->sources.item[i].instance);
    io_seg_digest_add(&d, p->frame, (size_t)p->frames * sizeof *p->frame);
    io_seg_digest_add(&d, p->bytes, p->size);
    io_seg_uid(&d, out->instance);
    io_seg_digest_text(&d, "dimension");
    io_seg_uid(&d, out->dimension);
}

static peft_status save(peft_dicom_seg_writer *w, const io_seg_pixels *p, const char *path)
{
    uids uid;
    const void *bytes;
    size_t size;
    io_dicom_message why = { "" };
    make_uids(w, p, &uid);
    const io_seg_contents contents = {
        .text = (const char *const *)w->file_text, .segments = w->segments,
        .segment_text = (const char *const *)w->segment_text, .fractional = p->fractional, .overlap = p->overlap,
        .frames = p->frames, .frame = p->frame, .pixels = p->bytes, .size = p->size, .series_uid = uid.series,
        .instance_uid = uid.instance, .dimension_uid = uid.dimension };
    peft_status s = w->sources.plugin->seg_write(w->sources.list, &contents, &bytes, &size, &why);
    return s ? io_dicom_failed(s, &why) : peft_write_file(path, bytes, size);
}

/* Makes the pixels by `make` and saves them. */
static peft_status save_made(peft_dicom_seg_writer *w, const peft_tensor *t, const char *path,
                             peft_status (*make)(const io_seg_sources *, int64_t, const peft_tensor *, io_seg_pixels *))
{
    io_seg_pixels p;
    if (!w || !t || !path) return io_fail(PEFT_E_INVALID, WHO ": %s is NULL", !w ? "w" : t ? "path" : "the tensor");
    if (!*path) return io_fail(PEFT_E_INVALID, WHO ": path is ''; expected the path of the file to write");
    peft_status s = make(&w->sources, w->segments, t, &p);
    if (s) return s;
    s = save(w, &p, path);
    io_seg_pixels_free(&p);
    return s;
}

peft_status peft_dicom_seg_writer_labels(peft_dicom_seg_writer *w, const peft_tensor *labels, const char *path)
{
    return save_made(w, labels, path, io_seg_pixels_of_labels);
}

peft_status peft_dicom_seg_writer_planes(peft_dicom_seg_writer *w, const peft_tensor *planes, const char *path)
{
    return save_made(w, planes, path, io_seg_pixels_of_planes);
}

peft_status peft_dicom_seg_write(peft_context *ctx, const char *source, const peft_tensor *labels,
                                 const char *const *names, int64_t classes, const char *path)
{
    peft_dicom_seg_writer *w;
    if (!names || classes < 2)
        return io_fail(PEFT_E_INVALID, WHO ": %s", names ? "expected at least 2 classes, background and another"
                                                         : "names is NULL");
    peft_status s = peft_dicom_seg_writer_create(ctx, &source, 1, &w);
    if (s) return s;
    for (int64_t i = 1; i < classes && !s; i++) s = peft_dicom_seg_writer_add(w, names[i]);
    if (!s) s = peft_dicom_seg_writer_labels(w, labels, path);
    peft_dicom_seg_writer_free(w);
    return s;
}
