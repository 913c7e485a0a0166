/* SPDX-License-Identifier: Apache-2.0
 * groups.c -- the groups of samples, such as the images of a patient, from the numbers that the caller gives. */
#include "core/statistics/statistics.h"

/* Sorts the samples by one half of their numbers, descending; the order of equal ones stays. */
static pf_ranked *sort_by_half(pf_ranked *items, pf_ranked *scratch, const int64_t *groups, int64_t n, bool high)
{
    for (int64_t i = 0; i < n; i++) {
        const uint64_t id = (uint64_t)groups[items[i].tag];
        items[i].score = (double)(uint32_t)(high ? id >> 32 : id);
    }
    return pf_rank_sort(items, scratch, n);
}

/* Fills g, whose arrays are allocated, from the numbers. A double holds 53 bits of a number, so the samples are sorted
 * by the low half and then by the high half. */
static void group_by_number(pf_groups *g, const int64_t *groups, int64_t n, pf_ranked *items)
{
    pf_ranked *const scratch = items + n;
    for (int64_t i = 0; i < n; i++) items[i].tag = i;
    pf_ranked *low = sort_by_half(items, scratch, groups, n, false);
    const pf_ranked *sorted = sort_by_half(low, low == items ? scratch : items, groups, n, true);
    for (int64_t i = 0; i < n; i++) {
        const int64_t sample = sorted[i].tag, number = groups[sample];
        if (!i || number < 0 || number != groups[sorted[i - 1].tag]) g->start[g->count++] = i;
        g->of[sample] = g->count - 1;
        g->members[i] = sample;
    }
}

peft_status pf_groups_make(pf_groups *g, const char *who, peft_context *ctx, const int64_t *groups, int64_t n)
{
    *g = (pf_groups){ .count = 0 };
    const size_t bytes = (size_t)n * 3 * sizeof(int64_t) + sizeof(int64_t), scratch = (size_t)n * 2 * sizeof(pf_ranked);
    g->of = pf_alloc(ctx, bytes);
    if (!g->of) return pf_nomem(who, bytes);
    g->members = g->of + n;
    g->start = g->members + n;                               /* [n + 1] */
    if (groups) {
        pf_ranked *items = pf_alloc(ctx, scratch);
        if (!items) return pf_nomem(who, scratch);
        group_by_number(g, groups, n, items);
        pf_free(ctx, items);
    } else {
        for (int64_t i = 0; i < n; i++) g->of[i] = g->members[i] = g->start[i] = i;
        g->count = n;
    }
    g->start[g->count] = n;
    return PEFT_OK;
}

void pf_groups_free(pf_groups *g, peft_context *ctx) { pf_free(ctx, g->of); }
