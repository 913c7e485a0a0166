/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_elements.c -- DICOM files whose elements are missing, are no numbers or contradict each other: each is
 * refused, and the message names the element and what it holds. */
#include "dicom_files.h"
#include "io/image/image.h"

static const uint16_t ramp[13] = { 0, 1, 40, 500, 1000, 1023, 1024, 1025, 2000, 3000, 4094, 4095 };
#define CT .rows = 3, .columns = 4, .allocated = 16, .stored = 12, .pixels = ramp, .size = 24
#define RGB .rows = 2, .columns = 2, .channels = 3, .allocated = 8, .stored = 8, .pixels = ramp, .size = 12

enum { HIGH_BIT = 0x00280102, REPRESENTATION = 0x00280103, PLANAR = 0x00280006 };

/* Where the element of two bytes is in a file in explicit little endian. */
static unsigned char *find_short(dicom *d, uint32_t tag)
{
    const unsigned char head[8] = { (unsigned char)(tag >> 16), (unsigned char)(tag >> 24), (unsigned char)tag,
                                    (unsigned char)(tag >> 8), 'U', 'S', 2, 0 };
    for (size_t i = 0; i + 10 <= d->size; i++)
        if (!memcmp(d->data + i, head, sizeof head)) return d->data + i;
    ck_abort_msg("no element %08x", (unsigned)tag);
    return NULL;
}

/* Loads the scan with this value of an element of two bytes; -1: without the element. */
static peft_status load_with(const scan *s, uint32_t tag, int value, peft_image **out)
{
    static dicom d;
    make_dicom(&d, s);
    unsigned char *at = find_short(&d, tag);
    if (value < 0) {
        d.size -= 10;
        memmove(at, at + 10, d.size - (size_t)(at - d.data));
    } else at[8] = (unsigned char)value;
    return peft_image_load_memory(io_ctx, d.data, d.size, NULL, out);
}

static void broken(const char *words, const scan *s) { refused(PEFT_E_FORMAT, words, s, NULL); }

START_TEST(numbers_that_integer_pixels_need)
{
    static const struct { scan s; uint32_t tag; int value; const char *words; } rows[] = {
        { { RGB, .photometric = "RGB" }, PLANAR, -1, "Planar Configuration (0028,0006) is missing" },
        { { RGB, .photometric = "RGB" }, PLANAR, 2, "Planar Configuration (0028,0006) is 2; expected 0 or 1" },
        { { RGB, .photometric = "YBR_FULL" }, PLANAR, -1, "Planar Configuration (0028,0006) is missing" },
        { { CT }, REPRESENTATION, -1, "Pixel Representation (0028,0103) is missing" },
        { { CT }, REPRESENTATION, 2, "Pixel Representation (0028,0103) is 2; expected 0 or 1" },
        { { CT }, HIGH_BIT, -1, "High Bit (0028,0102) is missing" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_image *im = NULL;
        fails(PEFT_E_FORMAT, rows[i].words, load_with(&rows[i].s, rows[i].tag, rows[i].value, &im));
        ck_assert_ptr_null(im);
    }
    for (int planar = 0; planar < 2; planar++) {
        peft_image *im = NULL;
        ok(load_with(&(scan){ RGB, .photometric = "RGB" }, PLANAR, planar, &im));
        peft_image_free(im);
    }
}
END_TEST

/* Bits, rows or columns that are too small for the pixels, and YBR_FULL_422 with the chroma of each pixel. */
START_TEST(pixels_that_are_too_long)
{
    broken("(7fe0,0010) has 24 bytes of pixels; expected 12", &(scan){ .rows = 3, .columns = 4, .allocated = 8,
                                                                       .stored = 8,
            .pixels = ramp, .size = 24 });
    broken("has 24 bytes of pixels; expected 16", &(scan){ .rows = 2, .columns = 4, .allocated = 16, .stored = 12,
            .pixels = ramp, .size = 24 });
    broken("has 24 bytes of pixels; expected 18", &(scan){ .rows = 3, .columns = 3, .allocated = 16, .stored = 12,
            .pixels = ramp, .size = 24 });
    broken("has 12 bytes of pixels; expected 6 for 1 frames", &(scan){ .rows = 1, .columns = 2, .channels = 3,
            .photometric = "RGB", .allocated = 8, .stored = 8, .pixels = ramp, .size = 12 });
    broken("has 12 bytes of pixels; expected 8", &(scan){ RGB, .photometric = "YBR_FULL_422" });
    broken("has 24 bytes of pixels; expected 12", &(scan){ .rows = 3, .columns = 2, .allocated = 16, .stored = 12,
            .frames = "1", .pixels = ramp, .size = 24 });
}
END_TEST

/* Less than a row, zeros as long as a row, and the byte that makes a length even. */
START_TEST(padding_is_accepted)
{
    static const uint16_t zeros_behind[12] = { 9, 9, 9, 9, 9, 9, 9, 9 };
    const scan scans[] = { { .rows = 2, .columns = 4, .allocated = 16, .stored = 12, .pixels = zeros_behind,
                             .size = 24 },
                           { .rows = 3, .columns = 4, .allocated = 16, .stored = 12, .pixels = ramp, .size = 26 },
                           { .rows = 1, .columns = 1, .allocated = 8, .stored = 8, .pixels = ramp, .size = 1 },
                           { .rows = 3, .columns = 1, .allocated = 1, .stored = 1, .pixels = ramp, .size = 1 } };
    for (size_t i = 0; i < sizeof scans / sizeof *scans; i++) peft_image_free(load_scan(&scans[i], NULL));
}
END_TEST

START_TEST(texts_that_are_no_numbers)
{
    static const char *const decimals[] = { "abc", "2\\3", "0,5", "1x", "0x10", ".", "1e", "--1", "" };
    char words[80];
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
        snprintf(words, sizeof words, "Rescale Slope (0028,1053) is '%s'", decimals[i]);
        broken(words, &(scan){ CT, .slope = decimals[i], .intercept = "0" });
        snprintf(words, sizeof words, "Rescale Intercept (0028,1052) is '%s'", decimals[i]);
        broken(words, &(scan){ CT, .slope = "1", .intercept = decimals[i] });
    }
    static const char *const frames[] = { "1x", "-1", "one", "1\\2", "9223372036854775808" };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        snprintf(words, sizeof words, "(0028,0008) is '%s'", frames[i]);
        broken(words, &(scan){ CT, .frames = frames[i] });
    }
}
END_TEST

