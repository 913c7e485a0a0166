/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_series.c -- the order of slices (peft_dicom_header_sort), and folders of series as data sets. */
#include "dicom_files.h"
#include <peft/dataset.h>

#define AXIAL "1\\0\\0\\0\\1\\0"
enum { FILES = 8 };

/* Writes a slice of 2 x 2 pixels whose first one has the value `mark`. */
static void write_slice(const char *name, const char *series, const char *number, const char *position,
                        const char *orientation, int mark)
{
    const uint16_t pixels[4] = { (uint16_t)mark };
    dicom d;
    make_dicom(&d, &(scan){ .series = series, .number = number, .position = position, .orientation = orientation,
                            .rows = 2, .columns = 2, .allocated = 16, .stored = 12, .pixels = pixels,
                            .size = sizeof pixels });
    write_bytes(in_folder(name), d.data, d.size);
}

/* A slice by its header alone. */
typedef struct slice { const char *series, *number, *position, *orientation; } slice;

/* The headers of slices s[n], in their order; a series of "": no header. */
static const char *sorted(const slice *s, int n)
{
    static char text[200];
    peft_dicom_header *h[FILES] = { NULL };
    int64_t order[FILES], series[FILES];
    for (int i = 0; i < n; i++) {
        if (!*s[i].series) continue;
        write_slice("h.dcm", s[i].series, s[i].number, s[i].position, s[i].orientation, 0);
        ok(peft_dicom_header_read(io_ctx, in_folder("h.dcm"), &h[i]));
    }
    ok(peft_dicom_header_sort(io_ctx, (const peft_dicom_header *const *)h, n, order, series));
    text[0] = 0;
    for (int k = 0; k < n; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld:%lld", k ? " " : "", (long long)series[k],
                 (long long)order[k]);
    for (int i = 0; i < n; i++) peft_dicom_header_free(h[i]);
    return text;
}

START_TEST(slices_lie_along_their_normal)
{
    static const slice axial[] = { { "1.1", "1", "0\\0\\10", AXIAL }, { "1.1", "2", "0\\0\\-20.5", AXIAL },
                                   { "1.1", "3", "0\\0\\9", AXIAL }, { "1.1", "4", "-7\\3\\-1e1", AXIAL } };
    ck_assert_str_eq(sorted(axial, 4), "0:1 0:3 0:2 0:0");
    /* Sagittal: rows to the back, columns to the feet; the normal points to the right, to -x. */
    static const slice sagittal[] = { { "1.1", "1", "-5\\0\\0", "0\\1\\0\\0\\0\\-1" },
                                      { "1.1", "2", "4\\9\\9", "0\\1\\0\\0\\0\\-1" },
                                      { "1.1", "3", "0\\-9\\9", "0\\1\\0\\0\\0\\-1" } };
    ck_assert_str_eq(sorted(sagittal, 3), "0:1 0:2 0:0");
    /* At one position the number decides, below a micrometre too; numbers are no texts. */
    static const slice twice[] = { { "1.1", "10", "0\\0\\1", AXIAL }, { "1.1", "9", "0\\0\\1.0000001", AXIAL },
                                   { "1.1", "8", "0\\0\\1", AXIAL }, { "1.1", "7", "0\\0\\0", AXIAL } };
    ck_assert_str_eq(sorted(twice, 4), "0:3 0:2 0:1 0:0");
}
END_TEST

