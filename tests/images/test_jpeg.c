/* SPDX-License-Identifier: Apache-2.0
 * test_jpeg.c -- reading JPEG files of all colour spaces, samplings and scans. Files that are cut, damaged, too large
 * or of an unsupported process are refused; damage that changes no pixel is accepted. */
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>
#include <jpeglib.h>
#include <sys/resource.h>

/* Settings of the encoder. */
typedef struct kind {
    int channels;
    J_COLOR_SPACE space, coded;                               /* of the pixels; in the file, 0: the default */
    int h[3], v[3];                                           /* sampling factors of each component; 0: default */
    bool progressive, arithmetic, optimised;
    int restart;                                              /* interval of restart markers in blocks; 0: none */
} kind;

/* Second bytes of markers. */
enum { BASELINE_FRAME = 0xc0, EXTENDED_FRAME, PROGRESSIVE_FRAME, LOSSLESS_FRAME, PROGRESSIVE_ARITHMETIC_FRAME = 0xca,
       RESTART_0 = 0xd0, SCAN = 0xda, QUANTISATION_TABLES = 0xdb };

/* Encodes pixels with quality 95. The caller frees the result. */
static unsigned char *jpeg_of(const kind *k, const void *pixels, int w, int h, size_t *size)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned char *out = NULL;
    unsigned long bytes = 0;
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &bytes);
    c.image_width = (JDIMENSION)w;
    c.image_height = (JDIMENSION)h;
    c.input_components = k->channels;
    c.in_color_space = k->space;
    jpeg_set_defaults(&c);
    if (k->coded) jpeg_set_colorspace(&c, k->coded);
    jpeg_set_quality(&c, 95, TRUE);
    for (int i = 0; i < c.num_components && i < 3 && k->h[i]; i++) {
        c.comp_info[i].h_samp_factor = k->h[i];
        c.comp_info[i].v_samp_factor = k->v[i];
    }
    c.arith_code = k->arithmetic;
    c.optimize_coding = k->optimised;
    c.restart_interval = (unsigned)k->restart;
    if (k->progressive) jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (JSAMPROW row; c.next_scanline < c.image_height;) {
        row = (JSAMPROW)pixels + (size_t)c.next_scanline * (size_t)(w * k->channels);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    *size = bytes;
    return out;
}

static const kind rgb = { .channels = 3, .space = JCS_RGB }, grey = { .channels = 1, .space = JCS_GRAYSCALE };

/* Decodes an image file in memory, which must succeed. */
static peft_image *load(const void *data, size_t size)
{
    peft_image *im;
    ok(peft_image_load_memory(io_ctx, data, size, NULL, &im));
    return im;
}

/* Every sample of im is within 2 of v. */
static void all_samples_near(const peft_image *im, int v)
{
    for (size_t i = 0; i < pixel_bytes(im); i++)
        ck_assert_int_le(abs(((const uint8_t *)peft_image_pixels(im))[i] - v), 2);
}

START_TEST(grey_and_rgb_are_read)
{
    size_t size;
    peft_image *loaded;
    uint8_t pixels[24 * 16 * 4];
    memset(pixels, 90, sizeof pixels);
    unsigned char *jpeg = jpeg_of(&rgb, pixels, 24, 16, &size);
    loaded = load(jpeg, size);
    ck_assert_int_eq(peft_image_channels(loaded), 3);
    all_samples_near(loaded, 90);
    peft_image_free(loaded);
    free(jpeg);
    jpeg = jpeg_of(&grey, pixels, 24, 16, &size);
    loaded = load(jpeg, size);
    ck_assert_int_eq(peft_image_channels(loaded), 1);
    all_samples_near(loaded, 90);
    peft_image_free(loaded);
    fails(PEFT_E_UNSUPPORTED, "max_side", peft_image_load_memory(io_ctx, jpeg, size, "max_side=23", &loaded));
    free(jpeg);
}
END_TEST

