/* SPDX-License-Identifier: Apache-2.0
 * random.c -- streams of random numbers (random.h). Of <math.h> they use log and sqrt only; so only log can round
 * differently on another system. */
#include "random.h"
#include <math.h>

uint64_t mix_word(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

double unit_uniform(uint64_t word) { return (double)(word >> 11) * 0x1p-53; }

uint64_t next_word(stream *s) { return mix_word(s->state += 0x9e3779b97f4a7c15u); }

/* Mixes the arguments into the state one after the other, so streams of similar arguments are independent. */
stream make_stream(int purpose, uint64_t seed, int64_t first, int64_t second)
{
    stream s = { (uint64_t)purpose };
    s.state = next_word(&s) ^ seed;
    s.state = next_word(&s) ^ (uint64_t)first;
    s.state = next_word(&s) ^ (uint64_t)second;
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
