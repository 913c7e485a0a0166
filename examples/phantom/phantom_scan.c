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
#include "common/corruption/convolve.h"
#include <math.h>
#include <string.h>

enum { LOOKS = 2 };
/* Standard deviations of the point spread function, in fractions of the picture's side: along the beam, across it at
 * v = 0, across it at v = 1. */
static const double along = 0.007, across = 0.008, across_deep = 0.020;
static const double white_level = 18;                         /* dB: level of grey 255 */
static const double gain = 40;                                /* dB: rise of the receiver noise from v = 0 to v = 1 */

scanner make_scanner(double shift, uint64_t seed, int64_t class, int64_t index)
{
    stream s = make_stream(STREAM_SCANNER, seed, class, index);
    return (scanner){ .range = 50 + 12 * shift, .noise_level = -75 + 6 * shift, .blur = 1 + 0.4 * shift,
                      .bias = 4 * shift, .bias_key = next_word(&s) };
}

static double amplitude(double decibels) { return exp(decibels * 0.11512925464970229); }       /* ln 10 / 20 */

/* Fills k[0..radius] with one half of a Gaussian kernel and returns the radius. The sum of squares is 1, so convolution
 * keeps the power of white noise. */
static int64_t make_kernel(double sigma, int64_t side, double *k)
{
    int64_t radius = gaussian_half(sigma, side, k);
    double energy = 0;
    for (int64_t i = 0; i <= radius; i++) energy += (i ? 2 : 1) * k[i] * k[i];
    for (int64_t i = 0; i <= radius; i++) k[i] /= sqrt(energy);
    return radius;
}

/* Convolves the field with the point spread function, first along columns (the beams), then along rows. */
static void convolve_field(double *field, int64_t side, double blur, double *scratch)
{
    double k[MAX_RADIUS + 1], n = (double)side;
    int64_t radius = make_kernel(along * blur * n, side, k);
    for (int64_t x = 0; x < side; x++) convolve_line(k, radius, field + x, side, side, scratch + x);
    for (int64_t y = 0; y < side; y++) {
        double v = ((double)y + 0.5) / n;
        radius = make_kernel((across + (across_deep - across) * v) * blur * n, side, k);
        convolve_line(k, radius, scratch + y * side, side, 1, field + y * side);
    }
}

/* Simulates one look and adds the received power of each pixel to power. field: memory for its real and imaginary
 * part. */
static void add_look(const tissue *t, const scanner *c, stream *s, double *field[2], double *scratch, double *power)
{
    int64_t side = t->side, count = side * side;
    double z[2];
    for (int64_t i = 0; i < count; i++) {
        double strength = amplitude(t->level[i] - t->loss[i]);
        next_normals(s, z);
        for (int part = 0; part < 2; part++) field[part][i] = strength * z[part];
    }
    for (int part = 0; part < 2; part++) convolve_field(field[part], side, c->blur, scratch);
    for (int64_t y = 0; y < side; y++) {
        double noise = amplitude(c->noise_level + gain * ((double)y + 0.5) / (double)side);
        for (int64_t i = y * side; i < (y + 1) * side; i++) {
            next_normals(s, z);
            double re = field[0][i] + noise * z[0], im = field[1][i] + noise * z[1];
            power[i] += 0.5 * (re * re + im * im);
        }
    }
}

void scan_tissue(const tissue *t, const scanner *c, stream *s, double *work, uint8_t *grey)
{
    int64_t count = t->side * t->side;
    double *field[2] = { work, work + count }, *scratch = work + 2 * count, *power = work + 3 * count;
    memset(power, 0, (size_t)count * sizeof *power);
    for (int i = 0; i < LOOKS; i++) add_look(t, c, s, field, scratch, power);
    for (int64_t i = 0; i < count; i++) {
        double decibels = 4.342944819032518 * log(power[i] / LOOKS + 1e-30);       /* 10 / ln 10 */
        if (c->bias > 0)                                               /* 0.28: standard deviation of smooth_noise */
            decibels += c->bias / 0.28 * smooth_noise(c->bias_key, 2 * ((double)(i % t->side) + 0.5) / (double)t->side,
                                                      2 * ((double)(i / t->side) + 0.5) / (double)t->side);
        double shown = 255 * (1 + (decibels - white_level) / c->range);
        grey[i] = (uint8_t)(shown <= 0 ? 0 : shown >= 255 ? 255 : shown + 0.5);
    }
}
