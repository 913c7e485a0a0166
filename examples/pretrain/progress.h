/* SPDX-License-Identifier: Apache-2.0
 * progress.h -- reports the progress of training: a bar on a terminal, and for each epoch a line and a row of a CSV
 * file. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    int64_t epochs, epoch_steps;                              /* of the whole run, and updates in an epoch */
    const char *curve;                                        /* CSV file that rows are added to; NULL: none */
    bool bar;
    int64_t steps, steps_of_epoch;                            /* since the program started, of this epoch since then */
    double start, epoch_start, loss, loss_mean;               /* sum over steps_of_epoch; exponential mean */
} progress;

void progress_begin(progress *p);
void progress_step(progress *p, const peft_trainer *t);       /* after each update */
void progress_epoch(progress *p, const peft_trainer *t, double accuracy);
#endif
