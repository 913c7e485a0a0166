/* SPDX-License-Identifier: Apache-2.0
 * test_jpeg.c -- reading JPEG: colours, samplings, several scans; what is damaged, cut or too large is refused, what
 * leaves every pixel as it was written is not. */
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>
#include <jpeglib.h>
#include <sys/resource.h>

typedef struct kind { int channels; J_COLOR_SPACE space; int h[3], v[3]; bool progressive, arithmetic, optimised;
                      int restart; } kind;

/* The pixels as a JPEG of quality 95; h and v of 0 are libjpeg's own sampling. The caller frees. */
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

static peft_image *load(const void *data, size_t size)
{
    peft_image *im;
    ok(peft_image_load_memory(io_ctx, data, size, NULL, &im));
    return im;
}

/* Every pixel of im is v within 2. */
static void is_even(const peft_image *im, int v)
{
    for (size_t i = 0; i < pixel_bytes(im); i++)
        ck_assert_int_le(abs(((const uint8_t *)peft_image_pixels(im))[i] - v), 2);
}

START_TEST(colours)
{
    size_t size;
    peft_image *back;
    uint8_t pixels[24 * 16 * 4];
    memset(pixels, 90, sizeof pixels);
    unsigned char *jpeg = jpeg_of(&rgb, pixels, 24, 16, &size);
    back = load(jpeg, size);
    ck_assert_int_eq(peft_image_channels(back), 3);
    is_even(back, 90);
    peft_image_free(back);
    free(jpeg);
    jpeg = jpeg_of(&grey, pixels, 24, 16, &size);
    back = load(jpeg, size);
    ck_assert_int_eq(peft_image_channels(back), 1);
    is_even(back, 90);
    peft_image_free(back);
    fails(PEFT_E_UNSUPPORTED, "max_side", peft_image_load_memory(io_ctx, jpeg, size, "max_side=23", &back));
    free(jpeg);
    const kind cmyk = { .channels = 4, .space = JCS_CMYK };
    jpeg = jpeg_of(&cmyk, pixels, 24, 16, &size);
    fails(PEFT_E_UNSUPPORTED, "CMYK", peft_image_load_memory(io_ctx, jpeg, size, NULL, &back));
    free(jpeg);
}
END_TEST

/* All samplings of up to 4 x 4 whose ratios are whole numbers, in one scan and in several. */
START_TEST(samplings)
{
    uint8_t pixels[40 * 40 * 3];
    int read = 0;
    memset(pixels, 70, sizeof pixels);
    for (int code = 0; code < 16 * 16 * 2; code++) {
        kind k = rgb;
        k.progressive = code & 1;
        k.h[0] = 1 + (code >> 1 & 3), k.v[0] = 1 + (code >> 3 & 3);
        k.h[1] = k.h[2] = 1 + (code >> 5 & 3), k.v[1] = k.v[2] = 1 + (code >> 7 & 3);
        if (k.h[0] * k.v[0] + 2 * k.h[1] * k.v[1] > 10) continue;             /* the format's limit */
        bool whole = k.h[0] % k.h[1] == 0 || k.h[1] % k.h[0] == 0;
        whole = whole && (k.v[0] % k.v[1] == 0 || k.v[1] % k.v[0] == 0);
        if (!whole) continue;                                 /* libjpeg does not write them */
        size_t size;
        unsigned char *jpeg = jpeg_of(&k, pixels, 40, 40, &size);
        peft_image *im = load(jpeg, size);
        is_even(im, 70);
        peft_image_free(im);
        free(jpeg);
        read++;
    }
    ck_assert_int_eq(read, 94);
}
END_TEST