/* Numbers in every form that DICOM has for them; one of slope and intercept alone is not used, as in pydicom. */
START_TEST(texts_that_are_numbers)
{
    static const char *const twos[] = { "2", " 2 ", "+2", "2.", "2.0E0", "0.2e+1", "20e-1" };
    for (size_t i = 0; i < sizeof twos / sizeof *twos; i++) {
        peft_image *im = load_scan(&(scan){ CT, .slope = twos[i], .intercept = "-.5" }, "window=none");
        ck_assert_msg(im->slope == 2 && im->intercept == -0.5, "'%s': %g, %g", twos[i], im->slope, im->intercept);
        peft_image_free(im);
    }
    static const char *const ones[] = { "", "0", "1", " 1 ", "+1", "01" };
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
        peft_image_free(load_scan(&(scan){ CT, .frames = ones[i] }, NULL));
    peft_image *im = load_scan(&(scan){ CT, .slope = "2" }, NULL);
    ck_assert(im->slope == 1);
    peft_image_free(im);
}
END_TEST

/* A window that is not chosen may be broken. */
START_TEST(windows_that_are_no_numbers)
{
    const scan centre = { CT, .centre = "abc", .width = "10" }, width = { CT, .centre = "10", .width = "1,5" };
    const scan second = { CT, .centre = "10\\x", .width = "10\\20", .names = "A\\B" };
    broken("Window Center (0028,1050) is 'abc'", &centre);
    broken("Window Width (0028,1051) is '1,5'", &width);
    broken("window=none", &width);
    peft_image_free(load_scan(&centre, "window=none"));
    peft_image_free(load_scan(&second, NULL));
    refused(PEFT_E_FORMAT, "Window Center (0028,1050) is 'x'", &second, "window=B");
    broken("here: LINEAR, as the file names none", &(scan){ CT, .centre = "1", .width = "0" });
    broken("here: SIGMOID)", &(scan){ CT, .centre = "1", .width = "0", .function = "SIGMOID" });
}
END_TEST

