/* SPDX-License-Identifier: Apache-2.0
 * phantom_random.c -- random numbers and smooth random fields of phantoms (phantom.h). Uses no functions of <math.h>
 * but log, sqrt and floor; so only log can round differently on another system. */
#include "phantom.h"
#include <math.h>

/* The output function of splitmix64. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A number in [0, 1) from the upper 53 bits. */
static double unit_uniform(uint64_t word) { return (double)(word >> 11) * 0x1p-53; }

uint64_t next_word(stream *s) { return mix(s->state += 0x9e3779b97f4a7c15u); }

/* Mixes the arguments into the state one after the other, so streams of similar arguments are independent. */
stream make_stream(int purpose, uint64_t seed, int64_t class, int64_t index)
{
    stream s = { (uint64_t)purpose };
    s.state = next_word(&s) ^ seed;
    s.state = next_word(&s) ^ (uint64_t)class;
    s.state = next_word(&s) ^ (uint64_t)index;
    s.state = next_word(&s);
    return s;
}

double next_between(stream *s, double low, double high) { return low + (high - low) * unit_uniform(next_word(s)); }

/* Marsaglia's polar method. */
void next_normals(stream *s, double pair[2])
{
    double a, b, r;
    do {
        a = next_between(s, -1, 1);
        b = next_between(s, -1, 1);
        r = a * a + b * b;
    } while (r >= 1 || r == 0);
    double factor = sqrt(-2 * log(r) / r);
    pair[0] = a * factor;
    pair[1] = b * factor;
}

/* The random gradient of lattice point (i, j), multiplied by the offset (x, y) from it. */
static double gradient_term(uint64_t key, int64_t i, int64_t j, double x, double y)
{
    uint64_t word = mix(key ^ mix((uint64_t)i * 0x9e3779b97f4a7c15u ^ mix((uint64_t)j)));
    return (2 * unit_uniform(word) - 1) * x + (2 * unit_uniform(mix(word)) - 1) * y;
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
