/* SPDX-License-Identifier: Apache-2.0
 * record.h -- what inspect prints of a training record, OUT.record.json of finetune. */
#ifndef INSPECT_RECORD_H
#define INSPECT_RECORD_H
#include <stdbool.h>

/* full: the lists of files too. False, and nothing is printed, where path is no record. */
bool inspect_record(const char *path, bool full);
/* Prints a line on the training record beside a model: its path, and whether it is that of this file. */
void print_record_beside(const char *model);
#endif
