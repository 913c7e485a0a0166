/* SPDX-License-Identifier: Apache-2.0
 * probe.h -- what the files of <peft/probe.h> share: the struct behind peft_probe, features in blocks, the
 * kinds. */
#ifndef PF_PROBE_H
#define PF_PROBE_H
#include <peft/probe.h>
#include "core/options/options.h"

typedef enum pf_probe_kind { PF_PROBE_KNN, PF_PROBE_PROTOTYPES, PF_PROBE_LOGISTIC, PF_PROBE_KINDS } pf_probe_kind;

struct peft_probe {
    peft_context *ctx;
    pf_probe_kind kind;
    int64_t n, width, classes;           /* training samples; of features; of scores */
    bool several;                        /* several labels a sample */
    double *mean, *factor;               /* [width]: features become (x - mean) * factor; NULL: they stay */
    bool cosine;                         /* similarity: the cosine, else minus the squared distance */
    bool exponential;                    /* knn: votes of exp(similarity / temperature) */
    double temperature;
    int64_t k;
    double *blocks;                      /* knn: features of the training samples, in blocks (below) */
    int64_t *labels;                     /* knn [n]; NULL: targets */
    float *targets;                      /* knn [n, classes]; NULL: labels */
    double *share;                       /* knn [classes]: of the label in all samples that are judged for it */
    double *weights, *intercepts;        /* prototypes: means, [classes, width], of several labels [2, classes, width]:
                                          * first without the label; -Inf in intercepts [rows]: no mean, else 0.
                                          * logistic: the classifier, [classes, width] and [classes] */
    double iterations, gradient, loss;   /* NaN: not logistic */
};

/* The training samples. labels or targets is NULL; x: features in blocks. */
typedef struct pf_probe_data {
    const double *x;
    const int64_t *labels;
    const float *targets;
    int64_t n;
} pf_probe_data;
/* Target of sample i for class c: 1, 0 or -1 (not judged). */
static inline int pf_probe_target(const pf_probe_data *d, int64_t classes, int64_t i, int64_t c)
{
    return d->labels ? d->labels[i] == c : (int)d->targets[i * classes + c];
}

/* --- features in blocks: of PF_LANES samples, [width, PF_LANES], the last one filled up with zeros -------- */
enum { PF_LANES = 8 };
static inline int64_t pf_probe_block_count(int64_t n) { return (n + PF_LANES - 1) / PF_LANES; }
/* Fits p->mean and p->factor. */
peft_status pf_probe_standardize(peft_probe *p, const float *features, int64_t n);
/* One sample as double, standardised, and for similarities by cosine of length 1 (zeros stay zeros). */
void        pf_probe_row(const peft_probe *p, const float *features, double *row);
void        pf_probe_unit(double *row, int64_t width);                  /* makes the length 1 */
/* All samples in blocks; *out is freed by the caller. */
peft_status pf_probe_blocks(const peft_probe *p, const float *features, int64_t n, double **out);
/* out: the products of v with the samples of a block, added up feature by feature. */
void        pf_probe_dots(const double *block, const double *v, int64_t width, double out[PF_LANES]);
double      pf_probe_similarity(bool cosine, const double *a, const double *b, int64_t width);

/* --- kinds ----------------------------------------------------------------------------------------------------------
 * fit gets d->x and may keep it, by setting p->blocks. score writes the probabilities of one prepared sample; scratch
 * has pf_probe_scratch bytes. */
peft_status pf_knn_fit(peft_probe *p, const pf_probe_data *d, const peft_options *o);
void        pf_knn_score(const peft_probe *p, const double *row, void *scratch, double *scores);
peft_status pf_prototypes_fit(peft_probe *p, const pf_probe_data *d, const peft_options *o);
void        pf_prototypes_score(const peft_probe *p, const double *row, void *scratch, double *scores);
peft_status pf_logistic_fit(peft_probe *p, const pf_probe_data *d, const peft_options *o);
void        pf_logistic_score(const peft_probe *p, const double *row, void *scratch, double *scores);

/* Allocates *out of count * size bytes, zeros. */
peft_status pf_probe_array(peft_context *ctx, int64_t count, int64_t each, size_t size, void *out);
extern const pf_opt pf_probe_options[];
#endif
