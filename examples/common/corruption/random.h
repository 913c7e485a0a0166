/* SPDX-License-Identifier: Apache-2.0
 * random.h -- random numbers of programs that compute pictures: every number is determined by a purpose, a seed and two
 * more numbers, such as class and index of a picture, so that pictures do not depend on how many are made. */
#ifndef RANDOM_H
#define RANDOM_H
#include <stdint.h>

/* A stream of random numbers (splitmix64). */
typedef struct stream { uint64_t state; } stream;

/* Streams that differ in any argument are independent. purpose: a number of the caller for each use of streams. */
stream make_stream(int purpose, uint64_t seed, int64_t first, int64_t second);
uint64_t next_word(stream *s);
double next_between(stream *s, double low, double high);      /* uniform in [low, high) */
void next_normals(stream *s, double pair[2]);                 /* two standard normal numbers */
/* For functions that compute a number of a position instead of drawing the next one: the output function of splitmix64,
 * and the number in [0, 1) of a word's upper 53 bits. */
uint64_t mix_word(uint64_t word);
double unit_uniform(uint64_t word);
#endif
