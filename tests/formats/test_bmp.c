/* SPDX-License-Identifier: Apache-2.0
 * test_bmp.c -- reading BMP files: palettes, masks, rows in either order, headers of all lengths; files that are
 * refused. */
#include "io_files.h"
#include "io/image/image.h"

/* What a file states. header: its bytes; colours: of the palette, 0: all that the bits allow. */
typedef struct bmp { int header, width, height, bits, compression, colours; uint32_t mask[4]; } bmp;

static void put(uint8_t *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* A file of this palette (entries of 3 or 4 bytes) and these rows. The caller frees it. */
static uint8_t *file_of(const bmp *b, const void *palette, size_t palette_bytes, const void *rows, size_t row_bytes,
                        size_t *size)
{
    const size_t masks = b->header == 40 && b->compression == 3 ? 12 : 0;
    const size_t at = 14 + (size_t)b->header + masks + palette_bytes;
    uint8_t *f = calloc(1, at + row_bytes);
    memcpy(f, "BM", 2);
    put(f + 10, (uint32_t)at, 4);
    put(f + 14, (uint32_t)b->header, 4);
    const int n = b->header == 12 ? 2 : 4;
    put(f + 18, (uint32_t)b->width, n);
    put(f + 18 + n, (uint32_t)b->height, n);
    put(f + 18 + 2 * n, 1, 2);
    put(f + 20 + 2 * n, (uint32_t)b->bits, 2);
    if (b->header >= 40) {
        put(f + 30, (uint32_t)b->compression, 4);
        put(f + 46, (uint32_t)b->colours, 4);
        for (int c = 0; c < 4 && (masks ? c < 3 : 40 + 4 * c < b->header); c++) put(f + 54 + 4 * c, b->mask[c], 4);
    }
    if (palette_bytes) memcpy(f + at - palette_bytes, palette, palette_bytes);
    memcpy(f + at, rows, row_bytes);
    *size = at + row_bytes;
    return f;
}

/* The file of b has these pixels. */
static void has_pixels(const bmp *b, const void *palette, size_t palette_bytes, const void *rows, size_t row_bytes,
                       int channels, const char *pixels)
{
    size_t size;
    peft_image *im;
    uint8_t *file = file_of(b, palette, palette_bytes, rows, row_bytes, &size);
    ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
    ck_assert_int_eq(peft_image_width(im), b->width);
    ck_assert_int_eq(peft_image_height(im), abs(b->height));
    ck_assert_int_eq(peft_image_channels(im), channels);
    ck_assert_msg(!memcmp(peft_image_pixels(im), pixels, pixel_bytes(im)), "%d bits, header %d: pixels differ", b->bits,
                  b->header);
    peft_image_free(im);
    free(file);
}

/* Colours are blue, green, red in the palette; rows begin at the bottom and are filled up to 4 bytes. */
START_TEST(palettes)
{
    static const char colours[] = "\1\2\3\0\4\5\6\0\7\10\11\0\12\13\14\0", old[] = "\1\2\3\4\5\6";
    static const char greys[] = "\0\0\0\0\377\377\377\0";
    const bmp one = { .header = 40, .width = 3, .height = 2, .bits = 1 }, small = { .header = 12, .width = 3,
                                                                                    .height = 2,
        .bits = 1 };
    const char rows[] = "\240\0\0\0\100\0\0\0";                               /* 101 at the bottom, 010 above */
    has_pixels(&one, colours, 8, rows, 8, 3, "\3\2\1\6\5\4\3\2\1" "\6\5\4\3\2\1\6\5\4");
    has_pixels(&small, old, 6, rows, 8, 3, "\3\2\1\6\5\4\3\2\1" "\6\5\4\3\2\1\6\5\4");
    has_pixels(&one, greys, 8, rows, 8, 1, "\0\377\0" "\377\0\377");
    const bmp two = { .header = 40, .width = 5, .height = -1, .bits = 2 };
    has_pixels(&two, colours, 16, "\33\200\0\0", 4, 3, "\3\2\1\6\5\4\11\10\7\14\13\12\11\10\7");
    const bmp four = { .header = 124, .width = 3, .height = -2, .bits = 4, .colours = 3 };
    has_pixels(&four, colours, 12, "\1\40\0\0\22\0\0\0", 8, 3, "\3\2\1\6\5\4\11\10\7" "\6\5\4\11\10\7\3\2\1");
    const bmp eight = { .header = 40, .width = 2, .height = 1, .bits = 8, .colours = 4 };
    has_pixels(&eight, colours, 16, "\3\0\0\0", 4, 3, "\14\13\12\3\2\1");
}
END_TEST

/* Colours of 5 bits are v * 255 / 31, rounded down. */
START_TEST(colours)
{
    const bmp deep = { .header = 40, .width = 2, .height = 2, .bits = 24 };
    has_pixels(&deep, NULL, 0, "abcdef\0\0ghijkl", 14, 3, "ihglkj" "cbafed");  /* without the last row's padding */
    const bmp high = { .header = 40, .width = 2, .height = 1, .bits = 16 };
    has_pixels(&high, NULL, 0, "\41\204\377\377", 4, 3, "\10\10\10\377\377\377");
    const bmp masked = { .header = 40, .width = 2, .height = 1, .bits = 16, .compression = 3,
        .mask = { 0xf800, 0x7e0, 0x1f } };
    has_pixels(&masked, NULL, 0, "\41\10\0\370", 4, 3, "\10\4\10\377\0\0");
    const bmp fourth = { .header = 40, .width = 1, .height = 1, .bits = 32 };
    has_pixels(&fourth, NULL, 0, "\1\2\3\0", 4, 3, "\3\2\1");
    const bmp swapped = { .header = 56, .width = 1, .height = 1, .bits = 32, .compression = 3,
        .mask = { 0xff, 0xff00, 0xff0000, 0xff000000 } };
    has_pixels(&swapped, NULL, 0, "\1\2\3\200", 4, 3, "\1\2\3");
}
END_TEST

/* A mask for alpha is read; without it, or where all is opaque, there is none. */
START_TEST(alpha)
{
    bmp b = { .header = 56, .width = 2, .height = 1, .bits = 32, .compression = 3,
        .mask = { 0xff0000, 0xff00, 0xff, 0xff000000 } };
    size_t size;
    for (int opaque = 0; opaque < 3; opaque++) {
        peft_image *im;
        if (opaque == 2) b.mask[3] = 0;
        uint8_t *file = file_of(&b, NULL, 0, opaque == 1 ? "abc\377def\377" : "abc\7def\377", 8, &size);
        ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
        ck_assert(opaque ? !im->alpha : !memcmp(im->alpha, "\7\377", 2));
        peft_image_free(im);
        free(file);
    }
}
END_TEST

START_TEST(what_is_refused)
{
    static const struct { bmp b; peft_status s; const char *word; } rows[] = {
        { { .header = 40, .width = 1, .height = 1, .bits = 8, .compression = 1 }, PEFT_E_UNSUPPORTED, "RLE" },
        { { .header = 40, .width = 1, .height = 1, .bits = 4, .compression = 2 }, PEFT_E_UNSUPPORTED, "RLE" },
        { { .header = 40, .width = 1, .height = 1, .compression = 4 }, PEFT_E_FORMAT, "bits" },
        { { .header = 40, .width = 1, .height = 1, .bits = 24, .compression = 4 }, PEFT_E_UNSUPPORTED, "JPEG picture" },
        { { .header = 40, .width = 1, .height = 1, .bits = 24, .compression = 3 }, PEFT_E_UNSUPPORTED, "masks" },
        { { .header = 40, .width = 1, .height = 1, .bits = 24, .compression = 99 }, PEFT_E_UNSUPPORTED, "not known" },
        { { .header = 40, .width = 1, .height = 1, .bits = 7 }, PEFT_E_FORMAT, "expected 1, 2, 4, 8" },
        { { .header = 40, .width = 0, .height = 1, .bits = 24 }, PEFT_E_FORMAT, "side" },
        { { .header = 40, .width = 1, .height = 0, .bits = 24 }, PEFT_E_FORMAT, "side" },
        { { .header = 40, .width = 70000, .height = 1, .bits = 24 }, PEFT_E_UNSUPPORTED, "max_side" },
        { { .header = 40, .width = 10, .height = 5, .bits = 24 }, PEFT_E_FORMAT, "bytes of pixels, expected 158" },
        { { .header = 40, .width = 1, .height = 1, .bits = 8 }, PEFT_E_FORMAT, "palette is missing" },
        { { .header = 20, .width = 1, .height = 1, .bits = 24 }, PEFT_E_FORMAT, "size of the header" } };
    size_t size;
    peft_image *im;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *file = file_of(&rows[i].b, NULL, 0, "\0\0\0\0", 4, &size);
        fails(rows[i].s, rows[i].word, peft_image_load_memory(io_ctx, file, size, NULL, &im));
        free(file);
    }
    const bmp b = { .header = 40, .width = 1, .height = 1, .bits = 8, .colours = 2 };
    uint8_t *file = file_of(&b, "abcdefgh", 8, "\2\0\0\0", 4, &size);
    fails(PEFT_E_FORMAT, "beyond the palette", peft_image_load_memory(io_ctx, file, size, NULL, &im));
    free(file);
}
END_TEST

/* With any byte of the headers changed: an image or an error, without reading beyond the file. */
START_TEST(changed_headers_do_not_crash)
{
    static const bmp kinds[] = { { .header = 12, .width = 3, .height = 2, .bits = 4 },
        { .header = 40, .width = 3, .height = 2, .bits = 16, .compression = 3, .mask = { 0xf800, 0x7e0, 0x1f } },
        { .header = 124, .width = 3, .height = 2, .bits = 32, .mask = { 1, 2, 4, 8 } } };
    char rows[24] = "pixels";
    for (size_t k = 0; k < 3; k++) {
        size_t size;
        uint8_t *file = file_of(&kinds[k], "some colours", kinds[k].header == 12 ? 12 : 0, rows, sizeof rows, &size);
        for (size_t i = 0; i < size; i++)
            for (int v = 0; v < 256; v += 3) {
                const uint8_t was = file[i];
                peft_image *im;
                file[i] = (uint8_t)v;
                if (!peft_image_load_memory(io_ctx, file, size, "max_side=4096", &im)) peft_image_free(im);
                file[i] = was;
            }
        free(file);
    }
}
END_TEST

IO_SUITE_MAIN("bmp", palettes, colours, alpha, what_is_refused, changed_headers_do_not_crash)
