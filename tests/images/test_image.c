/* SPDX-License-Identifier: Apache-2.0
 * test_image.c -- reading and writing images: every kind of PNG and PNM; files that are broken, cut, too large or of
 * another kind; images from buffers. */
#include "io_files.h"
#include "png_files.h"
#include <peft/io.h>
#include <stdbool.h>

/* Decodes an image file in memory, which must succeed. */
static peft_image *load(const void *data, size_t size)
{
    peft_image *im;
    ok(peft_image_load_memory(io_ctx, data, size, NULL, &im));
    return im;
}

START_TEST(a_saved_png_loads_to_the_same_pixels)
{
    const char *path = in_folder("a.png");
    for (int depth = 8; depth <= 16; depth += 8)
        for (int channels = 1; channels <= 3; channels += 2) {
            peft_image *im = picture(19, 7, channels, depth, 3), *loaded;
            ok(peft_image_save_png(im, path));
            ok(peft_image_load(io_ctx, path, NULL, &loaded));
            same_image(im, loaded);
            peft_image_free(im);
            peft_image_free(loaded);
        }
    fails(PEFT_E_INVALID, "image is NULL", peft_image_save_png(NULL, path));
}
END_TEST

START_TEST(every_kind_of_png_is_read)
{
    size_t size;
    const uint8_t alpha[] = { 10, 20, 30, 0, 40, 50, 60, 128 }, grey_alpha[] = { 9, 0, 200, 255 };
    const uint16_t deep[] = { 1000, 5, 60000, 65535 };
    const uint8_t indices[] = { 0x1b }, bits[] = { 0xa0 };           /* the values 0 1 2 3 of 2 bits; 1 0 1 of 1 bit */

    void *png = png_of(SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, 2, 1, NULL, alpha, 8, &size);
    peft_image *im = load(png, size);
    ck_assert_int_eq(peft_image_channels(im), 3);
    ck_assert_mem_eq(peft_image_pixels(im), ((uint8_t[]){ 10, 20, 30, 40, 50, 60 }), 6);
    peft_image_free(im);
    free(png);

    png = png_of(SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 8, 2, 1, NULL, grey_alpha, 4, &size);
    im = load(png, size);
    ck_assert_int_eq(peft_image_channels(im), 1);
    ck_assert_mem_eq(peft_image_pixels(im), ((uint8_t[]){ 9, 200 }), 2);
    peft_image_free(im);
    free(png);

    png = png_of(SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 16, 2, 1, NULL, deep, 8, &size);
    im = load(png, size);
    ck_assert_int_eq(peft_image_depth(im), 16);
    ck_assert_mem_eq(peft_image_pixels(im), ((uint16_t[]){ 1000, 60000 }), 4);
    peft_image_free(im);
    free(png);

    png = png_of(SPNG_COLOR_TYPE_INDEXED, 2, 4, 1, NULL, indices, 1, &size);
    im = load(png, size);
    ck_assert_int_eq(peft_image_channels(im), 3);
    ck_assert_mem_eq(peft_image_pixels(im), ((uint8_t[]){ 1, 2, 3, 40, 50, 60, 7, 8, 9, 255, 0, 128 }), 12);
    peft_image_free(im);
    free(png);

    png = png_of(SPNG_COLOR_TYPE_GRAYSCALE, 1, 3, 1, NULL, bits, 1, &size);
    im = load(png, size);
    ck_assert_mem_eq(peft_image_pixels(im), ((uint8_t[]){ 255, 0, 255 }), 3);
    peft_image_free(im);
    free(png);
}
END_TEST

/* READ: the damaged file gives the unchanged image `whole`; REFUSED: an error. */
typedef enum { READ, REFUSED } outcome;

/* what, offset: the damage, in messages. A cut file is always a format error; a changed one may look like an
 * unsupported one. */
static void check_damaged(const peft_image *whole, outcome expected, const void *png, size_t size, const char *what,
                          size_t offset)
{
    peft_image *im = NULL;
    peft_status s = peft_image_load_memory(io_ctx, png, size, NULL, &im);
    const bool cut = !strncmp(what, "cut", 3);
    if (expected == REFUSED) ck_assert_msg(s == PEFT_E_FORMAT || (s == PEFT_E_UNSUPPORTED && !cut), "%s %zu: accepted",
                                           what, offset);
    else ck_assert_msg(s == PEFT_OK, "%s %zu: %s", what, offset, peft_last_error());
    if (!s) same_image(whole, im);
    peft_image_free(im);
}

