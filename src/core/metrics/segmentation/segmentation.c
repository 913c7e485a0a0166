/* SPDX-License-Identifier: Apache-2.0
 * segmentation.c -- adds up counts and distances of the maps of a case, class by class. The distances of all maps are
 * kept until the end of the case, for their percentiles. */
#include <math.h>
#include <string.h>
#include "core/metrics/segmentation/maps.h"
#include "kernels/float_mode.h"

/* Distances of one direction: from the prediction's surface to that of the truth, or back. */
typedef struct distances { double *of; int64_t count, room; } distances;

struct peft_segmentation {
    peft_context *ctx;
    int64_t classes, maps;             /* of the case */
    bool with_distances;
    peft_segment *sum;                 /* [classes] */
    distances *list;                   /* [classes, 2] */
};

peft_status peft_segmentation_create(peft_context *ctx, int64_t classes, int with_distances, peft_segmentation **out)
{
    const int64_t most = 1 << 20;
    if (!ctx || !out)
        return pf_fail(PEFT_E_INVALID, "peft_segmentation_create: %s is NULL, expected a pointer", ctx ? "out" : "ctx");
    if (classes < 1 || classes > most)
        return pf_fail(PEFT_E_INVALID, "peft_segmentation_create: classes: given %lld, expected 1 to %lld",
                       (long long)classes, (long long)most);
    const size_t sums = (size_t)classes * sizeof(peft_segment), lists = (size_t)(2 * classes) * sizeof(distances);
    peft_segmentation *s = pf_alloc_zero(ctx, sizeof *s + sums + lists);
    if (!s) return pf_nomem("segmentation", sizeof *s + sums + lists);
    *s = (peft_segmentation){ .ctx = ctx, .classes = classes, .with_distances = with_distances,
                              .sum = (peft_segment *)(void *)(s + 1) };
    s->list = (distances *)(void *)(s->sum + classes);
    *out = s;
    return PEFT_OK;
}

void peft_segmentation_free(peft_segmentation *s)
{
    if (!s) return;
    for (int64_t i = 0; i < 2 * s->classes; i++) pf_free(s->ctx, s->list[i].of);
    pf_free(s->ctx, s);
}

static peft_status make_room(const peft_segmentation *s, distances *d, int64_t more)
{
    const size_t bytes = (size_t)(d->count + more) * sizeof(double);
    if (d->count + more <= d->room) return PEFT_OK;
    double *grown = pf_realloc(s->ctx, d->of, bytes);
    if (!grown) return pf_nomem("distances of surfaces", bytes);
    d->of = grown;
    d->room = d->count + more;
    return PEFT_OK;
}

/* Writes the distances of class c behind those of earlier maps; found [2]: how many, of both directions. If one map
 * lacks the class, the distances of the other's surface are infinite in both. */
static peft_status measure(peft_segmentation *s, const pf_maps_pair *p, const pf_surfaces *surface, int64_t c,
                           int64_t *found)
{
    int64_t n[2];
    for (int k = 0; k < 2; k++) n[k] = surface[k].first[c + 1] - surface[k].first[c];
    for (int k = 0; k < 2; k++) {
        distances *d = &s->list[2 * c + k];
        const int64_t *from = surface[k].at + surface[k].first[c], *to = surface[!k].at + surface[!k].first[c];
        found[k] = n[0] && n[1] ? n[k] : n[0] + n[1];
        PF_TRY(make_room(s, d, found[k]));
        if (n[0] && n[1]) PF_TRY(pf_nearest_distances(s->ctx, p, from, n[k], to, n[!k], d->of + d->count));
        else for (int64_t i = 0; i < found[k]; i++) d->of[d->count + i] = INFINITY;
    }
    return PEFT_OK;
}

static void count_pixels(peft_segmentation *s, const pf_maps_pair *p)
{
    int64_t judged = 0;                                            /* pixels that are judged for all classes */
    for (int64_t i = 0; i < p->pixels; i++) {
        if (p->targets) {
            for (int64_t c = 0; c < p->classes; c++) {
                const bool truth = pf_map_has(p, PF_TRUTH, i, c), predicted = pf_map_has(p, PF_PREDICTED, i, c);
                s->sum[c].judged += pf_map_judged(p, i, c);
                s->sum[c].truth += truth;
                s->sum[c].predicted += predicted;
                s->sum[c].both += truth && predicted;
            }
        } else if (pf_map_judged(p, i, 0)) {
            const int64_t truth = pf_map_value(p->map[PF_TRUTH], i), predicted = pf_map_value(p->map[PF_PREDICTED], i);
            judged++;
            s->sum[truth].truth++;
            s->sum[predicted].predicted++;
            s->sum[truth].both += truth == predicted;
        }
    }
    for (int64_t c = 0; c < p->classes; c++) s->sum[c].judged += judged;
}

