/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_seg_refused.c -- segmentations that cannot be written or read: each is refused with its reason. Files that
 * refer to images by their place. */
#include "seg_files.h"
#include <math.h>
#include <peft/dicom_seg.h>

START_TEST(fields_that_dicom_does_not_allow)
{
    static char long_text[1030];
    static const struct { int segment; const char *field, *value, *words; } rows[] = {
        { 0, "label", "masks", "field label is 'masks'; expected at most 16 capital letters" },
        { 0, "label", "", "field label is ''; expected a value" },
        { 0, "label", "A BCDEFGHIJKLMNOP", "at most 16 capital" },
        { 0, "description", "a\\b", "expected at most 64 characters" },
        { 0, "series_number", "1x", "an integer" }, { 0, "series_number", "2147483648", "an integer" },
        { 0, "date", "2026-01-02", "YYYYMMDD" }, { 0, "date", "20261302", "YYYYMMDD" },
        { 0, "time", "2460", "HHMMSS" }, { 0, "time", "246000", "HHMMSS" }, { 0, "time", "235959.", "HHMMSS" },
        { 0, "manufacturer", "", "expected a value" }, { 0, "type", "BINARY", "has no field 'type' that can be set" },
        { 0, "colour", "1:2:3", "the file has no field 'colour'" }, { 1, "date", "20260102", "no field 'date'" },
        { 1, "label", "", "expected a value" }, { 1, "label", "\xff", "plain UTF-8" },
        { 1, "description", long_text, "at most 1024" },
        { 1, "algorithm_type", "auto", "AUTOMATIC|SEMIAUTOMATIC|MANUAL" },
        { 1, "category", "Tissue", "value^scheme^meaning" }, { 1, "category", "1^SCT^", "value^scheme^meaning" },
        { 1, "property", "1^SCT^a^b", "value^scheme^meaning" }, { 1, "property", "", "expected a value" },
        { 1, "property", "12345678901234567^SCT^x", "of at most 16, 16" },
        { 1, "colour", "101:0:0", "L:a:b" }, { 1, "colour", "50", "L:a:b" }, { 1, "colour", "50:1", "L:a:b" },
        { 1, "colour", "50:128:0", "L:a:b" }, { 1, "colour", "50:a:0", "L:a:b" }, { 1, "colour", "1:2:3:4", "L:a:b" },
        { 2, "label", "x", "segment 2; expected 0, the file, to 1" } };
    const char *paths[SLICES];
    memset(long_text, 'x', 1025);
    save_series(paths);
    peft_dicom_seg_writer *w = writer_of(paths, SLICES, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fails(PEFT_E_INVALID, rows[i].words,
              peft_dicom_seg_writer_set(w, rows[i].segment, rows[i].field, rows[i].value));
    fails(PEFT_E_INVALID, "label is ''", peft_dicom_seg_writer_add(w, ""));
    peft_dicom_seg_writer_free(w);
}
END_TEST

START_TEST(masks_that_do_not_fit)
{
    const char *paths[SLICES];
    int64_t labels[SLICES * PIXELS] = { 0 };
    float fractions[SLICES * PIXELS] = { 0 };
    save_series(paths);
    const int64_t dims[4] = { 1, SLICES, ROWS, COLUMNS }, turned[3] = { SLICES, COLUMNS, ROWS };
    peft_tensor *maps = wrapped(PEFT_I64, 3, dims + 1, labels), *other = wrapped(PEFT_I64, 3, turned, labels);
    peft_tensor *planes = wrapped(PEFT_F32, 4, dims, fractions), *one = wrapped(PEFT_I64, 2, dims + 2, labels);
    peft_tensor *flat = wrapped(PEFT_F32, 3, dims + 1, fractions);
    const char *to = in_folder("seg.dcm");
    peft_dicom_seg_writer *w = writer_of(paths, SLICES, 0);
    fails(PEFT_E_INVALID, "no segments", peft_dicom_seg_writer_labels(w, maps, to));
    ok(peft_dicom_seg_writer_add(w, "liver"));
    fails(PEFT_E_SHAPE, "labels [3, 7, 5]; expected [3, 5, 7]", peft_dicom_seg_writer_labels(w, other, to));
    fails(PEFT_E_SHAPE, "labels [5, 7]; expected [3, 5, 7]", peft_dicom_seg_writer_labels(w, one, to));
    fails(PEFT_E_SHAPE, "planes [3, 5, 7]; expected [1, 3, 5, 7]", peft_dicom_seg_writer_planes(w, flat, to));
    fails(PEFT_E_INVALID, "path is ''; expected the path", peft_dicom_seg_writer_labels(w, maps, ""));
    labels[PIXELS + 9] = 2;
    fails(PEFT_E_INVALID, "label 2 in frame 1, pixel 9; expected 0 to 1", peft_dicom_seg_writer_labels(w, maps, to));
    labels[PIXELS + 9] = -2;
    fails(PEFT_E_INVALID, "label -2", peft_dicom_seg_writer_labels(w, maps, to));
    fails(PEFT_E_DTYPE, "PEFT_U8", peft_dicom_seg_writer_labels(w, planes, to));
    fails(PEFT_E_DTYPE, "PEFT_F32", peft_dicom_seg_writer_planes(w, maps, to));
    static const float wrong[] = { 1.5f, -0.25f, NAN };
    for (int i = 0; i < 3; i++) {
        fractions[3] = wrong[i];
        fails(PEFT_E_INVALID, "of segment 1 in frame 0, pixel 3; expected 0 to 1",
              peft_dicom_seg_writer_planes(w, planes, to));
    }
    peft_dicom_seg_writer_free(w);
    peft_tensor_free(maps), peft_tensor_free(other), peft_tensor_free(planes), peft_tensor_free(one);
    peft_tensor_free(flat);
    ck_assert_int_ne(access(to, F_OK), 0);
}
END_TEST

START_TEST(sources_that_do_not_belong_together)
{
    static const struct { source other; peft_status status; const char *words; } rows[] = {
        { { .rows = 6 }, PEFT_E_MISMATCH, "6 rows, 7 columns, but the first source has 5 and 7" },
        { { .patient = "P 18" }, PEFT_E_MISMATCH, "Patient ID is 'P 18', that of" },
        { { .frame_of_reference = "1.2.3.8" }, PEFT_E_MISMATCH, "Frame of Reference UID is '1.2.3.8'" } };
    const char *paths[2];
    char first[400];
    peft_dicom_seg_writer *w = NULL;
    snprintf(first, sizeof first, "%s", save_source(&(source){ .name = "a.dcm", .instance = "1.2.3.1.1" }));
    paths[0] = first;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        source other = rows[i].other;
        other.name = "b.dcm", other.instance = "1.2.3.1.2";
        paths[1] = save_source(&other);
        fails(rows[i].status, rows[i].words, peft_dicom_seg_writer_create(io_ctx, paths, 2, &w));
    }
    fails(PEFT_E_INVALID, "0 sources", peft_dicom_seg_writer_create(io_ctx, paths, 0, &w));
    paths[1] = in_folder("none.dcm");
    fails(PEFT_E_IO, "none.dcm", peft_dicom_seg_writer_create(io_ctx, paths, 2, &w));
    write_bytes(in_folder("text.dcm"), "no DICOM file at all", 20);
    paths[1] = in_folder("text.dcm");
    fails(PEFT_E_FORMAT, "text.dcm: not a DICOM file", peft_dicom_seg_writer_create(io_ctx, paths, 2, &w));
    paths[1] = save_source(&(source){ .name = "b.dcm" });
    fails(PEFT_E_FORMAT, "SOP Instance UID (0008,0018) is missing; a segmentation refers",
          peft_dicom_seg_writer_create(io_ctx, paths, 2, &w));
    ck_assert_ptr_null(w);
}
END_TEST

