/* SPDX-License-Identifier: Apache-2.0
 * taps.c -- the weights of one axis. The order of the operations is Pillow's: the last bit decides over a pixel. */
#include "io/resize.h"
#include <math.h>

peft_status io_filter_named(const char *name, io_filter *out)
{
    int i = name ? io_choice(IO_FILTERS, name, strlen(name)) : -1;
    if (i < 0) return io_fail(PEFT_E_INVALID, "filter: '%.40s', expected %s", name ? name : "(null)", IO_FILTERS);
    *out = (io_filter)i;
    return PEFT_OK;
}

static double bicubic(double x)                               /* cubic convolution, a = -0.5, support 2 */
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double triangle(double x)                              /* support 1 */
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static void fill_taps(int64_t from, double scale, double stretch, double support, double (*filter)(double), io_taps *t)
{
    for (int64_t i = 0; i < t->size; i++) {
        double centre = ((double)i + 0.5) * scale, sum = 0.0, inverse = 1.0 / stretch;
        double *w = t->weight + i * t->most;
        int64_t first = (int64_t)(centre - support + 0.5), last = (int64_t)(centre + support + 0.5);
        if (first < 0) first = 0;
        if (last > from) last = from;
        for (int64_t k = 0; k < last - first; k++) {
            w[k] = filter(((double)(k + first) - centre + 0.5) * inverse);
            sum += w[k];
        }
        for (int64_t k = 0; k < last - first; k++)
            if (sum != 0.0) w[k] /= sum;
        t->first[i] = first;
        t->count[i] = last - first;
    }
}

peft_status io_taps_make(int64_t from, int64_t to, io_filter filter, io_taps *out)
{
    double scale = (double)from / (double)to, stretch = scale < 1.0 ? 1.0 : scale;
    double support = (filter == IO_BICUBIC ? 2.0 : 1.0) * stretch;
    io_taps t = { .size = to, .most = (int64_t)ceil(support) * 2 + 1 };
    t.first = io_alloc(to, sizeof *t.first);
    t.count = io_alloc(to, sizeof *t.count);
    int64_t weights;
    if (!__builtin_mul_overflow(to, t.most, &weights)) t.weight = io_alloc(weights, sizeof *t.weight);
    if (!t.first || !t.count || !t.weight) {
        io_taps_free(&t);
        return io_nomem("resize");
    }
    fill_taps(from, scale, stretch, support, filter == IO_BICUBIC ? bicubic : triangle, &t);
    *out = t;
    return PEFT_OK;
}

void io_taps_free(io_taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
}
