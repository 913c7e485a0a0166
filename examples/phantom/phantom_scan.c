/* SPDX-License-Identifier: Apache-2.0
 * phantom_scan.c -- from echo levels to a B-mode picture: speckle, receiver noise, logarithmic compression.
 *
 * The received field is the convolution of very many scatterers of random phase, a complex Gaussian field scaled by the
 * tissue, with the point spread function; the picture shows its magnitude. Uniform tissue so becomes fully developed
 * speckle: Rayleigh distributed, mean over standard deviation 1.91. As compound scanners do, two looks with scatterers
 * of their own are averaged, which takes the black pepper out of single ones.
 *   J. W. Goodman, Some fundamental properties of speckle, J. Opt. Soc. Am. 66 (1976) 1145-1150
 *   C. B. Burckhardt, Speckle in ultrasound B-mode scans, IEEE Trans. Sonics Ultrason. 25 (1978) 1-6
 *   J. C. Bamber, R. J. Dickinson, Ultrasonic B-scanning: a computer simulation, Phys. Med. Biol. 25 (1980) 463-479
 * The point spread function is a real Gaussian, as after demodulation, short along the beam and wider across it, the
 * more so the deeper. There is no focus, no side lobe and no refraction. */
#include "phantom.h"
#include <math.h>
#include <string.h>

enum { LOOKS = 2, REACH = 64 };                               /* REACH: pixels a spread may reach */
/* Spread along the beam, across it at v = 0, and across it at v = 1; standard deviations. */
static const double along = 0.007, across = 0.008, across_deep = 0.020;
static const double white = 18, range = 50;                   /* dB: what is shown as 255, and from there down to 0 */
static const double floor_level = -75, gain = 40;             /* dB: receiver noise, raised by the gain towards v = 1 */

static double amplitude(double decibels) { return exp(decibels * 0.11512925464970229); }       /* ln 10 / 20 */

/* Half a Gaussian kernel of unit energy, so that the convolution keeps a white field's power. Returns its reach. */
static int64_t kernel(double sigma, int64_t side, double *k)
{
    int64_t reach = (int64_t)(3 * sigma) + 1;
    if (reach > REACH) reach = REACH;
    if (reach > side - 1) reach = side - 1;
    double energy = 0;
    for (int64_t i = 0; i <= reach; i++) {
        double t = (double)i / sigma;
        k[i] = exp(-0.5 * t * t);
        energy += (i ? 2 : 1) * k[i] * k[i];
    }
    for (int64_t i = 0; i <= reach; i++) k[i] /= sqrt(energy);
    return reach;
}

/* out[i] over a line of n pixels, step apart in both; beyond its ends the line is mirrored. */
static void spread(const double *k, int64_t reach, const double *line, int64_t n, int64_t step, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = k[0] * line[i * step];
        for (int64_t j = 1; j <= reach; j++) {
            int64_t before = i < j ? j - i - 1 : i - j, after = i + j < n ? i + j : 2 * n - 1 - i - j;
            sum += k[j] * (line[before * step] + line[after * step]);
        }
        out[i * step] = sum;
    }
}

static void spread_field(double *field, int64_t side, double *half_way)
{
    double k[REACH + 1], n = (double)side;
    int64_t reach = kernel(along * n, side, k);
    for (int64_t x = 0; x < side; x++) spread(k, reach, field + x, side, side, half_way + x);
    for (int64_t y = 0; y < side; y++) {
        double v = ((double)y + 0.5) / n;
        reach = kernel((across + (across_deep - across) * v) * n, side, k);
        spread(k, reach, half_way + y * side, side, 1, field + y * side);
    }
}

/* One look: the power received everywhere is added to power. */
static void look(const tissue *t, stream *s, double *field[2], double *half_way, double *power)
{
    int64_t side = t->side, count = side * side;
    double z[2];
    for (int64_t i = 0; i < count; i++) {
        double strength = amplitude(t->level[i] - t->loss[i]);
        next_normals(s, z);
        for (int part = 0; part < 2; part++) field[part][i] = strength * z[part];
    }
    for (int part = 0; part < 2; part++) spread_field(field[part], side, half_way);
    for (int64_t y = 0; y < side; y++) {
        double noise = amplitude(floor_level + gain * ((double)y + 0.5) / (double)side);
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
    double *field[2] = { work, work + count }, *half_way = work + 2 * count, *power = work + 3 * count;
    memset(power, 0, (size_t)count * sizeof *power);
    for (int i = 0; i < LOOKS; i++) look(t, s, field, half_way, power);
    for (int64_t i = 0; i < count; i++) {
        double decibels = 4.342944819032518 * log(power[i] / LOOKS + 1e-30);       /* 10 / ln 10 */
        double shown = 255 * (1 + (decibels - white) / range);
        grey[i] = (uint8_t)(shown <= 0 ? 0 : shown >= 255 ? 255 : shown + 0.5);
    }
}
