/* SPDX-License-Identifier: Apache-2.0
 * test_tiff.c -- reading TIFF files of all types of samples, colours and ways to store them; files that are refused or
 * damaged. */
#include "tiff_files.h"
#include "io/image/image.h"

/* Bytes of pseudorandom content, for any picture of the tests. */
static const uint8_t *noise(void)
{
    static uint8_t v[40000];
    for (size_t i = 0; i < sizeof v; i++) v[i] = (uint8_t)((i * 2654435761u >> 13) ^ i);
    return v;
}

/* Grey and RGB of 8 and 16 bits in strips and tiles, by each compression that does not lose: the same bytes. */
START_TEST(samples_are_those_of_the_file)
{
    static const int compression[] = { COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                       COMPRESSION_PACKBITS };
    const int w = 37, h = 29;
    for (int code = 0; code < 64; code++) {
        const page p = { .width = w, .height = h, .bits = code & 1 ? 16 : 8, .samples = code & 2 ? 3 : 1,
                         .planes = code & 4, .tile = code & 8 ? 16 : 0, .rows = code & 1 ? 5 : 0,
                         .compression = compression[code >> 4] };
        peft_image *im = load_tiff(tiff_of(&p, noise()), NULL);
        const size_t bytes = (size_t)p.bits / 8, samples = (size_t)p.samples;
        ck_assert(im->width == w && im->height == h && im->channels == p.samples && im->type == (code & 1 ?
                                                                                                 IO_U16 : IO_U8));
        for (size_t i = 0; i < (size_t)(w * h) * samples; i++) {
            const size_t from = p.planes ? i % samples * (size_t)(w * h) + i / samples : i;
            ck_assert_msg(!memcmp((uint8_t *)im->pixels + i * bytes, noise() + from * bytes, bytes),
                          "kind %d, sample %zu",
                          code, i);
        }
        peft_image_free(im);
    }
}
END_TEST