/* Pictures of four inks, coded as such (CMYK) or as YCCK. Samples are what is left of the light: black / 255 * ink. */
START_TEST(inks_become_rgb)
{
    uint8_t pixels[24 * 16 * 4];
    for (int coded = 0; coded < 2; coded++)
        for (int step = 0; step < 5; step++) {
            const uint8_t inks[4] = { (uint8_t)(50 * step), 200, (uint8_t)(255 - 40 * step),
                                      (uint8_t)(60 * step + 15) };
            const kind cmyk = { .channels = 4, .space = JCS_CMYK, .coded = coded ? JCS_YCCK : JCS_CMYK };
            size_t size;
            for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = inks[i % 4];
            unsigned char *jpeg = jpeg_of(&cmyk, pixels, 24, 16, &size);
            peft_image *im = load(jpeg, size);
            ck_assert_int_eq(peft_image_channels(im), 3);
            for (size_t i = 0; i < pixel_bytes(im); i++) {
                const int got = ((const uint8_t *)peft_image_pixels(im))[i], want = inks[3] * inks[i % 3] / 255;
                ck_assert_msg(abs(got - want) <= 3, "coding %d, step %d, channel %zu: %d, expected %d", coded, step,
                              i % 3,
                              got, want);
            }
            peft_image_free(im);
            free(jpeg);
        }
}
END_TEST

/* All sampling factors from 1 to 4 whose ratios are whole numbers, baseline and progressive. */
START_TEST(all_samplings_are_read)
{
    uint8_t pixels[40 * 40 * 3];
    int read = 0;
    memset(pixels, 70, sizeof pixels);
    for (int code = 0; code < 16 * 16 * 2; code++) {          /* bit 0: progressive; then 2 bits for each factor */
        kind k = rgb;
        k.progressive = code & 1;
        k.h[0] = 1 + (code >> 1 & 3), k.v[0] = 1 + (code >> 3 & 3);
        k.h[1] = k.h[2] = 1 + (code >> 5 & 3), k.v[1] = k.v[2] = 1 + (code >> 7 & 3);
        if (k.h[0] * k.v[0] + 2 * k.h[1] * k.v[1] > 10) continue;             /* the format's limit */
        bool whole = k.h[0] % k.h[1] == 0 || k.h[1] % k.h[0] == 0;
        whole = whole && (k.v[0] % k.v[1] == 0 || k.v[1] % k.v[0] == 0);
        if (!whole) continue;                                 /* libjpeg cannot write others */
        size_t size;
        unsigned char *jpeg = jpeg_of(&k, pixels, 40, 40, &size);
        peft_image *im = load(jpeg, size);
        all_samples_near(im, 70);
        peft_image_free(im);
        free(jpeg);
        read++;
    }
    ck_assert_int_eq(read, 94);
}
END_TEST

/* A cut file is refused, also when it is filled up again; one that lacks only its end marker has every pixel and is
 * read. */
START_TEST(a_cut_jpeg_is_refused)
{
    enum { NOT, WITH_ZEROS, WITH_ZEROS_AND_END, FILLINGS };       /* END: the end marker */
    static const kind kinds[] = { { .channels = 3, .space = JCS_RGB, .h = { 1, 1, 1 }, .v = { 1, 1, 1 } },
        { .channels = 3, .space = JCS_RGB, .progressive = true }, { .channels = 3, .space = JCS_RGB, .restart = 2 },
        { .channels = 1, .space = JCS_GRAYSCALE, .optimised = true } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t size;
        peft_image *im = picture(40, 24, kinds[i].channels, 8, 5), *loaded = NULL, *whole;
        unsigned char *jpeg = jpeg_of(&kinds[i], peft_image_pixels(im), 40, 24, &size);
        whole = load(jpeg, size);
        for (size_t n = 0; n < size; n++)
            for (int filled = NOT; filled < FILLINGS; filled++) {
                size_t bytes = filled == NOT ? n : size + 600;
                unsigned char *bad = calloc(bytes + 1, 1);    /* exact size: sanitizers see reads beyond */
                memcpy(bad, jpeg, n);
                if (filled == WITH_ZEROS_AND_END) memcpy(bad + bytes - 2, "\xff\xd9", 2);
                peft_status s = peft_image_load_memory(io_ctx, bad, bytes, NULL, &loaded);
                if (n < size - 2) {
                    ck_assert_msg(s == PEFT_E_FORMAT, "kind %zu, filling %d, cut at %zu of %zu: %s", i, filled, n, size,
                                  s ? peft_last_error() : "accepted");
                } else {
                    ck_assert_msg(!s, "kind %zu, filling %d, cut at %zu of %zu: %s", i, filled, n, size,
                                  peft_last_error());
                    same_image(whole, loaded);
                    peft_image_free(loaded);
                }
                free(bad);
            }
        free(jpeg);
        peft_image_free(whole);
        peft_image_free(im);
    }
}
END_TEST

