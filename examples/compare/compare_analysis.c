/* SPDX-License-Identifier: Apache-2.0
 * compare_analysis.c -- analyses the held-out images of one run before and after tuning (compare --analysis) and writes
 * the results as records (records.h): separation and map of the features, share of attention that sinks take. */
#include "common/files/atomic_file.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "compare_study.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { map_axes = 2, most_maps = 4 };

/* The share of attention that sinks take, [layers, tokens]: mean, over all images; single, of the `shown` images whose
 * numbers are in image. layer: the numbers of the blocks that have sinks. */
typedef struct masses {
    int64_t layers, tokens, shown;
    int64_t layer[PEFT_DEPTH_MAX], image[most_maps];
    double *mean, *single[most_maps];
} masses;

/* A session with these taps (NULL: none); NULL: the model lacks one of them. */
static peft_session *session_with(const training_run *t, peft_model *m, const char *taps)
{
    peft_options *o = empty_options(t->ctx);
    peft_session *s = NULL;
    if (taps) must(peft_options_set_string(o, "taps", taps));
    const peft_status status = peft_session_create(m, o, &s);
    if (status != PEFT_E_NOTFOUND) must(status);
    peft_options_free(o);
    return s;
}

/* Sets a->layer and a->layers; returns the names of the taps, to be freed; NULL: no block has sinks. */
static char *find_sinks(const training_run *t, masses *a)
{
    char *taps = NULL, *text, name[32];
    a->tokens = peft_backbone_get(t->vit, "tokens");
    for (int64_t l = 0; l < peft_backbone_get(t->vit, "depth"); l++) {
        snprintf(name, sizeof name, "sink_mass.%lld", (long long)l);
        peft_session *s = session_with(t, t->model, name);
        if (!s) continue;
        peft_session_free(s);
        a->layer[a->layers++] = l;
        if (asprintf(&text, "%s%s%s", taps ? taps : "", taps ? "," : "", name) < 0) fail("out of memory");
        free(taps);
        taps = text;
    }
    const size_t count = (size_t)(a->layers * a->tokens);
    a->mean = check_alloc(calloc(count ? count : 1, sizeof *a->mean));
    return taps;
}

/* Is image i the first of its class, and are fewer than most_maps shown? */
static bool shows_map(const masses *a, const features *f, int64_t i)
{
    for (int64_t k = 0; k < i; k++)
        if (f->label[k] == f->label[i]) return false;
    return a->shown < most_maps;
}

/* Adds the taps of image i of n to the mean, and keeps them if it is shown. user: the masses. */
static void add_masses(peft_session *s, const features *f, int64_t i, void *user)
{
    masses *a = user;
    double *kept = NULL;
    char name[32];
    if (a->layers && shows_map(a, f, i)) {
        kept = check_alloc(calloc((size_t)(a->layers * a->tokens), sizeof *kept));
        a->image[a->shown] = i;
        a->single[a->shown++] = kept;
    }
    for (int64_t l = 0; l < a->layers; l++) {
        snprintf(name, sizeof name, "sink_mass.%lld", (long long)a->layer[l]);
        const float *mass = peft_tensor_cdata(peft_session_tap(s, name));
        for (int64_t k = 0; k < a->tokens; k++) {
            a->mean[l * a->tokens + k] += (double)mass[k] / (double)f->n;
            if (kept) kept[l * a->tokens + k] = (double)mass[k];
        }
    }
}

static void put_number(FILE *f, const char *when, const char *name, double v)
{
    fprintf(f, "%s_%s,", when, name);
    if (isfinite(v)) fprintf(f, "%.9g", v);
    fputc('\n', f);
}

/* Writes the numbers on f; none where f has no features, or where a number is undefined: too few images or classes. */
static void put_numbers(FILE *out, const training_run *t, const char *when, const features *f)
{
    double intra = NAN, inter = NAN, silhouette = NAN, rank = NAN, *const of_each_image = NULL;
    if (f->x) {
        if (peft_analysis_scatter(t->ctx, f->x, f->label, f->n, f->width, f->classes, &intra, &inter)) intra = NAN;
        if (peft_analysis_silhouette(t->ctx, f->x, f->label, f->n, f->width, f->classes, &silhouette, of_each_image))
            silhouette = NAN;
        if (peft_analysis_effective_rank(t->ctx, f->x, f->n, f->width, &rank)) rank = NAN;
    }
    put_number(out, when, "intra_scatter", intra);
    put_number(out, when, "inter_scatter", inter);
    put_number(out, when, "silhouette", silhouette);
    put_number(out, when, "effective_rank", rank);
}

