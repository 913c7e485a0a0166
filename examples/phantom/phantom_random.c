/* SPDX-License-Identifier: Apache-2.0
 * phantom_random.c -- smooth random fields of phantoms (phantom.h). Of <math.h> they use floor only. */
#include "phantom.h"
#include <math.h>

/* The random gradient of lattice point (i, j), multiplied by the offset (x, y) from it. */
static double gradient_term(uint64_t key, int64_t i, int64_t j, double x, double y)
{
    uint64_t word = mix_word(key ^ mix_word((uint64_t)i * 0x9e3779b97f4a7c15u ^ mix_word((uint64_t)j)));
    return (2 * unit_uniform(word) - 1) * x + (2 * unit_uniform(mix_word(word)) - 1) * y;
}

/* Perlin's weight for interpolation: rises from 0 to 1, with first and second derivatives 0 at both ends. */
static double fade(double t) { return t * t * t * (t * (6 * t - 15) + 10); }

/* Perlin's gradient noise: interpolates the gradient terms of the four lattice points around (x, y). The factor 1.6
 * makes the standard deviation 0.28. */
double smooth_noise(uint64_t key, double x, double y)
{
    double left = floor(x), top = floor(y);
    int64_t i = (int64_t)left, j = (int64_t)top;
    x -= left;
    y -= top;
    double a = gradient_term(key, i, j, x, y), b = gradient_term(key, i + 1, j, x - 1, y);
    double c = gradient_term(key, i, j + 1, x, y - 1), d = gradient_term(key, i + 1, j + 1, x - 1, y - 1);
    double across = fade(x), above = a + (b - a) * across, below = c + (d - c) * across;
    return 1.6 * (above + (below - above) * fade(y));
}
