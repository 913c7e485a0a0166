/* SPDX-License-Identifier: Apache-2.0
 * stratify.h -- splitting a multi-label data set with each label's share of positives in both parts. */
#ifndef IO_STRATIFY_H
#define IO_STRATIFY_H
#include "io/dataset/dataset.h"

/* Sets mark [count] to 1 for first_size samples of d, drawn by seed, and to 2 for the others. order [count] is
 * scratch. */
peft_status io_stratify(const peft_dataset *d, int64_t first_size, uint64_t seed, int64_t *order, uint8_t *mark);
#endif