/* The written segmentation of the series, in memory; the caller frees it. */
static unsigned char *seg_bytes(const char *const *paths, size_t *size)
{
    int64_t labels[SLICES * PIXELS];
    make_labels(labels, 3);
    save_labels(paths, labels, in_folder("seg.dcm"));
    return read_bytes(in_folder("seg.dcm"), size);
}

/* Where the value of the nth element with this tag begins, whose length has two bytes. */
static unsigned char *value_of(unsigned char *data, size_t size, uint32_t tag, int nth)
{
    const unsigned char head[4] = { (unsigned char)(tag >> 16), (unsigned char)(tag >> 24), (unsigned char)tag,
                                    (unsigned char)(tag >> 8) };
    for (size_t i = 132; i + 8 <= size; i++)
        if (!memcmp(data + i, head, sizeof head) && !nth--) return data + i + 8;
    ck_abort_msg("no element %08x", (unsigned)tag);
    return NULL;
}

static void rename_all(unsigned char *data, size_t size, uint32_t tag, uint32_t to)
{
    const unsigned char head[4] = { (unsigned char)(tag >> 16), (unsigned char)(tag >> 24), (unsigned char)tag,
                                    (unsigned char)(tag >> 8) };
    for (size_t i = 132; i + 8 <= size; i++)
        if (!memcmp(data + i, head, sizeof head)) {
            data[i + 2] = (unsigned char)to;
            data[i + 3] = (unsigned char)(to >> 8);
        }
}

