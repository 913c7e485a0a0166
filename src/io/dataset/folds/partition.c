/* SPDX-License-Identifier: Apache-2.0
 * partition.c -- peft_dataset_partition: the images of each class over sites by a Dirichlet distribution (Hsu, Qi,
 * Brown, arXiv 1909.06335), patients whole. All sites are drawn by each call, which makes one of them. */
#include <math.h>
#include "io/dataset/folds/fold.h"
#include "io/dataset/groups.h"
#include "io/rng.h"

/* Within these the logarithms of gamma numbers are finite. */
static const double ALPHA_LEAST = 1e-100, ALPHA_MOST = 1e100;

/* Units are divided: groups (patients), and samples without a group. */
typedef struct sites {
    peft_dataset *d;
    int64_t count;                                            /* of sites */
    int64_t units, *unit;                                     /* unit [samples]: that of each sample */
    int64_t *kind, *size, *site;                              /* [units]: main class, samples, site */
    int64_t *order, *votes;                                   /* scratch [samples], [classes] */
    double *share;                                            /* [sites] of a class */
    int64_t *images;                                          /* [sites] */
} sites;

/* A standard normal number (Box and Muller). */
static double normal(io_rng *r)
{
    const double u = 1 - io_rng_uniform(r, 0, 1), v = io_rng_uniform(r, 0, 1);
    return sqrt(-2 * log(u)) * cos(2 * acos(-1) * v);
}

/* The logarithm of a number of the gamma distribution (Marsaglia and Tsang 2000; for alpha < 1 with their power of a
 * uniform number). The logarithm does not underflow where alpha is small. */
static double log_gamma_number(io_rng *r, double alpha)
{
    const double shift = alpha < 1 ? log(1 - io_rng_uniform(r, 0, 1)) / alpha : 0, a = alpha < 1 ? alpha + 1 : alpha;
    const double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = normal(r), v = (1 + c * x) * (1 + c * x) * (1 + c * x);
        if (v > 0 && log(1 - io_rng_uniform(r, 0, 1)) < 0.5 * x * x + d - d * v + d * log(v)) return shift + log(d * v);
    }
}

/* Draws the shares of the sites, multiples of 2^-20 but for the last: so that mathematical libraries that differ in the
 * last bit give the same division. */
static void draw_shares(sites *s, io_rng *r, double alpha)
{
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < s->count; k++) {
        s->share[k] = log_gamma_number(r, alpha);
        most = fmax(most, s->share[k]);
    }
    for (int64_t k = 0; k < s->count; k++) sum += s->share[k] = exp(s->share[k] - most);
    for (int64_t k = 0; k < s->count; k++) s->share[k] = floor(s->share[k] / sum * 0x1p20 + 0.5) * 0x1p-20;
}

/* Cuts the units of class c, in random order, at the sums of the shares. */
static void divide_class(sites *s, int64_t c, double alpha, uint64_t seed)
{
    io_rng r = io_rng_make(IO_RNG_SITES, seed, c, s->count);
    int64_t n = 0;
    for (int64_t u = 0; u < s->units; u++) if (s->kind[u] == c) s->order[n++] = u;
    io_rng_shuffle(&r, s->order, n);
    draw_shares(s, &r, alpha);
    double sum = 0;
    int64_t next = 0;
    for (int64_t k = 0; k < s->count; k++) {
        sum += s->share[k];
        const int64_t end = k == s->count - 1 ? n : (int64_t)fmin(floor(sum * (double)n + 0.5), (double)n);
        for (; next < end; next++) s->site[s->order[next]] = k;
    }
}

/* Sets unit, units and size. first [groups]: unit of a group. */
static void number_units(sites *s, int64_t *first)
{
    peft_dataset *d = s->d;
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t g = io_group_of(d, d->groups, i);
        const bool known = g != IO_NO_GROUP && first[g];      /* first: the unit's number + 1 */
        s->unit[i] = known ? first[g] - 1 : s->units++;
        if (g != IO_NO_GROUP) first[g] = s->unit[i] + 1;
        s->size[s->unit[i]]++;
    }
}

/* Sets kind, the class that most samples of the unit have. */
static void find_kinds(sites *s)
{
    const peft_dataset *d = s->d;
    int64_t *end = s->site, all = 0;                          /* of the samples of a unit in order, as they are added */
    for (int64_t u = 0; u < s->units; all += s->size[u++]) end[u] = all;
    for (int64_t i = 0; i < d->count; i++) s->order[end[s->unit[i]]++] = i;
    for (int64_t u = 0; u < s->units; u++) {
        for (int64_t c = 0; c < d->classes; c++) s->votes[c] = 0;
        for (int64_t i = end[u] - s->size[u]; i < end[u]; i++) s->votes[d->label[s->order[i]]]++;
        for (int64_t c = 1; c < d->classes; c++) if (s->votes[c] > s->votes[s->kind[u]]) s->kind[u] = c;
    }
}

