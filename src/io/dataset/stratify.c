/* SPDX-License-Identifier: Apache-2.0
 * stratify.c -- iterative stratification of a multi-label data set (Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011). It
 * repeatedly takes the class with the fewest samples that are not assigned, and assigns each of them to the part that
 * still needs most of that class. It differs from the paper in two points: the parts have exactly the sizes that the
 * caller gives, and for a class that most samples have, the samples without it are balanced, since they are rarer. */
#include "io/dataset/stratify.h"
#include "io/rng.h"
#include <math.h>

enum { NO_CLASS = -1 };
/* In the key of the random numbers, where the split of a single-label set has the number of a class. */
enum { ALL_CLASSES = -1 };

typedef struct strata {
    const peft_dataset *d;
    int8_t *rare;                                             /* [classes]: the rarer target of the class, 0 or 1 */
    int64_t *mark;                                            /* [count]: part + 1; 0: not assigned */
    int64_t *unassigned;                                      /* [classes]: unassigned samples with the rare target */
    double *needed;                                           /* [parts, classes]: how many of these a part lacks */
    int64_t *capacity, parts;                                 /* [parts]: samples that each part can still take */
    int64_t *equal;                                           /* scratch [parts]: parts that are equally suitable */
    io_rng rng;
} strata;

/* Whether sample i has the rare target of class c. */
static bool has_rare(const strata *s, int64_t i, int64_t c)
{
    return s->d->target[i * s->d->classes + c] == s->rare[c];
}

/* Sets rare, unassigned and needed. Of the samples with the rare target of a class a part needs its share of all
 * samples. If there are two parts and two or more such samples, each part needs at least one, provided that its size
 * allows one for every class. */
static void count_classes(strata *s)
{
    const int64_t classes = s->d->classes, n = s->d->count;
    int64_t divisible = 0;                                    /* classes with two or more such samples */
    for (int64_t c = 0; c < classes; c++) {
        int64_t with[2] = { 0, 0 };                           /* samples with target 0; with 1; others are not judged */
        for (int64_t i = 0; i < n; i++) {
            const int target = s->d->target[i * classes + c];
            if (target != IO_NOT_JUDGED) with[target]++;
        }
        s->rare[c] = with[1] <= with[0];
        s->unassigned[c] = with[s->rare[c]];
        divisible += s->unassigned[c] > 1;
    }
    for (int64_t c = 0; c < classes; c++) {
        const double all = (double)s->unassigned[c];
        for (int64_t p = 0; p < s->parts; p++)
            s->needed[p * classes + c] = (double)s->capacity[p] / (double)n * all;
        if (s->parts != 2) continue;
        double *first = &s->needed[c];
        if (s->unassigned[c] > 1 && s->capacity[0] >= divisible && *first < 1) *first = 1;
        if (s->unassigned[c] > 1 && s->capacity[1] >= divisible && *first > all - 1) *first = all - 1;
        s->needed[classes + c] = all - *first;
    }
}

/* How much better part p is than part q for a sample with the rare target of class c (NO_CLASS: of no class): it needs
 * more of these, or as many and can take more samples. */
static double compare_parts(const strata *s, int64_t p, int64_t q, int64_t c)
{
    const double need = c == NO_CLASS ? 0 : s->needed[p * s->d->classes + c] - s->needed[q * s->d->classes + c];
    return fabs(need) > 1e-9 ? need : (double)(s->capacity[p] - s->capacity[q]);
}

/* The best of the parts that can take a sample, of equal ones a random one. */
static int64_t choose_part(strata *s, int64_t c)
{
    int64_t n = 0;
    for (int64_t p = 0; p < s->parts; p++) {
        if (!s->capacity[p]) continue;
        const double better = n ? compare_parts(s, p, s->equal[0], c) : 0;
        if (better < 0) continue;
        if (better > 0) n = 0;
        s->equal[n++] = p;
    }
    return s->equal[n > 1 ? io_rng_below(&s->rng, n) : 0];
}

/* Assigns sample i to a part: it takes a place there, and counts for each class whose rare target it has. */
static void assign(strata *s, int64_t i, int64_t part)
{
    s->mark[i] = part + 1;
    s->capacity[part]--;
    for (int64_t c = 0; c < s->d->classes; c++)
        if (has_rare(s, i, c)) {
            s->unassigned[c]--;
            s->needed[part * s->d->classes + c] -= 1;
        }
}

/* The class with the fewest unassigned samples that have its rare target; NO_CLASS: all of these are assigned. */
static int64_t rarest(const strata *s)
{
    int64_t found = NO_CLASS;
    for (int64_t c = 0; c < s->d->classes; c++)
        if (s->unassigned[c] && (found == NO_CLASS || s->unassigned[c] < s->unassigned[found])) found = c;
    return found;
}

/* Takes samples in random order, those of the rarest class first and those with no rare target last. */
peft_status io_stratify(const peft_dataset *d, int64_t *sizes, int64_t parts, uint64_t seed, int64_t *order,
                        int64_t *mark)
{
    strata s = { .d = d, .mark = mark, .capacity = sizes, .parts = parts,
                 .rng = io_rng_make(IO_RNG_SAMPLES, seed, ALL_CLASSES, IO_RNG_UNUSED) };
    s.rare = io_alloc(d->ctx, d->classes, 1);
    s.unassigned = io_alloc(d->ctx, d->classes, sizeof *s.unassigned);
    s.needed = io_alloc(d->ctx, d->classes, (size_t)parts * sizeof *s.needed);
    s.equal = io_alloc(d->ctx, parts, sizeof *s.equal);
    const bool allocated = s.rare && s.unassigned && s.needed && s.equal;
    if (allocated) {
        for (int64_t i = 0; i < d->count; i++) order[i] = i, mark[i] = 0;
        io_rng_shuffle(&s.rng, order, d->count);
        count_classes(&s);
        for (int64_t c; (c = rarest(&s)) != NO_CLASS;)
            for (int64_t k = 0; k < d->count; k++)
                if (!mark[order[k]] && has_rare(&s, order[k], c)) assign(&s, order[k], choose_part(&s, c));
        for (int64_t k = 0; k < d->count; k++)
            if (!mark[order[k]]) assign(&s, order[k], choose_part(&s, NO_CLASS));
    }
    peft_sys_free(d->ctx, s.rare);
    peft_sys_free(d->ctx, s.unassigned);
    peft_sys_free(d->ctx, s.needed);
    peft_sys_free(d->ctx, s.equal);
    return allocated ? PEFT_OK : io_nomem("division of a data set");
}
