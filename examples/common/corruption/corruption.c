/* SPDX-License-Identifier: Apache-2.0
 * corruption.c -- the table of corruptions and their functions on planes of doubles (corruption.h). */
#include "corruption.h"
#include "common/program/errors.h"
#include "convolve.h"
#include "random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A picture as planes [channels][height][width] of samples from 0 to 1, with scratch memory for one plane. */
typedef struct planes { int64_t width, height, channels; double *x, *scratch; stream noise; } planes;

static void gaussian_noise(planes *p, double s)
{
    double pair[2];
    const int64_t n = p->width * p->height * p->channels;
    for (int64_t i = 0; i < n; i++) {
        if (i % 2 == 0) next_normals(&p->noise, pair);
        p->x[i] += s * pair[i % 2];
    }
}

static int64_t shorter_side(const planes *p) { return p->width < p->height ? p->width : p->height; }

static void gaussian_blur(planes *p, double s)
{
    double across[MAX_RADIUS + 1], down[MAX_RADIUS + 1], *const kernel[2] = { across, down };
    const double sigma = s * (double)shorter_side(p) / 32;
    const int64_t radius[2] = { gaussian_half(sigma, p->width, across), gaussian_half(sigma, p->height, down) };
    for (int k = 0; k < 2; k++) {
        double sum = 0;
        for (int64_t i = 0; i <= radius[k]; i++) sum += (i ? 2 : 1) * kernel[k][i];
        for (int64_t i = 0; i <= radius[k]; i++) kernel[k][i] /= sum;
    }
    for (int64_t c = 0; c < p->channels; c++) {
        double *plane = p->x + c * p->width * p->height;
        for (int64_t y = 0; y < p->height; y++)
            convolve_line(across, radius[0], plane + y * p->width, p->width, 1, p->scratch + y * p->width);
        for (int64_t x = 0; x < p->width; x++)
            convolve_line(down, radius[1], p->scratch + x, p->height, p->width, plane + x);
    }
}

static void contrast(planes *p, double s)
{
    const int64_t n = p->width * p->height * p->channels;
    double mean = 0;
    for (int64_t i = 0; i < n; i++) mean += p->x[i];
    mean /= (double)n;
    for (int64_t i = 0; i < n; i++) p->x[i] = mean + s * (p->x[i] - mean);
}

static void brightness(planes *p, double s)
{
    for (int64_t i = 0; i < p->width * p->height * p->channels; i++) p->x[i] += s;
}

/* The first pixel of part `i` of a side of n pixels that is cut into `parts` parts, as equal as possible. */
static int64_t part_begin(int64_t i, int64_t n, int64_t parts) { return i * n / parts; }

static int64_t parts_of(int64_t side, double s)
{
    const int64_t parts = (int64_t)(s * (double)side + 0.5);
    return parts < 1 ? 1 : parts;
}

/* Replaces the pixels of the box x0 .. x1 - 1, y0 .. y1 - 1 of a plane by their mean. */
static void flatten_box(double *plane, int64_t width, int64_t x0, int64_t x1, int64_t y0, int64_t y1)
{
    double sum = 0;
    for (int64_t y = y0; y < y1; y++) for (int64_t x = x0; x < x1; x++) sum += plane[y * width + x];
    const double mean = sum / (double)((x1 - x0) * (y1 - y0));
    for (int64_t y = y0; y < y1; y++) for (int64_t x = x0; x < x1; x++) plane[y * width + x] = mean;
}

static void pixelate(planes *p, double s)
{
    const int64_t columns = parts_of(p->width, s), rows = parts_of(p->height, s);
    for (int64_t i = 0; i < p->channels * rows * columns; i++) {
        const int64_t column = i % columns, row = i / columns % rows;
        flatten_box(p->x + i / (columns * rows) * p->width * p->height, p->width,
                    part_begin(column, p->width, columns), part_begin(column + 1, p->width, columns),
                    part_begin(row, p->height, rows), part_begin(row + 1, p->height, rows));
    }
}

static const struct { void (*apply)(planes *p, double s); double strength[CORRUPTION_STRENGTHS]; } rows[CORRUPTIONS] = {
    { gaussian_noise, { 0.04, 0.08, 0.12 } }, { gaussian_blur, { 0.6, 0.9, 1.2 } }, { contrast, { 0.75, 0.6, 0.45 } },
    { brightness, { 0.15, 0.3, 0.45 } }, { pixelate, { 0.7, 0.55, 0.4 } } };
const char *const corruption_name[CORRUPTIONS] = {
    "gaussian_noise", "gaussian_blur", "contrast", "brightness", "pixelate" };

void parse_corruption(const char *text, const char *option, int *corruption, int *strength)
{
    *corruption = *strength = 0;
    if (!strcmp(text, "none")) return;
    for (int i = 0; i < CORRUPTIONS; i++) {
        const size_t length = strlen(corruption_name[i]);
        if (strncmp(text, corruption_name[i], length) || text[length] != ':') continue;
        *corruption = i;
        *strength = text[length + 1] - '0';
        if (*strength >= 1 && *strength <= CORRUPTION_STRENGTHS && !text[length + 2]) return;
    }
    fail("--%s: given '%s', expected none or NAME:STRENGTH, where NAME is gaussian_noise, gaussian_blur, contrast, "
         "brightness or pixelate and STRENGTH is 1, 2 or 3", option, text);
}

static double sample_at(const peft_image *im, int64_t i)
{
    const void *pixels = peft_image_pixels(im);
    const int depth = peft_image_depth(im);
    if (depth == 8) return ((const uint8_t *)pixels)[i] / 255.0;
    return depth == 16 ? ((const uint16_t *)pixels)[i] / 65535.0 : (double)((const float *)pixels)[i];
}

static void put_sample(void *pixels, int depth, int64_t i, double v)
{
    v = v < 0 ? 0 : v > 1 ? 1 : v;
    if (depth == 8) ((uint8_t *)pixels)[i] = (uint8_t)(v * 255 + 0.5);
    else if (depth == 16) ((uint16_t *)pixels)[i] = (uint16_t)(v * 65535 + 0.5);
    else ((float *)pixels)[i] = (float)v;
}

peft_image *corrupt_image(peft_context *ctx, const peft_image *im, int corruption, int strength, uint64_t seed,
                          int64_t sample)
{
    const int depth = peft_image_depth(im), channels = peft_image_channels(im), rows_without_gaps = 0;
    planes p = { peft_image_width(im), peft_image_height(im), channels, NULL, NULL,
                 make_stream(corruption, seed, strength, sample) };
    const int64_t area = p.width * p.height, n = area * channels;
    if (depth == PEFT_SIGNED_16)
        fail("corruptions are for pictures of unsigned samples or of floats from 0 to 1, not for signed samples");
    p.x = check_alloc(malloc((size_t)(n + area) * sizeof *p.x));
    p.scratch = p.x + n;
    for (int64_t i = 0; i < n; i++) p.x[i % channels * area + i / channels] = sample_at(im, i);
    rows[corruption].apply(&p, rows[corruption].strength[strength - 1]);

    void *pixels = check_alloc(malloc((size_t)n * sizeof(float)));
    for (int64_t i = 0; i < n; i++) put_sample(pixels, depth, i, p.x[i % channels * area + i / channels]);
    peft_image *out;
    must(peft_image_from_buffer(ctx, pixels, p.width, p.height, channels, depth, rows_without_gaps, &out));
    free(pixels);
    free(p.x);
    return out;
}
