/* SPDX-License-Identifier: Apache-2.0
 * golden.h -- compares the library with golden vectors: safetensors files of inputs and reference results. A file of
 * the kind "component" names in its metadata which check (here: method) runs it. A report counts the comparisons and
 * keeps the one with the largest error relative to its limit. */
#ifndef GOLDEN_H
#define GOLDEN_H
#include "core/format/safetensors.h"

typedef struct golden_report {
    int checks, failures;
    bool skipped;                          /* there is no check for this method */
    double ratio;                          /* largest error / limit of all comparisons; > 1 is a failure */
    double error, limit;                   /* of the comparison with that ratio */
    char what[200];                        /* its tensor, after the instruction set for kernels */
} golden_report;

/* Runs the check of a component file, prints failures and fills r. Returns -1 when a comparison failed, else 0. */
int golden_component(peft_context *ctx, const char *path, const pf_st *file, golden_report *r);

/* --- functions that the checks use ---------------------------------------------------------------------------- */
typedef struct golden {
    peft_context *ctx;
    const char *path;                      /* of the file */
    const pf_st *file;
    golden_report *report;
    const char *isa;                       /* instruction set, printed before names; NULL: none */
    void *blocks;                          /* linked list of the blocks of golden_memory, freed after the check */
} golden;

#define GOLDEN_FORMAT(n) __attribute__((format(printf, n, n + 1)))

void *golden_memory(golden *g, size_t bytes);                                 /* zeroed */
const pf_st_tensor *golden_find(const golden *g, const char *format, ...) GOLDEN_FORMAT(2);      /* NULL: none */
void golden_fail(golden *g, const char *format, ...) GOLDEN_FORMAT(2);
bool golden_ok(golden *g, peft_status s, const char *what);                   /* false: a failure is recorded */

/* An aligned copy of a tensor's data: raw bytes, or converted to pk_real. A missing tensor is a failure and gives
 * NULL. */
void    *golden_raw(golden *g, const pf_st_tensor *t);
pk_real *golden_real(golden *g, const char *format, ...) GOLDEN_FORMAT(2);

/* Compare with the file's tensor, which must have n elements.
 * l2: |got - want| / |want|; absolute within 1e-6 where no entry of want reaches 1e-6. In a build in double the limit
 *     is 1e-6 of the largest entry instead.
 * loss: one value, 1e-5 relative or 2e-6 absolute.
 * each: the largest |got - want| / max(|want|, scale) of all elements; NaN equals NaN. scale: GOLDEN_RELATIVE or
 *     GOLDEN_ABSOLUTE.
 * bits: the number of different bytes, which must be 0.
 * note: records an error that the caller computed. */
void golden_l2(golden *g, const pk_real *got, int64_t n, double limit, const char *format, ...) GOLDEN_FORMAT(5);
void golden_loss(golden *g, double got, const char *format, ...) GOLDEN_FORMAT(3);
void golden_each(golden *g, const double *got, int64_t n, double scale, double limit, const char *format, ...)
    GOLDEN_FORMAT(6);
void golden_bits(golden *g, const void *got, size_t bytes, const char *format, ...) GOLDEN_FORMAT(4);
void golden_note(golden *g, double error, double limit, const char *format, ...) GOLDEN_FORMAT(4);

/* Limits of golden_l2. */
#define GOLDEN_FORWARD  1e-5
#define GOLDEN_GRADIENT 1e-4
/* Scales of golden_each: an error relative to each |want|; the same, but absolute where |want| < 1. */
#define GOLDEN_RELATIVE 0.0
#define GOLDEN_ABSOLUTE 1.0

/* A number among the options that the file's metadata hold as JSON; `otherwise` if there is none. */
double golden_option(const golden *g, const char *name, double otherwise);

/* Calls fn(g, <case>) for every tensor expect.<case><end> of the file: end ".loss" and the tensor "expect.smooth.loss"
 * give fn(g, "smooth"). */
void golden_cases(golden *g, const char *end, void (*fn)(golden *g, const char *name));

/* The checks of component files, by the method that the file names. */
void golden_gelu(golden *g);
void golden_layernorm(golden *g);
void golden_attention(golden *g);
void golden_optimizers(golden *g);
void golden_dft(golden *g);
void golden_metrics(golden *g);
void golden_resize(golden *g);
void golden_preprocess(golden *g);
void golden_foa(golden *g);
#endif
