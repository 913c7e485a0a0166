/* SPDX-License-Identifier: Apache-2.0
 * case_pool.h -- the struct behind <peft/case_pool.h>, and what its files share. */
#ifndef PF_CASE_POOL_H
#define PF_CASE_POOL_H
#include <peft/case_pool.h>
#include "core/model/note.h"
#include "core/train/session/engine.h"

typedef struct pf_case_shape { int64_t width, hidden, classes; bool gated, multilabel; } pf_case_shape;

/* Where the parameters, or their gradients, lie in a block. v and u are transposed, [width,hidden], so that the loops
 * over hidden units are innermost. u is NULL without a gate. */
typedef struct pf_case_params { double *v, *u, *w, *c, *b; } pf_case_params;
int64_t        pf_case_count(const pf_case_shape *s);                /* doubles in the block */
pf_case_params pf_case_params_in(const pf_case_shape *s, double *block);

struct peft_case_pool {
    peft_context *ctx;
    pf_engine engine;
    peft_options *options;
    pf_case_shape shape;
    int64_t epochs;                      /* trained so far */
    double *values;                      /* [pf_case_count] */
    double *shift, *scale;               /* [width] each: h = (feature - shift) * scale */
    pf_notes notes;
};
extern const pf_opt pf_case_options[];
void pf_case_initialise(peft_case_pool *p);                          /* draws the values, and sets shift and scale */

/* --- slices.c: cases as the caller gives them --- */
typedef struct pf_case_input {
    const float *features;               /* [slices,width] */
    const float *targets;                /* [cases,classes]; NULL: to be predicted */
    int64_t slices, cases, most;         /* most: slices in a case */
    int64_t *first;                      /* [cases + 1]: of the case's slices in `slice`; owned */
    int64_t *slice;                      /* [slices], in their order */
    int64_t judged;                      /* what the loss is a mean over: cases, or targets that are not -1 */
} pf_case_input;
/* Checks the arguments of the public function `who` and groups slices by case. */
peft_status pf_case_input_make(const char *who, const peft_case_pool *p, const float *features, const int64_t *case_of,
                               int64_t slices, int64_t cases, pf_case_input *in);
peft_status pf_case_input_targets(const char *who, const peft_case_pool *p, const float *targets, pf_case_input *in);
void        pf_case_input_free(const peft_case_pool *p, pf_case_input *in);

/* --- one_case.c: the network on one case --- */
/* Values of a case with up to `most` slices, in one block. */
typedef struct pf_case_work {
    double *h;                           /* [most,width] */
    double *t, *g;                       /* [most,hidden]: tanh(V h), sigm(U h); after them the derivatives of the loss
                                          * with respect to V h and U h. g: 1 without a gate */
    double *a;                           /* [most] */
    double *z, *dz;                      /* [width] */
    double *y, *dy;                      /* [classes]: logits, then probabilities; derivatives by the logits */
} pf_case_work;
int64_t      pf_case_work_count(const pf_case_shape *s, int64_t most);   /* doubles in the block */
pf_case_work pf_case_work_in(const pf_case_shape *s, int64_t most, double *block);
/* Computes case n: h to y, which ends as probabilities. */
void   pf_case_forward(const peft_case_pool *p, const pf_case_input *in, int64_t n, pf_case_work *k);
/* After forward: the case's part of the loss; its gradient is added to those in the block (NULL: none). */
double pf_case_backward(const peft_case_pool *p, const pf_case_input *in, int64_t n, pf_case_work *k, double *gradient);

/* --- all_cases.c: the network on all cases, divided among threads --- */
/* Cases are divided into PF_CASE_TASKS runs of consecutive cases, whatever the number of threads, and what these
 * find is added in their order. */
enum { PF_CASE_TASKS = 16 };
typedef struct pf_case_pass {
    const peft_case_pool *p;
    const pf_case_input *in;
    double *memory;                      /* of all tasks */
    bool training;
    double *loss, *gradient;             /* [PF_CASE_TASKS], [PF_CASE_TASKS, parameters]; in memory. loss: NaN where a
                                          * probability is, 0 without targets */
    double *probabilities, *weights;     /* of the caller; may be NULL */
} pf_case_pass;
peft_status pf_case_pass_make(const peft_case_pool *p, const pf_case_input *in, bool training, pf_case_pass *pass);
void        pf_case_pass_free(pf_case_pass *pass);
/* The loss of all cases, NaN if a probability is NaN; gradient: [parameters], may be NULL. */
double      pf_case_pass_loss(pf_case_pass *pass, double *gradient);
/* False: a probability is NaN. */
bool        pf_case_pass_predict(pf_case_pass *pass, double *probabilities, double *weights);
bool        pf_case_all_finite(const double *v, int64_t count);
#endif
