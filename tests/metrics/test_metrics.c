/* SPDX-License-Identifier: Apache-2.0
 * test_metrics.c -- every metric on small cases worked out by hand: ties, classes without samples, a single class,
 * entries without a label; AUROC against its definition over all pairs. */
#include "suite.h"
#include <math.h>
#include <peft/metrics.h>

static peft_context *context(void)
{
    peft_context *ctx = NULL;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    return ctx;
}

#define NEAR(got, want) do { const double g_ = (got), w_ = (want); \
    ck_assert_msg(fabs(g_ - w_) < 1e-14 || (isnan(g_) && isnan(w_)), "%s is %.17g, expected %.17g", #got, g_, w_); \
    } while (0)

/* Class 3 neither occurs nor is predicted. */
static const int64_t labels[6] = { 0, 0, 0, 1, 1, 2 }, predicted[6] = { 0, 0, 1, 1, 2, 2 };
enum { CLASSES = 4 };

/* A metric of a confusion matrix that has one value for all classes. */
static double decision(const int64_t *counts, int64_t classes, const char *name)
{
    double v = -1;
    ck_assert_msg(!peft_metrics_decision(counts, classes, name, &v, 1), "%s", peft_last_error());
    return v;
}

START_TEST(metrics_of_decisions)
{
    int64_t m[CLASSES * CLASSES];                    /* m[label * CLASSES + prediction]: number of samples */
    ck_assert_int_eq(peft_metrics_confusion(labels, predicted, 6, CLASSES, m), PEFT_OK);
    ck_assert_int_eq(m[0], 2);
    ck_assert_int_eq(m[1], 1);
    ck_assert_int_eq(m[CLASSES + 2], 1);
    ck_assert_int_eq(m[3 * CLASSES + 3], 0);
    NEAR(decision(m, CLASSES, "accuracy"), 4.0 / 6);
    NEAR(decision(m, CLASSES, "balanced_accuracy"), (2.0 / 3 + 0.5 + 1) / 3);
    /* the means leave out the last class, which neither occurs nor is predicted */
    NEAR(decision(m, CLASSES, "precision_macro"), (1 + 0.5 + 0.5) / 3);
    NEAR(decision(m, CLASSES, "recall_macro"), (2.0 / 3 + 0.5 + 1) / 3);
    NEAR(decision(m, CLASSES, "f1_macro"), (0.8 + 0.5 + 2.0 / 3) / 3);
    NEAR(decision(m, CLASSES, "f1_weighted"), (3 * 0.8 + 2 * 0.5 + 2.0 / 3) / 6);
    NEAR(decision(m, CLASSES, "f1_micro"), 4.0 / 6);
    NEAR(decision(m, CLASSES, "precision_micro"), 4.0 / 6);
    NEAR(decision(m, CLASSES, "recall_micro"), 4.0 / 6);
    double v[CLASSES];
    ck_assert_int_eq(peft_metrics_decision(m, CLASSES, "f1", v, CLASSES), PEFT_OK);
    NEAR(v[0], 0.8);
    NEAR(v[3], 0);
    ck_assert_int_eq(peft_metrics_decision(m, CLASSES, "specificity", v, CLASSES), PEFT_OK);
    NEAR(v[1], 0.75);
    ck_assert_int_eq(peft_metrics_decision(m, CLASSES, "recall", v, CLASSES), PEFT_OK);
    NEAR(v[2], 1);
    ck_assert_int_eq(peft_metrics_decision(m, CLASSES, "precision", v, CLASSES), PEFT_OK);
    NEAR(v[2], 0.5);
}
END_TEST

START_TEST(matthews_correlation)
{
    int64_t m[CLASSES * CLASSES];
    ck_assert_int_eq(peft_metrics_confusion(labels, predicted, 6, CLASSES, m), PEFT_OK);
    /* samples of each class 3 2 1 0, predictions 2 2 2 0, four of six are right */
    NEAR(decision(m, CLASSES, "mcc"), (6 * 4 - 12) / sqrt((36.0 - 12) * (36 - 14)));
    const int64_t perfect[4] = { 3, 0, 0, 2 }, single[4] = { 5, 0, 0, 0 }, worst[4] = { 0, 2, 2, 0 };
    const int64_t mixed[4] = { 90, 4, 5, 1 };
    NEAR(decision(perfect, 2, "mcc"), 1);
    NEAR(decision(worst, 2, "mcc"), -1);
    NEAR(decision(single, 2, "mcc"), 0);
    NEAR(decision(mixed, 2, "mcc"), (90.0 * 1 - 4 * 5) / sqrt(95.0 * 94 * 6 * 5));
}
END_TEST

