/* SPDX-License-Identifier: Apache-2.0
 * test_frequencies.c -- peft_sys_scale_frequencies against the published procedure, computed term by term: transform,
 * move frequency 0 to the middle, multiply a block of amplitudes, move back, transform back, real part. */
#include "lab.h"
#include "tiny.h"
#include <complex.h>

enum { IMAGES = 2, CHANNELS = 3, SIDE = 8, BLOCK = 3, AREA = SIDE * SIDE, PIXELS = IMAGES * CHANNELS * AREA,
       FACTORS = CHANNELS * BLOCK * BLOCK };

/* The transform of a plane [SIDE, SIDE], or with sign 1 the inverse one without its division by AREA. */
static void transform(const double complex *in, double complex *out, int sign)
{
    for (int i = 0; i < AREA; i++) {
        out[i] = 0;
        for (int j = 0; j < AREA; j++) {
            const double turns = (double)(i / SIDE * (j / SIDE) + i % SIDE * (j % SIDE)) / SIDE;
            out[i] += in[j] * cexp(sign * 2 * 3.14159265358979323846 * turns * I);
        }
    }
}

/* Rows and columns of the block begin at `corner` of the spectrum whose frequency 0 is at (SIDE / 2, SIDE / 2). */
static void expected_plane(const pk_real *x, const pk_real *factor, int corner, double *y)
{
    double complex in[AREA], spectrum[AREA], moved[AREA], out[AREA];
    for (int i = 0; i < AREA; i++) in[i] = (double)x[i];
    transform(in, spectrum, -1);
    for (int i = 0; i < AREA; i++)
        moved[(i / SIDE + SIDE / 2) % SIDE * SIDE + (i % SIDE + SIDE / 2) % SIDE] = spectrum[i];
    for (int i = 0; i < BLOCK * BLOCK; i++) {
        double complex *f = &moved[(corner + i / BLOCK) * SIDE + corner + i % BLOCK];
        *f = cabs(*f) * (double)factor[i] * cexp(I * carg(*f));
    }
    for (int i = 0; i < AREA; i++)
        spectrum[i] = moved[(i / SIDE + SIDE / 2) % SIDE * SIDE + (i % SIDE + SIDE / 2) % SIDE];
    transform(spectrum, out, 1);
    for (int i = 0; i < AREA; i++) y[i] = creal(out[i]) / AREA;
}

/* Runs the operation on images x and factors p; writes its result to y. */
static void run(peft_context *ctx, const pk_real *x, const pk_real *p, int64_t first, int threads, pk_real *y)
{
    lab l;
    lab_open(&l, ctx, 1, LAB_TRAIN_ALL, PLAIN);
    l.g.spec.threads = threads;
    const pf_val images = LEAF(&l, IMAGES, CHANNELS, SIDE, SIDE), factors = LEAF(&l, CHANNELS, BLOCK, BLOCK);
    memcpy(l.leaf[0]->value.data, x, PIXELS * sizeof *x);
    memcpy(l.leaf[1]->value.data, p, FACTORS * sizeof *p);
    const pf_val out = peft_sys_scale_frequencies(&l.g, images, factors, first);
    pf_v(&l.g, out)->keep = true;
    lab_weighted_loss(&l, out);
    lab_compile(&l, LAB_USUAL_PLAN);
    lab_run(&l);
    memcpy(y, pf_exec_data(&l.e, out), PIXELS * sizeof *y);
    lab_close(&l);
}

static void fill(pk_real *x, int n, int step)
{
    for (int i = 0; i < n; i++) x[i] = (pk_real)((i * step % 41) / 16.0 - 1);
}

/* The block around frequency 0, and that of the published code for images of an even side: one to the left and up. */
START_TEST(results_are_those_of_the_published_procedure)
{
    peft_context *ctx = tiny_plain_context();
    pk_real x[PIXELS], p[FACTORS], y[PIXELS];
    fill(x, PIXELS, 37);
    fill(p, FACTORS, 23);
    for (int first = -2; first <= -1; first++) {
        run(ctx, x, p, first, 1, y);
        for (int plane = 0; plane < IMAGES * CHANNELS; plane++) {
            double want[AREA];
            expected_plane(x + plane * AREA, p + plane % CHANNELS * BLOCK * BLOCK, first + SIDE / 2, want);
            for (int i = 0; i < AREA; i++)
                ck_assert_double_eq_tol((double)y[plane * AREA + i], want[i], 2e-6);
        }
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(factors_of_one_keep_every_bit)
{
    peft_context *ctx = tiny_plain_context();
    pk_real x[PIXELS], p[FACTORS], y[PIXELS], again[PIXELS];
    fill(x, PIXELS, 37);
    for (int i = 0; i < FACTORS; i++) p[i] = 1;
    run(ctx, x, p, -1, 1, y);
    ck_assert_mem_eq(x, y, sizeof x);
    fill(p, FACTORS, 23);
    run(ctx, x, p, -1, 1, y);
    run(ctx, x, p, -1, 4, again);
    ck_assert_mem_eq(y, again, sizeof y);
    ck_assert(memcmp(x, y, sizeof x));
    peft_context_free(ctx);
}
END_TEST

/* Factor 3 of frequency 0 alone adds twice the mean of each channel to its pixels. */
START_TEST(frequency_0_is_the_mean)
{
    peft_context *ctx = tiny_plain_context();
    pk_real x[PIXELS], p[FACTORS], y[PIXELS];
    fill(x, PIXELS, 37);
    for (int i = 0; i < FACTORS; i++) p[i] = i % (BLOCK * BLOCK) == BLOCK * BLOCK / 2 ? 3 : 1;
    run(ctx, x, p, -1, 1, y);
    for (int plane = 0; plane < IMAGES * CHANNELS; plane++) {
        double mean = 0;
        for (int i = 0; i < AREA; i++) mean += (double)x[plane * AREA + i] / AREA;
        for (int i = plane * AREA; i < (plane + 1) * AREA; i++)
            ck_assert_double_eq_tol((double)(y[i] - x[i]), 2 * mean, 1e-6);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(shapes_are_checked)
{
    static const int64_t images[][5] = { { 1, 2, 4, 4 }, { 1, 2, 4, 4 }, { 1, 2, 2, 6 }, { 1, 2, 4, 4 } };
    static const int64_t factors[][4] = { { 3, 3, 3 }, { 2, 5, 5 }, { 2, 3, 3 }, { 2, 3, 2 } };
    peft_context *ctx = tiny_plain_context();
    for (int i = 0; i < 4; i++) {
        lab l;
        lab_open(&l, ctx, 1, LAB_TRAIN_ALL, PLAIN);
        const pf_val x = lab_leaf(&l, images[i]);
        peft_sys_scale_frequencies(&l.g, x, lab_leaf(&l, factors[i]), -1);
        FAILS(PEFT_E_SHAPE, "images [b, c, h, w] and factors [c, n, n]", l.g.status);
        lab_close(&l);
    }
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("frequencies", results_are_those_of_the_published_procedure, factors_of_one_keep_every_bit,
           frequency_0_is_the_mean, shapes_are_checked)
