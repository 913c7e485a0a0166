/* SPDX-License-Identifier: Apache-2.0
 * progress.h -- shows the progress of pretrain: a bar on a terminal, and for each epoch a line of output and a row of
 * the CSV file --curve. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    int64_t epochs, updates_per_epoch;                        /* set by the caller */
    const char *curve;                                        /* path of the CSV file; NULL: none; set by the caller */
    bool bar;                                                 /* show a progress bar on the terminal */
    int64_t updates, updates_in_epoch;                        /* since the program started; in this epoch */
    double start, epoch_start;                                /* times of seconds_now() */
    double loss_sum, recent_loss;                             /* sum in this epoch; exponential moving average */
} progress;

void progress_begin(progress *p);
void progress_update(progress *p, const peft_trainer *t);     /* after each update */
void progress_epoch(progress *p, const peft_trainer *t, double accuracy);      /* after each epoch */
#endif