/* Checksums protect a PNG: every cut and every changed byte is detected, except in the end chunk, whose 12 bytes hold
 * no pixels. */
START_TEST(a_cut_or_changed_png_is_refused)
{
    enum { END = 12 };
    const char *path = in_folder("a.png");
    size_t size;
    peft_image *whole;
    save_picture(path, 33, 21, 3, 1);
    unsigned char *png = read_bytes(path, &size);
    ok(peft_image_load(io_ctx, path, NULL, &whole));
    for (size_t n = 0; n < size; n++) {
        unsigned char *cut = malloc(n + 1);                            /* exact size: sanitizers see reads beyond */
        memcpy(cut, png, n);
        check_damaged(whole, n < size - END ? REFUSED : READ, cut, n, "cut at", n);
        free(cut);
    }
    for (size_t i = 0; i < size; i++) {
        png[i] ^= 0x10;
        check_damaged(whole, i < size - END ? REFUSED : READ, png, size, "byte changed", i);
        png[i] ^= 0x10;
    }
    unsigned char more[2000];                                 /* a text chunk with a wrong checksum before the end */
    memcpy(more, png, size - END);
    memcpy(more + size - END, "\0\0\0\4tEXta\0bc\1\2\3\4", 16);
    memcpy(more + size + 16 - END, png + size - END, END);
    check_damaged(whole, READ, more, size + 16, "text chunk", 0);
    peft_image_free(whole);
    free(png);
}
END_TEST

/* The checksum of PNG chunks. */
static uint32_t crc(const unsigned char *p, size_t n)
{
    uint32_t c = ~0u;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}

/* Sets the size in a PNG's header: width and height from byte 16 on, highest byte first; the checksum of bytes 12 to 28
 * from byte 29 on. */
static void set_size(unsigned char *png, uint32_t width, uint32_t height)
{
    const uint32_t v[] = { width, height };
    for (int i = 0; i < 8; i++) png[16 + i] = (unsigned char)(v[i / 4] >> (24 - 8 * (i % 4)));
    uint32_t c = crc(png + 12, 17);
    for (int i = 0; i < 4; i++) png[29 + i] = (unsigned char)(c >> (24 - 8 * i));
}

START_TEST(images_above_the_limits_are_refused)
{
    const char *path = in_folder("a.png");
    size_t size;
    peft_image *im = NULL;
    save_picture(path, 8, 8, 1, 1);
    unsigned char *png = read_bytes(path, &size);
    fails(PEFT_E_UNSUPPORTED, "max_side", peft_image_load(io_ctx, path, "max_side=7", &im));
    fails(PEFT_E_UNSUPPORTED, "max_bytes", peft_image_load_memory(io_ctx, png, size, "max_bytes=63", &im));
    fails(PEFT_E_OPTION, "max_size", peft_image_load(io_ctx, path, "max_size=7", &im));
    fails(PEFT_E_OPTION, "'max_side' is 'x'", peft_image_load(io_ctx, path, "max_side=x", &im));
    fails(PEFT_E_OPTION, "twice", peft_image_load(io_ctx, path, "max_side=8 max_side=9", &im));
    set_size(png, 0x7fffffff, 0x7fffffff);
    fails(PEFT_E_UNSUPPORTED, "max_side", peft_image_load_memory(io_ctx, png, size, NULL, &im));
    set_size(png, 16384, 16384);
    fails(PEFT_E_FORMAT, "cannot hold", peft_image_load_memory(io_ctx, png, size, NULL, &im));
    set_size(png, 8, 9);
    ck_assert_int_eq(peft_image_load_memory(io_ctx, png, size, NULL, &im), PEFT_E_FORMAT);
    free(png);
}
END_TEST

