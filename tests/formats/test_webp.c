/* SPDX-License-Identifier: Apache-2.0
 * test_webp.c -- reading WebP files, lossless and lossy, with alpha and EXIF orientation; damaged files. */
#include "io_files.h"
#include "io/image/image.h"
#include <webp/encode.h>

enum { W = 13, H = 9 };

/* RGBA pixels of which the alpha is 255, or not. */
static void fill(uint8_t *rgba, int opaque)
{
    for (int i = 0; i < 4 * W * H; i++) rgba[i] = (uint8_t)(i % 4 == 3 && opaque ? 255 : 20 * (i % 13) + 3);
}

START_TEST(lossless_files_have_their_pixels)
{
    uint8_t rgba[4 * W * H], *file;
    for (int opaque = 0; opaque < 2; opaque++) {
        peft_image *im;
        fill(rgba, opaque);
        const size_t size = WebPEncodeLosslessRGBA(rgba, W, H, 4 * W, &file);
        ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
        ck_assert(im->width == W && im->height == H && im->channels == 3 && im->type == IO_U8);
        ck_assert_int_eq(!im->alpha, opaque);
        for (int i = 0; i < W * H; i++) {
            const uint8_t *pixel = (const uint8_t *)im->pixels + 3 * i;
            if (rgba[4 * i + 3]) ck_assert(!memcmp(pixel, rgba + 4 * i, 3));
            if (!opaque) ck_assert_int_eq(((uint8_t *)im->alpha)[i], rgba[4 * i + 3]);
        }
        peft_image_free(im);
        ok(peft_image_load_memory(io_ctx, file, size, "region=2:3:4:5", &im));
        ck_assert(im->width == 4 && im->height == 5 && (im->alpha == NULL) == opaque);
        ck_assert(!opaque ? ((uint8_t *)im->alpha)[0] == rgba[4 * (3 * W + 2) + 3]
                          : !memcmp(im->pixels, rgba + 4 * (3 * W + 2), 3));
        peft_image_free(im);
        WebPFree(file);
    }
}
END_TEST

START_TEST(lossy_files_are_near)
{
    uint8_t rgb[3 * W * H], *file;
    peft_image *im;
    memset(rgb, 120, sizeof rgb);
    const size_t size = WebPEncodeRGB(rgb, W, H, 3 * W, 90, &file);
    ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
    for (int i = 0; i < 3 * W * H; i++) ck_assert_int_le(abs(((const uint8_t *)im->pixels)[i] - 120), 3);
    peft_image_free(im);
    WebPFree(file);
}
END_TEST

/* A file of one chunk of pixels, with a chunk of EXIF data behind it. */
START_TEST(a_webp_is_turned_as_its_exif_data_say)
{
    static const char exif[] = "EXIF\32\0\0\0" "II*\0\10\0\0\0" "\1\0\22\1\3\0\1\0\0\0\6\0\0\0" "\0\0\0\0";
    uint8_t rgba[4 * W * H], *file;
    fill(rgba, 1);
    const size_t size = WebPEncodeLosslessRGBA(rgba, W, H, 4 * W, &file), more = sizeof exif - 1;
    uint8_t *longer = malloc(size + more);
    const uint32_t riff = (uint32_t)(size + more - 8);
    peft_image *im;
    memcpy(longer, file, size);
    memcpy(longer + size, exif, more);
    for (int i = 0; i < 4; i++) longer[4 + i] = (uint8_t)(riff >> 8 * i);
    ok(peft_image_load_memory(io_ctx, longer, size + more, NULL, &im));
    ck_assert(im->width == H && im->height == W);
    ck_assert(!memcmp(im->pixels, rgba + 4 * (H - 1) * W, 3));                 /* the lower left pixel comes first */
    peft_image_free(im);
    free(longer);
    WebPFree(file);
}
END_TEST

START_TEST(damaged_files_do_not_crash)
{
    uint8_t rgba[4 * W * H], *file;
    peft_image *im;
    fill(rgba, 0);
    const size_t size = WebPEncodeLosslessRGBA(rgba, W, H, 4 * W, &file);
    for (size_t n = 12; n + 1 < size; n++) {
        uint8_t *part = malloc(n);                            /* exact size: sanitizers see reads beyond */
        memcpy(part, file, n);
        fails(PEFT_E_FORMAT, "WebP: ", peft_image_load_memory(io_ctx, part, n, NULL, &im));
        free(part);
    }
    for (size_t i = 12; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            file[i] ^= (uint8_t)(1 << bit);
            if (!peft_image_load_memory(io_ctx, file, size, "max_side=100", &im)) peft_image_free(im);
            file[i] ^= (uint8_t)(1 << bit);
        }
    WebPFree(file);
}
END_TEST

IO_SUITE_MAIN("webp", lossless_files_have_their_pixels, lossy_files_are_near, a_webp_is_turned_as_its_exif_data_say,
              damaged_files_do_not_crash)
