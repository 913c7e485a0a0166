/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_seg.c -- segmentations are written and read again with the same masks, segments, fields and references. */
#include "seg_files.h"
#include "failing_alloc.h"
#include <peft/dicom_seg.h>

START_TEST(label_maps_of_a_series)
{
    static const peft_dtype types[] = { PEFT_I64, PEFT_I32, PEFT_U8 };
    const char *paths[SLICES];
    int64_t labels[SLICES * PIXELS];
    int32_t words[SLICES * PIXELS];
    uint8_t bytes[SLICES * PIXELS];
    const void *data[] = { labels, words, bytes };
    save_series(paths);
    make_labels(labels, 3);
    for (int i = 0; i < SLICES * PIXELS; i++) words[i] = (int32_t)labels[i], bytes[i] = (uint8_t)labels[i];
    for (int k = 0; k < 3; k++) {
        peft_dicom_seg_writer *w = writer_of(paths, SLICES, 3);
        ck_assert_int_eq(peft_dicom_seg_writer_frames(w), SLICES);
        ck_assert_int_eq(peft_dicom_seg_writer_rows(w), ROWS);
        ck_assert_int_eq(peft_dicom_seg_writer_columns(w), COLUMNS);
        peft_tensor *t = wrapped(types[k], 3, (int64_t[]){ SLICES, ROWS, COLUMNS }, data[k]);
        ok(peft_dicom_seg_writer_labels(w, t, in_folder("seg.dcm")));
        peft_tensor_free(t);
        peft_dicom_seg_writer_free(w);
        peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
        ck_assert_int_eq(peft_dicom_seg_rows(s), ROWS);
        ck_assert_int_eq(peft_dicom_seg_columns(s), COLUMNS);
        ck_assert_int_eq(peft_dicom_seg_segments(s), 3);
        ck_assert_int_eq(peft_dicom_seg_frames(s), 3 * SLICES - 2);      /* two segments are empty in a slice */
        same_labels(s, paths, SLICES, labels);
        same_labels(s, (const char *[]){ paths[2], paths[1] }, 1, labels + 2 * PIXELS);
        peft_dicom_seg_free(s);
    }
}
END_TEST

/* Pixels that are not judged are in no segment; a map without any segment is a file with one empty frame. */
START_TEST(ignored_and_empty)
{
    const char *paths[SLICES];
    int64_t labels[SLICES * PIXELS], none[SLICES * PIXELS] = { 0 };
    save_series(paths);
    make_labels(labels, 3);
    for (int i = 0; i < SLICES * PIXELS; i += 2) labels[i] = -1;
    save_labels(paths, labels, in_folder("seg.dcm"));
    for (int i = 0; i < SLICES * PIXELS; i += 2) labels[i] = 0;
    peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
    same_labels(s, paths, SLICES, labels);
    peft_dicom_seg_free(s);
    save_labels(paths, none, in_folder("seg.dcm"));
    s = read_seg(in_folder("seg.dcm"));
    ck_assert_int_eq(peft_dicom_seg_frames(s), 1);
    same_labels(s, paths, SLICES, none);
    peft_dicom_seg_free(s);
}
END_TEST

START_TEST(frames_of_one_image)
{
    int64_t labels[SLICES * PIXELS];
    const char *path = save_source(&(source){ .name = "f.dcm", .instance = "1.2.3.1.7", .frames = SLICES,
                                              .placeless = 1 });
    static const char *const names[] = { "background", "liver", "mass" };
    make_labels(labels, 2);
    peft_tensor *t = wrapped(PEFT_I64, 3, (int64_t[]){ SLICES, ROWS, COLUMNS }, labels), *got;
    ok(peft_dicom_seg_write(io_ctx, path, t, names, 3, in_folder("seg.dcm")));
    peft_tensor_free(t);
    peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
    same_labels(s, &path, 1, labels);
    int64_t frame = 0;
    ck_assert_int_eq(peft_dicom_seg_frame_segment(s, 3), 2);
    ck_assert_str_eq(peft_dicom_seg_frame_source(s, 4, &frame), "1.2.3.1.7");
    ck_assert_int_eq(frame, 2);                              /* the second segment is empty in frame 1 */
    ok(peft_dicom_seg_instance_labels(s, "1.2.3.1.7", 2, &got));
    ck_assert_mem_eq(peft_tensor_cdata(got), labels + 2 * PIXELS, PIXELS * sizeof *labels);
    peft_tensor_free(got);
    peft_dicom_seg_free(s);
    /* A map of one frame needs no extent for it. */
    path = save_source(&(source){ .name = "g.dcm", .instance = "1.2.3.1.8" });
    t = wrapped(PEFT_I64, 2, (int64_t[]){ ROWS, COLUMNS }, labels);
    ok(peft_dicom_seg_write(io_ctx, path, t, names, 3, in_folder("seg.dcm")));
    peft_tensor_free(t);
    s = read_seg(in_folder("seg.dcm"));
    ck_assert_str_eq(peft_dicom_seg_text(s, 2, "label"), "mass");
    same_labels(s, &path, 1, labels);
    peft_dicom_seg_free(s);
}
END_TEST

