/* SPDX-License-Identifier: Apache-2.0
 * test_palette.c -- PNG files with a palette: the colours that readers see, and what is refused. */
#include "io_files.h"
#include <peft/io.h>

static const uint8_t palette[] = { 0, 0, 0, 230, 159, 0, 86, 180, 233 };

static peft_image *map_of(const uint8_t *indices, int64_t width, int64_t height)
{
    peft_image *im;
    ok(peft_image_from_buffer(io_ctx, indices, width, height, 1, 8, 0, &im));
    return im;
}

/* Each pixel is read in the colour of its index, and the file says that it has a palette of 8 bits. */
START_TEST(each_index_is_read_as_its_colour)
{
    enum { PIXELS = 15, BEGIN = 26 };
    const uint8_t indices[PIXELS] = { 0, 1, 2, 2, 1, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2 };
    const char *path = in_folder("palette.png");
    peft_image *im = map_of(indices, 5, 3), *back;
    uint8_t begin[BEGIN];
    ok(peft_image_save_png_palette(im, palette, 3, path));
    ok(peft_image_load(io_ctx, path, NULL, &back));
    ck_assert_int_eq(peft_image_channels(back), 3);
    ck_assert_int_eq(peft_image_width(back), 5);
    const uint8_t *colour = peft_image_pixels(back);
    for (int i = 0; i < PIXELS; i++) ck_assert_mem_eq(colour + 3 * i, palette + 3 * indices[i], 3);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fread(begin, 1, BEGIN, f), BEGIN);
    fclose(f);
    ck_assert_mem_eq(begin + 24, ((uint8_t[]){ 8, 3 }), 2);                   /* bits; colour type of a palette */
    peft_image_free(back);
    peft_image_free(im);
}
END_TEST

START_TEST(images_that_are_no_map_are_refused)
{
    const char *path = in_folder("no.png");
    peft_image *im = map_of((const uint8_t[]){ 0, 1, 2, 1, 3, 0 }, 3, 2);
    peft_image *rgb = picture(4, 4, 3, 8, 1), *deep = picture(4, 4, 1, 16, 1);
    fails(PEFT_E_INVALID, "row 1, column 1 is 3, the palette has 3", peft_image_save_png_palette(im, palette, 3, path));
    fails(PEFT_E_INVALID, "0 colours", peft_image_save_png_palette(im, palette, 0, path));
    fails(PEFT_E_INVALID, "257 colours", peft_image_save_png_palette(im, palette, 257, path));
    fails(PEFT_E_INVALID, "palette is NULL", peft_image_save_png_palette(im, NULL, 3, path));
    fails(PEFT_E_INVALID, "image is NULL", peft_image_save_png_palette(NULL, palette, 3, path));
    fails(PEFT_E_INVALID, "path is NULL", peft_image_save_png_palette(im, palette, 3, NULL));
    fails(PEFT_E_UNSUPPORTED, "3 channels", peft_image_save_png_palette(rgb, palette, 3, path));
    fails(PEFT_E_UNSUPPORTED, "1 channel of 8 bits", peft_image_save_png_palette(deep, palette, 3, path));
    fails(PEFT_E_IO, "no.png", peft_image_load(io_ctx, path, NULL, &im));     /* nothing was written */
    peft_image_free(rgb);
    peft_image_free(deep);
    peft_image_free(im);
}
END_TEST

IO_SUITE_MAIN("palette", each_index_is_read_as_its_colour, images_that_are_no_map_are_refused)
