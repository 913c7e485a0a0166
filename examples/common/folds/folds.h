/* SPDX-License-Identifier: Apache-2.0
 * folds.h -- folds of training images: K stratified parts, each of which is held out once while the others are trained
 * on. Images of a patient are in one part, where patients are known. */
#ifndef FOLDS_H
#define FOLDS_H
#include <peft/io.h>
#include <stdint.h>

typedef struct fold {
    peft_dataset *train, *held;
    int64_t *train_index, *held_index;                        /* the samples' numbers in the whole set */
} fold;
typedef struct folds { fold *fold; int64_t count; } folds;
/* flag: the option that gives count, for messages, without "--". Ends the program where d cannot be divided so. */
folds make_folds(peft_dataset *d, int64_t count, uint64_t seed, const char *flag);
void  free_folds(folds *f);
#endif
