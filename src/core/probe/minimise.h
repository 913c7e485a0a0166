/* SPDX-License-Identifier: Apache-2.0
 * minimise.h -- L-BFGS (Liu and Nocedal, Mathematical Programming 45, 1989): the minimum of a smooth convex function
 * from its values and gradients. */
#ifndef PF_MINIMISE_H
#define PF_MINIMISE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct pf_function {
    int64_t size;                        /* number of variables */
    double (*value)(const double *x, double *gradient, void *user);  /* writes the gradient, returns the value */
    void *user;
    const double *scale;                 /* [size], > 0: magnitudes of the gradient's elements, which are judged
                                          * relative to them; the root of the second derivative, if it is known
                                          * roughly */
} pf_function;

typedef enum pf_end { PF_END_CONVERGED, PF_END_ITERATIONS, PF_END_ROUNDING } pf_end;
typedef struct pf_minimum { pf_end end; int64_t iterations; double value, gradient; } pf_minimum;

/* A point: x and the gradient there, [size]; its place on the line of the search, value and slope there. */
typedef struct pf_point { double *x, *gradient, at, value, slope; } pf_point;
/* Finds a point beyond `from` in `direction` that satisfies the strong Wolfe conditions (Nocedal and Wright, Numerical
 * Optimization, 2006, algorithms 3.5 and 3.6), or where rounding hides the decrease, the approximate ones (Hager and
 * Zhang, 2005). to->at: the step to try first. false: there is none; to is then undefined. */
bool pf_line_search(const pf_function *f, const pf_point *from, const double *direction, pf_point *to);

double pf_dot(const double *a, const double *b, int64_t size);

/* Numbers that pf_minimise needs in memory. */
enum { PF_MEMORY_PAIRS = 10 };
static inline int64_t pf_minimise_numbers(int64_t size) { return (2 * PF_MEMORY_PAIRS + 4) * size; }
/* Minimises f from x [size], which becomes the best point found, until the largest element of |gradient| / scale is at
 * most tolerance. */
pf_minimum pf_minimise(const pf_function *f, double *x, double *memory, double tolerance, int64_t max_iterations);
#endif
