/* SPDX-License-Identifier: Apache-2.0
 * golden.h -- comparing the library with files of reference results. A file with kind = component is run by its
 * metadata's method; every comparison is counted and the one nearest to (or furthest over) its limit is kept. */
#ifndef GOLDEN_H
#define GOLDEN_H
#include "core/format/safetensors.h"

typedef struct golden_report {
    int checks, failures;
    bool skipped;                          /* the library has nothing for this method */
    double ratio;                          /* largest error / limit; > 1 is a failure */
    double error, limit;                   /* of that comparison */
    char what[200];                        /* its tensor, with the instruction set in front for kernels */
} golden_report;

/* Fills r; failures are printed too. Returns 0 when nothing failed (or skipped), else -1. */
int golden_component(peft_context *ctx, const pf_st *file, golden_report *r);

/* --- for the files that run the methods ----------------------------------------------------------------------- */
typedef struct golden {
    peft_context *ctx;
    const pf_st *file;
    golden_report *report;
    const char *isa;                       /* in front of names in reports; NULL: none */
    void *blocks;                          /* memory that lives until the component is done */
} golden;

#define GOLDEN_FORMAT(n) __attribute__((format(printf, n, n + 1)))

void *golden_memory(golden *g, size_t bytes);                                 /* zeroed */
const pf_st_tensor *golden_find(const golden *g, const char *format, ...) GOLDEN_FORMAT(2);      /* NULL: none */
void golden_fail(golden *g, const char *format, ...) GOLDEN_FORMAT(2);
bool golden_ok(golden *g, peft_status s, const char *what);                   /* false: a failure is recorded */

/* The data of an input, aligned, as it is in the file or as pk_real; a missing one is a failure and NULL. */
void    *golden_raw(golden *g, const pf_st_tensor *t);
pk_real *golden_real(golden *g, const char *format, ...) GOLDEN_FORMAT(2);

/* Compare with the file's tensor, which must have n elements.
 * l2: |got - want| / |want|; absolute within 1e-6 where no entry of want reaches 1e-6. In a build in double the limit
 *     is 1e-6 of the largest entry instead.
 * loss: one value, 1e-5 relative or 2e-6 absolute.
 * each: every element, |got - want| / max(|want|, scale); NaN equals NaN.
 * bits: the bytes are the same. */
void golden_l2(golden *g, const pk_real *got, int64_t n, double limit, const char *format, ...) GOLDEN_FORMAT(5);
void golden_loss(golden *g, double got, const char *format, ...) GOLDEN_FORMAT(3);
void golden_each(golden *g, const double *got, int64_t n, double scale, double limit, const char *format, ...)
    GOLDEN_FORMAT(6);
void golden_bits(golden *g, const void *got, size_t bytes, const char *format, ...) GOLDEN_FORMAT(4);
void golden_note(golden *g, double error, double limit, const char *format, ...) GOLDEN_FORMAT(4);

#define GOLDEN_FORWARD  1e-5
#define GOLDEN_GRADIENT 1e-4

/* expect.<case>.<end>: calls fn once for every case that has such a tensor; the name is copied */
void golden_cases(golden *g, const char *end, void (*fn)(golden *g, const char *name));

void golden_gelu(golden *g);
void golden_layernorm(golden *g);
void golden_attention(golden *g);
void golden_optimizers(golden *g);
void golden_metrics(golden *g);
void golden_resize(golden *g);
void golden_preprocess(golden *g);
#endif
