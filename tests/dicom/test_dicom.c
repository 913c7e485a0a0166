/* SPDX-License-Identifier: Apache-2.0
 * test_dicom.c -- values of DICOM files that the test writes: modality, windows, inversion, frames, colours, encodings.
 * Expected values are written out, or computed by the formulas of DICOM PS3.3 C.11. */
#include "dicom_files.h"
#include "io/image/image.h"
#include <math.h>

static const uint16_t ramp[12] = { 0, 1, 40, 500, 1000, 1023, 1024, 1025, 2000, 3000, 4094, 4095 };
#define CT .rows = 3, .columns = 4, .allocated = 16, .stored = 12, .pixels = ramp, .size = sizeof ramp

static void near_value(const peft_image *im, int64_t i, double want)
{
    const double got = io_value(im, i);
    ck_assert_msg(fabs(got - want) <= 1e-6 * (1 + fabs(want)), "pixel %lld: %.9g, expected %.9g", (long long)i, got,
                  want);
}

static void has_full(const peft_image *im, double low, double high)
{
    ck_assert_msg(im->full[0] == low && im->full[1] == high, "full %g..%g, expected %g..%g", im->full[0], im->full[1],
                  low,
                  high);
}

static void full_unknown(const peft_image *im) { ck_assert(isnan(im->full[0]) && isnan(im->full[1])); }

/* Without a window: samples with slope and intercept. The range of rescaled or signed samples is not known: all that
 * the stored bits can hold would make Hounsfield units nearly one grey. */
START_TEST(values_without_a_window)
{
    const scan with_window = { CT, .slope = "2", .intercept = "-1024", .centre = "40", .width = "400" };
    const scan without = { CT, .slope = "2", .intercept = "-1024" };
    for (int k = 0; k < 2; k++) {
        peft_image *im = load_scan(k ? &without : &with_window, k ? NULL : "window=none");
        ck_assert_int_eq(peft_image_width(im), 4);
        ck_assert_int_eq(peft_image_height(im), 3);
        ck_assert_int_eq(peft_image_depth(im), 16);
        for (int i = 0; i < 12; i++) ck_assert(io_value(im, i) == 2.0 * ramp[i] - 1024);
        full_unknown(im);
        ck_assert(!im->windowed);
        peft_image_free(im);
    }
}
END_TEST

/* The range of a window is that of the stored bits through slope and intercept, as in pydicom. */
START_TEST(windows_of_each_function)
{
    static const char *const functions[] = { NULL, "LINEAR", "LINEAR_EXACT", "SIGMOID" };
    const double centre = 100, width = 601, low = -1024, high = 4095 - 1024, range = high - low;
    for (int k = 0; k < 4; k++) {
        const scan s = { CT, .slope = "1", .intercept = "-1024", .centre = "100", .width = "601",
                         .function = functions[k] };
        peft_image *im = load_scan(&s, NULL);
        ck_assert_int_eq(peft_image_depth(im), PEFT_FLOAT_32);
        has_full(im, low, high);
        ck_assert(im->windowed);
        for (int i = 0; i < 12; i++) {
            const double x = ramp[i] - 1024.0, c = k < 2 ? centre - 0.5 : centre, w = k < 2 ? width - 1 : width;
            const double linear = x <= c - w / 2 ? low : x > c + w / 2 ? high : ((x - c) / w + 0.5) * range + low;
            near_value(im, i, k < 3 ? linear : range / (1 + exp(-4 * (x - c) / w)) + low);
        }
        peft_image_free(im);
    }
}
END_TEST

