/* SPDX-License-Identifier: Apache-2.0
 * test_threshold.c -- thresholds by each rule against a search over all candidates, rates and decision curves worked
 * out by hand, bins of reliability diagrams. */
#include "expect.h"
#include "failing_alloc.h"
#include "simulated.h"
#include <peft/metrics.h>
#include <peft/threshold.h>

enum { N = 40 };

/* The counts of a column at a threshold. */
static peft_rates counts_at(const double *x, const float *y, int n, double t)
{
    peft_rates r = { .tp = 0 };
    for (int i = 0; i < n; i++) {
        r.tp += y[i] == 1 && x[i] >= t;
        r.fn += y[i] == 1 && x[i] < t;
        r.fp += y[i] == 0 && x[i] >= t;
        r.tn += y[i] == 0 && x[i] < t;
    }
    return r;
}

START_TEST(rules_find_the_best_threshold)
{
    peft_context *ctx = context();
    static const char *const rules[] = { "youden", "sensitivity", "specificity", "f1" };
    for (int seed = 1; seed <= 200; seed++) {
        simulated r = { (uint64_t)seed };
        double x[N], t;
        float y[N];
        for (int i = 0; i < N; i++) {
            y[i] = i < 2 ? (float)i : (float)((int)(uniform(&r) * 5) % 3) - 1;
            x[i] = normal(&r) + (y[i] > 0);
            if (seed % 2) x[i] = floor(3 * x[i]);
        }
        const double wanted = seed % 5 / 4.0;
        for (int rule = 0; rule < 4; rule++) {
            double best = -INFINITY, at = NAN, largest = -INFINITY;
            for (int i = 0; i < N; i++) if (y[i] >= 0) largest = fmax(largest, x[i]);
            for (int i = -1; i < N; i++) {                   /* candidates, -1: above all */
                if (i >= 0 && y[i] < 0) continue;
                const double c = i < 0 ? nextafter(largest, INFINITY) : x[i];
                const peft_rates k = counts_at(x, y, N, c);
                const double p = (double)(k.tp + k.fn), q = (double)(k.fp + k.tn);
                const double sensitivity = (double)k.tp / p, specificity = (double)k.tn / q;
                const double youden = sensitivity + specificity - 1;
                const double f1 = 2 * (double)k.tp / ((double)(k.tp + k.fp) + p);
                double merit = rule == 0 ? youden : f1;
                if (rule == 1) merit = sensitivity >= wanted ? c : -INFINITY;
                if (rule == 2) merit = specificity >= wanted ? -c : -INFINITY;
                const double rounding = rule == 0 || rule == 3 ? 1e-12 : 0;
                if (merit > best + rounding || (merit >= best - rounding && c > at)) { best = merit; at = c; }
            }
            OK(peft_threshold_choose(ctx, x, y, N, 1, rules[rule], wanted, &t));
            ck_assert_msg(t == at, "%s, seed %d: %g, expected %g", rules[rule], seed, t, at);
        }
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(a_threshold_for_each_label)
{
    peft_context *ctx = context();
    /* class 2 has no positive sample, class 1 only infinite scores */
    const double p[5 * 3] = { 0.9, INFINITY, 0.1,   0.8, -INFINITY, 0.2,   0.3, INFINITY, 0.3,   0.2, -INFINITY, 0.4,
                              0.1, INFINITY, 0.5 };
    const float y[5 * 3] = { 1, 1, 0,   0, 0, 0,   1, 1, -1,   0, 1, 0,   0, 0, 0 };
    double t[3], v[2], q[5 * 2];
    float z[5 * 2];
    OK(peft_threshold_choose(ctx, p, y, 5, 3, "sensitivity", 1, t));
    ck_assert(t[0] == 0.3 && t[1] == -INFINITY && isnan(t[2]));
    OK(peft_threshold_choose(ctx, p, y, 5, 3, "specificity", 1, t));
    ck_assert(t[0] == 0.9 && t[1] == INFINITY && isnan(t[2]));
    peft_rates rates[3];
    OK(peft_threshold_rates(p, y, 5, 3, t, 0.95, "wilson", rates));
    ck_assert(rates[0].tp == 1 && rates[0].fn == 1 && rates[0].fp == 0 && rates[0].tn == 3);
    ck_assert(!rates[2].tn && isnan(rates[2].specificity.value) && isnan(rates[2].npv.low));
    /* metrics of several labels by thresholds of their own */
    const double own[2] = { 0.3, 0.6 }, one[2] = { 0.3, 0.3 };
    for (int i = 0; i < 5; i++)
        for (int c = 0; c < 2; c++) {
            q[2 * i + c] = p[3 * i + 2 * c];
            z[2 * i + c] = c ? (float)(i == 4) : y[3 * i];
        }
    OK(peft_metrics_multilabel_at(q, z, 5, 2, own, "recall", v, 2));
    ck_assert(v[0] == 1 && v[1] == 0);
    OK(peft_metrics_multilabel_at(q, z, 5, 2, own, "specificity", v, 2));
    NEAR(v[0], 2.0 / 3, 1e-15);
    ck_assert(v[1] == 1);
    OK(peft_metrics_multilabel_at(q, z, 5, 2, own, "subset_accuracy", v, 1));
    NEAR(v[0], 3.0 / 5, 1e-15);                              /* samples 1 and 4 have a wrong label */
    double w[2];
    OK(peft_metrics_multilabel_at(q, z, 5, 2, one, "f1", v, 2));
    OK(peft_metrics_multilabel(q, z, 5, 2, 0.3, "f1", w, 2));
    ck_assert(v[0] == w[0] && v[1] == w[1]);
    peft_context_free(ctx);
}
END_TEST

START_TEST(rates_with_intervals)
{
    double x[N];
    float y[N];
    for (int i = 0; i < N; i++) {                            /* 10 positives, 8 found; 28 negatives, 3 wrong */
        y[i] = i < 10 ? 1 : i < 38 ? 0 : -1;
        x[i] = i < 8 || (i >= 10 && i < 13) || i >= 38 ? 0.7 : 0.2;
    }
    const double t = 0.7;
    peft_rates r;
    peft_estimate e;
    for (int exact = 0; exact < 2; exact++) {
        const char *kind = exact ? "clopper_pearson" : "wilson";
        OK(peft_threshold_rates(x, y, N, 1, &t, 0.9, kind, &r));
        ck_assert(r.tp == 8 && r.fn == 2 && r.fp == 3 && r.tn == 25);
        const struct { const peft_estimate *rate; int64_t k, n; } row[] = { { &r.sensitivity, 8, 10 },
            { &r.specificity, 25, 28 }, { &r.ppv, 8, 11 }, { &r.npv, 25, 27 } };
        for (size_t i = 0; i < 4; i++) {
            OK(peft_statistics_proportion(row[i].k, row[i].n, 0.9, kind, &e));
            ck_assert(row[i].rate->value == e.value && row[i].rate->low == e.low && row[i].rate->high == e.high);
        }
    }
}
END_TEST

START_TEST(decision_curve)
{
    /* of 10 samples 4 are positive, 1 is not judged */
    const double p[11] = { 0.9, 0.8, 0.3, 0.1, 0.85, 0.3, 0.2, 0.2, 0.1, 0.05, 1 }, t[4] = { 0, 0.2, 0.3, 0.95 };
    const float y[11] = { 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, -1 };
    double model[4], all[4];
    OK(peft_threshold_net_benefit(p, y, 11, 1, t, 4, model, all));
    NEAR(model[0], 0.4, 1e-15);
    NEAR(all[0], 0.4, 1e-15);
    NEAR(model[1], 0.3 - 0.4 * 0.25, 1e-15);
    NEAR(all[1], 0.4 - 0.6 * 0.25, 1e-15);
    NEAR(model[2], 0.3 - 0.2 * 3 / 7, 1e-15);
    NEAR(model[3], 0, 0);
    NEAR(all[3], 0.4 - 0.6 * 19, 1e-13);
    OK(peft_threshold_net_benefit(p, y, 11, 1, t, 4, model, NULL));
    const float none[11] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
    OK(peft_threshold_net_benefit(p, none, 11, 1, t, 4, model, all));
    ck_assert(isnan(model[1]) && isnan(all[1]));
}
END_TEST

START_TEST(reliability_diagrams)
{
    /* three bins; edges belong to the bin below */
    const double p[6 * 2] = { 1.0 / 3, 2.0 / 3,   2.0 / 3, 1.0 / 3,   0.25, 0.75,   0, 1,   0.5, 0.5,   0.6, 0.4 };
    const int64_t labels[6] = { 1, 1, 1, 1, 1, 0 };
    const float y[6 * 2] = { 1, 0,   0, 1,   1, 0,   -1, 0,   0, 0,   1, 1 };
    int64_t size[6];
    double mean[6], share[6];
    OK(peft_metrics_reliability(p, labels, 6, 2, 3, size, mean, share));
    ck_assert(size[0] == 0 && size[1] == 4 && size[2] == 2);
    NEAR(mean[1], (2.0 / 3 + 2.0 / 3 + 0.5 + 0.6) / 4, 1e-15);
    NEAR(share[1], 0.5, 0);
    NEAR(mean[2], 0.875, 0);
    NEAR(share[2], 1, 0);
    ck_assert(isnan(mean[0]) && isnan(share[0]));
    OK(peft_metrics_reliability_of_classes(p, y, 6, 2, 3, size, mean, share));
    ck_assert(size[0] == 2 && size[1] == 3 && size[2] == 0 && size[3] == 1 && size[4] == 3 && size[5] == 2);
    NEAR(share[0], 1, 0);
    NEAR(mean[0], (1.0 / 3 + 0.25) / 2, 1e-15);
    NEAR(share[4], 1.0 / 3, 1e-15);
    /* 15 bins of the largest probability give metric ece */
    enum { M = 500 };
    static double q[M * 2];
    static int64_t l[M];
    simulated r = { 8 };
    int64_t n[15];
    double pr[15], sh[15], ece = 0, want;
    for (int i = 0; i < M; i++) {
        q[2 * i] = i < 31 ? i / 30.0 : uniform(&r);
        q[2 * i + 1] = 1 - q[2 * i];
        l[i] = uniform(&r) < 0.5;
    }
    OK(peft_metrics_reliability(q, l, M, 2, 15, n, pr, sh));
    for (int b = 0; b < 15; b++) if (n[b]) ece += (double)n[b] / M * fabs(pr[b] - sh[b]);
    OK(peft_metrics_calibration(q, l, M, 2, "ece", &want, 1));
    NEAR(ece, want, 1e-14);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    peft_context *ctx = context();
    const double p[4] = { 0.5, 0.5, 0.2, 0.8 }, bad[4] = { 0.5, NAN, 0.2, 0.8 }, t[2] = { 0.5, NAN }, big[1] = { 1 };
    const float y[4] = { 1, 0, 0, 1 }, half[4] = { 1, 0, 0.5f, 1 };
    const int64_t l[2] = { 0, 5 };
    double out[2] = { -7, -7 }, mean[4], share[4];
    int64_t size[4];
    peft_rates r[2] = { { .tp = -7 } };
    REFUSED(peft_threshold_choose(ctx, p, y, 2, 2, "gini", 0, out), PEFT_E_INVALID, "'gini'", "youden", "or f1");
    REFUSED(peft_threshold_choose(ctx, p, y, 2, 2, "sensitivity", 95, out), PEFT_E_INVALID, "wanted is 95", "0 to 1");
    REFUSED(peft_threshold_choose(ctx, bad, y, 2, 2, "youden", 0, out), PEFT_E_NONFINITE, "sample 0, class 1");
    REFUSED(peft_threshold_choose(ctx, p, half, 2, 2, "youden", 0, out), PEFT_E_INVALID, "targets[2]");
    REFUSED(peft_threshold_choose(ctx, p, y, 0, 2, "youden", 0, out), PEFT_E_INVALID, "n is 0");
    REFUSED(peft_threshold_choose(NULL, p, y, 2, 2, "youden", 0, out), PEFT_E_INVALID, "ctx is NULL");
    REFUSED(peft_threshold_rates(p, y, 2, 2, NULL, 0.95, "wilson", r), PEFT_E_INVALID, "thresholds is NULL");
    REFUSED(peft_threshold_rates(p, y, 2, 2, p, 0.95, "wald", r), PEFT_E_INVALID, "'wald'");
    REFUSED(peft_threshold_rates(p, y, 2, 2, p, 2, "wilson", r), PEFT_E_INVALID, "level is 2");
    REFUSED(peft_threshold_net_benefit(p, y, 2, 2, big, 1, out, NULL), PEFT_E_INVALID, "thresholds[0] is 1");
    REFUSED(peft_threshold_net_benefit(bad, y, 2, 2, p, 1, out, NULL), PEFT_E_NONFINITE, "probabilities[1]");
    REFUSED(peft_metrics_multilabel_at(p, y, 2, 2, t, "f1", out, 2), PEFT_E_INVALID, "thresholds[1] is NaN");
    REFUSED(peft_metrics_multilabel_at(p, y, 2, 2, NULL, "f1", out, 2), PEFT_E_INVALID, "thresholds is NULL");
    REFUSED(peft_metrics_reliability(p, l, 2, 2, 2, size, mean, share), PEFT_E_INVALID, "labels[1] is 5");
    REFUSED(peft_metrics_reliability(p, l, 2, 2, 0, size, mean, share), PEFT_E_INVALID, "bins is 0", "1000");
    REFUSED(peft_metrics_reliability_of_classes(p, y, 2, 2, 2, size, NULL, share), PEFT_E_INVALID,
            "probability is NULL");
    ck_assert(out[0] == -7 && r[0].tp == -7);
    peft_context_free(ctx);
}
END_TEST

static peft_status choose(peft_context *ctx, void *arg)
{
    const double p[4] = { 0.5, 0.5, 0.2, 0.8 };
    const float y[4] = { 1, 0, 0, 1 };
    double t[2];
    (void)arg;
    return peft_threshold_choose(ctx, p, y, 2, 2, "youden", 0, t);
}

START_TEST(failing_allocations_are_reported) { ck_assert_int_ge(failing_alloc_loop(choose, NULL), 1); }
END_TEST

SUITE_MAIN("threshold", rules_find_the_best_threshold, a_threshold_for_each_label, rates_with_intervals, decision_curve,
           reliability_diagrams, wrong_arguments_are_refused, failing_allocations_are_reported)
