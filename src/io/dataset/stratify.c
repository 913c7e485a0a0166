/* SPDX-License-Identifier: Apache-2.0
 * stratify.c -- splits a multi-label set into two parts with each label's share of positives: iterative stratification
 * (Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011). It takes the label with the fewest samples left and assigns each of
 * them to the part that still wants most of that label. Two things differ from the paper: the parts have exactly the
 * sizes asked for, and of a label that most samples have the negatives are balanced, which are rarer. */
#include "io/dataset/stratify.h"
#include "io/rng.h"
#include <math.h>

typedef struct strata {
    const peft_dataset *d;
    uint8_t *rare, *mark;                                     /* [classes]: the rarer of 0 and 1; [count]: part + 1 */
    int64_t *left;                                            /* [classes]: samples with the rare value, not assigned */
    double *wanted;                                           /* [2, classes]: how many more of them each part wants */
    int64_t room[2];                                          /* samples that each part still takes */
    io_rng rng;
} strata;

/* Whether sample i has the rare value of label c. */
static bool has(const strata *s, int64_t i, int64_t c) { return s->d->target[i * s->d->classes + c] == s->rare[c]; }

/* Sets rare, left and wanted. Each part wants its share of the samples with a label's rare value, and at least one
 * where there are two of them, if the part has room for one of every label. */
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
        s->wanted[c] = first;
        s->wanted[classes + c] = (double)s->left[c] - first;
    }
}

/* The part that wants most of label c (-1: no label), else the one with more room, else one drawn at random. */
static int choose(strata *s, int64_t c)
{
    if (!s->room[0] || !s->room[1]) return !s->room[0];
    if (c >= 0) {
        const double more = s->wanted[c] - s->wanted[s->d->classes + c];
        if (fabs(more) > 1e-9) return more < 0;
    }
    if (s->room[0] != s->room[1]) return s->room[0] < s->room[1];
    return (int)io_rng_below(&s->rng, 2);
}

static void assign(strata *s, int64_t i, int part)
{
    s->mark[i] = (uint8_t)(part + 1);
    s->room[part]--;
    for (int64_t c = 0; c < s->d->classes; c++)
        if (has(s, i, c)) {
            s->left[c]--;
            s->wanted[part * s->d->classes + c] -= 1;
        }
}

/* The label with the fewest samples left; -1: none has any left. */
static int64_t rarest(const strata *s)
{
    int64_t found = -1;
    for (int64_t c = 0; c < s->d->classes; c++)
        if (s->left[c] && (found < 0 || s->left[c] < s->left[found])) found = c;
    return found;
}

peft_status io_stratify(const peft_dataset *d, int64_t first_size, uint64_t seed, int64_t *order, uint8_t *mark)
{
    strata s = { .d = d, .mark = mark, .room = { first_size, d->count - first_size },
                 .rng = io_rng_make(IO_RNG_SAMPLES, seed, -1, 0) };
    s.rare = io_alloc(d->ctx, d->classes, 1);
    s.left = io_alloc(d->ctx, d->classes, sizeof *s.left);
    s.wanted = io_alloc(d->ctx, 2 * d->classes, sizeof *s.wanted);
    const bool good = s.rare && s.left && s.wanted;
    if (good) {
        for (int64_t i = 0; i < d->count; i++) order[i] = i, mark[i] = 0;
        io_rng_shuffle(&s.rng, order, d->count);
        count_labels(&s, (double)first_size / (double)d->count);
        for (int64_t c; (c = rarest(&s)) >= 0;)
            for (int64_t k = 0; k < d->count; k++)
                if (!mark[order[k]] && has(&s, order[k], c)) assign(&s, order[k], choose(&s, c));
        for (int64_t k = 0; k < d->count; k++)
            if (!mark[order[k]]) assign(&s, order[k], choose(&s, -1));
    }
    peft_sys_free(d->ctx, s.rare);
    peft_sys_free(d->ctx, s.left);
    peft_sys_free(d->ctx, s.wanted);
    return good ? PEFT_OK : io_nomem("split");
}
