/* SPDX-License-Identifier: Apache-2.0
 * knn.c -- k nearest neighbours: the training samples that are most similar to a sample vote for their classes. */
#include <math.h>
#include <string.h>
#include "core/metrics/metrics.h"
#include "core/probe/probe.h"

peft_status pf_knn_fit(peft_probe *p, const pf_probe_data *d, const peft_options *o)
{
    p->k = pf_options_int(o, pf_probe_options, "k");
    p->exponential = !strcmp(pf_options_string(o, pf_probe_options, "weights"), "exp");
    if (p->k > p->n)
        return pf_fail(PEFT_E_OPTION, "peft_probe_fit: option 'k' is %lld, expected at most the number of training "
                       "samples, %lld", (long long)p->k, (long long)p->n);
    const size_t bytes = (size_t)p->n * sizeof *p->labels;
    if (p->several) PF_TRY(pf_probe_array(p->ctx, p->n, p->classes, sizeof *p->targets, &p->targets));
    else PF_TRY(pf_probe_array(p->ctx, p->n, 1, sizeof *p->labels, &p->labels));
    if (p->several) memcpy(p->targets, d->targets, (size_t)(p->n * p->classes) * sizeof *p->targets);
    else memcpy(p->labels, d->labels, bytes);
    PF_TRY(pf_probe_array(p->ctx, p->classes, 1, sizeof *p->share, &p->share));
    for (int64_t c = 0; c < p->classes; c++) {
        int64_t judged = 0, positive = 0;
        for (int64_t i = 0; i < p->n; i++) {
            const int target = pf_probe_target(d, p->classes, i, c);
            judged += target >= 0;
            positive += target > 0;
        }
        p->share[c] = (double)positive / (double)judged;
    }
    return PEFT_OK;
}

/* Similarities of the row to the samples of a block. */
static void similarities(const peft_probe *p, const double *block, const double *row, double out[PF_LANES])
{
    double sum[PF_LANES] = { 0 };
    if (p->cosine) {
        pf_probe_dots(block, row, p->width, out);
        return;
    }
    for (int64_t j = 0; j < p->width; j++)
        for (int i = 0; i < PF_LANES; i++) {
            const double difference = block[j * PF_LANES + i] - row[j];
            sum[i] -= difference * difference;
        }
    for (int i = 0; i < PF_LANES; i++) out[i] = sum[i];
}

void pf_knn_score(const peft_probe *p, const double *row, void *scratch, double *scores)
{
    pf_ranked *items = scratch;                              /* [2, n] */
    for (int64_t b = 0; b < pf_probe_block_count(p->n); b++) {
        double s[PF_LANES];
        similarities(p, p->blocks + b * PF_LANES * p->width, row, s);
        for (int64_t i = b * PF_LANES; i < p->n && i < (b + 1) * PF_LANES; i++)
            items[i] = (pf_ranked){ .score = s[i % PF_LANES], .tag = i };
    }
    const pf_ranked *nearest = pf_rank_sort(items, items + p->n, p->n);
    for (int64_t c = 0; c < p->classes; c++) {
        double votes = 0, all = 0;
        for (int64_t m = 0; m < p->k; m++) {
            const int64_t i = nearest[m].tag;
            const double distance = (nearest[0].score - nearest[m].score) / p->temperature;
            const double vote = p->exponential && nearest[m].score < nearest[0].score ? exp(-distance) : 1;
            const int target = p->labels ? p->labels[i] == c : (int)p->targets[i * p->classes + c];
            if (target >= 0) all += vote;
            if (target > 0) votes += vote;
        }
        scores[c] = all > 0 ? votes / all : p->share[c];
    }
}
