/* SPDX-License-Identifier: Apache-2.0
 * test_image_formats.c -- what holds for every image format of formats.def, checked with one small file of each: it is
 * recognised by one probe, read, refused when cut, and bound by the limits. A new format needs a sample here. */
#include "io_files.h"
#include "io/format/formats.h"

typedef struct sample {
    const char *row;                                          /* of formats.def */
    const char *word;                                         /* at the beginning of messages about broken files */
    const char *file;
    size_t size;
    size_t spare;                                             /* bytes at the end that no pixel needs */
    int width, height, channels;
    const char *pixels;                                       /* 8-bit */
} sample;

#define FILE_OF(text) text, sizeof(text) - 1
#define EIGHT(c) c c c c c c c c
#define ZEROS_4 "\0\0\0\0"
#define ZEROS_5 ZEROS_4 "\0"
#define ZEROS_8 ZEROS_4 ZEROS_4
#define ZEROS(n) ZEROS_##n
#define TAG(number, value) number "\3\0\1\0\0\0" value "\0\0\0"          /* of TIFF: one number of 16 bits */

/* The JPEG has two blocks without AC coefficients. Its Huffman codes have one bit each: one for DC differences of 6
 * bits, one for the end of a block. Quantisation steps are 8, so the DC coefficients 50 and 0 give the values 128 + 50
 * and 128. */
