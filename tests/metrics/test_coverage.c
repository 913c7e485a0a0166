/* SPDX-License-Identifier: Apache-2.0
 * test_coverage.c -- how often intervals hold the true value, and prediction sets the true class: in 2,000 simulated
 * data sets whose true value is known, 95 % +- 1.5 %. The standard error of such a share is 0.5 %.
 * The variance by patients counts on many: of 70 the intervals of the AUROC held it in 93.2 %. */
#include "expect.h"
#include "simulated.h"
#include <peft/conformal.h>
#include <peft/statistics.h>
#include <stdbool.h>

enum { SETS = PARTIAL ? 100 : 2000 };
enum { PATIENTS = 150, MOST_IMAGES = 4, MOST = PATIENTS * MOST_IMAGES };

/* Three standard errors. */
#define TOLERANCE (0.015 * sqrt(2000.0 / SETS))
#define COVERED(share, want) \
    ck_assert_msg(fabs((share) - (want)) <= TOLERANCE, "%s is %.4f, expected %.3f +- %.3f", #share, share, want, \
                  TOLERANCE)

static double below(double x) { return 0.5 * erfc(-x / sqrt(2)); }

static bool holds(const peft_estimate *e, double value) { return e->low <= value && value <= e->high; }

START_TEST(wilson_intervals)
{
    simulated r = { 1 };
    double wilson = 0, exact = 0;
    for (int k = 0; k < SETS; k++) {
        const double p = 0.05 + 0.9 * uniform(&r);           /* over one p coverage goes up and down with n */
        int hits = 0;
        peft_estimate e;
        for (int i = 0; i < 60; i++) hits += uniform(&r) < p;
        OK(peft_statistics_proportion(hits, 60, 0.95, "wilson", &e));
        wilson += holds(&e, p) / (double)SETS;
        OK(peft_statistics_proportion(hits, 60, 0.95, "clopper_pearson", &e));
        exact += holds(&e, p) / (double)SETS;
    }
    COVERED(wilson, 0.95);
    ck_assert_msg(exact >= 0.95 + 0.015 - TOLERANCE, "exact is %.4f", exact);
}
END_TEST

/* Images of patients: those of one patient share half of the variance of the score and, in part, the truth. The scores
 * of positives lie `shift` above those of negatives, the variance is 1. */
typedef struct study {
    int n;
    double scores[MOST], others[MOST];
    float ill[MOST];
    int64_t patient[MOST];
} study;

static void simulate(study *s, simulated *r, bool one_image, double shift, double other_shift)
{
    s->n = 0;
    for (int p = 0; p < PATIENTS; p++) {
        const double shared = one_image ? 0 : sqrt(0.5), effect = shared * normal(r);
        const double share = uniform(r) < 0.4 ? 0.8 : 0.1;
        const int images = one_image ? 1 : 1 + (int)(uniform(r) * MOST_IMAGES);
        for (int k = 0; k < images; k++) {
            const int i = s->n++;
            const double own = sqrt(1 - shared * shared);
            s->patient[i] = p;
            s->ill[i] = uniform(r) < share;
            s->scores[i] = effect + own * normal(r) + shift * s->ill[i];
            s->others[i] = 0.6 * (s->scores[i] - shift * s->ill[i]) + 0.8 * normal(r) + other_shift * s->ill[i];
        }
    }
}

static void auroc_intervals(bool one_image)
{
    peft_context *ctx = context();
    simulated r = { 2 + one_image };
    const double shift = 1.2, other = 0.8, truth = below(shift / sqrt(2)), difference = truth - below(other / sqrt(2));
    double auroc = 0, paired = 0, ignoring = 0;
    for (int k = 0; k < SETS; k++) {
        study s;
        peft_estimate e;
        simulate(&s, &r, one_image, shift, other);
        const int64_t *groups = one_image ? NULL : s.patient;
        OK(peft_statistics_auroc(ctx, s.scores, s.ill, groups, s.n, 0.95, "logit", &e));
        auroc += holds(&e, truth) / (double)SETS;
        OK(peft_statistics_auroc_difference(ctx, s.scores, s.others, s.ill, groups, s.n, 0.95, &e));
        paired += holds(&e, difference) / (double)SETS;
        OK(peft_statistics_auroc(ctx, s.scores, s.ill, NULL, s.n, 0.95, "logit", &e));
        ignoring += holds(&e, truth) / (double)SETS;
    }
    COVERED(auroc, 0.95);
    COVERED(paired, 0.95);
    if (!one_image) ck_assert_msg(ignoring < 0.935, "without groups %.4f: the images are independent", ignoring);
    peft_context_free(ctx);
}

START_TEST(delong_intervals) { auroc_intervals(true); }
END_TEST