static const struct { int segment; const char *field, *value; } fields[] = {
    { 0, "label", "LIVER AND MASS_1" }, { 0, "description", "two \xc3\xa4" }, { 0, "creator", "Doe^Ann" },
    { 0, "series_description", "masks" }, { 0, "series_number", "301" }, { 0, "instance_number", "2" },
    { 0, "date", "20260704" }, { 0, "time", "235959.5" }, { 0, "manufacturer", "M" }, { 0, "model", "N" },
    { 0, "serial", "17" }, { 0, "software", "3.1" }, { 2, "label", "M\xc3\xbc" }, { 2, "description", "a, b" },
    { 2, "algorithm_type", "SEMIAUTOMATIC" }, { 2, "algorithm", "ViT" },
    { 2, "category", "49755003^SCT^Morphologically Altered Structure" }, { 2, "property", "4147007^SCT^Mass" },
    { 2, "region", "10200004^SCT^Liver" }, { 2, "colour", "52.500:40.000:-12.000" } };

START_TEST(fields_are_kept)
{
    const char *paths[SLICES];
    int64_t labels[SLICES * PIXELS];
    save_series(paths);
    make_labels(labels, 2);
    peft_dicom_seg_writer *w = writer_of(paths, SLICES, 2);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        ok(peft_dicom_seg_writer_set(w, fields[i].segment, fields[i].field, fields[i].value));
    peft_tensor *t = wrapped(PEFT_I64, 3, (int64_t[]){ SLICES, ROWS, COLUMNS }, labels);
    ok(peft_dicom_seg_writer_labels(w, t, in_folder("seg.dcm")));
    peft_tensor_free(t);
    peft_dicom_seg_writer_free(w);
    peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        ck_assert_str_eq(peft_dicom_seg_text(s, fields[i].segment, fields[i].field), fields[i].value);
    static const char *const others[][3] = {
        { "0", "type", "BINARY" }, { "0", "overlap", "NO" }, { "0", "patient", "P 17" }, { "0", "study", "1.2.3" },
        { "0", "frame_of_reference", "1.2.3.9" }, { "1", "label", "liver" }, { "1", "algorithm_type", "AUTOMATIC" },
        { "1", "category", "85756007^SCT^Tissue" }, { "1", "colour", "" }, { "1", "region", "" } };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_str_eq(peft_dicom_seg_text(s, atoi(others[i][0]), others[i][1]), others[i][2]);
    ck_assert_ptr_null(peft_dicom_seg_text(s, 3, "label"));
    ck_assert_ptr_null(peft_dicom_seg_text(s, 0, "colour"));
    for (int i = 0; i < SLICES; i++) ck_assert_int_eq(peft_dicom_seg_source(s, i)[8], '1' + i);
    ck_assert_ptr_null(peft_dicom_seg_source(s, SLICES));
    ck_assert_int_eq(peft_dicom_seg_number(s, 1), 2);
    ck_assert_int_eq(peft_dicom_seg_number(s, 2), -1);
    peft_dicom_seg_free(s);
}
END_TEST

/* Reads a field of the file at `seg.dcm`. */
static void field_of(const char *field, char out[70])
{
    peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
    snprintf(out, 70, "%s", peft_dicom_seg_text(s, 0, field));
    peft_dicom_seg_free(s);
}

START_TEST(the_same_call_writes_the_same_bytes)
{
    const char *paths[SLICES];
    int64_t labels[SLICES * PIXELS];
    char series[3][70], instance[3][70];
    size_t sizes[2];
    unsigned char *bytes[2];
    save_series(paths);
    make_labels(labels, 3);
    for (int i = 0; i < 2; i++) {
        save_labels(paths, labels, in_folder("seg.dcm"));
        bytes[i] = read_bytes(in_folder("seg.dcm"), &sizes[i]);
    }
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]), free(bytes[1]);
    field_of("series", series[0]), field_of("instance", instance[0]);
    labels[PIXELS + 3] = 2;
    save_labels(paths, labels, in_folder("seg.dcm"));
    field_of("series", series[1]), field_of("instance", instance[1]);
    peft_dicom_seg_writer *w = writer_of(paths, SLICES, 3);
    peft_tensor *t = wrapped(PEFT_I64, 3, (int64_t[]){ SLICES, ROWS, COLUMNS }, labels);
    ok(peft_dicom_seg_writer_set(w, 0, "seed", "second reading"));
    ok(peft_dicom_seg_writer_labels(w, t, in_folder("seg.dcm")));
    peft_tensor_free(t);
    peft_dicom_seg_writer_free(w);
    field_of("series", series[2]), field_of("instance", instance[2]);
    ck_assert_str_eq(series[0], series[1]);
    ck_assert_str_ne(instance[0], instance[1]);
    ck_assert_str_ne(series[1], series[2]);
    ck_assert_str_ne(instance[1], instance[2]);
    for (int i = 0; i < 3; i++) {
        ck_assert(!strncmp(instance[i], "2.25.", 5) && strspn(instance[i], "0123456789.") == strlen(instance[i]));
        ck_assert(strlen(instance[i]) <= 44 && instance[i][5] != '0');       /* PS3.5 B.2: 39 digits, no leading 0 */
    }
}
END_TEST

