/* SPDX-License-Identifier: Apache-2.0
 * test_orientation.c -- the EXIF orientation of PNG and JPEG files: pictures are turned as they are seen, with their
 * alpha; damaged EXIF data, and the option orientation=stored, leave them as they are. */
#include "io_files.h"
#include "io/format/pixels/exif.h"
#include <zlib.h>

/* EXIF data with these entries of 12 bytes in the first directory. */
typedef struct exif { uint8_t data[80]; size_t size; } exif;

/* Writes an unsigned number of n bytes. */
static void put(exif *e, uint32_t v, int n, bool little)
{
    for (int i = 0; i < n; i++) e->data[e->size++] = (uint8_t)(v >> 8 * (little ? i : n - 1 - i));
}

/* Two entries: a width (256) and the orientation, as a number of 16 bits. */
static exif exif_of(int orientation, bool little)
{
    exif e = { .size = 0 };
    memcpy(e.data, little ? "II*" : "MM\0*", 4);
    e.size = 4;
    put(&e, 8, 4, little);                                    /* where the directory begins */
    put(&e, 2, 2, little);
    put(&e, 256, 2, little), put(&e, 4, 2, little), put(&e, 1, 4, little), put(&e, 3, 4, little);
    put(&e, 274, 2, little), put(&e, 3, 2, little), put(&e, 1, 4, little), put(&e, (uint32_t)orientation, 2, little);
    put(&e, 0, 2, little), put(&e, 0, 4, little);
    return e;
}

/* The file with the n bytes at extra inserted at this offset; the caller frees it. */
static uint8_t *inserted(const uint8_t *file, size_t size, size_t offset, const void *extra, size_t n)
{
    uint8_t *out = malloc(size + n);
    memcpy(out, file, offset);
    memcpy(out + offset, extra, n);
    memcpy(out + offset + n, file + offset, size - offset);
    return out;
}

/* The chunk of a PNG that holds EXIF data; *size: its bytes. */
static const uint8_t *png_chunk(const exif *e, size_t *size)
{
    static uint8_t chunk[120];
    exif number = { .size = 0 };
    put(&number, (uint32_t)e->size, 4, false);
    memcpy(chunk, number.data, 4);
    memcpy(chunk + 4, "eXIf", 4);
    memcpy(chunk + 8, e->data, e->size);
    number.size = 0;
    put(&number, (uint32_t)crc32(0, chunk + 4, (uInt)e->size + 4), 4, false);
    memcpy(chunk + 8 + e->size, number.data, 4);
    *size = e->size + 12;
    return chunk;
}

/* A picture stored as abc / def, and its rows as seen, by orientation. */
static const struct { int width, height; const char *rows; } seen[9] = {
    { 3, 2, "abcdef" }, { 3, 2, "abcdef" }, { 3, 2, "cbafed" }, { 3, 2, "fedcba" }, { 3, 2, "defabc" },
    { 2, 3, "adbecf" }, { 2, 3, "daebfc" }, { 2, 3, "fcebda" }, { 2, 3, "cfbead" } };

/* Loads the PNG file of abc / def with these EXIF data inserted at the offset. */
static void png_is_seen(const uint8_t *png, size_t size, size_t offset, const exif *e, const char *options, int as)
{
    size_t n;
    const uint8_t *chunk = png_chunk(e, &n);
    uint8_t *file = inserted(png, size, offset, chunk, n);
    peft_image *im;
    ok(peft_image_load_memory(io_ctx, file, size + n, options, &im));
    ck_assert_int_eq(peft_image_width(im), seen[as].width);
    ck_assert_int_eq(peft_image_height(im), seen[as].height);
    ck_assert_msg(!memcmp(peft_image_pixels(im), seen[as].rows, 6), "seen as %.6s, expected %s",
                  (const char *)peft_image_pixels(im), seen[as].rows);
    peft_image_free(im);
    free(file);
}

START_TEST(a_png_is_turned_as_its_exif_data_say)
{
    enum { AFTER_HEADER = 33 };
    size_t size;
    peft_image *im;
    ok(peft_image_from_buffer(io_ctx, "abcdef", 3, 2, 1, 8, 0, &im));
    ok(peft_image_save_png(im, in_folder("a.png")));
    peft_image_free(im);
    uint8_t *png = read_bytes(in_folder("a.png"), &size);
    const size_t before_end = size - 12;                      /* behind the pixels */
    for (int orientation = 0; orientation <= 9; orientation++)
        for (int little = 0; little < 2; little++) {
            const exif e = exif_of(orientation, little);
            const int as = orientation == 9 ? 1 : orientation;
            png_is_seen(png, size, AFTER_HEADER, &e, NULL, as);
            png_is_seen(png, size, before_end, &e, "orientation=exif", as);
            png_is_seen(png, size, AFTER_HEADER, &e, "orientation=stored", 1);
        }
    fails(PEFT_E_OPTION, "expected exif or stored",
          peft_image_load_memory(io_ctx, png, size, "orientation=upright", &im));
    free(png);
}
END_TEST