/* A sample of each type, and its value in the image. */
START_TEST(types_of_samples)
{
    const struct { page p; const void *data; int depth; double value; const char *word; } rows[] = {
        { { .bits = 8, .format = SAMPLEFORMAT_INT }, &(int8_t){ -5 }, PEFT_SIGNED_16, -5, NULL },
        { { .bits = 16, .format = SAMPLEFORMAT_INT }, &(int16_t){ -1000 }, PEFT_SIGNED_16, -1000, NULL },
        { { .bits = 32, .format = SAMPLEFORMAT_INT }, &(int32_t){ -70000 }, PEFT_FLOAT_32, -70000, NULL },
        { { .bits = 32 }, &(uint32_t){ 3000000000u }, PEFT_FLOAT_32, 3e9, NULL },
        { { .bits = 32 }, &(uint32_t){ 3000000001u }, 0, 0, "3000000001 of type u32" },
        { { .bits = 16, .format = SAMPLEFORMAT_IEEEFP }, &(uint16_t){ 0xc500 }, PEFT_FLOAT_32, -5, NULL },
        { { .bits = 32, .format = SAMPLEFORMAT_IEEEFP }, &(float){ 1.25f }, PEFT_FLOAT_32, 1.25, NULL },
        { { .bits = 64, .format = SAMPLEFORMAT_IEEEFP }, &(double){ -0.5 }, PEFT_FLOAT_32, -0.5, NULL },
        { { .bits = 64, .format = SAMPLEFORMAT_IEEEFP }, &(double){ 1e300 }, 0, 0, "type f64" },
        { { .bits = 16, .photometric = 1 }, &(uint16_t){ 1 }, 16, 65534, NULL },
        { { .bits = 8, .photometric = 1 }, &(uint8_t){ 255 }, 8, 0, NULL },
        { { .bits = 16, .format = SAMPLEFORMAT_INT, .photometric = 1 }, &(int16_t){ 1 }, 0, 0, "white as 0" },
        { { .bits = 12 }, "\1\2", 0, 0, "BitsPerSample (12)" },
        { { .bits = 64, .format = SAMPLEFORMAT_COMPLEXIEEEFP }, &(double){ 0 }, 0, 0, "complex samples" },
        { { .bits = 8, .samples = 5 }, "\1\2\3\4\5", 0, 0, "ExtraSamples is 0" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        page p = rows[i].p;
        peft_image *im;
        p.width = p.height = 1;
        const char *path = tiff_of(&p, rows[i].data);
        if (rows[i].word) {
            fails(PEFT_E_UNSUPPORTED, rows[i].word, peft_image_load(io_ctx, path, NULL, &im));
            continue;
        }
        im = load_tiff(path, NULL);
        ck_assert_int_eq(peft_image_depth(im), rows[i].depth);
        ck_assert_double_eq(io_value(im, 0), rows[i].value);
        peft_image_free(im);
    }
}
END_TEST

/* The file of p has these 8-bit pixels. */
static void has_pixels(const page *p, const void *data, int channels, const char *pixels, const char *alpha)
{
    peft_image *im = load_tiff(tiff_of(p, data), NULL);
    ck_assert_int_eq(im->channels, channels);
    ck_assert_int_eq(im->type, IO_U8);
    ck_assert(!memcmp(im->pixels, pixels, (size_t)(im->width * im->height * channels)));
    ck_assert(alpha ? im->alpha && !memcmp(im->alpha, alpha, (size_t)(im->width * im->height)) : !im->alpha);
    peft_image_free(im);
}

START_TEST(colours)
{
    uint16_t palette[3 * 256] = { 0 };
    for (int i = 0; i < 256; i++) palette[i] = (uint16_t)(i << 8), palette[256 + i] = 0x1234, palette[512 + i] = 0xff00;
    const page index = { .width = 3, .height = 1, .photometric = 1 + PHOTOMETRIC_PALETTE, .palette = palette };
    has_pixels(&index, "\1\7\377", 3, "\1\22\377\7\22\377\377\22\377", NULL);
    const page small = { .width = 3, .height = 1, .bits = 1, .photometric = 1 + PHOTOMETRIC_PALETTE,
        .palette = (const uint16_t[]){ 0, 0xff00, 0x100, 0x200, 0x300, 0x400 } };
    has_pixels(&small, "\100", 3, "\0\1\3\377\2\4\0\1\3", NULL);
    const page bit = { .width = 3, .height = 1, .bits = 1 }, white = { .width = 3, .height = 1, .bits = 1,
                                                                       .photometric = 1 };
    has_pixels(&bit, "\100", 1, "\0\377\0", NULL);
    has_pixels(&white, "\100", 1, "\377\0\377", NULL);
    const page two = { .width = 4, .height = 1, .bits = 2 }, four = { .width = 2, .height = 1, .bits = 4 };
    has_pixels(&two, "\33", 1, "\0\125\252\377", NULL);
    has_pixels(&four, "\37", 1, "\21\377", NULL);
    const page inks = { .width = 2, .height = 1, .samples = 4, .photometric = 1 + PHOTOMETRIC_SEPARATED };
    has_pixels(&inks, "\0\377\0\0" "\0\0\0\377", 3, "\377\0\377\0\0\0", NULL);
}
END_TEST

/* Extra samples: alpha as it is, colours multiplied by it; one without a meaning is refused, not left out. */
START_TEST(alpha)
{
    page p = { .width = 2, .height = 1, .samples = 4, .photometric = 1 + PHOTOMETRIC_RGB,
               .extra = 1 + EXTRASAMPLE_UNASSALPHA };
    has_pixels(&p, "\12\24\36\200\1\2\3\377", 3, "\12\24\36\1\2\3", "\200\377");
    has_pixels(&p, "\12\24\36\377\1\2\3\377", 3, "\12\24\36\1\2\3", NULL);
    p.planes = true;
    has_pixels(&p, "\12\1\24\2\36\3\200\377", 3, "\12\24\36\1\2\3", "\200\377");
    p.planes = false;
    p.extra = 1 + EXTRASAMPLE_ASSOCALPHA;
    has_pixels(&p, "\12\24\36\200\1\2\3\0", 3, "\23\47\73\1\2\3", "\200\0");
    p.extra = 1 + EXTRASAMPLE_UNSPECIFIED;
    peft_image *im = NULL;
    fails(PEFT_E_UNSUPPORTED, "ExtraSamples is 0 for sample 3",
          peft_image_load(io_ctx, tiff_of(&p, "\12\24\36\200\1\2\3\0"), NULL, &im));
    const page stains = { .width = 2, .height = 1, .samples = 2, .extra = 1 + EXTRASAMPLE_UNSPECIFIED };
    fails(PEFT_E_UNSUPPORTED, "ExtraSamples is 0 for sample 1",
          peft_image_load(io_ctx, tiff_of(&stains, "\12\200\1\377"), NULL, &im));
    const page grey = { .width = 2, .height = 1, .samples = 2, .extra = 1 + EXTRASAMPLE_UNASSALPHA };
    has_pixels(&grey, "\12\200\1\377", 1, "\12\1", "\200\377");
}
END_TEST

START_TEST(orientation)
{
    page p = { .width = 3, .height = 2, .orientation = 6 };
    const char *path = tiff_of(&p, "abcdef");
    peft_image *im = load_tiff(path, NULL);
    ck_assert(im->width == 2 && im->height == 3 && !memcmp(im->pixels, "daebfc", 6));
    peft_image_free(im);
    im = load_tiff(path, "region=0:1:2:2");                   /* of the picture as it is seen */
    ck_assert(im->width == 2 && im->height == 2 && !memcmp(im->pixels, "ebfc", 4));
    peft_image_free(im);
    im = load_tiff(path, "orientation=stored,region=0:1:2:1");
    ck_assert(im->width == 2 && im->height == 1 && !memcmp(im->pixels, "de", 2));
    peft_image_free(im);
}
END_TEST

/* YCbCr in JPEG tiles becomes RGB; damaged data, for which libtiff warns and fills in grey, are refused. */
START_TEST(jpeg_tiles)
{
    uint8_t v[64 * 64 * 3];
    for (size_t i = 0; i < sizeof v; i++) v[i] = (uint8_t)(i % 3 ? 60 : 200);
    const page p = { .width = 64, .height = 64, .samples = 3, .photometric = 1 + PHOTOMETRIC_YCBCR, .tile = 32,
                     .compression = COMPRESSION_JPEG };
    const char *path = tiff_of(&p, v);
    peft_image *im = load_tiff(path, NULL);
    for (size_t i = 0; i < sizeof v; i++) ck_assert_int_le(abs(((uint8_t *)im->pixels)[i] - v[i]), 4);
    peft_image_free(im);
    size_t size;
    uint8_t *file = read_bytes(path, &size);
    int refused = 0;
    for (size_t i = 8; i + 2 < size; i++) {
        if (file[i] != 0xff || file[i + 1] != 0xd9) continue; /* the end of a tile: it becomes an earlier one */
        memcpy(file + i - 6, "\377\331", 2);
        const peft_status s = peft_image_load_memory(io_ctx, file, size, NULL, &im);
        if (!s) peft_image_free(im);
        else ck_assert_msg(s == PEFT_E_FORMAT && !strncmp(peft_last_error(), "TIFF: ", 6), "%s", peft_last_error());
        refused += s != PEFT_OK;
    }
    ck_assert_int_gt(refused, 0);
    free(file);
}
END_TEST

/* Cut at each length, or with a bit changed: an error or an image, and nothing is printed. */
START_TEST(damaged_files_do_not_crash)
{
    static const page kinds[] = { { .width = 9, .height = 7, .samples = 3, .compression = COMPRESSION_LZW },
        { .width = 20, .height = 18, .tile = 16, .compression = COMPRESSION_ADOBE_DEFLATE, .planes = true,
          .samples = 3 } };
    for (size_t k = 0; k < 2; k++) {
        size_t size;
        peft_image *im;
        uint8_t *file = read_bytes(tiff_of(&kinds[k], noise()), &size);
        int cut_and_read = 0;
        for (size_t n = 0; n < size; n++) {
            uint8_t *part = malloc(n ? n : 1);
            memcpy(part, file, n);
            if (!peft_image_load_memory(io_ctx, part, n, NULL, &im)) cut_and_read++, peft_image_free(im);
            free(part);
        }
        ck_assert_int_le(cut_and_read, 1);                    /* the last byte may be one of padding */
        for (size_t i = 0; i < size; i++)
            for (int bit = 0; bit < 8; bit++) {
                file[i] ^= (uint8_t)(1 << bit);
                if (!peft_image_load_memory(io_ctx, file, size, "max_side=4096,max_bytes=10000000",
                                            &im)) peft_image_free(im);
                file[i] ^= (uint8_t)(1 << bit);
            }
        free(file);
    }
}
END_TEST

IO_SUITE_MAIN("tiff", samples_are_those_of_the_file, types_of_samples, colours, alpha, orientation, jpeg_tiles,
              damaged_files_do_not_crash)