/* A cut JPEG is refused, but for one that lacks its end marker alone: that has every pixel. */
START_TEST(cut)
{
    static const kind kinds[] = { { .channels = 3, .space = JCS_RGB, .h = { 1, 1, 1 }, .v = { 1, 1, 1 } },
        { .channels = 3, .space = JCS_RGB, .progressive = true }, { .channels = 3, .space = JCS_RGB, .restart = 2 },
        { .channels = 1, .space = JCS_GRAYSCALE, .optimised = true } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t size;
        peft_image *im = picture(40, 24, kinds[i].channels, 8, 5), *back = NULL, *whole;
        unsigned char *jpeg = jpeg_of(&kinds[i], peft_image_pixels(im), 40, 24, &size);
        whole = load(jpeg, size);
        for (size_t n = 0; n < size; n++)
            for (int filled = 0; filled < 3; filled++) {      /* with nothing, zeros, zeros and the end marker */
                size_t bytes = filled ? size + 600 : n;
                unsigned char *bad = calloc(bytes + 1, 1);    /* its own size: reading beyond shows */
                memcpy(bad, jpeg, n);
                if (filled == 2) memcpy(bad + bytes - 2, "\xff\xd9", 2);
                peft_status s = peft_image_load_memory(io_ctx, bad, bytes, NULL, &back);
                if (n < size - 2) {
                    ck_assert_msg(s == PEFT_E_FORMAT, "kind %zu, %d, cut at %zu of %zu: %s", i, filled, n, size,
                                  s ? peft_last_error() : "accepted");
                } else {
                    ck_assert_msg(!s, "kind %zu, %d, cut at %zu of %zu: %s", i, filled, n, size, peft_last_error());
                    same_image(whole, back);
                    peft_image_free(back);
                }
                free(bad);
            }
        free(jpeg);
        peft_image_free(whole);
        peft_image_free(im);
    }
}
END_TEST

/* A changed one gives a picture or a status and nothing worse. */
START_TEST(changed)
{
    size_t size;
    peft_image *im = picture(40, 24, 3, 8, 5), *back;
    for (int progressive = 0; progressive < 2; progressive++) {
        kind k = rgb;
        k.progressive = progressive;
        unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 40, 24, &size);
        for (size_t at = 0; at < size; at++)
            for (int bit = 0; bit < 8; bit += 3) {
                jpeg[at] ^= (unsigned char)(1 << bit);
                if (!peft_image_load_memory(io_ctx, jpeg, size, "max_side=4096", &back)) peft_image_free(back);
                jpeg[at] ^= (unsigned char)(1 << bit);
            }
        free(jpeg);
    }
    peft_image_free(im);
}
END_TEST

/* A copy with n bytes put in at a place. */
static unsigned char *with_bytes(const unsigned char *jpeg, size_t size, size_t at, const void *bytes, size_t n)
{
    unsigned char *copy = malloc(size + n);
    memcpy(copy, jpeg, at);
    memcpy(copy + at, bytes, n);
    memcpy(copy + at + n, jpeg + at, size - at);
    return copy;
}

static size_t find_marker(const unsigned char *jpeg, size_t size, int marker)
{
    for (size_t at = 2; at + 1 < size; at++)
        if (jpeg[at] == 0xff && jpeg[at + 1] == marker) return at;
    ck_abort_msg("no marker");
    return 0;
}

/* What leaves the pixels as they were: bytes among the headers, another revision of JFIF, zeros before the end. */
START_TEST(harmless)
{
    size_t size;
    peft_image *im = picture(40, 24, 3, 8, 5), *back = NULL, *whole;
    kind k = rgb;
    k.restart = 2;
    unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 40, 24, &size);
    whole = load(jpeg, size);
    const struct { size_t at; const char *bytes; size_t n; const char *fails; } row[] = {
        { find_marker(jpeg, size, 0xdb), "junk", 4, NULL }, { find_marker(jpeg, size, 0xda), "\0\0\1", 3, NULL },
        { size - 2, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, NULL }, { size - 2, "\xff\xff", 2, NULL },
        { size, "anything behind the end", 20, NULL },
        { size - 2, "more data than decoded", 22, "extraneous" },              /* libjpeg reads 8 bytes ahead */
        { find_marker(jpeg, size, 0xd0), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, "extraneous" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        unsigned char *other = with_bytes(jpeg, size, row[i].at, row[i].bytes, row[i].n);
        if (row[i].fails) {
            fails(PEFT_E_FORMAT, row[i].fails, peft_image_load_memory(io_ctx, other, size + row[i].n, NULL, &back));
        } else {
            back = load(other, size + row[i].n);
            same_image(whole, back);
            peft_image_free(back);
        }
        free(other);
    }
    ck_assert_mem_eq(jpeg + 6, "JFIF", 4);
    jpeg[11] = 2;                                             /* its major revision */
    back = load(jpeg, size);
    same_image(whole, back);
    peft_image_free(back);
    free(jpeg);
    peft_image_free(whole);
    peft_image_free(im);
}
END_TEST