/* Planes [2, SLICES, ROWS, COLUMNS] of bits that overlap, and of fractions. */
START_TEST(planes)
{
    enum { COUNT = 2 * SLICES * PIXELS };
    const char *paths[SLICES];
    uint8_t bits[COUNT];
    float fractions[COUNT], frame[PIXELS];
    peft_tensor *got;
    save_series(paths);
    for (int i = 0; i < COUNT; i++) {
        bits[i] = (i * 2654435761u >> 13) & 1;
        fractions[i] = (float)((i * 40503u >> 3) % 256) / 255.0f;
    }
    for (int fractional = 0; fractional < 2; fractional++) {
        peft_dicom_seg_writer *w = writer_of(paths, SLICES, 2);
        peft_tensor *t = wrapped(fractional ? PEFT_F32 : PEFT_U8, 4, (int64_t[]){ 2, SLICES, ROWS, COLUMNS },
                                 fractional ? (const void *)fractions : bits);
        ok(peft_dicom_seg_writer_planes(w, t, in_folder("seg.dcm")));
        peft_tensor_free(t);
        peft_dicom_seg_writer_free(w);
        peft_dicom_seg *s = read_seg(in_folder("seg.dcm"));
        ck_assert_str_eq(peft_dicom_seg_text(s, 0, "type"), fractional ? "FRACTIONAL" : "BINARY");
        ck_assert_str_eq(peft_dicom_seg_text(s, 0, "overlap"), "YES");
        ok(peft_dicom_seg_planes(s, paths, SLICES, &got));
        const float *v = peft_tensor_cdata(got);
        for (int i = 0; i < COUNT; i++) ck_assert(v[i] == (fractional ? fractions[i] : (float)bits[i]));
        peft_tensor_free(got);
        ok(peft_dicom_seg_frame(s, 4, frame));                /* the second segment at the second slice */
        for (int p = 0; p < PIXELS; p++)
            ck_assert(frame[p] == (fractional ? fractions[4 * PIXELS + p] : (float)bits[4 * PIXELS + p]));
        fails(PEFT_E_INVALID, "frame 6; expected 0 to 5", peft_dicom_seg_frame(s, 6, frame));
        if (!fractional) {
            fails(PEFT_E_UNSUPPORTED, "'liver' and 2 'mass 2' overlap at row",
                  peft_dicom_seg_labels(s, paths, SLICES, &got));
        } else {
            int64_t want[SLICES * PIXELS];
            for (int i = 0; i < SLICES * PIXELS; i++) {
                const float a = fractions[i], b = fractions[SLICES * PIXELS + i];
                want[i] = a < 0.5f && b < 0.5f ? 0 : a >= b ? 1 : 2;
            }
            same_labels(s, paths, SLICES, want);
        }
        peft_dicom_seg_free(s);
    }
}
END_TEST

/* Everything that allocates, for failing_alloc_loop. */
static peft_status all_steps(peft_context *ctx, void *arg)
{
    const char *const *paths = arg;
    int64_t labels[SLICES * PIXELS];
    peft_dicom_seg_writer *w = NULL;
    peft_dicom_seg *s = NULL;
    peft_tensor *t = NULL, *got = NULL;
    make_labels(labels, 1);
    peft_status status = peft_dicom_seg_writer_create(ctx, paths, SLICES, &w);
    if (!status) status = peft_dicom_seg_writer_add(w, "liver");
    if (!status) status = peft_dicom_seg_writer_set(w, 1, "description", "x");
    if (!status) status = peft_tensor_wrap(ctx, PEFT_I64, 3, (int64_t[]){ SLICES, ROWS, COLUMNS }, labels, &t);
    if (!status) status = peft_dicom_seg_writer_labels(w, t, in_folder("seg.dcm"));
    if (!status) status = peft_dicom_seg_read(ctx, in_folder("seg.dcm"), &s);
    if (!status) status = peft_dicom_seg_labels(s, paths, SLICES, &got);
    peft_tensor_free(got);
    peft_tensor_free(t);
    peft_dicom_seg_free(s);
    peft_dicom_seg_writer_free(w);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    const char *paths[SLICES];
    save_series(paths);
    ck_assert_int_gt(failing_alloc_loop(all_steps, paths), 20);
}
END_TEST

IO_SUITE_MAIN("dicom_seg", label_maps_of_a_series, ignored_and_empty, frames_of_one_image, fields_are_kept,
              the_same_call_writes_the_same_bytes, planes, every_allocation_may_fail)
