/* SPDX-License-Identifier: Apache-2.0
 * stratify.h -- dealing out the samples of a multi-label set. */
#ifndef IO_STRATIFY_H
#define IO_STRATIFY_H
#include "io/dataset.h"

/* mark [count]: 1 for part samples of d, drawn by seed, 2 for the others. order [count] is scratch. */
peft_status io_stratify(const peft_dataset *d, int64_t part, uint64_t seed, int64_t *order, uint8_t *mark);
#endif