START_TEST(every_kind_of_pnm_is_read_and_broken_ones_are_refused)
{
    peft_image *im;
    const char grey[] = "P5\n# two\n2 1\n255\n\x07\xff", deep[] = "P5 1 2 65535 \x01\x02\xff\xff";
    const char small[] = "P5 3 1 15 \x00\x07\x0f", colour[] = "P6 1 1 255\n\x01\x02\x03";
    im = load(grey, sizeof grey - 1);
    ck_assert_int_eq(peft_image_width(im), 2);
    ck_assert_mem_eq(peft_image_pixels(im), "\x07\xff", 2);
    peft_image_free(im);
    im = load(deep, sizeof deep - 1);
    ck_assert_mem_eq(peft_image_pixels(im), ((uint16_t[]){ 258, 65535 }), 4);
    peft_image_free(im);
    im = load(small, sizeof small - 1);
    ck_assert_mem_eq(peft_image_pixels(im), ((uint8_t[]){ 0, 119, 255 }), 3);
    peft_image_free(im);
    im = load(colour, sizeof colour - 1);
    ck_assert_int_eq(peft_image_channels(im), 3);
    peft_image_free(im);
    for (size_t n = 0; n < sizeof colour - 1; n++)
        ck_assert_int_eq(peft_image_load_memory(io_ctx, colour, n, NULL, &im), PEFT_E_FORMAT);
    const char *broken[] = { "P5 0 1 255 x", "P5 1 1 0 x", "P5 1 1 65536 xx", "P5 -1 1 255 x", "P5 1 1 4 \x05",
                             "P5 16777216 16777216 255 x", "P5 99999999999 1 255 x", "P4 1 1 x" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        ck_assert_int_ne(peft_image_load_memory(io_ctx, broken[i], strlen(broken[i]), NULL, &im), PEFT_OK);
}
END_TEST

/* Values v / largest * 255 with the fraction 1/2 are rounded to even, as by Pillow 13.0. */
START_TEST(halves_are_rounded_to_even_in_pnm)
{
    static const struct { int largest, v, want; } row[] = { { 6, 1, 42 }, { 6, 5, 212 }, { 10, 3, 76 }, { 10, 7, 178 },
        { 12, 2, 42 }, { 20, 14, 178 }, { 2, 1, 128 }, { 30, 1, 8 }, { 254, 127, 128 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "P5 1 1 %d %c", row[i].largest, row[i].v);
        peft_image *im = load(text, (size_t)n);
        ck_assert_int_eq(*(const uint8_t *)peft_image_pixels(im), row[i].want);
        peft_image_free(im);
    }
}
END_TEST

/* The error for a file of another kind names the kind or what to do. */
START_TEST(files_of_other_kinds_are_named_in_the_error)
{
    static char nifti[352], zeros[64];
    memcpy(nifti + 344, "n+1", 4);
    const struct { const char *bytes; size_t n; const char *named; } row[] = {
        { "", 0, "empty" }, { zeros, sizeof zeros, "zeros at its beginning" }, { "RIFF\0\0\0\0WEBPVP8 ", 16, "WebP" },
        { "GIF89a", 6, "GIF" }, { "II*\0\10\0\0\0", 8, "TIFF" }, { "MM\0*\0\0\0\10", 8, "TIFF" }, { "BM6\0", 4, "BMP" },
        { nifti, sizeof nifti, "NIfTI" }, { "\x1f\x8b\10", 3, "gzip" },
        { "<!DOCTYPE html>", 15, "HTML" }, { "\n<HTML>", 7, "HTML" }, { "<svg ", 5, "SVG" },
        { "version https://git-lfs.github.com/spec/v1\n", 43, "git lfs pull" }, { "P2\n1 1\n", 7, "P5" },
        { "\xff\x4f\xff\x51", 4, "JPEG 2000" }, { "PK\3\4", 4, "zip" }, { "%PDF-1.4", 8, "PDF" },
        { "\0\0\0 ftypheic", 12, "HEIF" }, { "hello", 5, "neither PNG nor JPEG" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        peft_image *im = NULL;
        fails(PEFT_E_FORMAT, row[i].named, peft_image_load_memory(io_ctx, row[i].bytes, row[i].n, NULL, &im));
    }
}
END_TEST

/* A file of one image has slice 0 and no other. */
START_TEST(an_image_file_is_one_slice)
{
    peft_image *im = picture(3, 2, 3, 8, 1), *same = NULL;
    const char *path = in_folder("one.png");
    int64_t slices = 0;
    ok(peft_image_save_png(im, path));
    ok(peft_image_slices(io_ctx, path, NULL, &slices));
    ck_assert_int_eq(slices, 1);
    ok(peft_image_load(io_ctx, path, "slice=0", &same));
    ck_assert_mem_eq(peft_image_pixels(im), peft_image_pixels(same), 18);
    peft_image_free(same);
    fails(PEFT_E_OPTION, "slice=1, the file holds 1", peft_image_load(io_ctx, path, "slice=1", &same));
    write_bytes(path, "GIF89a", 6);
    fails(PEFT_E_FORMAT, "GIF", peft_image_slices(io_ctx, path, NULL, &slices));
    fails(PEFT_E_INVALID, "slices is NULL", peft_image_slices(io_ctx, path, NULL, NULL));
    peft_image_free(im);
}
END_TEST

START_TEST(images_from_buffers_and_bad_arguments)
{
    peft_image *im = NULL;
    const uint8_t rows[] = { 1, 2, 99, 3, 4, 99 };
    ok(peft_image_from_buffer(io_ctx, rows, 2, 2, 1, 8, 3, &im));
    ck_assert_mem_eq(peft_image_pixels(im), ((uint8_t[]){ 1, 2, 3, 4 }), 4);
    fails(PEFT_E_IO, "gone/x.png", peft_image_save_png(im, "/nonexistent-gone/x.png"));
    peft_image_free(im);
    peft_image_free(NULL);
    fails(PEFT_E_INVALID, "row_bytes", peft_image_from_buffer(io_ctx, rows, 2, 2, 1, 8, 1, &im));
    fails(PEFT_E_INVALID, "2 channels", peft_image_from_buffer(io_ctx, rows, 2, 2, 2, 8, 0, &im));
    fails(PEFT_E_INVALID, "2x0 pixels (height x width)", peft_image_from_buffer(io_ctx, rows, 0, 2, 1, 8, 0, &im));
    fails(PEFT_E_INVALID, "large", peft_image_from_buffer(io_ctx, rows, INT64_MAX, 2, 1, 8, 0, &im));
    fails(PEFT_E_INVALID, "pixels", peft_image_from_buffer(io_ctx, NULL, 1, 1, 1, 8, 0, &im));
    fails(PEFT_E_IO, "no-such", peft_image_load(io_ctx, in_folder("no-such"), NULL, &im));
    fails(PEFT_E_IO, "a folder", peft_image_load(io_ctx, io_folder, NULL, &im));
    write_bytes(in_folder("text.png"), "hello", 5);
    fails(PEFT_E_FORMAT, "text.png", peft_image_load(io_ctx, in_folder("text.png"), NULL, &im));
}
END_TEST

START_TEST(null_images_and_transforms_give_zero)
{
    ck_assert_int_eq(peft_image_width(NULL), 0);
    ck_assert_int_eq(peft_image_height(NULL), 0);
    ck_assert_int_eq(peft_image_channels(NULL), 0);
    ck_assert_int_eq(peft_image_depth(NULL), 0);
    ck_assert_ptr_null(peft_image_pixels(NULL));
    ck_assert_ptr_null(peft_transform_text(NULL));
    ck_assert_int_eq(peft_transform_size(NULL), 0);
}
END_TEST

/* Saving over a file leaves the new file and no temporary one in the folder. */
START_TEST(saving_leaves_no_temporary_file)
{
    peft_image *im;
    save_picture(in_folder("a.png"), 4, 4, 1, 1);
    save_picture(in_folder("a.png"), 5, 5, 1, 1);
    ok(peft_image_load(io_ctx, in_folder("a.png"), NULL, &im));
    ck_assert_int_eq(peft_image_width(im), 5);
    peft_image_free(im);
    ck_assert_int_eq(remove(in_folder("a.png")), 0);
    ck_assert_int_eq(rmdir(io_folder), 0);                                    /* the folder is empty */
}
END_TEST

IO_SUITE_MAIN("image", a_saved_png_loads_to_the_same_pixels, every_kind_of_png_is_read, a_cut_or_changed_png_is_refused,
              images_above_the_limits_are_refused, every_kind_of_pnm_is_read_and_broken_ones_are_refused,
              halves_are_rounded_to_even_in_pnm, files_of_other_kinds_are_named_in_the_error,
              an_image_file_is_one_slice, images_from_buffers_and_bad_arguments, null_images_and_transforms_give_zero,
              saving_leaves_no_temporary_file)
