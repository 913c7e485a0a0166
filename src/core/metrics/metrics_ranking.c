/* SPDX-License-Identifier: Apache-2.0
 * metrics_ranking.c -- metrics of the order of scores: AUROC and average precision. The entries of each class are
 * sorted by score; one pass down the ranks then gives all metrics. */
#include "core/metrics/metrics.h"
#include <math.h>
#include "core/base/context.h"

/* Copies those of `count` entries, `stride` apart, whose target is known to `to`, with the target, 0 or 1, as the tag;
 * returns their number. */
static int64_t gather(pf_ranked *to, const double *scores, const float *targets, int64_t count, int64_t stride)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++)
        if (targets[i * stride] >= 0)
            to[n++] = (pf_ranked){ .score = scores[i * stride], .tag = targets[i * stride] > 0 };
    return n;
}

/* The metrics of one class. */
typedef struct ranks { double auroc, average_precision, rank_ap; } ranks;

/* v [n] is sorted by falling score. AUROC is the share of pairs (positive, negative) in which the positive has the
 * higher score; equal scores count one half. A group of equal scores with p positives adds p*(negatives below) +
 * p*(negatives in the group)/2 such pairs, and to average precision p times the precision behind the group. */
static ranks metrics_of_ranks(const pf_ranked *v, int64_t n)
{
    int64_t positives = 0, tp = 0, rank = 0;
    for (int64_t i = 0; i < n; i++) positives += v[i].tag;
    double pairs = 0, group_precision = 0, rank_precision = 0;
    while (rank < n) {
        const int64_t start = rank, tp_before = tp;
        for (; rank < n && v[rank].score == v[start].score; rank++) {
            tp += v[rank].tag;
            if (v[rank].tag) rank_precision += (double)tp / (double)(rank + 1);
        }
        const int64_t p = tp - tp_before, equal = rank - start - p, below = n - rank - (positives - tp);
        pairs += (double)p * ((double)below + 0.5 * (double)equal);
        group_precision += (double)p * ((double)tp / (double)rank);
    }
    const double pos = (double)positives, neg = (double)(n - positives);
    return (ranks){ .auroc = pos > 0 && neg > 0 ? pairs / (pos * neg) : NAN,
                    .average_precision = pos > 0 ? group_precision / pos : NAN,
                    .rank_ap = pos > 0 ? rank_precision / pos : 0 };
}

/* The value of one class for metric m; a metric with one value is the mean of such values over classes. */
static double class_value(pf_metric m, ranks r)
{
    switch (m) {
    case PF_METRIC_average_precision: case PF_METRIC_map: return r.average_precision;
    case PF_METRIC_rank_ap: case PF_METRIC_rank_map: return r.rank_ap;
    default: return r.auroc;
    }
}

/* Whether m has one value for each class. */
static bool is_per_class(pf_metric m)
{
    return m == PF_METRIC_auroc || m == PF_METRIC_average_precision || m == PF_METRIC_rank_ap;
}

peft_status peft_metrics_ranking(peft_context *ctx, const double *scores, const float *targets, int64_t n,
                                 int64_t classes, const char *name, double *out, size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_ranking";
    pf_metric m = PF_METRICS;
    if (!ctx) return pf_metric_null(who, "ctx");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_find(who, PF_FAMILY_RANKING, name, classes, out, count, &m));
    PF_TRY(pf_metric_scores(who, scores, n, classes));
    PF_TRY(pf_metric_targets(who, targets, n, classes));

    const bool micro = m == PF_METRIC_auroc_micro;           /* all entries as one column of n * classes rows */
    const int64_t stride = micro ? 1 : classes, columns = micro ? 1 : classes, rows = micro ? n * classes : n;
    size_t bytes;
    if (!pf_mul_size((size_t)rows, 2 * sizeof(pf_ranked), &bytes))
        return pf_fail(PEFT_E_INVALID, "%s: %lld entries are too many", who, (long long)rows);
    pf_ranked *items = pf_alloc(ctx, bytes);
    if (!items) return pf_nomem(who, bytes);
    pf_ranked *const scratch = items + rows;
    double sum = 0;
    int64_t defined = 0;
    for (int64_t c = 0; c < columns; c++) {
        const int64_t known = gather(items, scores + c, targets + c, rows, stride);
        const double v = class_value(m, metrics_of_ranks(pf_rank_sort(items, scratch, known), known));
        if (is_per_class(m)) out[c] = v;
        if (isnan(v)) continue;
        sum += v;
        defined++;
    }
    pf_free(ctx, items);
    if (m == PF_METRIC_auroc_defined) *out = (double)defined;
    else if (!is_per_class(m)) *out = defined ? sum / (double)defined : NAN;
    return PEFT_OK;
}
