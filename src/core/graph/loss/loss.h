/* SPDX-License-Identifier: Apache-2.0
 * loss.h -- the table of losses. A row says which labels a loss takes and which options it reads, checks labels, and
 * computes value and gradient. Everything that depends on the loss asks its row; a new loss is a file with a row and a
 * line in losses.def. */
#ifndef PF_LOSS_H
#define PF_LOSS_H
#include "core/graph/loss/labels.h"

typedef struct pf_loss pf_loss;

/* Rows of logits, ld elements apart (ld >= classes), and the label of each. A row is a sample, or one place of the map
 * that a model makes of a sample. */
typedef struct pf_loss_rows {
    const pk_real *logits;
    int64_t ld, rows, classes;
    const int64_t *labels;         /* PF_LABEL_CLASS: [rows], each 0..classes-1 */
    const pk_real *targets;        /* PF_LABEL_TARGETS: [rows, classes], dense */
} pf_loss_rows;

typedef struct pf_loss_kind {
    const char *name;
    pf_label_kind labels;
    const char *options;           /* those of losses.def, and weight_reduction, that it reads; a blank between two */
    int64_t min_classes;           /* with fewer classes the loss is always 0 */
    bool auto_by_batch;            /* weight_reduction=auto means batch (pf_loss.by_batch), else weights */
    /* PEFT_E_INVALID for a value that this loss does not take; type and shape are checked before (pf_labels_fit). */
    peft_status (*check)(const pf_labels *l);
    /* Has any label an effect? false where the class weights of all are 0, or all targets are -1 (not judged). */
    bool (*counts)(const pf_loss *loss, const pf_labels *l);
    /* The value, summed in double, row by row. grad (NULL: not wanted) has the layout of logits, may be logits itself,
     * and gets d value / d logits, element by element. */
    double (*evaluate)(const pf_loss *loss, const pf_loss_rows *x, pk_real *grad);
} pf_loss_kind;

/* A loss with its options. A loss node points to it: it must outlive the graph. */
struct pf_loss {
    const pf_loss_kind *kind;
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) double name;
#define PF_LOSS_LIST(name, help) const pk_real *name;
#include "core/graph/loss/losses.def"
    bool by_batch;                 /* with class weights: divide by rows, not by the sum of the labels' weights */
};

#define PF_LOSS(name, help) extern const pf_loss_kind pf_loss_##name;
#include "core/graph/loss/losses.def"

extern const pf_loss_kind *const pf_losses[];                               /* NULL ends them */
const pf_loss_kind *pf_loss_named(const char *name);                       /* NULL: none */
bool        pf_loss_reads(const pf_loss_kind *kind, const char *option);
bool        pf_loss_option(const char *option);                            /* is it an option of losses? */
/* The names of the losses that read option (NULL: of all), for messages: "ce, soft_ce or bce". Returns text. */
const char *pf_loss_names(const char *option, const char *between, const char *last, char *text, size_t room);
/* Appends the loss of logits [.., classes]: one row of labels for each row of logits. Returns the value [1]. */
pf_val      pf_loss_build(pf_graph *g, const pf_loss *loss, pf_val logits);
#endif
