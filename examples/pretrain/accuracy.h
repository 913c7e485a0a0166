/* SPDX-License-Identifier: Apache-2.0
 * accuracy.h -- the accuracy of pretrain's model on the test set, predicted in batches. */
#ifndef ACCURACY_H
#define ACCURACY_H
#include <peft/io.h>
#include <peft/peft.h>

typedef struct evaluator {
    peft_session *session;
    peft_loader *loader;
    peft_tensor *images, *labels, *logits;
} evaluator;
/* For the test set d, prepared by t without augmentation. */
evaluator open_evaluator(peft_context *ctx, peft_model *m, peft_dataset *d, peft_transform *t);
double     test_accuracy(evaluator *e);                      /* of the model's current weights */
void       close_evaluator(evaluator *e);
#endif