/* Loading a file with a changed bit returns an image or an error, and does not crash. */
START_TEST(a_changed_jpeg_does_not_crash)
{
    size_t size;
    peft_image *im = picture(40, 24, 3, 8, 5), *loaded;
    for (int progressive = 0; progressive < 2; progressive++) {
        kind k = rgb;
        k.progressive = progressive;
        unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 40, 24, &size);
        for (size_t i = 0; i < size; i++)
            for (int bit = 0; bit < 8; bit += 3) {
                jpeg[i] ^= (unsigned char)(1 << bit);
                if (!peft_image_load_memory(io_ctx, jpeg, size, "max_side=4096", &loaded)) peft_image_free(loaded);
                jpeg[i] ^= (unsigned char)(1 << bit);
            }
        free(jpeg);
    }
    peft_image_free(im);
}
END_TEST

/* A copy with n bytes inserted at an offset. */
static unsigned char *with_bytes(const unsigned char *jpeg, size_t size, size_t offset, const void *bytes, size_t n)
{
    unsigned char *copy = malloc(size + n);
    memcpy(copy, jpeg, offset);
    memcpy(copy + offset, bytes, n);
    memcpy(copy + offset + n, jpeg + offset, size - offset);
    return copy;
}

/* The offset of the first marker of this kind. */
static size_t find_marker(const unsigned char *jpeg, size_t size, int marker)
{
    for (size_t i = 2; i + 1 < size; i++)
        if (jpeg[i] == 0xff && jpeg[i + 1] == marker) return i;
    ck_abort_msg("no marker %#x", (unsigned)marker);
    return 0;
}

/* Accepted, since no pixel changes: bytes between headers, another revision of JFIF, zeros before the end. More
 * compressed data than the image needs is refused. */
START_TEST(damage_that_changes_no_pixel_is_accepted)
{
    size_t size;
    peft_image *im = picture(40, 24, 3, 8, 5), *loaded = NULL, *whole;
    kind k = rgb;
    k.restart = 2;
    unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 40, 24, &size);
    whole = load(jpeg, size);
    const struct { size_t offset; const char *bytes; size_t n; const char *fails; } row[] = {
        { find_marker(jpeg, size, QUANTISATION_TABLES), "junk", 4, NULL },
        { find_marker(jpeg, size, SCAN), "\0\0\1", 3, NULL },
        { size - 2, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, NULL }, { size - 2, "\xff\xff", 2, NULL },
        { size, "anything behind the end", 20, NULL },
        { size - 2, "more data than decoded", 22, "extraneous" },              /* libjpeg reads 8 bytes ahead */
        { find_marker(jpeg, size, RESTART_0), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, "extraneous" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        unsigned char *other = with_bytes(jpeg, size, row[i].offset, row[i].bytes, row[i].n);
        if (row[i].fails) {
            fails(PEFT_E_FORMAT, row[i].fails, peft_image_load_memory(io_ctx, other, size + row[i].n, NULL, &loaded));
        } else {
            loaded = load(other, size + row[i].n);
            same_image(whole, loaded);
            peft_image_free(loaded);
        }
        free(other);
    }
    ck_assert_mem_eq(jpeg + 6, "JFIF", 4);
    jpeg[11] = 2;                                             /* JFIF's major revision */
    loaded = load(jpeg, size);
    same_image(whole, loaded);
    peft_image_free(loaded);
    free(jpeg);
    peft_image_free(whole);
    peft_image_free(im);
}
END_TEST