/* first, a number, a name; the error lists what there is. */
START_TEST(a_window_is_chosen_by_number_or_name)
{
    const scan s = { CT, .centre = "40\\1000", .width = "80\\2001", .names = "BRAIN\\BONE" };
    static const struct { const char *options; int64_t window; } rows[] = {
        { NULL, 0 }, { "window=first", 0 }, { "window=0", 0 }, { "window=1", 1 }, { "window=BRAIN", 0 },
        { "window=BONE", 1 } };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        peft_image *im = load_scan(&s, rows[k].options);
        near_value(im, 4, rows[k].window ? ((1000 - 999.5) / 2000 + 0.5) * 4095 : 4095);
        peft_image_free(im);
    }
    dicom d;
    peft_image *im = NULL;
    make_dicom(&d, &s);
    fails(PEFT_E_OPTION, "0 'BRAIN', 1 'BONE'", peft_image_load_memory(io_ctx, d.data, d.size, "window=2", &im));
    fails(PEFT_E_OPTION, "LUNG", peft_image_load_memory(io_ctx, d.data, d.size, "window=LUNG", &im));
    const scan none = { CT };
    make_dicom(&d, &none);
    fails(PEFT_E_OPTION, "none", peft_image_load_memory(io_ctx, d.data, d.size, "window=0", &im));
}
END_TEST

/* MONOCHROME1 is inverted last, inside the full range. */
START_TEST(monochrome1_is_inverted_after_the_window)
{
    const scan plain = { CT, .slope = "1", .intercept = "-1024", .photometric = "MONOCHROME1" };
    peft_image *im = load_scan(&plain, NULL);
    for (int i = 0; i < 12; i++) near_value(im, i, -1024 + 4095 - ramp[i]);
    full_unknown(im);
    peft_image_free(im);
    const scan stored = { CT, .photometric = "MONOCHROME1" };
    im = load_scan(&stored, NULL);
    has_full(im, 0, 4095);
    peft_image_free(im);
    const scan windowed = { CT, .photometric = "MONOCHROME1", .centre = "1000", .width = "1001" };
    im = load_scan(&windowed, NULL);
    near_value(im, 0, 4095);
    near_value(im, 11, 0);
    near_value(im, 4, 4095 - ((1000 - 999.5) / 1000 + 0.5) * 4095);
    peft_image_free(im);
}
END_TEST

/* Signed samples, and stored bits that do not begin at bit 0, with other bits beside them. */
START_TEST(stored_bits_are_taken_out_of_the_allocated_ones)
{
    static const uint16_t samples[2] = { 0x800f, 0x7ff3 };
    const scan shifted = { .rows = 1, .columns = 2, .allocated = 16, .stored = 12, .high_bit = 15, .is_signed = 1,
                           .pixels = samples, .size = sizeof samples };
    peft_image *im = load_scan(&shifted, NULL);
    ck_assert_int_eq(peft_image_depth(im), PEFT_SIGNED_16);
    ck_assert(io_value(im, 0) == -2048 && io_value(im, 1) == 2047);
    full_unknown(im);
    peft_image_free(im);
    static const uint16_t low[2] = { 0xf801, 0x07ff };
    const scan unshifted = { .rows = 1, .columns = 2, .allocated = 16, .stored = 12, .is_signed = 1, .pixels = low,
                             .size = sizeof low };
    im = load_scan(&unshifted, NULL);
    ck_assert(io_value(im, 0) == -2047 && io_value(im, 1) == 2047);
    peft_image_free(im);
}
END_TEST

/* Inputs outside of a table take its first or last entry; a VOI table has precedence over a window. */
START_TEST(look_up_tables)
{
    static const uint16_t to_od[3] = { 100, 200, 300 }, curve[4] = { 7, 0, 3, 1023 };
    const table modality = { 3, 40, 10, to_od, NULL }, voi = { 4, 200, 10, curve, NULL };
    const scan s = { CT, .modality = &modality, .centre = "150", .width = "100" };
    peft_image *im = load_scan(&s, "window=none");
    near_value(im, 0, 100);
    near_value(im, 2, 100);
    near_value(im, 3, 300);
    has_full(im, 0, 1023);
    peft_image_free(im);
    const scan both = { CT, .voi = &voi, .centre = "150", .width = "100", .names = "W" };
    im = load_scan(&both, NULL);
    near_value(im, 2, 7);
    near_value(im, 3, 1023);
    has_full(im, 0, 1023);
    ck_assert(im->windowed);
    peft_image_free(im);
    /* a first input below 0, which the descriptor's VR makes negative */
    const table below = { 4, -1000, 10, curve, "SS" };
    const scan hounsfield = { CT, .intercept = "-1002", .slope = "1", .voi = &below };
    im = load_scan(&hounsfield, NULL);
    near_value(im, 0, 7);
    near_value(im, 2, 1023);
    peft_image_free(im);
    im = load_scan(&both, "window=W");
    near_value(im, 2, 0);
    near_value(im, 3, 4095);
    peft_image_free(im);
}
END_TEST

