/* SPDX-License-Identifier: Apache-2.0
 * loss.h -- the table of losses. A row (pf_loss_kind) says which labels a loss takes and which options it reads, checks
 * labels, and computes value and gradient; the trainer and the graph know losses by their rows alone. A new loss is a
 * file in kinds/ with a row, and a line in losses.def. */
#ifndef PF_LOSS_H
#define PF_LOSS_H
#include "core/graph/loss/labels.h"

typedef struct pf_loss pf_loss;

/* Rows of logits and their labels; row i of the logits begins at element i * ld (ld >= classes). A row is a sample, or
 * one pixel of the map that a model outputs for a sample; the rows of a sample follow each other. */
typedef struct pf_loss_rows {
    const pk_real *logits;
    int64_t ld, rows, classes;
    const int64_t *labels;         /* PF_LABEL_CLASS: [rows] */
    const pk_real *targets;        /* PF_LABEL_TARGETS: [rows, classes], dense */
    int64_t samples;               /* each has rows / samples of the rows */
    const pf_run *run;             /* whose threads compute; NULL: the caller's alone */
    void *scratch;                 /* pf_loss_scratch bytes */
} pf_loss_rows;

typedef struct pf_loss_kind {
    const char *name;
    pf_label_kind labels;
    const char *options;           /* names of the options that it reads, separated by blanks (losses.def) */
    const char *factors;           /* of these options one must be above 0, else the loss is always 0; NULL: none */
    int64_t min_classes;           /* with fewer classes the loss is constant */
    bool auto_by_batch;            /* with the option weight_reduction=auto pf_loss.by_batch is set */
    /* PEFT_E_INVALID: a label has a value that this loss does not take. pf_labels_fit has checked type and shape. */
    peft_status (*check)(const pf_loss *loss, const pf_labels *l);
    /* Does the loss depend on these labels? Not if the class weights of all are 0, if all are ignored, or if no target
     * is judged; then a step changes nothing. */
    bool (*depends_on_labels)(const pf_loss *loss, const pf_labels *l);
    /* Returns the value, summed in double, and writes d value / d logits to grad, which has the layout of logits and
     * may be the same memory; grad NULL: the gradient is not computed. Both have the same bits for any threads. */
    double (*evaluate)(const pf_loss *loss, const pf_loss_rows *r, pk_real *grad);
    int sums, class_sums;          /* of a chunk of rows (sums.c): sums + class_sums * classes */
    bool by_sample;                /* a chunk has rows of one sample */
} pf_loss_kind;

/* A loss with its options. A loss node points to it: it must outlive the graph. */
struct pf_loss {
    const pf_loss_kind *kind;
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) double name;
#define PF_LOSS_FLAG(name, fallback, help) bool name;
#define PF_LOSS_LIST(name, help) const pk_real *name;
#include "core/graph/loss/losses.def"
    bool by_batch;                 /* with class weights: divides by the rows, not by the sum of the labels' weights */
    bool ignores;                  /* rows whose label is ignore_index have no loss */
    int64_t ignore_index;
};

#define PF_LOSS(name, help) extern const pf_loss_kind pf_loss_##name;
#include "core/graph/loss/losses.def"

extern const pf_loss_kind *const pf_losses[];                              /* ends with NULL */
const pf_loss_kind *pf_loss_named(const char *name);                       /* NULL: no loss has this name */
bool        pf_loss_reads(const pf_loss_kind *kind, const char *option);   /* does this loss read the option? */
bool        pf_loss_option(const char *option);                            /* is there a loss that reads the option? */
/* Writes the names of the losses that read option (NULL: of all losses) to text, for messages, and returns text. The
 * separator ", " and the last separator " or " give "ce, soft_ce or bce". */
const char *pf_loss_names(const char *option, const char *separator, const char *last, char *text, size_t capacity);
/* The same of the losses that take labels of this kind: "ce, focal or dice". */
const char *pf_loss_names_for(pf_label_kind labels, char *text, size_t capacity);
/* Sets *l to the labels of n samples. out: shape of the model's output for one sample, [classes] or [h, w, classes].
 * PEFT_E_DTYPE, PEFT_E_SHAPE: the labels do not fit it. */
peft_status pf_labels_fit(pf_labels *l, pf_label_kind kind, const peft_tensor *labels, int64_t n, const pf_shape *out);
/* Appends the loss of logits [.., classes] to the graph, with an input "labels" or "targets" that has one row for each
 * row of logits. Returns the loss's value [1], without added losses. */
pf_val      pf_loss_build(pf_graph *g, const pf_loss *loss, pf_val logits);
/* --- sums.c: loops over the rows in chunks, whose bounds do not depend on the threads --- */
/* Computes rows begin .. end - 1. sum: zeros, to which it adds the sums of the chunk; NULL for pf_loss_each. row:
 * memory for a number a class. */
typedef void (*pf_loss_chunk)(void *arg, int64_t begin, int64_t end, double *sum, double *row);
/* Calls fn for all chunks, by all threads, and adds up their sums in the order of the rows: of all rows, or with
 * by_sample of each sample. Returns them, in the scratch memory, where they stay during pf_loss_each: those of sample i
 * begin at element i * pf_loss_stride. */
double     *pf_loss_sum(const pf_loss *loss, const pf_loss_rows *r, pf_loss_chunk fn, void *arg);
int64_t     pf_loss_stride(const pf_loss *loss, const pf_loss_rows *r);
void        pf_loss_each(const pf_loss *loss, const pf_loss_rows *r, pf_loss_chunk fn, void *arg);
size_t      pf_loss_scratch(const pf_loss *loss, const pf_loss_rows *r, int threads);        /* bytes */
/* --- added.c --- */
/* Adds weight times value, of one element, to the loss that the graph is trained on. */
void        pf_loss_add(pf_graph *g, pf_val value, double weight);
/* The sum of loss (PF_NONE: 0) and all added losses, [1]: loss itself if none was added. */
pf_val      pf_loss_total(pf_graph *g, pf_val loss);
#endif
