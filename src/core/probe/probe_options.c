/* SPDX-License-Identifier: Apache-2.0
 * probe_options.c -- the table of the options of probes. */
#include "core/probe/probe.h"

const pf_opt pf_probe_options[] = {
    { "kind", 's', "logistic", 0, 0, "knn: nearest neighbours; prototypes: class means; logistic: regression" },
    { "standardize", 'b', "false", 0, 0, "subtract the mean of each feature and divide by its standard deviation" },
    { "distance", 's', "cosine", 0, 0, "knn, prototypes: cosine, or euclidean (squared)" },
    { "temperature", 'f', "0", 0, 1e9, "knn with weights=exp, prototypes; 0: 0.07 for cosine, 1 for euclidean" },
    { "k", 'i', "5", 1, 1e9, "knn: number of neighbours" },
    { "weights", 's', "exp", 0, 0, "knn: votes are exp(similarity / temperature) (exp), or equal (uniform)" },
    { "C", 'f', "1", 1e-12, 1e12, "logistic: inverse strength of the L2 penalty" },
    { "class_weight", 's', "none", 0, 0, "logistic: none; balanced: classes have the same weight in sum" },
    { "max_iterations", 'i', "10000", 1, 1e9, "logistic: most iterations of L-BFGS" },
    { "tolerance", 'f', "1e-8", 1e-12, 1, "logistic: largest gradient at the end, relative to its feature" },
    { 0 } };
