/* SPDX-License-Identifier: Apache-2.0
 * stratify.c -- a multi-label set in two parts that have each label's share of positives: iterative stratification
 * (Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011). The label with the fewest samples left is dealt out first, each of
 * them to the part that still lacks most of it. Two things are added: the parts have exactly the sizes asked for, and
 * a label that most samples have is dealt out by those that lack it. */
#include "io/stratify.h"
#include "io/rng.h"
#include <math.h>

typedef struct strata {
    const peft_dataset *d;
    uint8_t *rare, *mark;                                     /* [classes]: the rarer of 0 and 1; [count]: part + 1 */
    int64_t *left;                                            /* [classes]: samples with it not dealt out */
    double *lacks;                                            /* [2, classes]: of each part */
    int64_t room[2];
    io_rng rng;
} strata;

static bool has(const strata *s, int64_t i, int64_t c) { return s->d->target[i * s->d->classes + c] == s->rare[c]; }

/* Every part gets at least one sample of a label that has two, if the parts are large enough for all labels. */
static void count_labels(strata *s, double share)
{
    const int64_t classes = s->d->classes, n = s->d->count;
    int64_t labels = 0;
    for (int64_t c = 0; c < classes; c++) {
        int64_t positive = 0;
        for (int64_t i = 0; i < n; i++) positive += s->d->target[i * classes + c];
        s->rare[c] = 2 * positive <= n;
        s->left[c] = s->rare[c] ? positive : n - positive;
        labels += s->left[c] > 1;
    }
    for (int64_t c = 0; c < classes; c++) {
        double first = share * (double)s->left[c];
        if (s->left[c] > 1 && s->room[0] >= labels && first < 1) first = 1;
        if (s->left[c] > 1 && s->room[1] >= labels && first > (double)s->left[c] - 1) first = (double)s->left[c] - 1;
        s->lacks[c] = first;
        s->lacks[classes + c] = (double)s->left[c] - first;
    }
}

/* The part that lacks most of label c (-1: none), else the one with more room, else either. */
static int choose(strata *s, int64_t c)
{
    if (!s->room[0] || !s->room[1]) return !s->room[0];
    if (c >= 0) {
        const double more = s->lacks[c] - s->lacks[s->d->classes + c];
        if (fabs(more) > 1e-9) return more < 0;
    }
    if (s->room[0] != s->room[1]) return s->room[0] < s->room[1];
    return (int)io_rng_below(&s->rng, 2);
}

static void deal(strata *s, int64_t i, int part)
{
    s->mark[i] = (uint8_t)(part + 1);
    s->room[part]--;
    for (int64_t c = 0; c < s->d->classes; c++)
        if (has(s, i, c)) {
            s->left[c]--;
            s->lacks[part * s->d->classes + c] -= 1;
        }
}

/* -1: no label has samples left. */
static int64_t rarest(const strata *s)
{
    int64_t found = -1;
    for (int64_t c = 0; c < s->d->classes; c++)
        if (s->left[c] && (found < 0 || s->left[c] < s->left[found])) found = c;
    return found;
}

peft_status io_stratify(const peft_dataset *d, int64_t part, uint64_t seed, int64_t *order, uint8_t *mark)
{
    strata s = { .d = d, .mark = mark, .room = { part, d->count - part },
                 .rng = io_rng_make(IO_RNG_SAMPLES, seed, -1, 0) };
    s.rare = io_alloc(d->classes, 1);
    s.left = io_alloc(d->classes, sizeof *s.left);
    s.lacks = io_alloc(2 * d->classes, sizeof *s.lacks);
    const bool good = s.rare && s.left && s.lacks;
    if (good) {
        for (int64_t i = 0; i < d->count; i++) order[i] = i, mark[i] = 0;
        io_rng_shuffle(&s.rng, order, d->count);
        count_labels(&s, (double)part / (double)d->count);
        for (int64_t c; (c = rarest(&s)) >= 0;)
            for (int64_t k = 0; k < d->count; k++)
                if (!mark[order[k]] && has(&s, order[k], c)) deal(&s, order[k], choose(&s, c));
        for (int64_t k = 0; k < d->count; k++)
            if (!mark[order[k]]) deal(&s, order[k], choose(&s, -1));
    }
    free(s.rare);
    free(s.left);
    free(s.lacks);
    return good ? PEFT_OK : io_nomem("split");
}