START_TEST(cohens_kappa)
{
    int64_t m[CLASSES * CLASSES];
    ck_assert_int_eq(peft_metrics_confusion(labels, predicted, 6, CLASSES, m), PEFT_OK);
    /* chance agreement (3*2 + 2*2 + 1*2)/36; expected squared distance 48/36 for each of 6 samples */
    NEAR(decision(m, CLASSES, "kappa"), (4.0 / 6 - 1.0 / 3) / (1 - 1.0 / 3));
    NEAR(decision(m, CLASSES, "kappa_quadratic"), 1 - 2 / (48.0 / 6));
    const int64_t perfect[4] = { 3, 0, 0, 2 }, single[4] = { 5, 0, 0, 0 }, worst[4] = { 0, 2, 2, 0 };
    NEAR(decision(perfect, 2, "kappa_quadratic"), 1);
    NEAR(decision(worst, 2, "kappa"), -1);
    NEAR(decision(single, 2, "kappa"), NAN);
    NEAR(decision(single, 2, "kappa_quadratic"), NAN);
    NEAR(decision(single, 1, "accuracy"), 1);
    NEAR(decision(single, 1, "f1_macro"), 1);
}
END_TEST

/* A metric of rankings; of a metric with one value a class, the value of class 0. */
static double ranking(const double *scores, const float *targets, int64_t n, int64_t classes, const char *name)
{
    peft_context *ctx = context();
    double v[8] = { -1 };
    const int by_class = !strcmp(name, "auroc") || !strcmp(name, "average_precision") || !strcmp(name, "rank_ap");
    const size_t count = by_class ? (size_t)classes : 1;
    ck_assert_msg(!peft_metrics_ranking(ctx, scores, targets, n, classes, name, v, count), "%s", peft_last_error());
    peft_context_free(ctx);
    return v[0];
}

START_TEST(metrics_of_rankings)
{
    const double s[6] = { 0.9, 0.8, 0.7, 0.6, 0.5, 0.4 };
    const float y[6] = { 1, 0, 1, 1, 0, 0 };
    NEAR(ranking(s, y, 6, 1, "auroc"), 7.0 / 9);
    NEAR(ranking(s, y, 6, 1, "average_precision"), (1 + 2.0 / 3 + 3.0 / 4) / 3);
    NEAR(ranking(s, y, 6, 1, "rank_ap"), (1 + 2.0 / 3 + 3.0 / 4) / 3);
    /* ties: scores 2 of targets {0, 1}, scores 1 of {1, 0, 0}; of 6 pairs 3 are tied, 2 ranked right, 1 wrong */
    const double t[5] = { 2, 2, 1, 1, 1 };
    const float z[5] = { 0, 1, 1, 0, 0 };
    NEAR(ranking(t, z, 5, 1, "auroc"), (2 + 0.5 * 3) / 6);
    NEAR(ranking(t, z, 5, 1, "average_precision"), 0.5 * 0.5 + 0.5 * 2 / 5);
    NEAR(ranking(t, z, 5, 1, "rank_ap"), (1.0 / 2 + 2.0 / 3) / 2);
    const double flat[4] = { 0, -0.0, 0, 0 };
    const float half[4] = { 1, 0, 0, 1 };
    NEAR(ranking(flat, half, 4, 1, "auroc"), 0.5);
    NEAR(ranking(flat, half, 4, 1, "average_precision"), 0.5);
    const double ends[3] = { -INFINITY, INFINITY, 0 };
    const float up[3] = { 0, 1, 0 };
    NEAR(ranking(ends, up, 3, 1, "auroc"), 1);
}
END_TEST

