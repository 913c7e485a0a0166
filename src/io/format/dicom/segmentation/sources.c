/* SPDX-License-Identifier: Apache-2.0
 * sources.c -- reads the headers of the images that a segmentation is of. Files of one frame are read up to the
 * header's end, others whole, as functional groups follow later. */
#include "io/format/dicom/segmentation/sources.h"
#include "io/format/dicom/header.h"

#define MAX_FILE_BYTES (4ll << 30)

void io_seg_sources_free(io_seg_sources *s)
{
    if (s->list) s->plugin->sources_free(s->list);
    peft_sys_free(s->ctx, s->item);
    *s = (io_seg_sources){ 0 };
}

static peft_status add_source(io_seg_sources *s, io_dicom *d)
{
    io_dicom_message why = { "" };
    io_dicom_source *item = &s->item[s->count];
    peft_status status = s->plugin->sources_add(s->list, d->file, item, &why);
    if (status) return io_dicom_failed(status, &why);
    if (item->rows < 1 || item->columns < 1)
        return io_fail(PEFT_E_FORMAT, "DICOM: %lld rows, %lld columns; expected an image", (long long)item->rows,
                       (long long)item->columns);
    s->frames += item->frames;
    s->count++;
    return PEFT_OK;
}

/* Whether the file has several frames, which are not in the header that was read. */
typedef struct visit { io_seg_sources *sources; bool several; } visit;

static peft_status visit_header(io_dicom *d, void *user)
{
    visit *v = user;
    v->several = d->info->frames > 1;
    return v->several ? PEFT_OK : add_source(v->sources, d);
}

static peft_status add_whole(io_seg_sources *s, const char *path)
{
    uint8_t *data;
    size_t size;
    io_dicom d;
    peft_status status = io_read_file(s->ctx, path, MAX_FILE_BYTES, &data, &size);
    if (status) return status;
    status = io_dicom_open(data, size, MAX_FILE_BYTES, false, &d);
    if (!status) {
        status = add_source(s, &d);
        io_dicom_close(&d);
    }
    peft_sys_free(s->ctx, data);
    return status;
}

static peft_status read_path(io_seg_sources *s, const char *path)
{
    visit v = { s, false };
    peft_status status = io_dicom_header_visit(s->ctx, path, visit_header, &v);
    if (!status && v.several) status = add_whole(s, path);
    if (status) return io_fail_in(status, path);
    const io_dicom_source *first = s->item, *item = &s->item[s->count - 1];
    if (item->rows == first->rows && item->columns == first->columns) return PEFT_OK;
    return io_fail(PEFT_E_MISMATCH, "%s: %lld rows, %lld columns, but the first source has %lld and %lld; expected "
                   "images of one size", path, (long long)item->rows, (long long)item->columns, (long long)first->rows,
                   (long long)first->columns);
}

peft_status io_seg_sources_read(peft_context *ctx, const char *const *paths, int64_t count, io_seg_sources *out)
{
    io_dicom_message why = { "" };
    io_seg_sources s = { .ctx = ctx };
    for (int64_t i = 0; i < count; i++)
        if (!paths[i]) return io_fail(PEFT_E_INVALID, "DICOM segmentation: source %lld is NULL", (long long)i);
    if (count < 1)
        return io_fail(PEFT_E_INVALID, "DICOM segmentation: %lld sources; expected at least 1", (long long)count);
    peft_status status = io_dicom_find(&s.plugin);
    if (status) return status;
    s.item = io_alloc(ctx, count, sizeof *s.item);
    if (!s.item) return io_nomem("DICOM segmentation");
    status = s.plugin->sources_new(&s.list, &why);
    if (status) io_dicom_failed(status, &why);
    for (int64_t i = 0; i < count && !status; i++) status = read_path(&s, paths[i]);
    if (status) io_seg_sources_free(&s);
    else *out = s;
    return status;
}

peft_status io_seg_sources_are_one(const io_seg_sources *s, const char *const *paths)
{
    static const struct { const char *name; size_t offset; } rows[] = {
        { "Patient ID", offsetof(io_dicom_source, patient) },
        { "Study Instance UID", offsetof(io_dicom_source, study) },
        { "Frame of Reference UID", offsetof(io_dicom_source, frame_of_reference) } };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int64_t i = 1; i < s->count; i++) {
            const char *first = *(const char *const *)((const char *)&s->item[0] + rows[r].offset);
            const char *other = *(const char *const *)((const char *)&s->item[i] + rows[r].offset);
            if (strcmp(first, other))
                return io_fail(PEFT_E_MISMATCH, "%s: %s is '%s', that of %s '%s'; expected sources of one patient, "
                               "study and frame of reference", paths[i], rows[r].name, other, paths[0], first);
        }
    return PEFT_OK;
}
