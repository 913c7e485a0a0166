/* SPDX-License-Identifier: Apache-2.0
 * minimise.c -- L-BFGS. */
#include "core/probe/minimise.h"
#include <math.h>
#include <string.h>

/* The last pairs of steps and changes of the gradient, [PF_MEMORY_PAIRS, size] each; pair k is row k % PF_MEMORY_PAIRS,
 * and the pairs first .. end - 1 are kept. */
typedef struct pairs { double *steps, *changes, product[PF_MEMORY_PAIRS]; int64_t size, first, end; } pairs;

static double *row(double *rows, int64_t k, int64_t size) { return rows + k % PF_MEMORY_PAIRS * size; }

/* Stores the pair of two points, unless rounding hides the curvature between them. */
static void remember(pairs *p, const pf_point *from, const pf_point *to)
{
    double *step = row(p->steps, p->end, p->size), *change = row(p->changes, p->end, p->size);
    if (p->end - p->first == PF_MEMORY_PAIRS) p->first++;    /* its row is overwritten */
    for (int64_t j = 0; j < p->size; j++) {
        step[j] = to->x[j] - from->x[j];
        change[j] = to->gradient[j] - from->gradient[j];
    }
    const double product = pf_dot(step, change, p->size);
    if (!(product > 1e-16 * sqrt(pf_dot(step, step, p->size) * pf_dot(change, change, p->size)))) return;
    p->product[p->end++ % PF_MEMORY_PAIRS] = product;
}

/* direction: minus the gradient times the estimate of the inverse Hessian (the two loops), which begins with a multiple
 * of 1 / scale^2. */
static void find_direction(pairs *p, const pf_function *f, const double *gradient, double *direction)
{
    double alpha[PF_MEMORY_PAIRS];
    for (int64_t j = 0; j < p->size; j++) direction[j] = -gradient[j];
    for (int64_t k = p->end - 1; k >= p->first; k--) {
        const double *change = row(p->changes, k, p->size);
        const double a = pf_dot(row(p->steps, k, p->size), direction, p->size) / p->product[k % PF_MEMORY_PAIRS];
        alpha[k % PF_MEMORY_PAIRS] = a;
        for (int64_t j = 0; j < p->size; j++) direction[j] -= a * change[j];
    }
    double factor = 1;
    if (p->end > p->first) {
        const double *last = row(p->changes, p->end - 1, p->size);
        double squares = 0;
        for (int64_t j = 0; j < p->size; j++) squares += pow(last[j] / f->scale[j], 2);
        factor = p->product[(p->end - 1) % PF_MEMORY_PAIRS] / squares;
    }
    for (int64_t j = 0; j < p->size; j++) direction[j] *= factor / (f->scale[j] * f->scale[j]);
    for (int64_t k = p->first; k < p->end; k++) {
        const double *step = row(p->steps, k, p->size);
        const double b = pf_dot(row(p->changes, k, p->size), direction, p->size) / p->product[k % PF_MEMORY_PAIRS];
        for (int64_t j = 0; j < p->size; j++) direction[j] += (alpha[k % PF_MEMORY_PAIRS] - b) * step[j];
    }
}

static double relative_gradient(const pf_function *f, const double *gradient)
{
    double largest = 0;
    for (int64_t j = 0; j < f->size; j++) largest = fmax(largest, fabs(gradient[j]) / f->scale[j]);
    return largest;
}

/* The first step without a memory: it changes no variable by more than 1 / its scale. */
static double first_step(const pf_function *f, const double *direction)
{
    double largest = 0;
    for (int64_t j = 0; j < f->size; j++) largest = fmax(largest, fabs(direction[j]) * f->scale[j]);
    return 1 / largest;
}

/* Sets the direction from `now` and searches along it; forgets the memory and tries again where that fails. */
static bool advance(const pf_function *f, pairs *memory, pf_point *now, double *direction, pf_point *next)
{
    for (;;) {
        const bool steepest = memory->first == memory->end;
        find_direction(memory, f, now->gradient, direction);
        now->slope = pf_dot(now->gradient, direction, f->size);
        next->at = steepest ? first_step(f, direction) : 1;
        if (now->slope < 0 && pf_line_search(f, now, direction, next)) return true;
        if (steepest) return false;
        memory->first = memory->end;
    }
}

pf_minimum pf_minimise(const pf_function *f, double *x, double *memory, double tolerance, int64_t max_iterations)
{
    const int64_t size = f->size;
    pairs kept = { .steps = memory, .changes = memory + PF_MEMORY_PAIRS * size, .size = size };
    double *rest = memory + 2 * PF_MEMORY_PAIRS * size, *direction = rest;
    pf_point now = { .x = x, .gradient = rest + size }, next = { .x = rest + 2 * size, .gradient = rest + 3 * size };
    pf_minimum m = { .end = PF_END_CONVERGED };
    now.value = f->value(now.x, now.gradient, f->user);
    while ((m.gradient = relative_gradient(f, now.gradient)) > tolerance) {
        if (m.iterations == max_iterations) m.end = PF_END_ITERATIONS;
        else if (!advance(f, &kept, &now, direction, &next)) m.end = PF_END_ROUNDING;
        if (m.end != PF_END_CONVERGED) break;
        remember(&kept, &now, &next);
        const pf_point old = now;
        now = next;
        next = old;
        m.iterations++;
    }
    if (now.x != x) memcpy(x, now.x, (size_t)size * sizeof *x);
    m.value = now.value;
    return m;
}
