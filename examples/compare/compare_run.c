/* SPDX-License-Identifier: Apache-2.0
 * compare_run.c -- one run of compare: draw, train, measure, judge, in one thread. */
#include "common/model/judge.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

/* reading, training: seconds, the one a part of the other. loss: the sum over the steps of the epoch. */
typedef struct clocked { peft_loader *loader; double reading, training, loss; int64_t steps, updates; } clocked;

static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    clocked *c = user;
    double start = seconds_now();
    int64_t n = peft_loader_next(epoch, batch, images, labels, ids, c->loader);
    c->reading += seconds_now() - start;
    c->steps += n > 0;
    return n;
}

static int add_loss(peft_trainer *t, void *user)
{
    clocked *c = user;
    c->loss += peft_trainer_get(t, "loss");
    c->updates++;
    return 0;
}

/* What this process held at most until now, KiB in Linux. */
static double peak_bytes(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return 1024.0 * (double)use.ru_maxrss;
}

static double *judge_now(trial *t, peft_session **session, const peft_dataset *test, figures *f)
{
    if (!*session) must(peft_session_create(t->model, NULL, session));
    double *scores = predict_set(t->ctx, *session, test, t->transform);
    judge_scores(t->ctx, scores, test, f);
    return scores;
}

/* Fills curve [t->epochs] but for what the last epoch's judgement will say. The seconds that judging took. */
static double train(trial *t, clocked *c, int64_t every, const peft_dataset *test, epoch_point *curve)
{
    peft_session *session = NULL;
    double judging = 0;
    for (int64_t e = 0; e < t->epochs; e++) {
        double start = seconds_now();
        c->loss = 0;
        c->updates = 0;
        must(peft_trainer_fit(t->trainer, e + 1, next_batch, add_loss, c));
        c->training += seconds_now() - start;
        curve[e] = (epoch_point){ c->updates ? c->loss / (double)c->updates : NAN, NAN };
        if (!every || (e + 1) % every || e + 1 == t->epochs) continue;
        figures f;
        start = seconds_now();
        free(judge_now(t, &session, test, &f));
        curve[e].balanced_accuracy = f.balanced_accuracy;
        judging += seconds_now() - start;
    }
    peft_session_free(session);
    return judging;
}

static void take_figures(double *v, const figures *f)
{
    v[result_test_images] = (double)f->images;
    v[result_accuracy] = f->accuracy;
    v[result_balanced_accuracy] = f->balanced_accuracy;
    v[result_f1_macro] = f->f1_macro;
    v[result_auroc_macro] = f->auroc_macro;
    v[result_map] = f->map;
}

void do_run(study *s, int64_t i)
{
    double start = seconds_now(), *v = s->result[i].value;
    trial t;
    peft_dataset *test;
    peft_session *session = NULL;
    figures f;
    open_trial(s, i, &t, &test);
    build_trial(&t, entry_of(s, i)->recipe);
    clocked c = { .loader = t.loader };
    epoch_point *curve = need(calloc((size_t)t.epochs + 1, sizeof *curve));
    double judging = train(&t, &c, s->judge_every, test, curve);
    v[result_seconds_per_step] = (c.training - c.reading) / (double)(c.steps ? c.steps : 1);
    v[result_peak_bytes] = peak_bytes();
    v[result_planned_bytes] = t.planned;
    v[result_steps] = (double)c.steps;
    v[result_loss] = peft_trainer_get(t.trainer, "loss");
    v[result_trainable_parameters] = (double)peft_model_trainable_count(t.model);
    double *scores = judge_now(&t, &session, test, &f);
    take_figures(v, &f);
    v[result_seconds] = seconds_now() - start - judging;
    if (s->judge_every && t.epochs) curve[t.epochs - 1].balanced_accuracy = f.balanced_accuracy;
    if (s->records) write_records(s, i, &(judged){ test, scores, curve, t.epochs });
    free(scores);
    free(curve);
    peft_session_free(session);
    free_trial(&t);
    peft_dataset_free(t.train);
    peft_context_free(t.images);
    peft_dataset_free(test);
}
