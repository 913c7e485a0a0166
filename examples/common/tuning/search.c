/* SPDX-License-Identifier: Apache-2.0
 * search.c -- plans and runs a search (search.h). */
#include "search.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>

search_plan plan_search(int64_t candidates, int keep)
{
    search_plan p = { 0 };
    int64_t n = candidates;
    do {
        p.round[p.rounds++] = (search_round){ .candidates = n, .share = 1 };
        n = (n + keep - 1) / keep;
    } while (keep > 1 && n > 1);
    for (int r = p.rounds - 2; r >= 0; r--) p.round[r].share = p.round[r + 1].share / keep;
    return p;
}

double plan_cost(const search_plan *p)
{
    double cost = 0;
    for (int r = 0; r < p->rounds; r++)
        cost += (double)p->round[r].candidates * (p->round[r].share - (r ? p->round[r - 1].share : 0));
    return cost;
}

int64_t share_of_epochs(double share, int64_t epochs)
{
    const int64_t n = llround(share * (double)epochs);
    return n > 1 ? n : 1;
}

bool better_trial(const trial *a, const trial *b)
{
    if (a->diverged != b->diverged) return b->diverged;
    if (isnan(a->value) != isnan(b->value)) return isnan(b->value);
    if (a->value > b->value || a->value < b->value) return a->value > b->value;
    return a->loss < b->loss;
}

/* Moves the best `keep` of the candidates list[0..count-1] to the front, in the order of their numbers. */
static void select_best(int64_t *list, int64_t count, int64_t keep, const trial *last)
{
    for (int64_t kept = count; kept > keep; kept--) {         /* removes the worst, of equal ones the last */
        int64_t worst = kept - 1;
        for (int64_t k = kept - 2; k >= 0; k--)
            if (better_trial(&last[list[worst]], &last[list[k]])) worst = k;
        for (int64_t k = worst; k + 1 < kept; k++) list[k] = list[k + 1];
    }
}

int64_t run_search(const search_plan *p, trial_function judge, void *user, trial *last)
{
    const int64_t count = p->round[0].candidates;
    int64_t *list = check_alloc(malloc((size_t)count * sizeof *list));
    trial *seen = check_alloc(calloc((size_t)count, sizeof *seen));
    bool any = true;
    for (int64_t k = 0; k < count; k++) list[k] = k;
    for (int r = 0; r < p->rounds && any; r++) {
        if (r) select_best(list, p->round[r - 1].candidates, p->round[r].candidates, seen);
        any = false;
        for (int64_t k = 0; k < p->round[r].candidates; k++) {
            const int64_t c = list[k];
            if (!seen[c].diverged) {
                seen[c] = judge(c, p->round[r].share, user);
                seen[c].share = p->round[r].share;
            }
            any = any || !seen[c].diverged;
        }
    }
    select_best(list, p->round[p->rounds - 1].candidates, 1, seen);
    const int64_t best = any ? list[0] : -1;
    for (int64_t k = 0; last && k < count; k++) last[k] = seen[k];
    free(list);
    free(seen);
    return best;
}
