/* SPDX-License-Identifier: Apache-2.0
 * taps.c -- the weights of one axis, computed in the same order as in Pillow: a weight that differs in its last bit can
 * round a sample to another value. */
#include "io/image/resize.h"
#include <math.h>

peft_status io_filter_named(const char *name, io_filter *out, io_order *order)
{
    const char *colon = name ? strchr(name, ':') : NULL;
    int i = name ? peft_sys_opt_choice(IO_FILTERS, name, colon ? (size_t)(colon - name) : strlen(name)) : -1;
    int o = colon ? peft_sys_opt_choice(IO_ORDERS, colon + 1, strlen(colon + 1)) : IO_PILLOW13;
    if (i < 0 || o < 0)
        return io_fail(PEFT_E_INVALID, "filter: '%.40s', expected %s; append :pillow12 for the order of passes in "
                       "Pillow before 12.2", name ? name : "(null)", IO_FILTERS);
    *out = (io_filter)i;
    *order = (io_order)o;
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

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }                       /* support 0.5 */

static double hamming(double x)                               /* support 1 */
{
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= M_PI;
    return sin(x) / x * (0.54f + 0.46f * cos(x));
}

static double sinc(double x)
{
    if (x == 0.0) return 1.0;
    x *= M_PI;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }   /* support 3 */

static const struct { double support; double (*at)(double x); } filters[] = {
    [IO_BICUBIC] = { 2.0, bicubic }, [IO_BILINEAR] = { 1.0, triangle }, [IO_BOX] = { 0.5, box },
    [IO_HAMMING] = { 1.0, hamming }, [IO_LANCZOS] = { 3.0, lanczos }, [IO_NEAREST] = { 0.5, NULL } };

static void fill_taps(int64_t from, double scale, int64_t start, io_filter filter, io_taps *t)
{
    double stretch = scale < 1.0 ? 1.0 : scale, support = filters[filter].support * stretch;
    for (int64_t i = 0; i < t->size; i++) {
        double centre = ((double)(start + i) + 0.5) * scale, sum = 0.0, inverse = 1.0 / stretch;
        double *w = t->weight + i * t->most;
        int64_t first = (int64_t)(centre - support + 0.5), last = (int64_t)(centre + support + 0.5);
        if (first < 0) first = 0;
        if (last > from) last = from;
        for (int64_t k = 0; k < last - first; k++) {
            w[k] = filters[filter].at(((double)(k + first) - centre + 0.5) * inverse);
            sum += w[k];
        }
        for (int64_t k = 0; k < last - first; k++)
            if (sum != 0.0) w[k] /= sum;
        t->first[i] = first;
        t->count[i] = last - first;
    }
}

/* The sample under the centre of each position. The centres are added up as in Pillow, not multiplied: a difference in
 * the last bit can choose another sample. */
static void fill_nearest(int64_t from, double scale, int64_t start, io_taps *t)
{
    double at = scale * 0.5;
    for (int64_t i = 0; i < start + t->size; i++, at += scale) {
        if (i < start) continue;
        t->first[i - start] = (int64_t)at < from ? (int64_t)at : from - 1;
        t->count[i - start] = 1;
        t->weight[i - start] = 1.0;
    }
}

peft_status io_taps_make(peft_context *ctx, int64_t from, int64_t to, int64_t start, int64_t size, io_filter filter,
                         io_taps *out)
{
    double scale = (double)from / (double)to, stretch = scale < 1.0 ? 1.0 : scale;
    io_taps t = { .ctx = ctx, .size = size, .most = (int64_t)ceil(filters[filter].support * stretch) * 2 + 1 };
    if (filter == IO_NEAREST) t.most = 1;
    t.first = io_alloc(ctx, size, sizeof *t.first);
    t.count = io_alloc(ctx, size, sizeof *t.count);
    int64_t weights;
    if (!__builtin_mul_overflow(size, t.most, &weights)) t.weight = io_alloc(ctx, weights, sizeof *t.weight);
    if (!t.first || !t.count || !t.weight) {
        io_taps_free(&t);
        return io_nomem("resize");
    }
    if (filter == IO_NEAREST) fill_nearest(from, scale, start, &t);
    else fill_taps(from, scale, start, filter, &t);
    *out = t;
    return PEFT_OK;
}

void io_taps_free(io_taps *t)
{
    peft_sys_free(t->ctx, t->first);
    peft_sys_free(t->ctx, t->count);
    peft_sys_free(t->ctx, t->weight);
}