START_TEST(rankings_of_classes_without_positives_or_negatives)
{
    /* class 1 has no positives, class 2 no negatives; -1 marks an entry without a label */
    const double s[4 * 3] = { 0.9, 0.1, 0.3, 0.1, 0.2, 0.4, 0.5, 0.3, 0.5, 0.95, 0.4, 0.6 };
    const float y[4 * 3] = { 1, 0, 1, 0, 0, 1, 0, 0, 1, -1, 0, 1 };
    peft_context *ctx = context();
    double v[3];
    ck_assert_int_eq(peft_metrics_ranking(ctx, s, y, 4, 3, "auroc", v, 3), PEFT_OK);
    NEAR(v[0], 1);
    NEAR(v[1], NAN);
    NEAR(v[2], NAN);
    ck_assert_int_eq(peft_metrics_ranking(ctx, s, y, 4, 3, "average_precision", v, 3), PEFT_OK);
    NEAR(v[0], 1);
    NEAR(v[1], NAN);
    NEAR(v[2], 1);
    ck_assert_int_eq(peft_metrics_ranking(ctx, s, y, 4, 3, "rank_ap", v, 3), PEFT_OK);
    NEAR(v[1], 0);
    peft_context_free(ctx);
    NEAR(ranking(s, y, 4, 3, "auroc_macro"), 1);
    NEAR(ranking(s, y, 4, 3, "auroc_defined"), 1);
    NEAR(ranking(s, y, 4, 3, "map"), 1);
    NEAR(ranking(s, y, 4, 3, "rank_map"), 2.0 / 3);
    /* positive scores .9 .3 .4 .5 .6, negative scores .1 .5 .1 .2 .3 .4 */
    NEAR(ranking(s, y, 4, 3, "auroc_micro"), (6 + 3.5 + 4.5 + 5.5 + 6) / 30);
    const float none[3] = { -1, -1, -1 };
    NEAR(ranking(s, none, 3, 1, "auroc_macro"), NAN);
}
END_TEST

/* 1003 samples with many ties, against the definition over all pairs of a positive and a negative sample. */
START_TEST(auroc_equals_all_pairs)
{
    enum { N = 1003 };
    static double s[N];
    static float y[N];
    uint32_t x = 7;
    for (int i = 0; i < N; i++) {
        x = x * 1664525u + 1013904223u;
        s[i] = (double)(x >> 27);
        y[i] = (float)((x >> 9) % 3 == 0);
    }
    double ranked_right = 0, pairs = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (y[i] > y[j]) { pairs++; ranked_right += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0; }
    NEAR(ranking(s, y, N, 1, "auroc"), ranked_right / pairs);
}
END_TEST

START_TEST(metrics_of_multilabel_predictions)
{
    /* a score equal to the threshold is positive; the last entry has no label */
    const double p[3 * 2] = { 0.5, 0.2, 0.4, 0.9, 0.7, 0.6 };
    const float y[3 * 2] = { 1, 0, 1, 1, 0, -1 };
    const double threshold = 0.5;
    double v[2];
    ck_assert_int_eq(peft_metrics_multilabel(p, y, 3, 2, threshold, "f1", v, 2), PEFT_OK);
    NEAR(v[0], 0.5);
    NEAR(v[1], 1);
    ck_assert_int_eq(peft_metrics_multilabel(p, y, 3, 2, threshold, "f1_macro", v, 1), PEFT_OK);
    NEAR(v[0], 0.75);
    ck_assert_int_eq(peft_metrics_multilabel(p, y, 3, 2, threshold, "precision_micro", v, 1), PEFT_OK);
    NEAR(v[0], 2.0 / 3);
    ck_assert_int_eq(peft_metrics_multilabel(p, y, 3, 2, threshold, "subset_accuracy", v, 1), PEFT_OK);
    NEAR(v[0], 1.0 / 3);
    /* a sample without any label is left out */
    const float unknown[3 * 2] = { 1, 0, -1, -1, 0, -1 };
    ck_assert_int_eq(peft_metrics_multilabel(p, unknown, 3, 2, threshold, "subset_accuracy", v, 1), PEFT_OK);
    NEAR(v[0], 1.0 / 2);
    ck_assert_int_eq(peft_metrics_multilabel(p, y, 3, 2, threshold, "brier", v, 1), PEFT_OK);
    NEAR(v[0], (0.25 + 0.04 + 0.36 + 0.01 + 0.49) / 5);
}
END_TEST

