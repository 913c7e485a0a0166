/* SPDX-License-Identifier: Apache-2.0
 * percentile.c -- percentiles of an image's samples, exact and in linear time: samples are counted by the upper 16 bits
 * of a key that sorts as they do, then those of one count by the lower 16 bits. */
#include "io/transform/steps/percentile.h"
#include <math.h>

enum { HALF = 1 << 16 };

/* A number that rises with the sample. */
static uint32_t key_of(const peft_image *im, int64_t i)
{
    uint32_t bits;
    if (im->type != IO_F32) return (uint32_t)(io_sample(im, i) - INT16_MIN);
    memcpy(&bits, (const float *)im->pixels + i, sizeof bits);
    return bits & 1u << 31 ? ~bits : bits | 1u << 31;
}

/* What the sample with this key means. */
static double value_of(const peft_image *im, uint32_t key)
{
    float v;
    const uint32_t bits = key & 1u << 31 ? key & ~(1u << 31) : ~key;
    memcpy(&v, &bits, sizeof v);
    return im->slope * (im->type == IO_F32 ? (double)v : (double)key + INT16_MIN) + im->intercept;
}

/* count [HALF] becomes the number of samples for each lower half of the keys with this upper half; upper < 0: for each
 * upper half. */
static void count_keys(const peft_image *im, int64_t upper, int64_t *count)
{
    const int64_t n = im->width * im->height * im->channels;
    memset(count, 0, HALF * sizeof *count);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t key = key_of(im, i);
        if (upper < 0) count[key >> 16]++;
        else if (key >> 16 == upper) count[key & (HALF - 1)]++;
    }
}

/* Which count the sample of this rank is in; *rank becomes its rank in there. */
static int64_t find(const int64_t *count, int64_t *rank)
{
    int64_t k = 0;
    for (; *rank >= count[k]; k++) *rank -= count[k];
    return k;
}

/* Counts of upper halves, and of the lower halves below the upper half `within` (-1: of none yet). */
typedef struct tally { int64_t upper[HALF], lower[HALF], within; } tally;

/* The value of this rank, 0 the smallest, among all samples. */
static double ranked(const peft_image *im, tally *t, int64_t rank)
{
    if (im->slope < 0) rank = im->width * im->height * im->channels - 1 - rank;
    const int64_t upper = find(t->upper, &rank);
    if (upper != t->within) count_keys(im, upper, t->lower);
    t->within = upper;
    return value_of(im, (uint32_t)(upper << 16 | find(t->lower, &rank)));
}

/* Between two ranks as numpy does: from the nearer end, so that both ends are reached exactly. */
static double between(double low, double high, double share)
{
    return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

peft_status io_percentiles(const peft_image *im, const double percent[2], double out[2])
{
    const int64_t last = im->width * im->height * im->channels - 1;
    tally *t = malloc(sizeof *t);
    if (!t) return io_nomem("percentiles");
    t->within = -1;
    count_keys(im, -1, t->upper);
    for (int k = 0; k < 2; k++) {
        const double at = (double)last * (percent[k] / 100), whole = floor(at);
        const int64_t rank = (int64_t)whole;
        const double low = ranked(im, t, rank);
        out[k] = rank < last ? between(low, ranked(im, t, rank + 1), at - whole) : low;
    }
    free(t);
    return PEFT_OK;
}
