/* SPDX-License-Identifier: Apache-2.0
 * line_search.c -- the line search of L-BFGS. */
#include <math.h>
#include "core/probe/minimise.h"

static const double decrease = 1e-4, curvature = 0.9;        /* constants of the Wolfe conditions */
static const double rounding = 1e-13;                        /* relative: changes of the value below it are not seen */

double pf_dot(const double *a, const double *b, int64_t size)
{
    double sum = 0;
    for (int64_t j = 0; j < size; j++) sum += a[j] * b[j];
    return sum;
}

/* Computes the point at to->at on the line. */
static void evaluate(const pf_function *f, const pf_point *from, const double *direction, pf_point *to)
{
    for (int64_t j = 0; j < f->size; j++) to->x[j] = from->x[j] + to->at * direction[j];
    to->value = f->value(to->x, to->gradient, f->user);
    to->slope = pf_dot(to->gradient, direction, f->size);
}

static bool satisfies(const pf_point *from, const pf_point *to)
{
    const double first = from->slope;
    if (to->value <= from->value + decrease * to->at * first && fabs(to->slope) <= -curvature * first) return true;
    return to->value <= from->value + rounding * fabs(from->value) && to->slope >= curvature * first &&
           to->slope <= (2 * decrease - 1) * first;
}

/* Is the difference of two values so small that rounding may have made it? */
static bool is_flat(const pf_point *a, const pf_point *b)
{
    return fabs(a->value - b->value) <= rounding * fabs(a->value);
}

/* The minimum of the cubic through values and slopes of both ends, or of the parabola through the slopes where values
 * say nothing. It is kept off the ends; the middle if there is none. */
static double between(const pf_point *a, const pf_point *b)
{
    const double length = b->at - a->at, margin = is_flat(a, b) ? 0 : 0.1;
    const double d = a->slope + b->slope - 3 * (b->value - a->value) / length;
    const double root = sqrt(d * d - a->slope * b->slope);
    const double signed_root = copysign(root, length);
    const double cubic = 1 - (b->slope + signed_root - d) / (b->slope - a->slope + 2 * signed_root);
    const double share = is_flat(a, b) ? a->slope / (a->slope - b->slope) : cubic;
    return a->at + length * (share >= margin && share <= 1 - margin ? share : 0.5);
}

bool pf_line_search(const pf_function *f, const pf_point *from, const double *direction, pf_point *to)
{
    enum { most = 60 };
    pf_point low = *from, high = { .at = 0 };                /* low: the best so far; high: the bracket's other end */
    bool bracketed = false;
    low.at = 0;
    for (int k = 0; k < most; k++) {
        evaluate(f, from, direction, to);
        if (satisfies(from, to)) return true;
        const bool decreased = to->value <= from->value + decrease * to->at * from->slope && to->value < low.value;
        if (!decreased && !is_flat(from, to)) {
            high = *to;
            bracketed = true;
        } else {
            if (bracketed ? to->slope * (high.at - low.at) >= 0 : to->slope >= 0) {
                high = low;
                bracketed = true;
            }
            low = *to;
        }
        to->at = bracketed ? between(&low, &high) : 4 * to->at;
    }
    return false;
}
