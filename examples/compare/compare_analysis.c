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

/* Features of the n held-out images; x NULL: the model has none. */
typedef struct features { float *x; int64_t n, width, classes; int64_t *label; } features;

/* The share of attention that sinks take, [layers, tokens]: mean, over all images; single, of the `shown` images whose
 * numbers are in image. layer: the numbers of the blocks that have sinks. */
typedef struct masses {
    int64_t layers, tokens, shown;
    int64_t layer[PEFT_DEPTH_MAX], image[most_maps];
    double *mean, *single[most_maps];
} masses;

/* A model of the backbone alone, whose features are pooled as those of the entry are. */
static peft_model *backbone_model(const training_run *t, const flag *recipe)
{
    settings head = read_settings(recipe[recipe_head].value, "--head");
    const char *pool = find_setting(&head, "pool");
    peft_options *o = empty_options(t->ctx);
    peft_model *m;
    must(peft_options_set_string(o, "head", "none"));
    if (pool) must(peft_options_set_string(o, "pool", pool));
    must(peft_model_create(t->vit, o, &m));
    peft_options_free(o);
    free_settings(&head);
    return m;
}

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

/* Adds the taps of image i of n to the mean, and keeps them if it is shown. */
static void add_masses(masses *a, peft_session *s, const features *f, int64_t i)
{
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

/* Computes the features of all images with s, and the masses if a is given. */
static features compute_features(const training_run *t, peft_session *s, const peft_dataset *test, masses *a)
{
    features f = { .n = peft_dataset_count(test), .width = peft_model_feature_width(t->model),
                   .classes = peft_dataset_classes(test) };
    const int64_t side = peft_transform_size(t->transform);
    peft_tensor *image, *feature;
    peft_image *im;
    peft_status status = PEFT_OK;
    f.x = check_alloc(malloc((size_t)(f.n * f.width) * sizeof *f.x));
    f.label = check_alloc(malloc((size_t)f.n * sizeof *f.label));
    must(peft_tensor_create(t->ctx, PEFT_F32, 4, (int64_t[]){ 1, 3, side, side }, &image));
    for (int64_t i = 0; i < f.n; i++) f.label[i] = peft_dataset_label(test, i);
    for (int64_t i = 0; i < f.n && !status; i++) {
        must(peft_dataset_load(test, i, &im));
        must(peft_transform_apply(t->transform, im, peft_tensor_data(image)));
        peft_image_free(im);
        must(peft_tensor_wrap(t->ctx, PEFT_F32, 2, (int64_t[]){ 1, f.width }, f.x + i * f.width, &feature));
        status = peft_session_features(s, image, feature);
        peft_tensor_free(feature);
        if (status != PEFT_E_UNSUPPORTED) must(status);       /* a method with a network of its own has no feature */
        if (!status && a) add_masses(a, s, &f, i);
    }
    peft_tensor_free(image);
    if (status) {
        free(f.x);
        f.x = NULL;
    }
    return f;
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
    masses sinks = { 0 }, *const none = NULL;
    const char *const no_taps = NULL;
    char *taps = find_sinks(t, &sinks);
    peft_model *plain = backbone_model(t, entry_of(s, i)->recipe);
    peft_session *before_session = session_with(t, plain, no_taps), *after_session = session_with(t, t->model, taps);
    features before = compute_features(t, before_session, test, none),
             after = compute_features(t, after_session, test, &sinks);
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
    void *owned[] = { sinks.mean, before.x, before.label, after.x, after.label, map_before, map_after, taps };
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
    peft_session_free(before_session);
    peft_session_free(after_session);
    peft_model_free(plain);
}
