/* SPDX-License-Identifier: Apache-2.0
 * tiny_states.h -- trains a few steps, saves and restores states under options of the trainer, for tests of options
 * that change the arithmetic. */
#ifndef TINY_STATES_H
#define TINY_STATES_H
#include <math.h>
#include "tiny_files.h"

enum { TINY_STEP_SAMPLES = 3 };

/* Distance of the numbers x [n] from y, relative to the length of y. */
static inline double tiny_distance(const float *x, const float *y, int64_t n)
{
    double difference = 0, length = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
        length += (double)y[i] * y[i];
    }
    return sqrt(difference / length);
}

/* Steps from .. to - 1, each on other images. */
static inline void tiny_train(peft_trainer *r, int from, int to)
{
    for (int i = from; i < to; i++) {
        tiny_batch b = tiny_batch_make(r->model, TINY_STEP_SAMPLES, i * TINY_STEP_SAMPLES);
        OK(peft_trainer_step(r, b.images, b.labels, NULL));
        tiny_batch_free(&b);
    }
}

/* A trainer with these options saves its state to the file `name`. */
static inline void tiny_save_state(peft_model *m, const char *options, const char *name)
{
    peft_trainer *r = tiny_trainer(m, "batch=%d,%s", TINY_STEP_SAMPLES, options);
    tiny_train(r, 0, 1);
    OK(peft_trainer_save(r, tiny_path(name)));
    peft_trainer_free(r);
}

/* What a trainer with these options says to the state `name`. expected: text of the error; NULL: none. */
static inline void tiny_check_restore(peft_model *m, const char *options, const char *name, const char *expected)
{
    peft_trainer *r = tiny_trainer(m, "batch=%d,%s", TINY_STEP_SAMPLES, options);
    if (expected) FAILS(PEFT_E_MISMATCH, expected, peft_trainer_restore(r, tiny_path(name)));
    else OK(peft_trainer_restore(r, tiny_path(name)));
    peft_trainer_free(r);
}

/* Records a trained model: `steps` steps in a row, or with a state saved after the first and restored. */
static inline void tiny_record_training(const tiny_spec *spec, const char *options, int steps, bool restored,
                                        tiny_bits *bits)
{
    tiny t = tiny_make(spec);
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,%s", TINY_STEP_SAMPLES, options);
    tiny_train(r, 0, 1);
    if (restored) {
        OK(peft_trainer_save(r, tiny_path("state")));
        peft_trainer_free(r);
        r = tiny_trainer(t.model, "batch=%d,%s", TINY_STEP_SAMPLES, options);
        OK(peft_trainer_restore(r, tiny_path("state")));
    }
    tiny_train(r, 1, steps);
    tiny_bits_training(bits, r);
    peft_trainer_free(r);
    tiny_free(&t);
    if (restored) tiny_clean();
}

/* A run that is restored ends with the bits of one without a break. */
static inline void tiny_check_continued(const tiny_spec *spec, const char *options, int steps)
{
    tiny_bits whole = { 0 }, continued = { 0 };
    tiny_record_training(spec, options, steps, false, &whole);
    tiny_record_training(spec, options, steps, true, &continued);
    tiny_same(&whole, &continued, "restored");
    tiny_bits_free(&whole);
}
#endif