START_TEST(broken_files)
{
    static const struct { uint32_t tag; int nth; const char *value; peft_status status; const char *words; } rows[] = {
        { 0x00080016, 0, "1.2.840.10008.5.1.4.1.1.66.5", PEFT_E_FORMAT, "not a segmentation: SOP Class UID" },
        { 0x00080016, 0, "1.2.840.10008.5.1.4.1.1.66.7", PEFT_E_UNSUPPORTED, "Label Map Segmentation" },
        { 0x00620001, 0, "BINARX", PEFT_E_FORMAT, "Segmentation Type (0062,0001) is 'BINARX'" },
        { 0x00280101, 0, "\2", PEFT_E_FORMAT, "BINARY with 2 bits of 1" },
        { 0x00280008, 0, "6", PEFT_E_FORMAT, "expected 27" }, { 0x00280008, 0, "8", PEFT_E_FORMAT, "(7fe0,0010) has" },
        { 0x00620004, 0, "\2", PEFT_E_FORMAT, "two segments have the number 2" },
        { 0x0062000b, 2, "\17", PEFT_E_FORMAT, "is 15, but no segment has this number" },
        { 0x0062000b, 4, "", PEFT_E_FORMAT, "frame" } };
    const char *paths[SLICES];
    size_t size;
    peft_dicom_seg *s = NULL;
    save_series(paths);
    unsigned char *whole = seg_bytes(paths, &size), *data = malloc(size);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memcpy(data, whole, size);
        unsigned char *at = value_of(data, size, rows[i].tag, rows[i].nth);
        const size_t n = strlen(rows[i].value);
        if (*rows[i].value == '\\') at[0] = (unsigned char)strtol(rows[i].value + 1, NULL, 8);
        else if (n) memcpy(at, rows[i].value, n);
        else at[-6] = 0x0c;                                   /* another element in its place */
        fails(rows[i].status, rows[i].words, peft_dicom_seg_read_memory(io_ctx, data, size, &s));
    }
    /* Cut short: refused, or what is left is whole. */
    for (size_t n = 0; n < size; n += n < 400 ? 7 : 31) {
        memcpy(data, whole, n);
        ck_assert_msg(peft_dicom_seg_read_memory(io_ctx, data, n, &s), "%zu of %zu bytes are read", n, size);
    }
    ck_assert_ptr_null(s);
    free(whole), free(data);
}
END_TEST

START_TEST(images_that_it_is_not_of)
{
    const char *paths[SLICES], *path;
    size_t size;
    peft_tensor *t = NULL;
    save_series(paths);
    free(seg_bytes(paths, &size));
    peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
    path = save_source(&(source){ .name = "d.dcm", .instance = "1.2.3.1.1", .columns = 8 });
    fails(PEFT_E_MISMATCH, "it has 5 rows and 7 columns, the image", peft_dicom_seg_labels(s, &path, 1, &t));
    fails(PEFT_E_MISMATCH, "has 5 and 8", peft_dicom_seg_labels(s, &path, 1, &t));
    path = save_source(&(source){ .name = "d.dcm", .instance = "1.2.3.2.1", .series = "1.2.3.2" });
    fails(PEFT_E_MISMATCH, "d.dcm: DICOM segmentation: it is not of the image 1.2.3.2.1",
          peft_dicom_seg_labels(s, &path, 1, &t));
    fails(PEFT_E_MISMATCH, "it refers to 3 images, the first is 1.2.3.1.1",
          peft_dicom_seg_instance_labels(s, "1.2.3.2.1", 0, &t));
    ck_assert_ptr_null(t);
    /* Another image of the same series has no segment. */
    path = save_source(&(source){ .name = "d.dcm", .instance = "1.2.3.1.9" });
    same_labels(s, &path, 1, (int64_t[PIXELS]){ 0 });
    peft_dicom_seg_free(s);
}
END_TEST