/* Gives each site without an image the last unit of the site with most images among those with two units or more. */
static void fill_empty(sites *s)
{
    int64_t *units = s->order;                                /* of a site */
    for (int64_t j = 0; j < s->count; j++) s->images[j] = units[j] = 0;
    for (int64_t u = 0; u < s->units; u++) s->images[s->site[u]] += s->size[u], units[s->site[u]]++;
    for (int64_t k = 0; k < s->count; k++) {
        int64_t from = -1, last = s->units - 1;
        if (units[k]) continue;
        for (int64_t j = 0; j < s->count; j++)
            if (units[j] > 1 && (from < 0 || s->images[j] > s->images[from])) from = j;
        while (s->site[last] != from) last--;
        s->site[last] = k;
        s->images[from] -= s->size[last], units[from]--;
        s->images[k] = s->size[last], units[k] = 1;
    }
}

static peft_status make_site(sites *s, int64_t site, double alpha, uint64_t seed, peft_dataset **out)
{
    int64_t n = 0;
    find_kinds(s);
    for (int64_t c = 0; c < s->d->classes; c++) divide_class(s, c, alpha, seed);
    fill_empty(s);
    for (int64_t i = 0; i < s->d->count; i++) if (s->site[s->unit[i]] == site) s->order[n++] = i;
    return io_dataset_part(s->d, &(io_selection){ .count = n, .indices = s->order }, out);
}

static peft_status check_arguments(const peft_dataset *d, int64_t count, int64_t site, double alpha,
                                   peft_dataset *const *out)
{
    if (!d || !out) return io_fail(PEFT_E_INVALID, "partition: %s is NULL", d ? "out" : "data set");
    if (count < 1 || count > d->count)
        return io_fail(PEFT_E_INVALID, "partition: sites is %lld, expected 1 to %lld, the number of samples",
                       (long long)count, (long long)d->count);
    if (site < 0 || site >= count)
        return io_fail(PEFT_E_INVALID, "partition: site is %lld, expected 0 to %lld", (long long)site,
                       (long long)count - 1);
    if (alpha != 0 && !(alpha >= ALPHA_LEAST && alpha <= ALPHA_MOST))
        return io_fail(PEFT_E_INVALID, "partition: alpha is %g, expected 0 (equal shares), or a number from %g to %g",
                       alpha, ALPHA_LEAST, ALPHA_MOST);
    if (alpha > 0 && d->target)
        return io_fail(PEFT_E_UNSUPPORTED, "partition: the images have several labels each, and a Dirichlet "
                       "distribution is one over classes that exclude each other; give alpha 0 (equal shares)");
    return PEFT_OK;
}

static peft_status partition(sites *s, int64_t site, double alpha, uint64_t seed, peft_dataset **out)
{
    peft_dataset *d = s->d;
    int64_t *first = io_alloc(d->ctx, d->groups ? d->groups->names.count + 1 : 1, sizeof *first);
    if (!first) return io_nomem("partition");
    for (int64_t g = 0; d->groups && g < (int64_t)d->groups->names.count; g++) first[g] = 0;
    for (int64_t i = 0; i < d->count; i++) s->size[i] = s->kind[i] = 0;
    number_units(s, first);
    peft_sys_free(d->ctx, first);
    if (s->units >= s->count && alpha == 0) return io_fold(d, s->count, site, seed, "partition", "site", NULL, out);
    if (s->units >= s->count) return make_site(s, site, alpha, seed, out);
    return io_fail(PEFT_E_UNSUPPORTED, "partition: %lld sites, but only %lld groups (patients), which are not divided; "
                   "ask for fewer sites", (long long)s->count, (long long)s->units);
}

peft_status peft_dataset_partition(peft_dataset *d, int64_t count, int64_t site, double alpha, uint64_t seed,
                                   peft_dataset **out)
{
    const peft_status bad = check_arguments(d, count, site, alpha, out);
    if (bad) return bad;
    if (count == 1) return io_dataset_part(d, &(io_selection){ .count = d->count }, out);
    sites s = { .d = d, .count = count };
    int64_t **arrays[] = { &s.unit, &s.kind, &s.size, &s.site, &s.order };
    bool complete = true;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        complete = (*arrays[i] = io_alloc(d->ctx, d->count, sizeof **arrays[i])) && complete;
    s.votes = io_alloc(d->ctx, d->classes + 1, sizeof *s.votes);
    s.images = io_alloc(d->ctx, count, sizeof *s.images);
    s.share = io_alloc(d->ctx, count, sizeof *s.share);
    peft_status status = complete && s.votes && s.images && s.share ? partition(&s, site, alpha, seed, out)
                                                                    : io_nomem("partition");
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) peft_sys_free(d->ctx, *arrays[i]);
    peft_sys_free(d->ctx, s.votes);
    peft_sys_free(d->ctx, s.images);
    peft_sys_free(d->ctx, s.share);
    return status;
}
