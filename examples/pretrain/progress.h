/* SPDX-License-Identifier: Apache-2.0
 * progress.h -- shows the progress of pretrain: a bar on a terminal, and for each epoch a line of output and a row of
 * the CSV file --curve. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    int64_t epochs, epoch_steps;                              /* epochs of the training; updates in one epoch */
    const char *curve;                                        /* path of the CSV file; NULL: none */
    bool bar;                                                 /* show a progress bar on the terminal */
    int64_t steps, steps_of_epoch;                            /* updates since the program started; in this epoch */
    double start, epoch_start;                                /* times */
    double loss_sum, recent_loss;                             /* sum over steps_of_epoch; exponential moving average */
} progress;

void progress_begin(progress *p);
void progress_step(progress *p, const peft_trainer *t);       /* after each update */
void progress_epoch(progress *p, const peft_trainer *t, double accuracy);
#endif
