/* SPDX-License-Identifier: Apache-2.0
 * test_corruption.c -- the corruptions of the example programs (examples/common/corruption): closed forms, growth with
 * the strength, determinism, element types. */
/* The programs' files come first: check.h defines a macro of the name of their function fail. */
#include "common/corruption/convolve.c"
#include "common/corruption/corruption.c"
#include "common/corruption/random.c"
#include "common/program/errors.c"
#include "io_files.h"
#include <peft/image.h>

enum { WIDE = 40, HIGH = 32, COLOURS = 3, SAMPLES = WIDE * HIGH * COLOURS };
enum { NOISE, BLUR, CONTRAST, BRIGHTNESS, PIXELATE };         /* rows of corruption_name */

static peft_image *image_of(const uint8_t *pixels)
{
    peft_image *im;
    ok(peft_image_from_buffer(io_ctx, pixels, WIDE, HIGH, COLOURS, 8, 0, &im));
    return im;
}

static void fill(uint8_t *pixels) { for (int i = 0; i < SAMPLES; i++) pixels[i] = (uint8_t)(60 + i * 37 % 120); }

/* Corrupts pixels into out. */
static void corrupt(const uint8_t *pixels, int corruption, int strength, uint64_t seed, int64_t sample, uint8_t *out)
{
    peft_image *im = image_of(pixels), *changed = corrupt_image(io_ctx, im, corruption, strength, seed, sample);
    ck_assert_int_eq(peft_image_width(changed), WIDE);
    ck_assert_int_eq(peft_image_height(changed), HIGH);
    memcpy(out, peft_image_pixels(changed), SAMPLES);
    peft_image_free(im);
    peft_image_free(changed);
}

static double difference(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;
    for (int i = 0; i < SAMPLES; i++) sum += abs(a[i] - b[i]);
    return sum / SAMPLES;
}

START_TEST(strengths_grow_and_only_noise_is_random)
{
    uint8_t pixels[SAMPLES], out[SAMPLES], again[SAMPLES];
    fill(pixels);
    for (int c = 0; c < CORRUPTIONS; c++) {
        double last = 0;
        for (int s = 1; s <= CORRUPTION_STRENGTHS; s++) {
            corrupt(pixels, c, s, 1, 7, out);
            ck_assert_msg(difference(pixels, out) > last, "%s:%d changes the picture by %g, the weaker one by %g",
                          corruption_name[c], s, difference(pixels, out), last);
            last = difference(pixels, out);
            corrupt(pixels, c, s, 1, 7, again);
            ck_assert_mem_eq(out, again, SAMPLES);
            corrupt(pixels, c, s, 2, 7, again);
            ck_assert(!memcmp(out, again, SAMPLES) == (c != NOISE));
            corrupt(pixels, c, s, 1, 8, again);
            ck_assert(!memcmp(out, again, SAMPLES) == (c != NOISE));
        }
    }
}
END_TEST

START_TEST(corruptions_follow_their_formulas)
{
    uint8_t pixels[SAMPLES], out[SAMPLES];
    double mean = 0, sum = 0, squares = 0;
    fill(pixels);
    corrupt(pixels, BRIGHTNESS, 1, 1, 0, out);                /* 0.15 * 255 = 38.25 */
    for (int i = 0; i < SAMPLES; i++) ck_assert_int_eq(out[i], pixels[i] + 38);
    for (int i = 0; i < SAMPLES; i++) mean += pixels[i] / (double)SAMPLES;
    corrupt(pixels, CONTRAST, 1, 1, 0, out);
    for (int i = 0; i < SAMPLES; i++) ck_assert_double_le(fabs(out[i] - (mean + 0.75 * (pixels[i] - mean))), 0.51);
    corrupt(pixels, NOISE, 2, 1, 0, out);
    for (int i = 0; i < SAMPLES; i++) {
        sum += out[i] - pixels[i];
        squares += (out[i] - pixels[i]) * (out[i] - pixels[i]);
    }
    ck_assert_double_le(fabs(sum / SAMPLES), 4);
    ck_assert_double_eq_tol(sqrt(squares / SAMPLES), 0.08 * 255, 3);
    corrupt(pixels, PIXELATE, 3, 1, 0, out);                  /* 0.4: 16 x 13 parts; the first is 2 x 2 pixels */
    for (int c = 0; c < COLOURS; c++) {
        const double box = (pixels[c] + pixels[COLOURS + c] + pixels[WIDE * COLOURS + c]
                            + pixels[(WIDE + 1) * COLOURS + c]) / 4.0;
        ck_assert_double_le(fabs(out[c] - box), 0.51);
        ck_assert_int_eq(out[c], out[(WIDE + 1) * COLOURS + c]);
    }
}
END_TEST

/* Blur, contrast and pixelate change nothing in a picture of one colour; blur keeps the mean of one pixel's colour. */
START_TEST(pictures_of_one_colour)
{
    uint8_t pixels[SAMPLES], out[SAMPLES];
    memset(pixels, 90, sizeof pixels);
    for (int c = BLUR; c <= PIXELATE; c++) {
        if (c == BRIGHTNESS) continue;
        corrupt(pixels, c, 3, 1, 0, out);
        ck_assert_msg(!memcmp(pixels, out, SAMPLES), "%s changes a picture of one colour", corruption_name[c]);
    }
    memset(pixels, 255, sizeof pixels);
    corrupt(pixels, BRIGHTNESS, 1, 1, 0, out);
    ck_assert_mem_eq(pixels, out, SAMPLES);
}
END_TEST

/* The same picture in 16 bits and in floats gives the same result to half a step of 8 bits. */
START_TEST(element_types_agree)
{
    uint8_t pixels[SAMPLES], out[SAMPLES];
    uint16_t wide[SAMPLES];
    float real[SAMPLES];
    fill(pixels);
    for (int i = 0; i < SAMPLES; i++) {
        wide[i] = (uint16_t)(pixels[i] * 257);
        real[i] = (float)pixels[i] / 255;
    }
    for (int c = 0; c < CORRUPTIONS; c++) {
        peft_image *deep, *floats;
        ok(peft_image_from_buffer(io_ctx, wide, WIDE, HIGH, COLOURS, 16, 0, &deep));
        ok(peft_image_from_buffer(io_ctx, real, WIDE, HIGH, COLOURS, PEFT_FLOAT_32, 0, &floats));
        corrupt(pixels, c, 2, 3, 0, out);
        peft_image *a = corrupt_image(io_ctx, deep, c, 2, 3, 0), *b = corrupt_image(io_ctx, floats, c, 2, 3, 0);
        for (int i = 0; i < SAMPLES; i++) {
            ck_assert_double_le(fabs(((const uint16_t *)peft_image_pixels(a))[i] / 257.0 - out[i]), 0.51);
            ck_assert_double_le(fabs(((const float *)peft_image_pixels(b))[i] * 255.0 - out[i]), 0.51);
        }
        peft_image_free(a);
        peft_image_free(b);
        peft_image_free(deep);
        peft_image_free(floats);
    }
}
END_TEST

START_TEST(names_are_read)
{
    int corruption, strength;
    parse_corruption("pixelate:3", "corrupt", &corruption, &strength);
    ck_assert_int_eq(corruption, PIXELATE);
    ck_assert_int_eq(strength, 3);
    parse_corruption("none", "corrupt", &corruption, &strength);
    ck_assert_int_eq(strength, 0);
}
END_TEST

IO_SUITE_MAIN("corruption", strengths_grow_and_only_noise_is_random, corruptions_follow_their_formulas,
           pictures_of_one_colour, element_types_agree, names_are_read)