/* Sets the size in the frame header. */
static void set_size(unsigned char *jpeg, size_t size, int marker, int width, int height)
{
    unsigned char *p = jpeg + find_marker(jpeg, size, marker) + 5;
    p[0] = (unsigned char)(height >> 8), p[1] = (unsigned char)height;
    p[2] = (unsigned char)(width >> 8), p[3] = (unsigned char)width;
}

/* Small files that announce large images are refused without allocating memory for them. max_bytes also bounds the
 * coefficients of progressive files. */
START_TEST(announced_sizes_are_checked_before_allocating)
{
    size_t size;
    peft_image *im = picture(16, 16, 3, 8, 5), *loaded = NULL;
    for (int progressive = 0; progressive < 2; progressive++) {
        kind k = rgb;
        k.progressive = progressive;
        unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 16, 16, &size);
        const int frame = progressive ? PROGRESSIVE_FRAME : BASELINE_FRAME;
        set_size(jpeg, size, frame, 16000, 16000);
        fails(PEFT_E_FORMAT, "cannot hold", peft_image_load_memory(io_ctx, jpeg, size, NULL, &loaded));
        set_size(jpeg, size, frame, 16, 17);
        ck_assert_int_ne(peft_image_load_memory(io_ctx, jpeg, size, NULL, &loaded), PEFT_OK);
        free(jpeg);
    }
    kind k = rgb;
    k.progressive = k.arithmetic = true;
    unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 16, 16, &size);
    set_size(jpeg, size, PROGRESSIVE_ARITHMETIC_FRAME, 16000, 16000);
    fails(PEFT_E_UNSUPPORTED, "max_bytes", peft_image_load_memory(io_ctx, jpeg, size, NULL, &loaded));
    free(jpeg);
    peft_image_free(im);
    im = picture(200, 200, 3, 8, 5);
    k.arithmetic = false;
    jpeg = jpeg_of(&k, peft_image_pixels(im), 200, 200, &size);
    fails(PEFT_E_UNSUPPORTED, "several scans", peft_image_load_memory(io_ctx, jpeg, size, "max_bytes=200000", &loaded));
    ok(peft_image_load_memory(io_ctx, jpeg, size, "max_bytes=500000", &loaded));
    peft_image_free(loaded);
    free(jpeg);
    peft_image_free(im);
    struct rusage used;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &used), 0);
    ck_assert_int_lt(used.ru_maxrss, 400 * 1024);             /* KiB */
}
END_TEST

/* Lossless and 12-bit files are refused with the reason and the cure. */
START_TEST(unsupported_processes_are_named_in_the_error)
{
    size_t size;
    peft_image *im = picture(16, 16, 1, 8, 5), *loaded = NULL;
    unsigned char *jpeg = jpeg_of(&grey, peft_image_pixels(im), 16, 16, &size);
    size_t frame = find_marker(jpeg, size, BASELINE_FRAME);
    jpeg[frame + 1] = LOSSLESS_FRAME;
    fails(PEFT_E_UNSUPPORTED, "lossless", peft_image_load_memory(io_ctx, jpeg, size, NULL, &loaded));
    jpeg[frame + 1] = EXTENDED_FRAME;
    jpeg[frame + 4] = 12;                                     /* bits of a sample */
    fails(PEFT_E_UNSUPPORTED, "16-bit PNG", peft_image_load_memory(io_ctx, jpeg, size, NULL, &loaded));
    free(jpeg);
    peft_image_free(im);
}
END_TEST

IO_SUITE_MAIN("jpeg", grey_and_rgb_are_read, inks_become_rgb, all_samplings_are_read, a_cut_jpeg_is_refused,
              a_changed_jpeg_does_not_crash, damage_that_changes_no_pixel_is_accepted,
              announced_sizes_are_checked_before_allocating, unsupported_processes_are_named_in_the_error)
