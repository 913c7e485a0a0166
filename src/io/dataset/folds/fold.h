/* SPDX-License-Identifier: Apache-2.0
 * fold.h -- the division of a data set into equal parts, of peft_dataset_fold and peft_dataset_partition. */
#ifndef IO_FOLD_H
#define IO_FOLD_H
#include "io/io.h"

/* Divides d as peft_dataset_fold does, without its conditions on the arguments and classes, and makes the parts of one
 * fold; train, held_out: NULL if not wanted. function, part: words of the message of a part that would be empty. */
peft_status io_fold(peft_dataset *d, int64_t folds, int64_t fold, uint64_t seed, const char *function, const char *part,
                    peft_dataset **train, peft_dataset **held_out);
#endif
