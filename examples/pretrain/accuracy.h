/* SPDX-License-Identifier: Apache-2.0
 * accuracy.h -- the accuracy of a model on a data set, predicted in batches. */
#ifndef ACCURACY_H
#define ACCURACY_H
#include <peft/io.h>
#include <peft/peft.h>

typedef struct test_bench {
    peft_session *session;
    peft_loader *loader;
    peft_tensor *images, *labels, *logits;
} test_bench;
test_bench open_bench(peft_context *ctx, peft_model *m, peft_dataset *d, peft_transform *t);
double     test_accuracy(test_bench *b);                      /* with the model as it is now */
void       close_bench(test_bench *b);
#endif