/* Samples above Maximum Fractional Value would be parts above 1. */
START_TEST(samples_above_the_maximum)
{
    const char *path = save_source(&(source){ .name = "a.dcm", .instance = "1.2.3.1.1" });
    static const char words[] = "sample 255 in frame 0, row 1, column 3 is above Maximum Fractional Value (0062,000E); "
                                "expected 0 to 128";
    float plane[PIXELS] = { [0] = 0.5f, [COLUMNS + 3] = 1 }, got[PIXELS];
    size_t size;
    peft_dicom_seg *s;
    peft_dicom_seg_writer *w = writer_of(&path, 1, 1);
    peft_tensor *t = wrapped(PEFT_F32, 4, (int64_t[]){ 1, 1, ROWS, COLUMNS }, plane), *out = NULL;
    ok(peft_dicom_seg_writer_planes(w, t, in_folder("seg.dcm")));
    peft_tensor_free(t);
    peft_dicom_seg_writer_free(w);
    unsigned char *data = read_bytes(in_folder("seg.dcm"), &size);
    value_of(data, size, 0x0062000e, 0)[0] = 128;
    ok(peft_dicom_seg_read_memory(io_ctx, data, size, &s));
    fails(PEFT_E_FORMAT, words, peft_dicom_seg_frame(s, 0, got));
    fails(PEFT_E_FORMAT, words, peft_dicom_seg_planes(s, &path, 1, &out));
    fails(PEFT_E_FORMAT, words, peft_dicom_seg_labels(s, &path, 1, &out));
    ck_assert_ptr_null(out);
    peft_dicom_seg_free(s);
    free(data);
}
END_TEST

/* Without references frames belong to images at the same place. */
START_TEST(images_by_their_place)
{
    const char *paths[SLICES], *path;
    int64_t labels[SLICES * PIXELS];
    size_t size;
    peft_dicom_seg *s;
    peft_tensor *t = NULL;
    save_series(paths);
    make_labels(labels, 3);
    unsigned char *data = seg_bytes(paths, &size);
    rename_all(data, size, 0x00089124, 0x9125);               /* Derivation Image Sequence */
    rename_all(data, size, 0x00081115, 0x1116);               /* Referenced Series Sequence */
    ok(peft_dicom_seg_read_memory(io_ctx, data, size, &s));
    free(data);
    ck_assert_ptr_null(peft_dicom_seg_source(s, 0));
    ck_assert_str_eq(peft_dicom_seg_frame_source(s, 0, NULL), "");
    same_labels(s, paths, SLICES, labels);
    path = save_source(&(source){ .name = "d.dcm", .instance = "1.2.3.1.9", .position = "-10\\20\\7.5" });
    same_labels(s, &path, 1, (int64_t[PIXELS]){ 0 });        /* a slice of the grid without frames */
    static const source others[] = { { .position = "-10.1\\20\\0" }, { .frame_of_reference = "1.2.3.8" },
                                     { .placeless = 1 } };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        source other = others[i];
        other.name = "d.dcm", other.instance = "1.2.3.1.9";
        path = save_source(&other);
        fails(PEFT_E_MISMATCH, "do not lie in the grid of the image 1.2.3.1.9",
              peft_dicom_seg_labels(s, &path, 1, &t));
    }
    peft_dicom_seg_free(s);
}
END_TEST

/* Texts of a source that are not ASCII keep their character set, and become UTF-8 where the segmentation's are not. */
START_TEST(character_sets)
{
    static const int64_t labels[PIXELS] = { 1 };
    const char *path = save_source(&(source){ .name = "a.dcm", .instance = "1.2.3.1.1", .charset = "ISO_IR 100" });
    static const struct { const char *label, *name; } rows[] = { { "liver", "M\xfcller" },
                                                                { "Gr\xc3\xb6\xc3\x9f""e", "M\xc3\xbcller" } };
    peft_tensor *t = wrapped(PEFT_I64, 2, (int64_t[]){ ROWS, COLUMNS }, labels);
    for (int i = 0; i < 2; i++) {
        size_t size;
        ok(peft_dicom_seg_write(io_ctx, path, t, (const char *[]){ "", rows[i].label }, 2, in_folder("seg.dcm")));
        unsigned char *data = read_bytes(in_folder("seg.dcm"), &size);
        ck_assert_mem_eq(value_of(data, size, 0x00100010, 0), rows[i].name, strlen(rows[i].name));
        ck_assert_mem_eq(value_of(data, size, 0x00080005, 0), i ? "ISO_IR 192" : "ISO_IR 100", 10);
        free(data);
        peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
        ck_assert_str_eq(peft_dicom_seg_text(s, 1, "label"), rows[i].label);
        peft_dicom_seg_free(s);
    }
    peft_tensor_free(t);
    fails(PEFT_E_INVALID, "names is NULL", peft_dicom_seg_write(io_ctx, path, NULL, NULL, 2, "x"));
    fails(PEFT_E_INVALID, "at least 2 classes", peft_dicom_seg_write(io_ctx, path, NULL, &path, 1, "x"));
}
END_TEST

IO_SUITE_MAIN("dicom_seg_refused", fields_that_dicom_does_not_allow, masks_that_do_not_fit,
              sources_that_do_not_belong_together, broken_files, images_that_it_is_not_of,
              samples_above_the_maximum, images_by_their_place, character_sets)
