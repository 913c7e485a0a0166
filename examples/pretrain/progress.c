/* SPDX-License-Identifier: Apache-2.0
 * progress.c -- prints the progress bar and the lines of epochs, and appends to the learning curve (progress.h). */
#include "progress.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "common/program/progress_line.h"
#include <stdio.h>
#include <unistd.h>

void progress_begin(progress *p)
{
    p->bar = isatty(STDERR_FILENO);
    p->start = p->epoch_start = seconds_now();
}

/* Writes the estimated time left to text and returns it. Uses the mean time of the updates since the program started;
 * the trainer's "step" also counts those before it was stopped and resumed. */
static const char *time_left(const progress *p, const peft_trainer *t, char text[DURATION_SIZE])
{
    const double left = (double)(p->epochs * p->updates_per_epoch) - peft_trainer_get(t, "step");
    return duration_text(text, p->updates ? (seconds_now() - p->start) / (double)p->updates * left : 0);
}

void progress_update(progress *p, const peft_trainer *t)
{
    char text[DURATION_SIZE];
    double loss = peft_trainer_get(t, "loss");
    p->updates++;
    p->updates_in_epoch++;
    p->loss_sum += loss;
    p->recent_loss = p->updates == 1 ? loss : 0.95 * p->recent_loss + 0.05 * loss;
    if (!p->bar) return;
    int64_t done = ((int64_t)peft_trainer_get(t, "step") - 1) % p->updates_per_epoch + 1;
    fprintf(stderr, "\r[%-30.*s] epoch %.0f/%lld  loss %.4f  %s left   ", (int)(30 * done / p->updates_per_epoch),
            "##############################", peft_trainer_get(t, "epoch") + 1, (long long)p->epochs, p->recent_loss,
            time_left(p, t, text));
}

/* Appends a row to --curve, after the heading if the file is empty. */
static void add_row(const char *path, double epoch, double step, double loss, double accuracy, double lr,
                    double seconds)
{
    FILE *f = fopen(path, "a");
    if (!f || fseek(f, 0, SEEK_END)) fail("--curve %s: cannot be opened for writing", path);
    if (!ftell(f)) fprintf(f, "epoch,step,loss,test_accuracy,lr,seconds\n");
    fprintf(f, "%.0f,%.0f,%.6f,%.4f,%.6e,%.2f\n", epoch, step, loss, accuracy, lr, seconds);
    if (fclose(f)) fail("--curve %s: cannot be written; the disk may be full", path);
}

void progress_epoch(progress *p, const peft_trainer *t, double accuracy)
{
    char text[DURATION_SIZE];
    double loss = p->loss_sum / (double)(p->updates_in_epoch ? p->updates_in_epoch : 1);
    double epoch = peft_trainer_get(t, "epoch"), lr = peft_trainer_get(t, "lr"), now = seconds_now();
    if (p->bar) fprintf(stderr, "\r%90s\r", "");
    printf("epoch %.0f/%lld  loss %.5f  test accuracy %.4f  lr %.3e  %.1f s  %s left\n", epoch, (long long)p->epochs,
           loss, accuracy, lr, now - p->epoch_start, time_left(p, t, text));
    fflush(stdout);
    if (p->curve) add_row(p->curve, epoch, peft_trainer_get(t, "step"), loss, accuracy, lr, now - p->epoch_start);
    p->loss_sum = 0;
    p->updates_in_epoch = 0;
    p->epoch_start = seconds_now();
}