static const sample samples[] = {
    { "png", "PNG",
      FILE_OF("\211PNG\r\n\032\n" "\0\0\0\rIHDR\0\0\0\2\0\0\0\2\10\0\0\0\0W\335R\370"
              "\0\0\0\021IDATx\1\1\6\0\371\377\0\7\377\0d\1\4\356\001lBp`\302" "\0\0\0\0IEND\256B`\202"), 12,
      2, 2, 1, "\7\377d\1" },
    { "jpeg", "JPEG",
      FILE_OF("\377\330" "\377\333\0C\0" EIGHT(EIGHT("\10")) "\377\300\0\13\10\0\10\0\20\1\1\021\0"
              "\377\304\0\24\0\1" "\0\0\0\0\0\0\0" EIGHT("\0") "\6"
              "\377\304\0\24\20\1" "\0\0\0\0\0\0\0" EIGHT("\0") "\0"
              "\377\332\0\10\1\1\0\0?\0" "d\032" "\377\331"), 2,
      16, 8, 1, EIGHT(EIGHT("\262") EIGHT("\200")) },
    { "pnm", "PNM", FILE_OF("P6\n# two\n2 1\n255\n\1\2\3\375\376\377"), 0, 2, 1, 3, "\1\2\3\375\376\377" },
    { "npy", "NumPy",
      FILE_OF("\223NUMPY\1\0F\0" "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }          \n"
              "\0\1\2\375\376\377"), 0,
      3, 2, 1, "\0\1\2\375\376\377" },
    { "dicom", "DICOM",
      FILE_OF(EIGHT(EIGHT("\0")) EIGHT(EIGHT("\0")) "DICM" "\2\0\0\0UL\4\0\34\0\0\0"
              "\2\0\20\0UI\24\0" "1.2.840.10008.1.2.1\0" "\50\0\2\0US\2\0\1\0" "\50\0\4\0CS\14\0MONOCHROME2 "
              "\50\0\20\0US\2\0\1\0" "\50\0\21\0US\2\0\2\0" "\50\0\0\1US\2\0\10\0" "\50\0\1\1US\2\0\10\0"
              "\50\0\2\1US\2\0\7\0" "\50\0\3\1US\2\0\0\0" "\340\177\20\0OB\0\0\2\0\0\0\7\376"), 0,
      2, 1, 1, "\7\376" },
    { "nifti", "NIfTI",
      FILE_OF("\134\1\0\0" ZEROS(4) EIGHT(ZEROS(4)) "\2\0\3\0\2\0" ZEROS(8) ZEROS(8) ZEROS(8) "\2\0\10\0"
              EIGHT(ZEROS(4)) "\0\0\0\0\260C" EIGHT(EIGHT("\0\0\0")) EIGHT(ZEROS(5)) "n+1\0" ZEROS(4)
              "\0\1\2\375\376\377"), 0,
      3, 2, 1, "\0\1\2\375\376\377" },
    { "bmp", "BMP",
      FILE_OF("BM\76\0\0\0\0\0\0\0\66\0\0\0" "\50\0\0\0\2\0\0\0\1\0\0\0\1\0\30\0" ZEROS(8) ZEROS(8) ZEROS(8)
              "\3\2\1\377\376\375\0\0"), 2,
      2, 1, 3, "\1\2\3\375\376\377" },
    { "webp", "WebP",
      FILE_OF("RIFF\32\0\0\0WEBPVP8L\15\0\0\0/\1\0\0\0\305\5\374\373\237\375\17\1\0"), 0,
      2, 1, 3, "\1\2\3\375\376\377" },
    { "tiff", "TIFF",
      FILE_OF("II*\0\10\0\0\0" "\10\0" TAG("\0\1", "\3") TAG("\1\1", "\2") TAG("\2\1", "\10") TAG("\6\1", "\1")
              TAG("\21\1", "\156") TAG("\25\1", "\1") TAG("\26\1", "\2") TAG("\27\1", "\6") ZEROS(4)
              "\0\1\2\375\376\377"), 0,
      3, 2, 1, "\0\1\2\375\376\377" },
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static const struct { const char *name; const io_format *format; } rows[] = {
#define IO_FORMAT(name) { #name, &io_format_##name },
#include "io/format/formats.def"
#undef IO_FORMAT
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Whether files of the row can be read: DICOM needs the plug-in. */
static bool can_be_read(int row)
{
#ifndef PEFT_HAS_DICOM
    if (!strcmp(rows[row].name, "dicom")) return printf("SKIP: DICOM, as libpeft-dicom is not built\n"), false;
#endif
    return row < ROWS;
}

/* The sample of rows[row]. */
static const sample *sample_of(int row)
{
    for (int i = 0; i < SAMPLES; i++)
        if (!strcmp(samples[i].row, rows[row].name)) return &samples[i];
    ck_abort_msg("%s: a format without a sample in test_image_formats.c", rows[row].name);
    return NULL;
}

/* Whether this build cannot read the format of the sample: then the error names the library that it needs. */
static bool is_refused(int row, const sample *s)
{
    peft_image *im;
    if (!rows[row].format->missing) return false;
    fails(PEFT_E_UNSUPPORTED, "(Debian: lib", peft_image_load_memory(io_ctx, s->file, s->size, NULL, &im));
    return true;
}

/* The image has the size and pixels of the sample. */
static void has_pixels(const sample *s, size_t size, const peft_image *im)
{
    ck_assert_msg(peft_image_width(im) == s->width && peft_image_height(im) == s->height &&
                  peft_image_channels(im) == s->channels && peft_image_depth(im) == 8,
                  "%s, %zu bytes: %lld x %lld x %d", s->row, size, (long long)peft_image_width(im),
                  (long long)peft_image_height(im), peft_image_channels(im));
    ck_assert_msg(!memcmp(peft_image_pixels(im), s->pixels, pixel_bytes(im)), "%s, %zu bytes: pixels differ", s->row,
                  size);
}

START_TEST(each_file_is_recognised_by_its_own_probe_only)
{
    for (int i = 0; i < ROWS; i++) {
        const sample *s = sample_of(i);
        const uint8_t *data = (const uint8_t *)s->file;
        for (int k = 0; k < ROWS; k++)
            ck_assert_msg(rows[k].format->probe(data, s->size) == (k == i),
                          "the probe of %s gives the wrong answer for the file of %s", rows[k].name, s->row);
        ck_assert_ptr_eq(io_format_of(data, s->size), rows[i].format);
    }
}
END_TEST

START_TEST(each_file_gives_its_pixels)
{
    for (int i = 0; i < ROWS; i++) {
        if (!can_be_read(i)) continue;
        const sample *s = sample_of(i);
        peft_image *im;
        if (is_refused(i, s)) continue;
        ok(peft_image_load_memory(io_ctx, s->file, s->size, NULL, &im));
        has_pixels(s, s->size, im);
        peft_image_free(im);
    }
}
END_TEST

/* The message names the format, unless so much is missing that none is recognised. */
START_TEST(each_cut_file_is_refused)
{
    for (int i = 0; i < ROWS; i++) {
        if (!can_be_read(i)) continue;
        const sample *s = sample_of(i);
        if (is_refused(i, s)) continue;
        for (size_t n = 0; n < s->size; n++) {
            uint8_t *part = malloc(n > 0 ? n : 1);                     /* exact size: sanitizers see reads beyond */
            peft_image *im = NULL;
            memcpy(part, s->file, n);
            if (n < s->size - s->spare) {
                const char *word = io_format_of(part, n) ? s->word : "image:";
                fails(PEFT_E_FORMAT, word, peft_image_load_memory(io_ctx, part, n, NULL, &im));
                ck_assert_msg(!im, "%s, %zu bytes: refused, but an image is returned", s->row, n);
            } else {
                ok(peft_image_load_memory(io_ctx, part, n, NULL, &im));
                has_pixels(s, n, im);
            }
            peft_image_free(im);
            free(part);
        }
    }
}
END_TEST

START_TEST(each_format_keeps_the_limits)
{
    for (int i = 0; i < ROWS; i++) {
        if (!can_be_read(i)) continue;
        const sample *s = sample_of(i);
        const int side = s->width > s->height ? s->width : s->height, bytes = s->width * s->height * s->channels;
        peft_image *im = NULL;
        char options[60];
        if (is_refused(i, s)) continue;
        snprintf(options, sizeof options, "max_side=%d max_bytes=%d", side, bytes);
        ok(peft_image_load_memory(io_ctx, s->file, s->size, options, &im));
        peft_image_free(im);
        snprintf(options, sizeof options, "max_side=%d", side - 1);
        fails(PEFT_E_UNSUPPORTED, "max_side", peft_image_load_memory(io_ctx, s->file, s->size, options, &im));
        snprintf(options, sizeof options, "max_bytes=%d", bytes - 1);
        fails(PEFT_E_UNSUPPORTED, "max_bytes", peft_image_load_memory(io_ctx, s->file, s->size, options, &im));
    }
}
END_TEST

/* Every ending of every format is accepted as an image's and is in the list that messages show. */
START_TEST(each_ending_is_that_of_an_image)
{
    char list[200];
    io_image_endings(list, sizeof list);
    ck_assert_msg(!strncmp(list, ".png, .jpg, ", 12), "%s", list);
    for (int i = 0; i < ROWS; i++)
        for (const char *ending = rows[i].format->endings; *ending;) {          /* such as "jpg|jpeg" */
            const int n = (int)strcspn(ending, "|");
            char name[40];
            snprintf(name, sizeof name, "a.%.*s", n, ending);
            ck_assert_msg(io_is_image_name(name), "%s is not accepted as an image", name);
            ck_assert_msg(strstr(list, name + 1) != NULL, "%s is not among %s", name + 1, list);
            ending += n + (ending[n] == '|');
        }
    char last[20];
    const char *of_row = rows[ROWS - 1].format->endings, *bar = strrchr(of_row, '|');
    snprintf(last, sizeof last, " or .%s", bar ? bar + 1 : of_row);
    ck_assert_msg(strlen(list) > strlen(last) && !strcmp(list + strlen(list) - strlen(last), last), "%s", list);
}
END_TEST

IO_SUITE_MAIN("image_formats", each_file_is_recognised_by_its_own_probe_only, each_file_gives_its_pixels,
              each_cut_file_is_refused, each_format_keeps_the_limits, each_ending_is_that_of_an_image)
