/* SPDX-License-Identifier: Apache-2.0
 * labels.h -- the labels of a batch as the caller gives them: [b] or [b, classes] for a model with one row of logits a
 * sample; [b, h, w] or [b, h, w, classes] for a model whose output is a map. Losses see b or b * h * w rows. */
#ifndef PF_LABELS_H
#define PF_LABELS_H
#include "core/base/tensor.h"
#include "core/graph/graph.h"

typedef enum pf_label_kind {
    PF_LABEL_CLASS,                /* i64: the number of a class */
    PF_LABEL_TARGETS               /* f32 or f64: a value for each class */
} pf_label_kind;

typedef struct pf_labels {
    const peft_tensor *tensor;     /* the caller's */
    int64_t rows, classes;         /* rows of logits that they belong to; logits in a row */
} pf_labels;

int64_t pf_label_class(const pf_labels *l, int64_t row);                 /* for PF_LABEL_CLASS: the class of a row */
double  pf_label_target(const pf_labels *l, int64_t row, int64_t c);     /* for PF_LABEL_TARGETS: that of class c */
/* Writes where a row's label is, for messages: "labels[2]", in a map "labels[2][0][7]" (sample, y, x). Returns text. */
enum { PF_LABEL_TEXT = 96 };
const char *pf_label_place(const pf_labels *l, int64_t row, char text[PF_LABEL_TEXT]);
/* For PF_LABEL_CLASS. PEFT_E_INVALID: a label is not 0 to classes - 1, nor *ignored (NULL: no label is left out). */
peft_status pf_labels_are_classes(const pf_labels *l, const int64_t *ignored);
/* For PF_LABEL_TARGETS. PEFT_E_INVALID: the target of class c in the row is not 0 to 1; in the second function it may
 * also be -1 (class not judged). expected: what the message says after "expected". */
peft_status pf_target_in_range(const pf_labels *l, int64_t row, int64_t c, const char *expected);
peft_status pf_target_in_range_or_unjudged(const pf_labels *l, int64_t row, int64_t c, const char *expected);
#endif