START_TEST(series_without_one_stack_follow_their_numbers)
{
    /* The first has no position; then two planes in one series, as of a scout; then an orientation without a plane. */
    static const slice rows[][3] = {
        { { "1.1", "3", NULL, AXIAL }, { "1.1", "2", "0\\0\\5", AXIAL }, { "1.1", "1", "0\\0\\9", AXIAL } },
        { { "1.1", "3", "0\\0\\1", AXIAL }, { "1.1", "2", "0\\0\\5", "0\\1\\0\\0\\0\\-1" },
          { "1.1", "1", "0\\0\\9", AXIAL } },
        { { "1.1", "3", "0\\0\\1", "1\\0\\0\\2\\0\\0" }, { "1.1", "2", "0\\0\\5", "1\\0\\0\\2\\0\\0" },
          { "1.1", "1", "0\\0\\9", "1\\0\\0\\2\\0\\0" } },
        { { "1.1", "3", "0\\0", AXIAL }, { "1.1", "2", "0\\0\\x", AXIAL }, { "1.1", "1", "0\\0\\1\\9", AXIAL } },
        { { "1.1", "3", "0\\0\\1e300", AXIAL }, { "1.1", "2", "0\\0\\1e9", AXIAL }, { "1.1", "1", "0\\0\\1",
                                                                                      AXIAL } } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) ck_assert_str_eq(sorted(rows[i], 3), "0:2 0:1 0:0");
    /* A number is missing: the given order. */
    static const slice given[] = { { "1.1", "3", NULL, NULL }, { "1.1", "x", NULL, NULL }, { "1.1", "1", NULL, NULL } };
    ck_assert_str_eq(sorted(given, 3), "0:0 0:1 0:2");
}
END_TEST

START_TEST(series_follow_their_first_files)
{
    static const slice mixed[] = { { "1.9", "2", "0\\0\\2", AXIAL }, { "", NULL, NULL, NULL },
                                   { "1.1", "2", NULL, NULL }, { "1.9", "1", "0\\0\\1", AXIAL },
                                   { "1.1", "1", NULL, NULL } };
    int64_t order;
    ck_assert_str_eq(sorted(mixed, 5), "0:3 0:0 1:4 1:2 -1:1");
    const peft_dicom_header *none = NULL;
    fails(PEFT_E_INVALID, "order is NULL", peft_dicom_header_sort(io_ctx, &none, 1, NULL, NULL));
    fails(PEFT_E_INVALID, "headers is NULL", peft_dicom_header_sort(io_ctx, NULL, 1, &order, NULL));
    fails(PEFT_E_INVALID, "count is -1", peft_dicom_header_sort(io_ctx, &none, -1, &order, NULL));
    ok(peft_dicom_header_sort(io_ctx, &none, 1, &order, NULL));
    ck_assert_int_eq(order, 0);
    ok(peft_dicom_header_sort(io_ctx, &none, 0, &order, NULL));
}
END_TEST

/* The names of the samples below folder f, each with its first pixel and its case below f. */
static const char *samples(const peft_dataset *d)
{
    static char text[1000];
    const size_t prefix = strlen(in_folder("f")) + 1;
    text[0] = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        peft_image *im = NULL;
        const char *of = peft_dataset_case(d, i);
        const int mark = peft_dataset_load(d, i, &im) ? -1 : *(const uint16_t *)peft_image_pixels(im);
        peft_image_free(im);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%d(%s)", i ? " " : "",
                 peft_dataset_name(d, i) + prefix, mark, of ? strlen(of) < prefix ? "." : of + prefix : "");
    }
    return text;
}

START_TEST(a_folder_is_read_slice_by_slice)
{
    peft_dataset *d;
    write_slice("f/a/IM1", "1.1", "1", "0\\0\\3", AXIAL, 3);
    write_slice("f/a/IM2", "1.1", "2", "0\\0\\2", AXIAL, 2);
    write_slice("f/a/IM3.dcm", "1.1", "3", "0\\0\\1", AXIAL, 1);
    write_slice("f/b/1.dcm", "1.2", "2", NULL, NULL, 6);
    write_slice("f/b/2.dcm", "1.3", "1", NULL, NULL, 7);
    write_slice("f/b/3.dcm", "1.2", "1", NULL, NULL, 5);
    write_slice("f/0.dcm", "1.1", "1", "0\\0\\0", AXIAL, 0);
    save_picture(in_folder("f/a/IM2.png"), 4, 3, 1, 1);
    write_bytes(in_folder("f/b/0.dcm"), "broken", 6);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f"), &d));
    peft_image *im;
    ok(peft_dataset_load(d, 3, &im));                         /* the PNG among the slices keeps its place */
    ck_assert_int_eq(peft_image_depth(im), 8);
    const int png = *(const uint16_t *)peft_image_pixels(im);
    peft_image_free(im);
    char want[300];
    snprintf(want, sizeof want, "0.dcm=0(.) a/IM3.dcm=1(a) a/IM2=2(a) a/IM2.png=%d() a/IM1=3(a) b/3.dcm=5(b//1.2) "
             "b/1.dcm=6(b//1.2) b/2.dcm=7(b//1.3) b/0.dcm=-1()", png);
    ck_assert_str_eq(samples(d), want);
    peft_dataset_free(d);
}
END_TEST

