/* SPDX-License-Identifier: Apache-2.0
 * frequencies.c -- multiplies a block of each channel's spectrum by real factors: the amplitude prompt of VPTTA (Chen
 * et al., CVPR 2024). Amplitudes are scaled, phases stay. With F the 2-D discrete Fourier transform of a channel x of
 * H x W pixels, k = (ky, kx) the frequencies of the block, P their factors and r = (ry, rx) a pixel:
 *
 *     y(r) = x(r) + sum over k of (P(k) - 1) Re(F(k) e^(2 pi i (ky ry / H + kx rx / W))) / (H W)
 *
 * which is the real part of the inverse transform. So y is linear in x and in P; with P = 1 it has the bits of x. As
 * the map from x to y is symmetric, it is its own backward pass. Only the block's frequencies are computed. */
#include "core/graph/ops/image/frequencies.h"
#include <math.h>
#include "core/graph/op.h"

/* The waves e^(-2 pi i k x / side) of one frequency k for x = 0, 1, ..: an index of the table and its step. */
typedef struct { const pf_complex *table; int64_t at, step, side; } wave;

static wave wave_of(const pf_waves *w, int64_t k)
{
    return (wave){ w->table, 0, (k % w->side + w->side) % w->side, w->side };
}
static pf_complex next_value(wave *w)
{
    const pf_complex value = w->table[w->at];
    w->at += w->step;
    if (w->at >= w->side) w->at -= w->side;
    return value;
}

size_t pf_spectrum_bytes(int64_t height, int64_t width, int64_t block)
{
    return (size_t)(height + width + block * height) * sizeof(pf_complex);
}

/* Fills table [side]. */
static pf_waves waves_at(pf_complex *table, int64_t side)
{
    for (int64_t i = 0; i < side; i++) {       /* the second half mirrors the first: F(-k) is exactly conj F(k) */
        const double angle = -2 * 3.14159265358979323846 * (double)i / (double)side;
        if (2 * i <= side) table[i] = (pf_complex){ cos(angle), sin(angle) };
        else table[i] = (pf_complex){ table[side - i].re, -table[side - i].im };
    }
    return (pf_waves){ side, table };
}

pf_spectrum_memory pf_spectrum_memory_at(void *memory, int64_t height, int64_t width, int64_t block, int64_t first)
{
    pf_complex *down = memory, *across = down + height;
    return (pf_spectrum_memory){ block, first, waves_at(down, height), waves_at(across, width), across + width };
}

void pf_spectrum_of(const pf_spectrum_memory *m, const pk_real *pixels, pf_complex *out)
{
    const int64_t height = m->down.side, width = m->across.side;
    for (int64_t y = 0; y < height; y++)
        for (int64_t k = 0; k < m->block; k++) {
            wave w = wave_of(&m->across, m->first + k);
            pf_complex sum = { 0, 0 };
            for (int64_t x = 0; x < width; x++) {
                const pf_complex e = next_value(&w);
                sum.re += (double)pixels[y * width + x] * e.re;
                sum.im += (double)pixels[y * width + x] * e.im;
            }
            m->lines[k * height + y] = sum;
        }
    for (int64_t i = 0; i < m->block * m->block; i++) {
        const pf_complex *line = m->lines + i % m->block * height;
        wave w = wave_of(&m->down, m->first + i / m->block);
        pf_complex sum = { 0, 0 };
        for (int64_t y = 0; y < height; y++) {
            const pf_complex e = next_value(&w);
            sum.re += line[y].re * e.re - line[y].im * e.im;
            sum.im += line[y].re * e.im + line[y].im * e.re;
        }
        out[i] = sum;
    }
}

/* A node: images [batch, channels, height, width] and factors [channels, block, block]. */
typedef struct { const pf_run *r; const pf_node *n; int64_t batch, channels, height, width, block, first; } job;

/* Scratch memory of one thread. spectrum, gradient [block, block]: the spectra of a channel of the images and, for
 * frequencies_dp, of the output's gradient; row [width]: pixels. */
typedef struct { pf_spectrum_memory m; pf_complex *spectrum, *gradient; double *row; } memory;

/* n: a node of frequencies or frequencies_dp */
static job job_of(const pf_run *r, const pf_node *n)
{
    const bool dp = n->op == &pf_op_frequencies_dp;
    const pf_shape *s = &pf_v(r->g, n->in[0])->shape, *factors = dp ? &n->attr.shape : &pf_v(r->g, n->in[1])->shape;
    return (job){ r, n, s->dim[0], s->dim[1], s->dim[2], s->dim[3], factors->dim[1], n->attr.i[0] };
}

static size_t worker_bytes(const job *j)
{
    return pf_align_up(pf_spectrum_bytes(j->height, j->width, j->block)
                       + 2 * (size_t)(j->block * j->block) * sizeof(pf_complex) + (size_t)j->width * sizeof(double));
}

static memory memory_of(const job *j, int worker)
{
    char *at = (char *)j->r->scratch + (size_t)worker * worker_bytes(j);
    memory m = { .m = pf_spectrum_memory_at(at, j->height, j->width, j->block, j->first) };
    m.spectrum = (pf_complex *)(void *)(at + pf_spectrum_bytes(j->height, j->width, j->block));
    m.gradient = m.spectrum + j->block * j->block;
    m.row = (double *)(m.gradient + j->block * j->block);
    return m;
}

