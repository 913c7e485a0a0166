/* SPDX-License-Identifier: Apache-2.0
 * stratify.h -- stratified split of a multi-label data set: both parts have, as nearly as possible, the same share of
 * positives of each label. peft_dataset_split calls it. */
#ifndef IO_STRATIFY_H
#define IO_STRATIFY_H
#include "io/dataset/dataset.h"

/* Sets mark [count] to 1 for first_size samples of d, which seed chooses, and to 2 for all others. order [count]:
 * scratch memory. */
peft_status io_stratify(const peft_dataset *d, int64_t first_size, uint64_t seed, int64_t *order, uint8_t *mark);
#endif
