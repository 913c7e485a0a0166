/* SPDX-License-Identifier: Apache-2.0
 * extrapolate.c -- extrapolated SGD (Lin, Kong, Stich and Jaggi, ICML 2020): a pass computes gradients at w - rate d in
 * place of w, and the update begins at w. Between passes the model holds w. d is the mean gradient of this rank at its
 * last update, standard normal noise drawn for each pass, or the momentum buffer. */
#include <string.h>
#include "core/base/rng.h"
#include "core/train/trainer.h"

const char *const pf_extrapolate_names[PF_EXTRAPOLATE_KINDS] = {
    [PF_EXTRAPOLATE_NONE] = "none", [PF_EXTRAPOLATE_GRADIENT] = "gradient", [PF_EXTRAPOLATE_NOISE] = "noise",
    [PF_EXTRAPOLATE_MOMENTUM] = "momentum" };

/* Moves the values of parameter s along its direction. pass: a number that no other pass of any rank has. */
static void move(const peft_trainer *t, const pf_trained *s, double rate, uint64_t pass)
{
    const bool noise = t->extrapolate.kind == PF_EXTRAPOLATE_NOISE;
    const pk_real *direction = t->extrapolate.kind == PF_EXTRAPOLATE_MOMENTUM ? s->m : s->direction;
    const pf_rng r = { .seed = t->seed ^ pass * UINT64_C(0x9e3779b97f4a7c15), .a = pf_rng_stream(s->p->name),
                       .b = pf_rng_stream("extrapolate") };
    pk_real *w = s->p->value.data;
    for (int64_t i = 0; i < s->count; i++) {
        const double d = noise ? pf_rng_normal(&r, (uint64_t)i) : (double)direction[i];
        w[i] = (pk_real)((double)s->kept[i] - rate * d);
    }
}

void pf_extrapolate_begin(peft_trainer *t, uint64_t pass)
{
    const pf_schedule *schedule = &t->schedule;
    const double lr = pf_options_float(t->options, pf_trainer_options, "lr");
    if (t->extrapolate.kind == PF_EXTRAPOLATE_NONE || t->extrapolate.moved || !(lr > 0)) return;
    const double rate = t->extrapolate.lr * (pf_schedule_lr(schedule, t->step) / lr);
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        memcpy(s->kept, s->p->value.data, (size_t)s->count * sizeof *s->kept);
        if (!s->frozen) move(t, s, rate * s->lr_scale, pass);
    }
    t->extrapolate.moved = true;
    pf_model_unlock(t->model);
}

void pf_extrapolate_end(peft_trainer *t)
{
    if (!t->extrapolate.moved) return;
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        memcpy(s->p->value.data, s->kept, (size_t)s->count * sizeof *s->kept);
    }
    t->extrapolate.moved = false;
    pf_model_unlock(t->model);
}

/* Between passes the memory of the kept values is free: it takes the mean gradient until the reducer has succeeded. */
void pf_extrapolate_keep_gradient(peft_trainer *t)
{
    if (t->extrapolate.kind != PF_EXTRAPOLATE_GRADIENT || !t->pending) return;
    const double mean = 1.0 / (double)t->pending;
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        const pk_real *g = s->p->grad.data;
        for (int64_t k = 0; k < s->count; k++) s->kept[k] = (pk_real)(mean * (double)g[k]);
    }
}

void pf_extrapolate_set_direction(peft_trainer *t)
{
    if (t->extrapolate.kind != PF_EXTRAPOLATE_GRADIENT || !t->pending) return;
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        memcpy(s->direction, s->kept, (size_t)s->count * sizeof *s->kept);
    }
}