/* Cut at each length, or with a byte changed: an orientation from 1 to 8, and nothing is read beyond the data. */
START_TEST(damaged_exif_data_state_no_other_orientation)
{
    for (int little = 0; little < 2; little++) {
        const exif e = exif_of(6, little);
        for (size_t n = 0; n <= e.size; n++) {
            uint8_t *part = malloc(n ? n : 1);                /* exact size: sanitizers see reads beyond */
            memcpy(part, e.data, n);
            /* the last 4 bytes say where the next directory begins */
            ck_assert_int_eq(io_exif_orientation(part, n), n + 4 >= e.size ? 6 : 1);
            free(part);
        }
        for (size_t i = 0; i < e.size; i++)
            for (int v = 0; v < 256; v++) {
                uint8_t *changed = malloc(e.size);
                memcpy(changed, e.data, e.size);
                changed[i] = (uint8_t)v;
                const int orientation = io_exif_orientation(changed, e.size);
                ck_assert(orientation >= 1 && orientation <= 8);
                free(changed);
            }
    }
}
END_TEST

/* Alpha is turned with the pixels, and the memory of the stored picture is freed. */
START_TEST(alpha_is_turned_too)
{
    peft_image *im, *turned;
    ok(peft_image_from_buffer(io_ctx, "abcdef", 3, 2, 1, 8, 0, &im));
    im->alpha = io_alloc(io_ctx, 6, 1);
    memcpy(im->alpha, "ABCDEF", 6);
    ok(io_image_turn(im, io_turn_of_exif(6), &turned));
    ck_assert(!memcmp(peft_image_pixels(turned), "daebfc", 6) && !memcmp(turned->alpha, "DAEBFC", 6));
    peft_image_free(im);
    peft_image_free(turned);
}
END_TEST

/* A box of the picture as seen is the box of the stored one that holds its pixels. */
START_TEST(boxes_are_turned_back)
{
    peft_image *im = picture(7, 4, 3, 16, 3);
    for (int orientation = 1; orientation <= 8; orientation++) {
        const io_turn turn = io_turn_of_exif(orientation);
        const io_box box = { 1, 2, 3, 2 }, from = io_turn_box(box, turn, 7, 4);
        peft_image *whole, *a, *part, *b;
        ok(io_image_turn(im, turn, &whole));
        ok(peft_image_crop(whole, box.x, box.y, box.width, box.height, &a));
        ok(peft_image_crop(im, from.x, from.y, from.width, from.height, &part));
        ok(io_image_turn(part, turn, &b));
        same_image(a, b);
        peft_image_free(whole), peft_image_free(a), peft_image_free(part), peft_image_free(b);
    }
    peft_image_free(im);
}
END_TEST

/* The JPEG of test_image_formats: 16 x 8 pixels, grey 178 on the left half and 128 on the right. */
#define EIGHT(c) c c c c c c c c
static const char jpeg[] = "\377\330" "\377\333\0C\0" EIGHT(EIGHT("\10")) "\377\300\0\13\10\0\10\0\20\1\1\021\0"
    "\377\304\0\24\0\1" "\0\0\0\0\0\0\0" EIGHT("\0") "\6" "\377\304\0\24\20\1" "\0\0\0\0\0\0\0" EIGHT("\0") "\0"
    "\377\332\0\10\1\1\0\0?\0" "d\032" "\377\331";

/* The JPEG with a comment and EXIF data in its headers. */
static uint8_t *jpeg_with(const exif *e, size_t *size)
{
    uint8_t headers[120] = "\377\376\0\4hi\377\377\341";      /* a comment; 0xff may stand before a marker */
    const size_t length = 2 + 6 + e->size;
    size_t n = 9;
    headers[n++] = (uint8_t)(length >> 8), headers[n++] = (uint8_t)length;
    memcpy(headers + n, "Exif\0\0", 6), n += 6;
    memcpy(headers + n, e->data, e->size), n += e->size;
    *size = sizeof jpeg - 1 + n;
    return inserted((const uint8_t *)jpeg, sizeof jpeg - 1, 2, headers, n);
}

START_TEST(a_jpeg_is_turned_as_its_exif_data_say)
{
    for (int orientation = 1; orientation <= 8; orientation++) {
        const exif e = exif_of(orientation, orientation % 2);
        size_t size;
        peft_image *im;
        uint8_t *file = jpeg_with(&e, &size);
        ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
        const bool upright = orientation >= 5, light_last = strchr("\2\3\7\10", orientation) != NULL;
        const uint8_t *pixel = peft_image_pixels(im);
        ck_assert_int_eq(peft_image_width(im), upright ? 8 : 16);
        ck_assert_int_eq(peft_image_height(im), upright ? 16 : 8);
        ck_assert_int_eq(pixel[0], light_last ? 128 : 178);
        ck_assert_int_eq(pixel[127], light_last ? 178 : 128);
        peft_image_free(im);
        ok(peft_image_load_memory(io_ctx, file, size, "orientation=stored", &im));
        ck_assert_int_eq(peft_image_width(im), 16);
        peft_image_free(im);
        free(file);
    }
}
END_TEST

IO_SUITE_MAIN("orientation", a_png_is_turned_as_its_exif_data_say, damaged_exif_data_state_no_other_orientation,
              alpha_is_turned_too, boxes_are_turned_back, a_jpeg_is_turned_as_its_exif_data_say)