START_TEST(frames_are_slices)
{
    const scan s = { .rows = 2, .columns = 3, .frames = "2", .allocated = 16, .stored = 12, .pixels = ramp,
                     .size = sizeof ramp };
    dicom d;
    peft_image *im = NULL;
    int64_t slices;
    make_dicom(&d, &s);
    write_bytes(in_folder("two.dcm"), d.data, d.size);
    ok(peft_image_slices(io_ctx, in_folder("two.dcm"), NULL, &slices));
    ck_assert_int_eq(slices, 2);
    fails(PEFT_E_UNSUPPORTED, "slice=N", peft_image_load_memory(io_ctx, d.data, d.size, NULL, &im));
    for (int k = 0; k < 2; k++) {
        im = load_scan(&s, k ? "slice=1" : "slice=0");
        for (int i = 0; i < 6; i++) ck_assert(io_value(im, i) == ramp[6 * k + i]);
        peft_image_free(im);
    }
}
END_TEST

/* All of these files hold the same 2 x 2 pixels. */
START_TEST(colours_and_their_layouts)
{
    static const uint8_t want[12] = { 255, 0, 0, 1, 2, 3, 10, 20, 30, 40, 50, 60 };
    static const uint8_t planes[12] = { 255, 1, 10, 40, 0, 2, 20, 50, 0, 3, 30, 60 }, indices[4] = { 7, 8, 9, 200 };
    static const uint16_t red[4] = { 255, 1, 10, 40 }, green[4] = { 0, 2, 20, 50 }, blue[4] = { 0, 3, 30, 60 };
    const table palette[3] = { { 4, 7, 8, red, NULL }, { 4, 7, 8, green, NULL }, { 4, 7, 8, blue, NULL } };
#define SMALL .rows = 2, .columns = 2, .allocated = 8, .stored = 8
    const scan rows[] = {
        { SMALL, .channels = 3, .photometric = "RGB", .pixels = want, .size = 12 },
        { SMALL, .channels = 3, .photometric = "RGB", .planar = 1, .pixels = planes, .size = 12 },
        { SMALL, .photometric = "PALETTE COLOR", .palette = palette, .pixels = indices, .size = 4 } };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        peft_image *im = load_scan(&rows[k], NULL);
        ck_assert_int_eq(peft_image_channels(im), 3);
        ck_assert_int_eq(peft_image_depth(im), 8);
        ck_assert_mem_eq(peft_image_pixels(im), want, sizeof want);
        peft_image_free(im);
    }
}
END_TEST

/* Red, and the grey of luma 77, in YBR_FULL and, with two pixels of one colour, in YBR_FULL_422. */
START_TEST(ybr_becomes_rgb)
{
    static const uint8_t full[6] = { 76, 85, 255, 77, 128, 128 }, halved[4] = { 76, 76, 85, 255 };
    const scan ybr = { .rows = 1, .columns = 2, .allocated = 8, .stored = 8, .channels = 3, .photometric = "YBR_FULL",
                       .pixels = full, .size = 6 };
    peft_image *im = load_scan(&ybr, NULL);
    ck_assert_mem_eq(peft_image_pixels(im), "\376\0\0\115\115\115", 6);
    peft_image_free(im);
    const scan ybr_422 = { .rows = 1, .columns = 2, .allocated = 8, .stored = 8, .channels = 3,
                           .photometric = "YBR_FULL_422", .pixels = halved, .size = 4 };
    im = load_scan(&ybr_422, NULL);
    ck_assert_mem_eq(peft_image_pixels(im), "\376\0\0\376\0\0", 6);
    peft_image_free(im);
}
END_TEST

