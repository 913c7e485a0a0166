/* SPDX-License-Identifier: Apache-2.0
 * phantom_scan.c -- simulates a B-mode scan of the tissue: speckle, receiver noise, logarithmic compression.
 *
 * The received field is a complex Gaussian random field (many scatterers of random phase), scaled by the tissue's echo
 * strength and convolved with the point spread function; the picture shows its magnitude. In uniform tissue this gives
 * fully developed speckle: Rayleigh distributed, with a ratio of mean to standard deviation of 1.91. As in spatial
 * compounding, the powers of two looks (simulated scans of the same tissue with independent scatterers) are averaged,
 * which reduces the speckle contrast.
 *   J. W. Goodman, Some fundamental properties of speckle, J. Opt. Soc. Am. 66 (1976) 1145-1150
 *   C. B. Burckhardt, Speckle in ultrasound B-mode scans, IEEE Trans. Sonics Ultrason. 25 (1978) 1-6
 *   J. C. Bamber, R. J. Dickinson, Ultrasonic B-scanning: a computer simulation, Phys. Med. Biol. 25 (1980) 463-479
 * The point spread function is a real Gaussian (demodulated signal), narrow along the beam and wider across it, the
 * wider the deeper. The model has no focus, no side lobes and no refraction. */
#include "phantom.h"
#include <math.h>
#include <string.h>

enum { LOOKS = 2, MAX_RADIUS = 64 };                          /* MAX_RADIUS: of the convolution kernel, in pixels */
/* Standard deviations of the point spread function, in fractions of the picture's side: along the beam, across it at
 * v = 0, across it at v = 1. */
static const double along = 0.007, across = 0.008, across_deep = 0.020;
static const double white_level = 18, range = 50;             /* dB: level of grey 255; dynamic range down to grey 0 */
static const double noise_level = -75, gain = 40;             /* dB: receiver noise at v = 0; its rise to v = 1 */

static double amplitude(double decibels) { return exp(decibels * 0.11512925464970229); }       /* ln 10 / 20 */

/* Fills k[0..radius] with one half of a Gaussian kernel and returns the radius. The sum of squares is 1, so convolution
 * keeps the power of white noise. */
static int64_t make_kernel(double sigma, int64_t side, double *k)
{
    int64_t radius = (int64_t)(3 * sigma) + 1;
    if (radius > MAX_RADIUS) radius = MAX_RADIUS;
    if (radius > side - 1) radius = side - 1;
    double energy = 0;
    for (int64_t i = 0; i <= radius; i++) {
        double t = (double)i / sigma;
        k[i] = exp(-0.5 * t * t);
        energy += (i ? 2 : 1) * k[i] * k[i];
    }
    for (int64_t i = 0; i <= radius; i++) k[i] /= sqrt(energy);
    return radius;
}

/* Convolves a line of n pixels, which are `step` values apart in line and out; the line is mirrored at its ends. */
static void convolve_line(const double *k, int64_t radius, const double *line, int64_t n, int64_t step, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = k[0] * line[i * step];
        for (int64_t j = 1; j <= radius; j++) {
            /* the pixels at distance j, mirrored beyond the ends: pixel -1 is pixel 0, pixel n is pixel n - 1 */
            int64_t before = i < j ? j - i - 1 : i - j, after = i + j < n ? i + j : 2 * n - 1 - i - j;
            sum += k[j] * (line[before * step] + line[after * step]);
        }
        out[i * step] = sum;
    }
}

/* Convolves the field with the point spread function, first along columns (the beams), then along rows. */
static void convolve_field(double *field, int64_t side, double *scratch)
{
    double k[MAX_RADIUS + 1], n = (double)side;
    int64_t radius = make_kernel(along * n, side, k);
    for (int64_t x = 0; x < side; x++) convolve_line(k, radius, field + x, side, side, scratch + x);
    for (int64_t y = 0; y < side; y++) {
        double v = ((double)y + 0.5) / n;
        radius = make_kernel((across + (across_deep - across) * v) * n, side, k);
        convolve_line(k, radius, scratch + y * side, side, 1, field + y * side);
    }
}

/* Simulates one look and adds the received power of each pixel to power. field: memory for its real and imaginary
 * part. */
static void add_look(const tissue *t, stream *s, double *field[2], double *scratch, double *power)
{
    int64_t side = t->side, count = side * side;
    double z[2];
    for (int64_t i = 0; i < count; i++) {
        double strength = amplitude(t->level[i] - t->loss[i]);
        next_normals(s, z);
        for (int part = 0; part < 2; part++) field[part][i] = strength * z[part];
    }
    for (int part = 0; part < 2; part++) convolve_field(field[part], side, scratch);
    for (int64_t y = 0; y < side; y++) {
        double noise = amplitude(noise_level + gain * ((double)y + 0.5) / (double)side);
        for (int64_t i = y * side; i < (y + 1) * side; i++) {
            next_normals(s, z);
            double re = field[0][i] + noise * z[0], im = field[1][i] + noise * z[1];
            power[i] += 0.5 * (re * re + im * im);
        }
    }
}

void scan_tissue(const tissue *t, stream *s, double *work, uint8_t *grey)
{
    int64_t count = t->side * t->side;
    double *field[2] = { work, work + count }, *scratch = work + 2 * count, *power = work + 3 * count;
    memset(power, 0, (size_t)count * sizeof *power);
    for (int i = 0; i < LOOKS; i++) add_look(t, s, field, scratch, power);
    for (int64_t i = 0; i < count; i++) {
        double decibels = 4.342944819032518 * log(power[i] / LOOKS + 1e-30);       /* 10 / ln 10 */
        double shown = 255 * (1 + (decibels - white_level) / range);
        grey[i] = (uint8_t)(shown <= 0 ? 0 : shown >= 255 ? 255 : shown + 0.5);
    }
}