/* Adds the surfaces of both maps. Nothing is counted before all is computed. */
static peft_status add_surfaces(peft_segmentation *s, const pf_maps_pair *p, pf_surfaces *surface, int64_t *found)
{
    for (int which = PF_PREDICTED; which <= PF_TRUTH; which++)
        PF_TRY(pf_surfaces_make(&surface[which], s->ctx, p, which));
    for (int64_t c = 0; c < s->classes; c++) PF_TRY(measure(s, p, surface, c, found + 2 * c));
    for (int64_t c = 0; c < s->classes; c++) {
        for (int k = 0; k < 2; k++) s->list[2 * c + k].count += found[2 * c + k];
        s->sum[c].predicted_surface += surface[PF_PREDICTED].first[c + 1] - surface[PF_PREDICTED].first[c];
        s->sum[c].truth_surface += surface[PF_TRUTH].first[c + 1] - surface[PF_TRUTH].first[c];
    }
    return PEFT_OK;
}

static double diagonal(const pf_maps_pair *p)
{
    double sum = 0;
    for (int k = 0; k < 3; k++) {
        const double length = p->spacing[k] * (double)(p->size[k] - 1);
        sum += length * length;
    }
    return sqrt(sum);
}

static peft_status add(peft_segmentation *s, const char *who, const peft_tensor *predicted, const peft_tensor *truth,
                       bool targets, const double *spacing)
{
    pf_maps_pair p;
    if (!s) return pf_fail(PEFT_E_INVALID, "%s: s is NULL, expected a pointer", who);
    PF_TRY(pf_maps_pair_make(&p, who, predicted, truth, s->classes, targets, spacing));
    if (s->with_distances) {
        pf_surfaces surface[2] = { { NULL, NULL }, { NULL, NULL } };
        const size_t bytes = (size_t)(2 * s->classes) * sizeof(int64_t);
        int64_t *found = pf_alloc(s->ctx, bytes);
        const peft_status status = found ? add_surfaces(s, &p, surface, found) : pf_nomem(who, bytes);
        for (int k = 0; k < 2; k++) pf_surfaces_free(&surface[k], s->ctx);
        pf_free(s->ctx, found);
        if (status) return status;
    }
    count_pixels(s, &p);
    for (int64_t c = 0; c < s->classes; c++) s->sum[c].extent = fmax(s->sum[c].extent, diagonal(&p));
    s->maps++;
    return PEFT_OK;
}

peft_status peft_segmentation_add(peft_segmentation *s, const peft_tensor *predicted, const peft_tensor *truth,
                                  const double *spacing)
{
    PK_FLOAT_SCOPE;
    return add(s, "peft_segmentation_add", predicted, truth, false, spacing);
}

peft_status peft_segmentation_add_targets(peft_segmentation *s, const peft_tensor *predicted,
                                          const peft_tensor *targets, const double *spacing)
{
    PK_FLOAT_SCOPE;
    return add(s, "peft_segmentation_add_targets", predicted, targets, true, spacing);
}

/* Puts the k-th smallest of n values at v[k], the smaller ones before it and the larger ones behind it. */
static void select_smallest(double *v, int64_t n, int64_t k)
{
    for (int64_t low = 0, high = n - 1; low < high;) {
        const double pivot = v[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i > j) break;
            const double swapped = v[i];
            v[i++] = v[j];
            v[j--] = swapped;
        }
        if (k <= j) high = j;
        else if (k >= i) low = i;
        else return;
    }
}

/* Quantile q of the values, linear between two neighbours as torch.quantile. The order of the values changes. */
static double quantile(double *v, int64_t n, double q)
{
    const double at = q * (double)(n - 1), part = at - floor(at);
    const int64_t k = (int64_t)floor(at);
    double above = INFINITY;
    select_smallest(v, n, k);
    if (part == 0) return v[k];
    for (int64_t i = k + 1; i < n; i++) above = fmin(above, v[i]);
    return isinf(above) ? above : v[k] + part * (above - v[k]);
}

/* Sets the distances of *g from those of the two directions. */
static void summarise(peft_segment *g, distances *d)
{
    double sum = 0, largest = 0, largest95 = 0;
    const int64_t n = d[0].count + d[1].count;
    for (int k = 0; k < 2; k++) {
        for (int64_t i = 0; i < d[k].count; i++) {
            sum += d[k].of[i];
            largest = fmax(largest, d[k].of[i]);
        }
        if (d[k].count) largest95 = fmax(largest95, quantile(d[k].of, d[k].count, 0.95));
    }
    g->hd = n ? largest : NAN;
    g->hd95 = n ? largest95 : NAN;
    g->surface_distance = n ? sum / (double)n : NAN;
}

peft_status peft_segmentation_case(peft_segmentation *s, peft_segment *out, size_t count)
{
    PK_FLOAT_SCOPE;
    if (!s || !out)
        return pf_fail(PEFT_E_INVALID, "peft_segmentation_case: %s is NULL, expected a pointer", s ? "out" : "s");
    if (count != (size_t)s->classes)
        return pf_fail(PEFT_E_SHAPE, "peft_segmentation_case: out has room for %zu classes, expected %lld", count,
                       (long long)s->classes);
    if (!s->maps) return pf_fail(PEFT_E_STATE, "peft_segmentation_case: the case has no map; add one before");
    for (int64_t c = 0; c < s->classes; c++) {
        out[c] = s->sum[c];
        summarise(&out[c], s->list + 2 * c);
        for (int k = 0; k < 2; k++) s->list[2 * c + k].count = 0;
    }
    memset(s->sum, 0, (size_t)s->classes * sizeof *s->sum);
    s->maps = 0;
    return PEFT_OK;
}