START_TEST(delong_intervals_by_patient) { auroc_intervals(false); }
END_TEST

/* The share of right decisions at a threshold, by patients. */
START_TEST(bootstrap_intervals_by_patient)
{
    static const char *const settings[] = { "resamples=400", "resamples=400 interval=bca" };
    peft_context *ctx = context();
    for (int kind = 0; kind < 2; kind++) {
        simulated r = { 9 };
        double accuracy = 0;
        peft_options *o;
        OK(peft_options_create(ctx, &o));
        OK(peft_options_parse(o, settings[kind]));
        for (int k = 0; k < SETS; k++) {
            study s;
            peft_estimate e;
            double p[MOST];
            simulate(&s, &r, false, 1.2, 0);
            for (int i = 0; i < s.n; i++) p[i] = below(s.scores[i]);
            const double threshold = below(0.6);
            const peft_samples samples = { .n = s.n, .classes = 1, .scores = p, .targets = s.ill, .groups = s.patient,
                                           .thresholds = &threshold };
            OK(peft_options_set_int(o, "seed", k));
            OK(peft_statistics_bootstrap(ctx, &samples, "subset_accuracy", o, &e, 1));
            accuracy += holds(&e, below(0.6)) / (double)SETS;
        }
        COVERED(accuracy, 0.95);
        peft_options_free(o);
    }
    peft_context_free(ctx);
}
END_TEST

enum { CLASSES = 4, CALIBRATION = 99, FRESH = 50 };

/* Probabilities of a model that is too sure of itself, and the class. */
static void predict(simulated *r, double *p, int64_t *label)
{
    double sum = 0, u = uniform(r);
    *label = u < 0.5 ? 0 : u < 0.75 ? 1 : u < 0.9 ? 2 : 3;
    for (int c = 0; c < CLASSES; c++) sum += p[c] = exp(2 * normal(r) + (c == *label) * (3 - 0.5 * c));
    for (int c = 0; c < CLASSES; c++) p[c] /= sum;
}

/* The shares of new samples of all classes, and of each, whose set holds the class. n: calibration samples. */
static void sets_hold(peft_context *ctx, const char *settings, int n, double alpha, double *all, double *of_class)
{
    static double p[1000 * CLASSES];
    static int64_t y[1000];
    simulated r = { 17 };
    double held[CLASSES] = { 0 }, count[CLASSES] = { 0 };
    peft_options *o;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, settings));
    *all = 0;
    for (int k = 0; k < SETS; k++) {
        double q[CLASSES];
        uint8_t sets[FRESH * CLASSES];
        OK(peft_options_set_int(o, "seed", k));
        for (int i = 0; i < n; i++) predict(&r, p + i * CLASSES, y + i);
        OK(peft_conformal_fit(ctx, p, y, n, CLASSES, alpha, o, q));
        for (int i = 0; i < FRESH; i++) predict(&r, p + i * CLASSES, y + i);
        OK(peft_conformal_sets(ctx, p, FRESH, CLASSES, q, 0, o, sets));
        for (int i = 0; i < FRESH; i++) {
            *all += sets[i * CLASSES + y[i]] / (double)(SETS * FRESH);
            held[y[i]] += sets[i * CLASSES + y[i]];
            count[y[i]]++;
        }
    }
    for (int c = 0; c < CLASSES; c++) of_class[c] = held[c] / count[c];
    peft_options_free(o);
}

START_TEST(conformal_sets)
{
    peft_context *ctx = context();
    double all, of_class[CLASSES];
    /* 99 samples: the rank is exactly 100 (1 - alpha) */
    sets_hold(ctx, "allow_empty=true", CALIBRATION, 0.1, &all, of_class);
    COVERED(all, 0.9);
    ck_assert_msg(of_class[3] < 0.85, "of class 3: %.4f", of_class[3]);       /* rare and harder: the mean hides it */
    sets_hold(ctx, "score=aps randomized=true allow_empty=true", CALIBRATION, 0.2, &all, of_class);
    COVERED(all, 0.8);
    sets_hold(ctx, "score=aps allow_empty=true", CALIBRATION, 0.2, &all, of_class);
    COVERED(all, 0.8);
    sets_hold(ctx, "", CALIBRATION, 0.1, &all, of_class);
    ck_assert_msg(all >= 0.885, "without empty sets: %.4f", all);
    sets_hold(ctx, "by_class=true allow_empty=true", 1000, 0.1, &all, of_class);
    for (int c = 0; c < CLASSES; c++) COVERED(of_class[c], 0.9);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("coverage", wilson_intervals, delong_intervals, delong_intervals_by_patient, bootstrap_intervals_by_patient,
           conformal_sets)