START_TEST(metrics_of_calibration)
{
    /* 15 bins: confidence 0.6 twice, once right, in bin (8/15, 9/15]; confidence 1, right, in the last bin */
    const double p[3 * 2] = { 0.6, 0.4, 0.6, 0.4, 0, 1 };
    const int64_t y[3] = { 0, 1, 1 };
    double v;
    ck_assert_int_eq(peft_metrics_calibration(p, y, 3, 2, "ece", &v, 1), PEFT_OK);
    NEAR(v, (2.0 / 3) * 0.1);
    ck_assert_int_eq(peft_metrics_calibration(p, y, 3, 2, "mce", &v, 1), PEFT_OK);
    NEAR(v, 0.1);
    ck_assert_int_eq(peft_metrics_calibration(p, y, 3, 2, "brier", &v, 1), PEFT_OK);
    NEAR(v, (0.32 + 0.72) / 3);
    ck_assert_int_eq(peft_metrics_calibration(p, y, 3, 2, "brier_binary", &v, 1), PEFT_OK);
    NEAR(v, (0.16 + 0.36) / 3);
    ck_assert_int_eq(peft_metrics_calibration(p, y, 3, 2, "nll", &v, 1), PEFT_OK);
    NEAR(v, -(log(0.6) + log(0.4)) / 3);
    const int64_t wrong[3] = { 0, 0, 0 };
    ck_assert_int_eq(peft_metrics_calibration(p, wrong, 3, 2, "nll", &v, 1), PEFT_OK);
    ck_assert(isinf(v) && v > 0);
}
END_TEST

START_TEST(scores_decisions_and_one_hot_targets)
{
    const float x[2 * 3] = { 0, 0, 0, 1000, 999, -1000 };
    double p[6];
    int64_t best[2];
    float hot[6];
    ck_assert_int_eq(peft_metrics_scores(x, 2, 3, "softmax", p), PEFT_OK);
    NEAR(p[0], 1.0 / 3);
    NEAR(p[3], 1 / (1 + exp(-1)));
    NEAR(p[5], 0);
    ck_assert_int_eq(peft_metrics_decide(p, 2, 3, best), PEFT_OK);
    ck_assert_int_eq(best[0], 0);                                             /* a tie: the first class */
    ck_assert_int_eq(peft_metrics_scores(x, 2, 3, "sigmoid", p), PEFT_OK);
    NEAR(p[0], 0.5);
    NEAR(p[3], 1);
    NEAR(p[5], 0);
    ck_assert_int_eq(peft_metrics_scores(x, 2, 3, "identity", p), PEFT_OK);
    NEAR(p[4], 999);
    ck_assert_int_eq(peft_metrics_one_hot(best, 2, 3, hot), PEFT_OK);
    ck_assert(hot[0] == 1 && hot[1] == 0 && hot[3] == 1 && hot[5] == 0);
}
END_TEST

#define REFUSED(call, status, ...) do { ck_assert_int_eq(call, status); \
    const char *part_[] = { __VA_ARGS__ }; \
    for (size_t k_ = 0; k_ < sizeof part_ / sizeof *part_; k_++) \
        ck_assert_msg(strstr(peft_last_error(), part_[k_]), "'%s' lacks '%s'", peft_last_error(), part_[k_]); \
    } while (0)

