/* SPDX-License-Identifier: Apache-2.0
 * adapt_run.c -- predicts images with a session or an adaptor, batch by batch, and computes the figures (adapt.h). */
#include "adapt.h"
#include "common/backbone/image_sides.h"
#include "common/model/adaptation.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const figure_name[FIGURES] = { "accuracy", "balanced_accuracy", "ece", "nll", "seconds", "bytes" };

double figure_of(const outcome *o, int figure)
{
    const double all[FIGURES] = { o->accuracy, o->balanced_accuracy, o->ece, o->nll, o->seconds, o->bytes };
    return all[figure];
}

/* A session or an adaptor. */
typedef struct predictor { peft_session *session; peft_adaptor *adaptor; int64_t batch; } predictor;

/* The time that all threads of the process have computed. It does not depend on what else the machine does. */
static double seconds_computed(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The tensor of images first .. first + n - 1. */
static peft_tensor *images_at(const loaded_model *m, const image_set *s, int64_t first, int64_t n)
{
    return images_over(m->ctx, m->transform, n, s->pixels + first * image_floats(m->transform));
}

/* The number of images in the call that begins with image `first` of count. */
static int64_t batch_at(int64_t first, int64_t count, int64_t batch)
{
    return first + batch < count ? batch : count - first;
}

/* Gives the images of the training data to a, in calls of its batch. */
static void give_source(const loaded_model *m, peft_adaptor *a, const image_set *source)
{
    const int64_t batch = peft_adaptor_batch(a);
    for (int64_t first = 0; first < source->count; first += batch) {
        peft_tensor *images = images_at(m, source, first, batch_at(first, source->count, batch));
        const peft_status s = peft_adaptor_source(a, images);
        peft_tensor_free(images);
        if (s == PEFT_E_UNSUPPORTED) return;                  /* the kind needs no statistics of training images */
        must(s);
    }
}

static predictor open_predictor(const loaded_model *m, const char *kind, int64_t batch, const image_set *source)
{
    predictor p = { 0 };
    if (is_kind(kind, "none")) {
        peft_options *o = adaptation_options(m, kind, batch);
        must(peft_session_create(m->model, o, &p.session));
        p.batch = peft_session_batch(p.session);
        peft_options_free(o);
    } else {
        p.adaptor = open_adaptor(m, kind, batch);
        p.batch = peft_adaptor_batch(p.adaptor);
        give_source(m, p.adaptor, source);
    }
    return p;
}

static outcome outcome_of(const double *scores, const image_set *test, int64_t classes)
{
    outcome o;
    const struct { const char *name; double *to; } calibration[] = { { "ece", &o.ece }, { "nll", &o.nll } };
    const int64_t n = judged_count(test);
    int64_t *labels = check_alloc(malloc((size_t)n * 2 * sizeof *labels)), *predicted = labels + n;
    int64_t *confusion = check_alloc(malloc((size_t)(classes * classes) * sizeof *confusion));
    for (int64_t i = 0; i < n; i++) labels[i] = judged_label(test, i);
    must(peft_metrics_decide(scores, n, classes, predicted));
    must(peft_metrics_confusion(labels, predicted, n, classes, confusion));
    must(peft_metrics_decision(confusion, classes, "accuracy", &o.accuracy, 1));
    must(peft_metrics_decision(confusion, classes, "balanced_accuracy", &o.balanced_accuracy, 1));
    for (size_t i = 0; i < 2; i++)
        must(peft_metrics_calibration(scores, labels, n, classes, calibration[i].name, calibration[i].to, 1));
    free(labels);
    free(confusion);
    return o;
}

/* Replaces the probabilities of the images by those of their cases. */
static void replace_by_cases(const image_set *test, int64_t classes, double *scores)
{
    const bool *all_known = NULL;
    const bool multilabel = false;
    double *of_cases = aggregate_cases(&test->cases, scores, all_known, test->count, classes, test->rule, multilabel);
    memcpy(scores, of_cases, (size_t)(test->cases.count * classes) * sizeof *scores);
    free(of_cases);
}

outcome run_kind(const loaded_model *m, const char *kind, int64_t batch, const image_set *test, const image_set *source,
                 double *scores)
{
    predictor p = open_predictor(m, kind, batch, source);
    float *logits = check_alloc(malloc((size_t)(p.batch * m->classes) * sizeof *logits));
    double seconds = 0;
    int64_t computed = 0;                                     /* images: a session always computes its whole batch */
    for (int64_t first = 0; first < test->count; first += p.batch) {
        const int64_t n = batch_at(first, test->count, p.batch);
        peft_tensor *images = images_at(m, test, first, n), *out;
        must(peft_tensor_wrap(m->ctx, PEFT_F32, 2, (int64_t[]){ n, m->classes }, logits, &out));
        const double start = seconds_computed();
        must(p.session ? peft_session_predict(p.session, images, out) : peft_adaptor_predict(p.adaptor, images, out));
        seconds += seconds_computed() - start;
        computed += p.session ? p.batch : n;
        must(peft_metrics_scores(logits, n, m->classes, "softmax", scores + first * m->classes));
        peft_tensor_free(images);
        peft_tensor_free(out);
    }
    if (test->by_case) replace_by_cases(test, m->classes, scores);
    outcome o = outcome_of(scores, test, m->classes);
    o.seconds = seconds / (double)computed;
    o.bytes = (double)(p.session ? peft_session_memory(p.session) : peft_adaptor_memory(p.adaptor));
    peft_session_free(p.session);
    peft_adaptor_free(p.adaptor);
    free(logits);
    return o;
}
