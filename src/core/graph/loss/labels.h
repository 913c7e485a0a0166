/* SPDX-License-Identifier: Apache-2.0
 * labels.h -- the labels of a batch as the caller gives them. A model that makes one row of logits a sample takes
 * labels [b] or [b, classes]; one that makes a map takes [b, h, w] or [b, h, w, classes]. Losses see b * h * w rows. */
#ifndef PF_LABELS_H
#define PF_LABELS_H
#include "core/base/tensor.h"
#include "core/graph/graph.h"

typedef enum pf_label_kind {
    PF_LABEL_CLASS,                /* i64: the number of a class */
    PF_LABEL_TARGETS               /* f32 or f64: a value for each class */
} pf_label_kind;

typedef struct pf_labels {
    const peft_tensor *tensor;
    int64_t rows, classes;
} pf_labels;

/* Labels of n samples for a model whose output is `out` a sample ([classes] or [h, w, classes]); else PEFT_E_DTYPE, or
 * PEFT_E_SHAPE that names both shapes. */
peft_status pf_labels_fit(pf_labels *l, pf_label_kind kind, const peft_tensor *labels, int64_t n, const pf_shape *out);

int64_t pf_label_class(const pf_labels *l, int64_t row);
double  pf_label_target(const pf_labels *l, int64_t row, int64_t c);
/* Names a row's label for messages: "labels[2]", or in a map "labels[2][0][7]" (sample, y, x). Returns text. */
enum { PF_LABEL_TEXT = 96 };
const char *pf_label_place(const pf_labels *l, int64_t row, char text[PF_LABEL_TEXT]);
/* PF_LABEL_CLASS: each is 0 to classes - 1. */
peft_status pf_labels_are_classes(const pf_labels *l);
/* PF_LABEL_TARGETS: entry c of the row is 0 to 1, or where `unjudged` -1; else PEFT_E_INVALID with `expected`. */
peft_status pf_label_in_range(const pf_labels *l, int64_t row, int64_t c, bool unjudged, const char *expected);
#endif