/* Writes y = x + the real part of the inverse transform of `change` [block, block]; that uses the conjugate waves. */
static void add_inverse(const memory *memory, const pf_complex *change, const pk_real *x, pk_real *y)
{
    const pf_spectrum_memory *m = &memory->m;
    const int64_t height = m->down.side, width = m->across.side, block = m->block;
    memset(m->lines, 0, (size_t)(block * height) * sizeof *m->lines);
    for (int64_t i = 0; i < block * block; i++) {                     /* frequency (i / block, i % block) */
        pf_complex *line = m->lines + i % block * height;
        wave w = wave_of(&m->down, m->first + i / block);
        for (int64_t row = 0; row < height; row++) {
            const pf_complex e = next_value(&w);
            line[row].re += change[i].re * e.re + change[i].im * e.im;
            line[row].im += change[i].im * e.re - change[i].re * e.im;
        }
    }
    for (int64_t row = 0; row < height; row++) {
        double *sum = memory->row;
        for (int64_t column = 0; column < width; column++) sum[column] = (double)x[row * width + column];
        for (int64_t k = 0; k < block; k++) {
            const pf_complex c = m->lines[k * height + row];
            wave w = wave_of(&m->across, m->first + k);
            for (int64_t column = 0; column < width; column++) {
                const pf_complex e = next_value(&w);
                sum[column] += c.re * e.re + c.im * e.im;
            }
        }
        for (int64_t column = 0; column < width; column++) y[row * width + column] = (pk_real)sum[column];
    }
}

/* in: images [b,c,h,w], factors [c,n,n]; attr i[0]: the first frequency; out: images */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_shape *x = &pf_v(g, n->in[0])->shape, *p = &pf_v(g, n->in[1])->shape;
    if (x->ndim != 4 || p->ndim != 3 || p->dim[0] != x->dim[1] || p->dim[1] != p->dim[2] || p->dim[1] > x->dim[2]
        || p->dim[1] > x->dim[3])
        return pf_bad_shape(g, n, "images [b, c, h, w] and factors [c, n, n] with n <= h and n <= w");
    return pf_output_like(g, n, 0, n->in[0]);
}

static size_t scratch(const pf_run *r, const pf_node *n)
{
    const job j = job_of(r, n);
    return worker_bytes(&j) * (size_t)r->threads;
}

static void run_plane(void *arg, int64_t plane, int worker)
{
    const job *j = arg;
    const memory m = memory_of(j, worker);
    const int64_t area = j->height * j->width, values = j->block * j->block;
    const pk_real *x = j->r->ptr[j->n->in[0].id] + plane * area;
    const pk_real *factor = j->r->ptr[j->n->in[1].id] + plane % j->channels * values;
    pf_spectrum_of(&m.m, x, m.spectrum);
    for (int64_t i = 0; i < values; i++) {
        const double f = ((double)factor[i] - 1) / (double)area;
        m.spectrum[i] = (pf_complex){ f * m.spectrum[i].re, f * m.spectrum[i].im };
    }
    add_inverse(&m, m.spectrum, x, j->r->ptr[j->n->out[0].id] + plane * area);
}
static void run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n);
    pk_pool_run(r->pool, j.batch * j.channels, run_plane, &j);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    const pf_val d = pf_grad_of(gr, n->out[0]);
    const pf_attr a = { .i = { n->attr.i[0] }, .shape = pf_v(gr->g, n->in[1])->shape };
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_frequencies, &n->attr, d, n->in[1]));
    if (pf_grad_wanted(gr, n->in[1]))
        pf_grad_add(gr, n->in[1], PF_EMIT_BACKWARD(gr, &pf_op_frequencies_dp, &a, d, n->in[0]));
}
const pf_op pf_op_frequencies = { .name = "frequencies",
    .infer = infer, .grad = grad, .scratch_bytes = scratch, .run = run };

/* in: d and images [b,c,h,w]; attr i[0]: the first frequency, shape: of the factors; out: their gradient, which is
 * Re(F(k) conj(D(k))) / (H W) summed over the batch, D the transform of d */
static bool dp_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }

static void dp_channel(void *arg, int64_t channel, int worker)
{
    const job *j = arg;
    const memory m = memory_of(j, worker);
    const int64_t area = j->height * j->width, values = j->block * j->block;
    pk_real *out = j->r->ptr[j->n->out[0].id] + channel * values;
    for (int64_t i = 0; i < values; i++) out[i] = 0;
    for (int64_t b = 0; b < j->batch; b++) {
        const int64_t plane = b * j->channels + channel;
        pf_spectrum_of(&m.m, j->r->ptr[j->n->in[0].id] + plane * area, m.gradient);
        pf_spectrum_of(&m.m, j->r->ptr[j->n->in[1].id] + plane * area, m.spectrum);
        for (int64_t i = 0; i < values; i++)
            out[i] += (pk_real)((m.spectrum[i].re * m.gradient[i].re + m.spectrum[i].im * m.gradient[i].im)
                                / (double)area);
    }
}
static void dp_run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n);
    pk_pool_run(r->pool, j.channels, dp_channel, &j);
}
const pf_op pf_op_frequencies_dp = { .name = "frequencies_dp",
    .infer = dp_infer, .scratch_bytes = scratch, .run = dp_run };