/* The same samples in the three encodings without compression, and without preamble. */
START_TEST(encodings)
{
    static const char *const syntax[] = { EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG };
    for (int k = 0; k < 3; k++) {
        const scan s = { CT, .syntax = syntax[k] };
        dicom d;
        make_dicom(&d, &s);
        for (int bare = 0; bare < 2; bare++) {                /* 1: without the preamble and DICM */
            peft_image *im;
            ok(peft_image_load_memory(io_ctx, d.data + (bare ? 132 : 0), d.size - (bare ? 132 : 0), NULL, &im));
            for (int i = 0; i < 12; i++) ck_assert_msg(io_value(im, i) == ramp[i], "%s, %d: pixel %d", syntax[k], bare,
                                                       i);
            peft_image_free(im);
        }
    }
}
END_TEST

/* RLE: a run of 3 and 3 literal bytes; JPEG: the two blocks of test_image_formats.c, of values 178 and 128. */
START_TEST(compressed_frames)
{
    unsigned char runs[64 + 6] = { 1, 0, 0, 0, 64 };
    memcpy(runs + 64, "\376\11\2\1\2\3", 6);
    const scan rle = { .syntax = RLE_LOSSLESS, .rows = 2, .columns = 3, .allocated = 8, .stored = 8, .pixels = runs,
                       .size = sizeof runs };
    peft_image *im = load_scan(&rle, NULL);
    ck_assert_mem_eq(peft_image_pixels(im), "\11\11\11\1\2\3", 6);
    peft_image_free(im);
#define EIGHT(c) c c c c c c c c
    static const char stream[] = "\377\330" "\377\333\0C\0" EIGHT(EIGHT("\10")) "\377\300\0\13\10\0\10\0\20\1\1\021\0"
        "\377\304\0\24\0\1" "\0\0\0\0\0\0\0" EIGHT("\0") "\6" "\377\304\0\24\20\1" "\0\0\0\0\0\0\0" EIGHT("\0") "\0"
        "\377\332\0\10\1\1\0\0?\0" "d\032" "\377\331";
    const scan jpeg = { .syntax = JPEG_BASELINE, .rows = 8, .columns = 16, .allocated = 8, .stored = 8,
                        .pixels = stream,
                        .size = sizeof stream - 1 };
    im = load_scan(&jpeg, NULL);
    for (int i = 0; i < 128; i++) ck_assert_int_eq(((const uint8_t *)peft_image_pixels(im))[i], i % 16 < 8 ? 178 : 128);
    peft_image_free(im);
}
END_TEST

/* Files without ending, and with a UID for a name, are recognised by content; DICOMDIR lists files and is none. */
START_TEST(data_sets_find_files_without_ending)
{
    const scan s = { CT };
    dicom d;
    peft_dataset *set;
    peft_image *im;
    make_dicom(&d, &s);
    static const char *const names[] = { "f/a/IM0001", "f/a/1.2.840.113619.2", "f/b/x.dcm", "f/b/DICOMDIR",
                                         "f/b/x.raw" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) write_bytes(in_folder(names[i]), d.data, d.size);
    write_bytes(in_folder("f/a/README"), "text", 4);
    ok(peft_dataset_open_folder(io_ctx, in_folder("f"), NULL, &set));
    ck_assert_int_eq(peft_dataset_count(set), 3);
    ck_assert_str_eq(peft_dataset_skipped(set), "2 files without ending, 1 .raw");
    for (int i = 0; i < 3; i++) {
        ok(peft_dataset_load(set, i, &im));
        ck_assert_int_eq(peft_image_width(im), 4);
        peft_image_free(im);
    }
    peft_dataset_free(set);
}
END_TEST

IO_SUITE_MAIN("dicom", values_without_a_window, windows_of_each_function, a_window_is_chosen_by_number_or_name,
              monochrome1_is_inverted_after_the_window, stored_bits_are_taken_out_of_the_allocated_ones, look_up_tables,
              frames_are_slices, colours_and_their_layouts, ybr_becomes_rgb, encodings, compressed_frames,
              data_sets_find_files_without_ending)
