/* SPDX-License-Identifier: Apache-2.0
 * percentile.c -- exact percentiles of an image's values in linear time, by radix selection. Every sample has a 32-bit
 * key; keys have the order of the samples. To find the sample of a rank, a histogram of the upper 16 bits of all keys
 * gives its upper half, then a histogram of the lower 16 bits of the keys with this upper half gives the rest. */
#include "io/transform/steps/percentile.h"
#include <math.h>

enum { BINS = 1 << 16 };
enum { NOT_FILLED = -1 };                                     /* as histograms.lower_of */

/* The key of sample i: a larger sample has a larger key. The key of an integer is sample - INT16_MIN. The bits of
 * positive floats have the order of the floats, those of negative ones the reverse: in keys of positive floats the sign
 * bit is set, and in keys of negative ones all bits are inverted. */
static uint32_t key_of(const peft_image *im, int64_t i)
{
    uint32_t bits;
    if (im->type != IO_F32) return (uint32_t)(io_sample(im, i) - INT16_MIN);
    memcpy(&bits, (const float *)im->pixels + i, sizeof bits);
    return bits & 1u << 31 ? ~bits : bits | 1u << 31;
}

/* The value (slope * sample + intercept) of the sample with this key. */
static double value_of(const peft_image *im, uint32_t key)
{
    float v;
    const uint32_t bits = key & 1u << 31 ? key & ~(1u << 31) : ~key;
    memcpy(&v, &bits, sizeof v);
    return im->slope * (im->type == IO_F32 ? (double)v : (double)key + INT16_MIN) + im->intercept;
}

/* Makes in count [BINS] the histogram of the upper halves of all keys. */
static void count_upper_halves(const peft_image *im, int64_t *count)
{
    const int64_t n = im->width * im->height * im->channels;
    memset(count, 0, BINS * sizeof *count);
    for (int64_t i = 0; i < n; i++) count[key_of(im, i) >> 16]++;
}

/* Makes in count [BINS] the histogram of the lower halves of the keys that have this upper half. */
static void count_lower_halves(const peft_image *im, int64_t upper, int64_t *count)
{
    const int64_t n = im->width * im->height * im->channels;
    memset(count, 0, BINS * sizeof *count);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t key = key_of(im, i);
        if (key >> 16 == upper) count[key & (BINS - 1)]++;
    }
}

/* The bin of a histogram that holds the sample of this rank; *rank becomes the sample's rank inside the bin. */
static int64_t bin_of_rank(const int64_t *count, int64_t *rank)
{
    int64_t bin = 0;
    for (; *rank >= count[bin]; bin++) *rank -= count[bin];
    return bin;
}

/* Histograms of the upper halves of all keys, and of the lower halves of the keys whose upper half
 * is lower_of. */
typedef struct histograms { int64_t upper[BINS], lower[BINS], lower_of; } histograms;

/* The value of this rank among all values of im; rank 0 is the smallest. A negative slope reverses the order of the
 * samples. */
static double value_at_rank(const peft_image *im, histograms *h, int64_t rank)
{
    if (im->slope < 0) rank = im->width * im->height * im->channels - 1 - rank;
    const int64_t upper = bin_of_rank(h->upper, &rank);
    if (upper != h->lower_of) count_lower_halves(im, upper, h->lower);
    h->lower_of = upper;
    return value_of(im, (uint32_t)(upper << 16 | bin_of_rank(h->lower, &rank)));
}

/* Linear interpolation as in numpy: from the nearer end, so that fraction 0 and 1 give low and high exactly. */
static double interpolate(double low, double high, double fraction)
{
    return fraction < 0.5 ? low + (high - low) * fraction : high - (high - low) * (1 - fraction);
}

peft_status io_percentiles(const peft_image *im, const double percent[2], double out[2])
{
    const int64_t last = im->width * im->height * im->channels - 1;
    histograms *h = peft_sys_alloc(im->ctx, sizeof *h);
    if (!h) return io_nomem("percentiles");
    h->lower_of = NOT_FILLED;
    count_upper_halves(im, h->upper);
    for (int k = 0; k < 2; k++) {
        /* Between which ranks the percentile lies: 50 percent of 4 values at 1.5, between ranks 1 and 2. */
        const double position = (double)last * (percent[k] / 100), whole = floor(position);
        const int64_t rank = (int64_t)whole;
        const double low = value_at_rank(im, h, rank);
        out[k] = rank < last ? interpolate(low, value_at_rank(im, h, rank + 1), position - whole) : low;
    }
    peft_sys_free(im->ctx, h);
    return PEFT_OK;
}
