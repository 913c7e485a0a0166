/* SPDX-License-Identifier: Apache-2.0
 * threshold_choose.c -- chooses the threshold of each class by a rule: one pass down the sorted scores sees the counts
 * of every threshold. */
#include <peft/threshold.h>
#include <math.h>
#include <string.h>
#include "core/options/options.h"
#include "core/statistics/statistics.h"

static const char *const rules[] = { "youden", "sensitivity", "specificity", "f1" };
enum { YOUDEN, SENSITIVITY, SPECIFICITY, F1, RULES };

/* What the rule makes as large as possible, given true and false positives of a threshold. Of the rules with a wanted
 * rate the first threshold that reaches it (sensitivity) or the last that keeps it (specificity) is the best. */
static double merit(int rule, double wanted, double tp, double fp, double positives, double negatives)
{
    switch (rule) {
    case YOUDEN: return tp * negatives - fp * positives;     /* (tp/positives - fp/negatives) positives negatives */
    case SENSITIVITY: return tp / positives >= wanted;
    case SPECIFICITY: return (negatives - fp) / negatives >= wanted ? tp + fp : -1;
    default: return 2 * tp / (tp + fp + positives);
    }
}

/* The best threshold of n samples in the order of falling scores; the tag is the target. */
static double best_threshold(const pf_ranked *v, int64_t n, int rule, double wanted)
{
    int64_t positives = 0, tp = 0, rank = 0;
    for (int64_t i = 0; i < n; i++) positives += v[i].tag;
    if (!positives || positives == n) return NAN;
    const double pos = (double)positives, neg = (double)(n - positives);
    double threshold = nextafter(v[0].score, INFINITY);      /* "no" for all, unless that score is infinite */
    double best = threshold > v[0].score ? merit(rule, wanted, 0, 0, pos, neg) : -INFINITY;
    while (rank < n) {
        const double score = v[rank].score;
        for (; rank < n && v[rank].score == score; rank++) tp += v[rank].tag;
        const double m = merit(rule, wanted, (double)tp, (double)(rank - tp), pos, neg);
        if (m > best) best = m, threshold = score;
    }
    return threshold;
}

static peft_status find_rule(const char *who, const char *rule, double wanted, int *found)
{
    if (!rule) return pf_metric_null(who, "rule");
    for (*found = 0; *found < RULES; (*found)++) {
        if (strcmp(rule, rules[*found])) continue;
        if ((*found != SENSITIVITY && *found != SPECIFICITY) || (wanted >= 0 && wanted <= 1)) return PEFT_OK;
        char text[40];
        pf_print_float(text, sizeof text, wanted);
        return pf_fail(PEFT_E_INVALID, "%s: wanted is %s, expected a %s of 0 to 1", who, text, rule);
    }
    char names[80];
    return pf_fail(PEFT_E_INVALID, "%s: rule is '%s', expected %s", who, rule,
                   pf_names_text(rules, RULES, ", ", " or ", names, sizeof names));
}

peft_status peft_threshold_choose(peft_context *ctx, const double *scores, const float *targets, int64_t n,
                                  int64_t classes, const char *rule, double wanted, double *thresholds)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_threshold_choose";
    int found = RULES;
    if (!ctx || !thresholds) return pf_metric_null(who, ctx ? "thresholds" : "ctx");
    PF_TRY(pf_metric_extents(who, n, 2));                    /* 2: a sample is twice in the memory below */
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(find_rule(who, rule, wanted, &found));
    PF_TRY(pf_metric_scores(who, scores, n, classes));
    PF_TRY(pf_metric_targets(who, targets, n, classes));
    const size_t bytes = (size_t)n * 2 * sizeof(pf_ranked);
    pf_ranked *items = pf_alloc(ctx, bytes);
    if (!items) return pf_nomem(who, bytes);
    for (int64_t c = 0; c < classes; c++) {
        int64_t known = 0;
        for (int64_t i = c; i < n * classes; i += classes)
            if (targets[i] >= 0) items[known++] = (pf_ranked){ .score = scores[i], .tag = targets[i] > 0 };
        thresholds[c] = best_threshold(pf_rank_sort(items, items + n, known), known, found, wanted);
    }
    pf_free(ctx, items);
    return PEFT_OK;
}