START_TEST(wrong_arguments_are_refused)
{
    peft_context *ctx = context();
    const double p[4] = { 0.5, 0.5, 0.25, 0.75 }, bad[4] = { 0.5, 0.5, NAN, 0.75 }, big[4] = { 0.5, 1.5, 0, 1 };
    const float x[4] = { 0, 1, 2, INFINITY }, y[4] = { 1, 0, 0.5f, 1 }, hot[4] = { 1, 0, 0, 1 };
    const int64_t l[2] = { 0, 2 }, fine[2] = { 0, 1 }, negative[4] = { 1, -1, 0, 0 }, empty[4] = { 0 };
    int64_t m[4];
    double v[2] = { -7, -7 }, s[4];
    REFUSED(peft_metrics_confusion(l, fine, 2, 2, m), PEFT_E_INVALID, "labels[1] is 2", "0..1");
    REFUSED(peft_metrics_confusion(fine, l, 2, 2, m), PEFT_E_INVALID, "predicted[1] is 2");
    REFUSED(peft_metrics_confusion(NULL, l, 2, 2, m), PEFT_E_INVALID, "labels is NULL");
    REFUSED(peft_metrics_confusion(fine, fine, 0, 2, m), PEFT_E_INVALID, "n is 0");
    REFUSED(peft_metrics_confusion(fine, fine, 2, INT64_MAX, m), PEFT_E_INVALID, "too many");
    REFUSED(peft_metrics_decision(negative, 2, "f1", v, 2), PEFT_E_INVALID, "counts[1] is -1");
    REFUSED(peft_metrics_decision(empty, 2, "f1", v, 2), PEFT_E_INVALID, "all counts are 0");
    REFUSED(peft_metrics_decision(m, 2, "f1", v, 1), PEFT_E_SHAPE, "count is 1", "writes 2");
    REFUSED(peft_metrics_decision(m, 2, "f1_marco", v, 1), PEFT_E_NOTFOUND, "'f1_marco'", "'f1_macro'");
    REFUSED(peft_metrics_decision(m, 2, "auroc", v, 2), PEFT_E_NOTFOUND, "'auroc'");
    REFUSED(peft_metrics_ranking(ctx, bad, hot, 2, 2, "auroc", v, 2), PEFT_E_NONFINITE, "scores[2]",
            "sample 1, class 0");
    REFUSED(peft_metrics_ranking(ctx, p, y, 2, 2, "auroc", v, 2), PEFT_E_INVALID, "targets[2]", "0.5");
    REFUSED(peft_metrics_ranking(NULL, p, hot, 2, 2, "auroc", v, 2), PEFT_E_INVALID, "ctx is NULL");
    REFUSED(peft_metrics_ranking(ctx, p, hot, 2, 2, "auroc", NULL, 2), PEFT_E_INVALID, "out is NULL");
    REFUSED(peft_metrics_calibration(big, fine, 2, 2, "ece", v, 1), PEFT_E_INVALID, "probabilities[1]", "1.5", "0..1");
    REFUSED(peft_metrics_calibration(bad, fine, 2, 2, "ece", v, 1), PEFT_E_NONFINITE, "probabilities[2]");
    REFUSED(peft_metrics_calibration(p, fine, 1, 1, "brier_binary", v, 1), PEFT_E_SHAPE, "expects 2");
    REFUSED(peft_metrics_multilabel(p, hot, 2, 2, NAN, "brier", v, 1), PEFT_E_INVALID, "threshold is NaN");
    REFUSED(peft_metrics_scores(x, 2, 2, "softmax", s), PEFT_E_NONFINITE, "logits[3]");
    REFUSED(peft_metrics_scores(x, 2, 2, "probit", s), PEFT_E_INVALID, "'probit'");
    REFUSED(peft_metrics_decide(bad, 2, 2, m), PEFT_E_NONFINITE, "scores[2]");
    REFUSED(peft_metrics_one_hot(l, 2, 2, (float[4]){ 0 }), PEFT_E_INVALID, "labels[1] is 2");
    ck_assert(v[0] == -7 && v[1] == -7);
    peft_context_free(ctx);
}
END_TEST

/* An allocator that fails after *user allocations. */
static void *limited_alloc(size_t size, size_t align, void *user)
{
    int *remaining = user;
    return (*remaining)-- > 0 ? aligned_alloc(align, (size + align - 1) / align * align) : NULL;
}
static void release(void *p, size_t size, void *user) { (void)size; (void)user; free(p); }

START_TEST(a_failing_allocation_is_reported)
{
    int remaining = 1;                                                             /* the context itself */
    peft_context *ctx = NULL;
    ck_assert_int_eq(peft_context_create(limited_alloc, release, &remaining, &ctx), PEFT_OK);
    const size_t before = peft_context_memory_used(ctx);
    const double s[2] = { 0, 1 };
    const float y[2] = { 0, 1 };
    double v = -7;
    ck_assert_int_eq(peft_metrics_ranking(ctx, s, y, 2, 1, "auroc", &v, 1), PEFT_E_NOMEM);
    ck_assert(v == -7);
    remaining = 1;
    ck_assert_int_eq(peft_metrics_ranking(ctx, s, y, 2, 1, "auroc", &v, 1), PEFT_OK);
    NEAR(v, 1);
    ck_assert_uint_eq(peft_context_memory_used(ctx), before);
    peft_context_free(ctx);
}
END_TEST

START_TEST(every_metric_has_a_help_text)
{
    size_t n = 0;
    for (; peft_metrics_name(n); n++) ck_assert_ptr_nonnull(peft_metrics_help(peft_metrics_name(n)));
    ck_assert_uint_gt(n, 20);
    ck_assert_ptr_null(peft_metrics_help("nonsense"));
    ck_assert_ptr_null(peft_metrics_help(NULL));
}
END_TEST

SUITE_MAIN("metrics", metrics_of_decisions, matthews_correlation, cohens_kappa, metrics_of_rankings,
           rankings_of_classes_without_positives_or_negatives, auroc_equals_all_pairs,
           metrics_of_multilabel_predictions, metrics_of_calibration, scores_decisions_and_one_hot_targets,
           wrong_arguments_are_refused, a_failing_allocation_is_reported, every_metric_has_a_help_text)