/* Writes the size into the frame's header. */
static void set_size(unsigned char *jpeg, size_t size, int marker, int width, int height)
{
    unsigned char *p = jpeg + find_marker(jpeg, size, marker) + 5;
    p[0] = (unsigned char)(height >> 8), p[1] = (unsigned char)height;
    p[2] = (unsigned char)(width >> 8), p[3] = (unsigned char)width;
}

/* Small files that announce large pictures take no memory for them; coefficients count too. */
START_TEST(announced_sizes)
{
    size_t size;
    peft_image *im = picture(16, 16, 3, 8, 5), *back = NULL;
    for (int progressive = 0; progressive < 2; progressive++) {
        kind k = rgb;
        k.progressive = progressive;
        unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 16, 16, &size);
        set_size(jpeg, size, progressive ? 0xc2 : 0xc0, 16000, 16000);
        fails(PEFT_E_FORMAT, "cannot hold", peft_image_load_memory(io_ctx, jpeg, size, NULL, &back));
        set_size(jpeg, size, progressive ? 0xc2 : 0xc0, 16, 17);
        ck_assert_int_ne(peft_image_load_memory(io_ctx, jpeg, size, NULL, &back), PEFT_OK);
        free(jpeg);
    }
    kind k = rgb;
    k.progressive = k.arithmetic = true;
    unsigned char *jpeg = jpeg_of(&k, peft_image_pixels(im), 16, 16, &size);
    set_size(jpeg, size, 0xca, 16000, 16000);
    fails(PEFT_E_UNSUPPORTED, "max_bytes", peft_image_load_memory(io_ctx, jpeg, size, NULL, &back));
    free(jpeg);
    peft_image_free(im);
    im = picture(200, 200, 3, 8, 5);
    k.arithmetic = false;
    jpeg = jpeg_of(&k, peft_image_pixels(im), 200, 200, &size);
    fails(PEFT_E_UNSUPPORTED, "several scans", peft_image_load_memory(io_ctx, jpeg, size, "max_bytes=200000", &back));
    ok(peft_image_load_memory(io_ctx, jpeg, size, "max_bytes=500000", &back));
    peft_image_free(back);
    free(jpeg);
    peft_image_free(im);
    struct rusage used;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &used), 0);
    ck_assert_int_lt(used.ru_maxrss, 400 * 1024);             /* KiB */
}
END_TEST

/* Frames that are not read are named, with what helps. */
START_TEST(other_processes)
{
    size_t size;
    peft_image *im = picture(16, 16, 1, 8, 5), *back = NULL;
    unsigned char *jpeg = jpeg_of(&grey, peft_image_pixels(im), 16, 16, &size);
    size_t frame = find_marker(jpeg, size, 0xc0);
    jpeg[frame + 1] = 0xc3;
    fails(PEFT_E_UNSUPPORTED, "lossless", peft_image_load_memory(io_ctx, jpeg, size, NULL, &back));
    jpeg[frame + 1] = 0xc1;
    jpeg[frame + 4] = 12;
    fails(PEFT_E_UNSUPPORTED, "16-bit PNG", peft_image_load_memory(io_ctx, jpeg, size, NULL, &back));
    free(jpeg);
    peft_image_free(im);
}
END_TEST

IO_SUITE_MAIN("jpeg", colours, samplings, cut, changed, harmless, announced_sizes, other_processes)
