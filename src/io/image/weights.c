/* SPDX-License-Identifier: Apache-2.0
 * weights.c -- the filters, and the filter weights of one axis. The operations have the same order as in Pillow: a
 * weight that differs in its last bit can round a sample to another value. */
#include "io/image/resize.h"
#include <math.h>

/* name: a filter, or a filter, a colon and an order of passes. */
peft_status io_filter_named(const char *name, io_filter *out, io_order *order)
{
    const char *colon = name ? strchr(name, ':') : NULL;
    int i = name ? peft_sys_opt_choice(IO_FILTERS, name, colon ? (size_t)(colon - name) : strlen(name)) : -1;
    int order_index = colon ? peft_sys_opt_choice(IO_ORDERS, colon + 1, strlen(colon + 1)) : IO_PILLOW13;
    if (i < 0 || order_index < 0)
        return io_fail(PEFT_E_INVALID, "filter: '%.40s', expected %s; append :pillow12 for the order of passes in "
                       "Pillow before 12.2", name ? name : "(null)", IO_FILTERS);
    *out = (io_filter)i;
    *order = (io_order)order_index;
    return PEFT_OK;
}

/* The filters: the weight of an input pixel whose centre lies at distance x from that of the output pixel. x is in
 * input pixels, divided by the scale if the image shrinks. Beyond its support a filter is 0. */
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
    return sin(x) / x * (0.54f + 0.46f * cos(x));             /* Pillow has these constants as float too */
}

static double sinc(double x)
{
    if (x == 0.0) return 1.0;
    x *= M_PI;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }   /* support 3 */

static const struct { double support; double (*weight)(double x); } filters[] = {
    [IO_BICUBIC] = { 2.0, bicubic }, [IO_BILINEAR] = { 1.0, triangle }, [IO_BOX] = { 0.5, box },
    [IO_HAMMING] = { 1.0, hamming }, [IO_LANCZOS] = { 3.0, lanczos }, [IO_NEAREST] = { 0.5, NULL } };

/* Weights of all filters but nearest, for the output positions from `start` on; scale: input pixels for one output
 * pixel. An output pixel takes the input pixels first..last - 1, whose centres lie within the support of its own. */
static void fill_weights(int64_t input_size, double scale, int64_t start, io_filter filter, io_weights *w)
{
    const double stretch = scale < 1.0 ? 1.0 : scale;         /* the filter is widened by it if the axis shrinks */
    const double support = filters[filter].support * stretch;
    for (int64_t i = 0; i < w->size; i++) {
        double centre = ((double)(start + i) + 0.5) * scale, sum = 0.0, inverse = 1.0 / stretch;
        double *weight = w->weight + i * w->stride;
        int64_t first = (int64_t)(centre - support + 0.5), last = (int64_t)(centre + support + 0.5);
        if (first < 0) first = 0;
        if (last > input_size) last = input_size;
        for (int64_t k = 0; k < last - first; k++) {
            weight[k] = filters[filter].weight(((double)(k + first) - centre + 0.5) * inverse);
            sum += weight[k];
        }
        for (int64_t k = 0; k < last - first; k++)
            if (sum != 0.0) weight[k] /= sum;
        w->first[i] = first;
        w->count[i] = last - first;
    }
}

/* Nearest: each output position has weight 1 for the input pixel that holds its centre. The centres are computed by
 * repeated addition as in Pillow, since a product may differ in its last bit and choose another pixel. */
static void fill_nearest(int64_t input_size, double scale, int64_t start, io_weights *w)
{
    double centre = scale * 0.5;
    for (int64_t i = 0; i < start + w->size; i++, centre += scale) {
        if (i < start) continue;
        w->first[i - start] = (int64_t)centre < input_size ? (int64_t)centre : input_size - 1;
        w->count[i - start] = 1;
        w->weight[i - start] = 1.0;
    }
}

peft_status io_weights_make(peft_context *ctx, int64_t input_size, int64_t output_size, int64_t start, int64_t size,
                            io_filter filter, io_weights *out)
{
    const double scale = (double)input_size / (double)output_size, stretch = scale < 1.0 ? 1.0 : scale;
    /* stride: the most input pixels that one output pixel can take. */
    io_weights w = { .ctx = ctx, .size = size, .stride = (int64_t)ceil(filters[filter].support * stretch) * 2 + 1 };
    if (filter == IO_NEAREST) w.stride = 1;
    w.first = io_alloc(ctx, size, sizeof *w.first);
    w.count = io_alloc(ctx, size, sizeof *w.count);
    int64_t weights;
    if (!__builtin_mul_overflow(size, w.stride, &weights)) w.weight = io_alloc(ctx, weights, sizeof *w.weight);
    if (!w.first || !w.count || !w.weight) {
        io_weights_free(&w);
        return io_nomem("resize");
    }
    if (filter == IO_NEAREST) fill_nearest(input_size, scale, start, &w);
    else fill_weights(input_size, scale, start, filter, &w);
    *out = w;
    return PEFT_OK;
}

void io_weights_free(io_weights *w)
{
    peft_sys_free(w->ctx, w->first);
    peft_sys_free(w->ctx, w->count);
    peft_sys_free(w->ctx, w->weight);
}
