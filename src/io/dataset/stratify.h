/* SPDX-License-Identifier: Apache-2.0
 * stratify.h -- stratified division of a multi-label data set: all parts have, as nearly as possible, the same share of
 * positives of each label. peft_dataset_split and peft_dataset_fold call it. */
#ifndef IO_STRATIFY_H
#define IO_STRATIFY_H
#include "io/dataset/dataset.h"

/* Divides d into parts of sizes[0] .. sizes[parts - 1] samples, which add up to all of them, by seed. Sets mark [count]
 * to the number of a sample's part, from 1 on. sizes: is changed. order [count]: scratch memory. */
peft_status io_stratify(const peft_dataset *d, int64_t *sizes, int64_t parts, uint64_t seed, int64_t *order,
                        int64_t *mark);
#endif
