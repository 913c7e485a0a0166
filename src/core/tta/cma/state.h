/* SPDX-License-Identifier: Apache-2.0
 * state.h -- the struct behind pf_cma, and what a form of the covariance matrix C supplies to it. */
#ifndef PF_CMA_STATE_H
#define PF_CMA_STATE_H
#include <math.h>
#include "core/tta/cma/dot.h"
#include "core/tta/cma/parameters.h"

/* Whole numbers of the state, each of 32 bits. ITERATION: iterations told; DECOMPOSED: the one whose C the axes and
 * lengths belong to; SEED_HIGH, SEED_LOW: the upper and lower half of the seed. */
enum { PF_CMA_ITERATION, PF_CMA_DECOMPOSED, PF_CMA_SEED_HIGH, PF_CMA_SEED_LOW, PF_CMA_NUMBERS };

/* A form of C. y: a step (x - mean) / sigma, [dim]; out is another array. */
typedef struct pf_cma_model {
    bool whitened_path;                    /* the path of C adds up C^(-1/2) times the steps of the mean */
    /* Brings what draw and whiten read up to date with C. false: C is not finite. */
    bool (*refresh)(pf_cma *es);
    void (*draw)(pf_cma *es, const double *z, double *y);              /* y = C^(1/2) z, as B D z for a full C */
    void (*whiten)(pf_cma *es, const double *y, double *out);          /* out = C^(-1/2) y */
    /* The rank-one update by the path and the rank-mu update by the sorted steps es->ranked with weights w, `count` of
     * them, which include the learning rate. c1: the rate of the rank-one update. deficit: in an iteration in which the
     * path is held back (h_sigma = 0) c1 c_c (2 - c_c), what its variance lacks, which C then keeps; else 0. */
    void (*update)(pf_cma *es, double *w, int64_t count, double c1, double deficit);
} pf_cma_model;

extern const pf_cma_model pf_cma_full, pf_cma_separable;

struct pf_cma {
    peft_context *ctx;
    const pf_cma_model *model;
    pf_cma_covariance covariance;
    pf_cma_parameters p;
    int64_t dim, population, injected;
    uint64_t seed; double first_sigma;     /* the initial ones */
    bool asked;                            /* x and step belong to the current iteration */
    /* The state. */
    int64_t number[PF_CMA_NUMBERS];
    double sigma;
    double *mean, *path, *path_sigma;      /* [dim]; the paths are those of C (p_c) and of sigma (p_sigma) */
    double *length;                        /* [dim]: standard deviation along each axis (D), or of each variable */
    double *c, *axis;                      /* [dim,dim], full only: C, lower triangle; row i: unit vector of axis i */
    double *start;                         /* [dim], the initial mean */
    /* Memory of an iteration. most = population + injected. */
    double *weight;                        /* [population], recombination weights */
    double *rate;                          /* [most]: of each rank, weight times learning rate of the rank-mu update */
    double *x, *step;                      /* [population,dim]; [most,dim]: (x - mean) / sigma, injected ones last */
    const double **ranked;                 /* [most]: the steps, best fitness first */
    int64_t *order;                        /* [most]: their indices */
    double *shift, *white;                 /* [dim]: movement of the mean / sigma; a whitened step */
    double *eigen;                         /* full only: workspace of the eigendecomposition, and [dim] of draw and
                                            * whiten */
};

/* The length of C^(-1/2) y: the distance of a candidate from the mean in standard deviations. Uses es->white. */
static inline double pf_cma_distance(pf_cma *es, const double *y)
{
    es->model->whiten(es, y, es->white);
    return sqrt(pf_dot(es->white, es->white, es->dim));
}

/* sigma stays within these, so that no sum of steps overflows. */
#define PF_CMA_SIGMA_MIN 1e-150
#define PF_CMA_SIGMA_MAX 1e150
#endif