/* Returns the map [n, map_axes] of the features, to be freed, and writes the share of the variance that it shows; NULL:
 * there is none. */
static double *make_map(FILE *out, const training_run *t, const char *when, const features *f)
{
    double share[map_axes] = { NAN, NAN };
    double *map = f->x ? check_alloc(malloc((size_t)(f->n * map_axes) * sizeof *map)) : NULL;
    if (map && peft_analysis_pca(t->ctx, f->x, f->n, f->width, map_axes, map, share)) {
        free(map);
        map = NULL;
    }
    put_number(out, when, "map_share", share[0] + share[1]);
    return map;
}

static void put_map(FILE *out, const double *before, const double *after, int64_t n)
{
    fputs("index,before_1,before_2,after_1,after_2", out);
    for (int64_t i = 0; i < n; i++) {
        fprintf(out, "\n%lld", (long long)i);
        for (int k = 0; k < 2 * map_axes; k++) {
            const double *map = k < map_axes ? before : after;
            fputc(',', out);
            if (map) fprintf(out, "%.6g", map[i * map_axes + k % map_axes]);
        }
    }
    fputc('\n', out);
}

static void put_mass_rows(FILE *out, const char *image, const masses *a, const double *v)
{
    for (int64_t l = 0; l < a->layers; l++) {
        fprintf(out, "%s,%lld", image, (long long)a->layer[l]);
        for (int64_t k = 0; k < a->tokens; k++) fprintf(out, ",%.5g", v[l * a->tokens + k]);
        fputc('\n', out);
    }
}

static void put_masses(FILE *out, const masses *a)
{
    char image[24];
    fputs("image,block", out);
    for (int64_t k = 0; k < a->tokens; k++) fprintf(out, ",token_%lld", (long long)k);
    fputc('\n', out);
    put_mass_rows(out, "mean", a, a->mean);
    for (int64_t m = 0; m < a->shown; m++) {
        snprintf(image, sizeof image, "%lld", (long long)a->image[m]);
        put_mass_rows(out, image, a, a->single[m]);
    }
}

void write_analysis(const study *s, int64_t i, const training_run *t, const peft_dataset *test)
{
    masses sinks = { 0 };
    const char *const no_taps = NULL;
    char *taps = find_sinks(t, &sinks);
    peft_model *plain = backbone_model(t, entry_of(s, i));
    peft_session *before_session = session_with(t, plain, no_taps), *after_session = session_with(t, t->model, taps);
    features before = compute_features(t, before_session, test, NULL, NULL),
             after = compute_features(t, after_session, test, add_masses, &sinks);
    atomic_file space, map, mass;
    open_run_record(&space, s, i, "space");
    fputs("name,value\n", space.file);
    put_numbers(space.file, t, "before", &before);
    put_numbers(space.file, t, "after", &after);
    double *map_before = make_map(space.file, t, "before", &before);
    double *map_after = make_map(space.file, t, "after", &after);
    fprintf(space.file, "tokens,%lld\nprefix_tokens,%lld\ntransform,", (long long)sinks.tokens,
            (long long)peft_backbone_get(t->vit, "prefix"));
    put_csv_field(space.file, peft_transform_text(t->transform));
    fputc('\n', space.file);
    open_run_record(&map, s, i, "map");
    put_map(map.file, map_before, map_after, before.n);
    open_run_record(&mass, s, i, "mass");
    put_masses(mass.file, &sinks);
    close_atomic(&mass);
    close_atomic(&map);
    close_atomic(&space);
    for (int64_t k = 0; k < sinks.shown; k++) free(sinks.single[k]);
    void *owned[] = { sinks.mean, map_before, map_after, taps };
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
    free_features(&before);
    free_features(&after);
    peft_session_free(before_session);
    peft_session_free(after_session);
    peft_model_free(plain);
}
