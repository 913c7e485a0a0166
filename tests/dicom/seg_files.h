/* SPDX-License-Identifier: Apache-2.0
 * seg_files.h -- sources of segmentations: series of images and images of several frames, written as DICOM files. */
#ifndef SEG_FILES_H
#define SEG_FILES_H
#include "dicom_files.h"

enum { ROWS = 5, COLUMNS = 7, PIXELS = ROWS * COLUMNS, SLICES = 3 };      /* 35 bits a frame: no whole bytes */

/* An image; NULL and 0: the values of `plain`. */
typedef struct source { const char *name, *instance, *series, *patient, *frame_of_reference, *position, *charset;
                        int rows, columns, frames, placeless, dateless; } source;

/* Writes the image to the test's folder and returns its path. */
static inline const char *save_source(const source *s)
{
    static dicom d;
    static const unsigned char pixels[4096];
    const int rows = s->rows ? s->rows : ROWS, columns = s->columns ? s->columns : COLUMNS;
    const int frames = s->frames ? s->frames : 1;
    char number[12];
    begin(&d, EXPLICIT_LITTLE);
    put_text(&d, 0x00080005, "CS", s->charset);
    put_text(&d, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
    put_text(&d, 0x00080018, "UI", s->instance);
    if (!s->dateless) put_text(&d, 0x00080020, "DA", "20260102");
    put_text(&d, 0x00080060, "CS", "CT");
    put_text(&d, 0x00100010, "PN", s->charset ? "M\xfcller" : "Doe");
    put_text(&d, 0x00100020, "LO", s->patient ? s->patient : "P 17");
    if (!s->placeless) put_text(&d, 0x00180050, "DS", "2.5");
    put_text(&d, 0x0020000d, "UI", "1.2.3");
    put_text(&d, 0x0020000e, "UI", s->series ? s->series : "1.2.3.1");
    if (!s->placeless) {
        put_text(&d, 0x00200032, "DS", s->position ? s->position : "-10\\20\\0");
        put_text(&d, 0x00200037, "DS", "1\\0\\0\\0\\1\\0");
        put_text(&d, 0x00200052, "UI", s->frame_of_reference ? s->frame_of_reference : "1.2.3.9");
    }
    put_short(&d, 0x00280002, 1);
    put_text(&d, 0x00280004, "CS", "MONOCHROME2");
    snprintf(number, sizeof number, "%d", frames);
    if (frames > 1) put_text(&d, 0x00280008, "IS", number);
    put_short(&d, 0x00280010, rows);
    put_short(&d, 0x00280011, columns);
    if (!s->placeless) put_text(&d, 0x00280030, "DS", "0.75\\0.5");
    put_short(&d, 0x00280100, 8);
    put_short(&d, 0x00280101, 8);
    put_short(&d, 0x00280102, 7);
    put_short(&d, 0x00280103, 0);
    put(&d, 0x7fe00010, "OB", pixels, (size_t)(rows * columns * frames));
    const char *path = in_folder(s->name);
    write_bytes(path, d.data, d.size);
    return path;
}

/* The slices of a series; paths: in the order of their positions. */
static inline void save_series(const char *paths[SLICES])
{
    static char kept[SLICES][400];
    static const source slices[SLICES] = { { .name = "a.dcm", .instance = "1.2.3.1.1", .position = "-10\\20\\0" },
                                           { .name = "b.dcm", .instance = "1.2.3.1.2", .position = "-10\\20\\2.5" },
                                           { .name = "c.dcm", .instance = "1.2.3.1.3", .position = "-10\\20\\5" } };
    for (int i = 0; i < SLICES; i++) {
        snprintf(kept[i], sizeof kept[i], "%s", save_source(&slices[i]));
        paths[i] = kept[i];
    }
}

/* A tensor over the caller's memory. */
static inline peft_tensor *wrapped(peft_dtype type, int ndim, const int64_t *dims, const void *data)
{
    peft_tensor *t;
    ok(peft_tensor_wrap(io_ctx, type, ndim, dims, (void *)(uintptr_t)data, &t));
    return t;
}

/* A writer of these sources with segments "liver", "mass 2", .. */
static inline peft_dicom_seg_writer *writer_of(const char *const *paths, int64_t count, int segments)
{
    peft_dicom_seg_writer *w;
    ok(peft_dicom_seg_writer_create(io_ctx, paths, count, &w));
    for (int i = 0; i < segments; i++) {
        char label[20];
        snprintf(label, sizeof label, "mass %d", i + 1);
        ok(peft_dicom_seg_writer_add(w, i ? label : "liver"));
    }
    return w;
}

/* Labels of 0 to `segments` that look random; in the second frame the first segment alone. */
static inline void make_labels(int64_t labels[SLICES * PIXELS], int segments)
{
    for (int i = 0; i < SLICES * PIXELS; i++)
        labels[i] = i / PIXELS == 1 ? i % 3 == 0 : (i * 2654435761u >> 16) % (unsigned)(segments + 1);
}

/* Writes labels [SLICES, ROWS, COLUMNS] of the series with 3 segments to the path. */
static inline void save_labels(const char *const *paths, const int64_t *labels, const char *to)
{
    peft_dicom_seg_writer *w = writer_of(paths, SLICES, 3);
    peft_tensor *t = wrapped(PEFT_I64, 3, (int64_t[]){ SLICES, ROWS, COLUMNS }, labels);
    ok(peft_dicom_seg_writer_labels(w, t, to));
    peft_tensor_free(t);
    peft_dicom_seg_writer_free(w);
}

static inline peft_dicom_seg *read_seg(const char *path)
{
    peft_dicom_seg *s;
    ok(peft_dicom_seg_read(io_ctx, path, &s));
    return s;
}

/* Asserts that the label map of the sources is `want`. */
static inline void same_labels(peft_dicom_seg *s, const char *const *paths, int64_t count, const int64_t *want)
{
    peft_tensor *t;
    ok(peft_dicom_seg_labels(s, paths, count, &t));
    const int64_t *got = peft_tensor_cdata(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++)
        ck_assert_msg(got[i] == want[i], "label %lld is %lld, not %lld", (long long)i, (long long)got[i],
                      (long long)want[i]);
    peft_tensor_free(t);
}
#endif
