/* SPDX-License-Identifier: Apache-2.0
 * compare_run.c -- one run of compare, with one thread: draws images, trains, measures time and memory, evaluates. */
#include "common/model/evaluate.h"
#include "common/program/clock.h"
#include "common/predictions/predictions.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include "segment/segment.h"
#include "tuning/choice.h"
#include <math.h>
#include <stdlib.h>

/* Measurements during training. training_time contains reading_time. */
typedef struct measured {
    peft_loader *loader;
    double reading_time, training_time;                       /* seconds */
    double loss_sum;                                          /* over the updates of this epoch */
    int64_t steps, updates;                                   /* of the run; of this epoch */
} measured;

static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    measured *c = user;
    double start = seconds_now();
    int64_t n = peft_loader_next(epoch, batch, images, labels, ids, c->loader);
    c->reading_time += seconds_now() - start;
    c->steps += n > 0;
    return n;
}

/* Called after each update. */
static int add_loss(peft_trainer *t, void *user)
{
    measured *c = user;
    c->loss_sum += peft_trainer_get(t, "loss");
    c->updates++;
    return 0;
}

judged judge_scores(const study *s, peft_context *ctx, peft_dataset *test, double *image_scores, metrics *m)
{
    judged j = { .samples = test, .scores = image_scores, .image_scores = image_scores };
    if (s->per_case) {
        j.cases = judge_cases(test, image_scores, s->rule);
        j.samples = j.cases.samples;
        j.scores = j.cases.scores;
    }
    compute_metrics(ctx, j.scores, j.samples, m);
    return j;
}

/* Computes the metrics of the model as trained so far. Creates *session if it is NULL. */
static judged evaluate_now(const study *s, training_run *t, peft_session **session, peft_dataset *test, metrics *m)
{
    if (!*session) must(peft_session_create(t->model, NULL, session));
    return judge_scores(s, t->ctx, test, predict_set(*session, test, t->transform), m);
}

void free_judged(const study *s, judged *j)
{
    if (s->per_case) free_case_scores(&j->cases);
    free(j->image_scores);
}

/* The figure of the learning curve, of the model as trained so far. */
static double judge_epoch(const study *s, training_run *t, peft_session **session, peft_dataset *test)
{
    if (has_masks(s)) return judge_maps(s, t, test);
    metrics m;
    judged j = evaluate_now(s, t, session, test, &m);
    free_judged(s, &j);
    return m.balanced_accuracy;
}

/* Trains and fills curve [t->epochs], without the last epoch's figure. Evaluates every s->judge_every epochs (0:
 * never) and returns the seconds that these evaluations took. */
static double train(const study *s, training_run *t, measured *c, peft_dataset *test, epoch_point *curve)
{
    peft_session *session = NULL;
    double evaluation_time = 0;
    for (int64_t e = 0; e < t->epochs; e++) {
        double start = seconds_now();
        c->loss_sum = 0;
        c->updates = 0;
        must(peft_trainer_fit(t->trainer, e + 1, next_batch, add_loss, c));
        c->training_time += seconds_now() - start;
        curve[e] = (epoch_point){ .loss = c->updates ? c->loss_sum / (double)c->updates : NAN,
                                  .figure = NAN };
        if (!s->judge_every || (e + 1) % s->judge_every || e + 1 == t->epochs) continue;
        start = seconds_now();
        curve[e].figure = judge_epoch(s, t, &session, test);
        evaluation_time += seconds_now() - start;
    }
    peft_session_free(session);
    return evaluation_time;
}

void store_metrics(double *v, const metrics *m)
{
    v[result_test_images] = (double)m->images;
    v[result_accuracy] = m->accuracy;
    v[result_balanced_accuracy] = m->balanced_accuracy;
    v[result_f1_macro] = m->f1_macro;
    v[result_auroc_macro] = m->auroc_macro;
    v[result_map] = m->map;
}

/* Judges the trained model, stores its results and writes the records of the run. */
static void finish_run(study *s, int64_t i, training_run *t, peft_dataset *test, const run_clock *clock,
                       epoch_point *curve)
{
    double *v = s->result[i].value;
    peft_session *session = NULL;
    metrics m;
    judged j = evaluate_now(s, t, &session, test, &m);
    store_metrics(v, &m);
    v[result_seconds] = run_seconds(clock);
    if (s->judge_every && t->epochs) curve[t->epochs - 1].figure = m.balanced_accuracy;
    const evaluation ev = { .test = j.samples, .scores = j.scores, .curve = curve, .epochs = t->epochs };
    if (s->analysis) write_analysis(s, i, t, test);
    if (run_has_maps(s, i)) write_maps(s, i, t, &ev);
    if (s->records) write_records(s, i, &ev);
    free_judged(s, &j);
    peft_session_free(session);
}

void perform_run(study *s, int64_t i)
{
    double *v = s->result[i].value;
    run_clock clock = { .start = seconds_now() };
    training_run t;
    peft_dataset *test;
    flag recipe[recipe_flags];
    draw_run_data(s, i, &t, &test);
    choose_settings(s, i, &t, recipe);
    build_training(&t, recipe);
    measured c = { .loader = t.loader };
    epoch_point *curve = check_alloc(calloc((size_t)t.epochs + 1, sizeof *curve));
    clock.evaluations = train(s, &t, &c, test, curve);
    v[result_seconds_per_step] = (c.training_time - c.reading_time) / (double)(c.steps ? c.steps : 1);
    v[result_peak_bytes] = peak_bytes();
    v[result_planned_bytes] = t.planned_bytes;
    v[result_steps] = (double)c.steps;
    v[result_loss] = peft_trainer_get(t.trainer, "loss");
    v[result_trainable_parameters] = (double)peft_model_trainable_count(t.model);
    (has_masks(s) ? finish_map_run : finish_run)(s, i, &t, test, &clock, curve);
    free(curve);
    free_training(&t);
    free_tuned(recipe);
    peft_dataset_free(t.train);
    peft_context_free(t.io_ctx);
    peft_dataset_free(test);
}