/* A file of `frames` frames, each with its position in its functional group, and the spacing in that of all frames. */
static peft_image *frames_at(const char *const *position, int frames, int slice)
{
    static const unsigned char pixels[64];
    static dicom d;
    char text[20];
    peft_image *im;
    begin(&d, EXPLICIT_LITTLE);
    put_short(&d, 0x00280002, 1);
    put_text(&d, 0x00280004, "CS", "MONOCHROME2");
    snprintf(text, sizeof text, "%d", frames);
    put_text(&d, 0x00280008, "IS", text);
    put_short(&d, 0x00280010, 2), put_short(&d, 0x00280011, 3);
    put_short(&d, 0x00280100, 8), put_short(&d, 0x00280101, 8);
    put_short(&d, 0x00280102, 7), put_short(&d, 0x00280103, 0);
    put_tag(&d, 0x52009229, "SQ", 0xffffffff);
    put_delimiter(&d, 0xe000, 0xffffffff);
    put_tag(&d, 0x00209116, "SQ", 0xffffffff);
    put_delimiter(&d, 0xe000, 0xffffffff);
    put_text(&d, 0x00200037, "DS", "1\\0\\0\\0\\1\\0");
    put_delimiter(&d, 0xe00d, 0), put_delimiter(&d, 0xe0dd, 0);
    put_tag(&d, 0x00289110, "SQ", 0xffffffff);
    put_delimiter(&d, 0xe000, 0xffffffff);
    put_text(&d, 0x00280030, "DS", "0.75\\0.5");
    put_delimiter(&d, 0xe00d, 0), put_delimiter(&d, 0xe0dd, 0);
    put_delimiter(&d, 0xe00d, 0), put_delimiter(&d, 0xe0dd, 0);
    put_tag(&d, 0x52009230, "SQ", 0xffffffff);
    for (int i = 0; i < frames; i++) {
        put_delimiter(&d, 0xe000, 0xffffffff);
        put_tag(&d, 0x00209113, "SQ", 0xffffffff);
        put_delimiter(&d, 0xe000, 0xffffffff);
        put_text(&d, 0x00200032, "DS", position[i]);
        put_delimiter(&d, 0xe00d, 0), put_delimiter(&d, 0xe0dd, 0);
        put_delimiter(&d, 0xe00d, 0);
    }
    put_delimiter(&d, 0xe0dd, 0);
    put(&d, 0x7fe00010, "OB", pixels, (size_t)(6 * frames));
    snprintf(text, sizeof text, "slice=%d", slice);
    ok(peft_image_load_memory(io_ctx, d.data, d.size, text, &im));
    return im;
}

static void spacing_is(peft_image *im, double slices, double rows, double columns)
{
    double mm[3];
    peft_image_spacing(im, mm);
    ck_assert_msg(fabs(mm[0] - slices) < 1e-9 && fabs(mm[1] - rows) < 1e-9 && fabs(mm[2] - columns) < 1e-9,
                  "%g %g %g, expected %g %g %g", mm[0], mm[1], mm[2], slices, rows, columns);
    peft_image_free(im);
}

/* Frames at equal distances along their normal are a volume; others, moved in their plane or back, are none. */
START_TEST(spacing_of_frames)
{
    static const char *const even[] = { "-10\\20\\5", "-10\\20\\2.5", "-10\\20\\0" };
    static const char *const gap[] = { "0\\0\\0", "0\\0\\2.5", "0\\0\\7.5" };
    static const char *const back[] = { "0\\0\\0", "0\\0\\2.5", "0\\0\\0" };
    static const char *const oblique[] = { "0\\0\\0", "0\\1\\2.5", "0\\2\\5" };
    static const char *const still[] = { "0\\0\\0", "0\\0\\0", "0\\0\\0" };
    for (int i = 0; i < 3; i++) spacing_is(frames_at(even, 3, i), 2.5, 0.75, 0.5);
    spacing_is(frames_at(gap, 3, 1), 0, 0.75, 0.5);
    spacing_is(frames_at(back, 3, 1), 0, 0.75, 0.5);
    spacing_is(frames_at(oblique, 3, 1), 0, 0.75, 0.5);
    spacing_is(frames_at(still, 3, 1), 0, 0.75, 0.5);
    spacing_is(frames_at(even, 1, 0), 0, 0.75, 0.5);
}
END_TEST

/* Pixel Spacing of the data set, between rows and between columns; texts that are no pair of lengths state none. */
START_TEST(spacing_of_pictures)
{
    static const struct { const char *text; double rows, columns; } row[] = {
        { "0.75\\0.5", 0.75, 0.5 }, { NULL, 0, 0 }, { "0.75", 0, 0 }, { "a\\b", 0, 0 }, { "0\\0.5", 0, 0.5 },
        { "-1\\0.5", 0, 0.5 } };
    static const unsigned char pixels[6];
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const scan s = { .rows = 2, .columns = 3, .allocated = 8, .stored = 8, .pixels = pixels, .size = 6,
                         .spacing = row[i].text };
        spacing_is(load_scan(&s, NULL), 0, row[i].rows, row[i].columns);
    }
}
END_TEST

IO_SUITE_MAIN("dicom_elements", numbers_that_integer_pixels_need, pixels_that_are_too_long, padding_is_accepted,
              texts_that_are_no_numbers, texts_that_are_numbers, windows_that_are_no_numbers, spacing_of_frames,
              spacing_of_pictures)