/* Files cut within the preamble, in the meta header and in the header; of a file that is no DICOM file by its name, and
 * of a folder without a series, nothing is said. */
START_TEST(a_broken_slice_is_of_the_only_series)
{
    static const size_t cuts[] = { 0, 100, 140, 300 };
    peft_dataset *d;
    dicom whole;
    char name[20];
    make_dicom(&whole, &(scan){ .series = "1.1", .rows = 2, .columns = 2, .allocated = 8, .stored = 8 });
    ck_assert_uint_gt(whole.size, cuts[3]);
    write_slice("f/0.dcm", "1.1", "1", NULL, NULL, 4);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "f/%d.dcm", i + 1);
        write_bytes(in_folder(name), whole.data, cuts[i]);
    }
    write_bytes(in_folder("f/a.png"), "broken", 6);
    write_bytes(in_folder("f/b/0.dcm"), "broken", 6);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f"), &d));
    ck_assert_str_eq(samples(d), "0.dcm=4(.) 1.dcm=-1(.) 2.dcm=-1(.) 3.dcm=-1(.) 4.dcm=-1(.) a.png=-1() b/0.dcm=-1()");
    peft_dataset_free(d);
}
END_TEST

/* A series is the case of all frames of its files, though a file of several pictures is a case elsewhere. */
START_TEST(frames_are_of_the_case_of_their_series)
{
    static const uint8_t frames[2] = { 1, 2 };
    static const char *const names[] = { "f/0.dcm", "f/1.dcm" };
    peft_dataset *d, *slices;
    dicom file;
    make_dicom(&file, &(scan){ .frames = "2", .rows = 1, .columns = 1, .allocated = 8, .stored = 8, .pixels = frames,
                               .size = sizeof frames });
    for (int i = 0; i < 2; i++) write_bytes(in_folder(names[i]), file.data, file.size);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f"), &d));
    ok(peft_dataset_with_slices(d, &slices));
    ck_assert_int_eq(peft_dataset_count(slices), 4);
    for (int64_t i = 0; i < 4; i++) ck_assert_str_eq(peft_dataset_case(slices, i), in_folder("f"));
    peft_dataset_free(slices);
    peft_dataset_free(d);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f/0.dcm"), &d));
    ok(peft_dataset_with_slices(d, &slices));
    for (int64_t i = 0; i < 2; i++) ck_assert_str_eq(peft_dataset_case(slices, i), in_folder("f/0.dcm"));
    peft_dataset_free(slices);
    peft_dataset_free(d);
}
END_TEST

START_TEST(a_series_and_a_folder_have_different_names)
{
    peft_dataset *d;
    write_slice("f/a/0.dcm", "1.1", "1", NULL, NULL, 1);
    write_slice("f/a/1.dcm", "1.2", "1", NULL, NULL, 2);
    write_slice("f/a#1.1/0.dcm", "1.9", "1", NULL, NULL, 3);
    write_slice("f/a/1.1/0.dcm", "1.9", "1", NULL, NULL, 4);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f"), &d));
    ck_assert_str_eq(samples(d), "a#1.1/0.dcm=3(a#1.1) a/0.dcm=1(a//1.1) a/1.1/0.dcm=4(a/1.1) a/1.dcm=2(a//1.2)");
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("DICOM series", slices_lie_along_their_normal, series_without_one_stack_follow_their_numbers,
              series_follow_their_first_files, a_folder_is_read_slice_by_slice,
              a_broken_slice_is_of_the_only_series, frames_are_of_the_case_of_their_series,
              a_series_and_a_folder_have_different_names)
