/* SPDX-License-Identifier: Apache-2.0
 * compare_maps.c -- computes maps (peft/maps.h) of the held-out images that report shows of a run (compare --maps) and
 * writes them as a record (records.h). */
#include "common/backbone/image_sides.h"
#include "common/figures/shown_images.h"
#include "common/files/atomic_file.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "compare/compare_study.h"
#include <peft/maps.h>
#include <stdlib.h>

/* The probabilities [count] as they stand in the record of predictions, from which report chooses; to be freed. */
static double *as_recorded(const double *scores, int64_t count)
{
    double *v = check_alloc(malloc((size_t)count * sizeof *v));
    char text[32];
    for (int64_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, RECORDED_SCORE, scores[i]);
        v[i] = strtod(text, NULL);
    }
    return v;
}

/* Fills image with the numbers of the images of all outcomes, each once; returns how many there are. */
static int64_t images_of_maps(const predictions *p, int64_t image[OUTCOMES * MOST_SHOWN])
{
    int64_t n = 0;
    for (int o = 0; o < OUTCOMES; o++) {
        int64_t chosen[MOST_SHOWN], count = choose_shown(p, (outcome)o, chosen);
        for (int64_t k = 0; k < count; k++) {
            bool there = false;
            for (int64_t j = 0; j < n; j++) there |= image[j] == chosen[k];
            if (!there) image[n++] = chosen[k];
        }
    }
    return n;
}

/* The row of a kind (image -1), or of an image, without a map, and why. */
static void put_no_map(FILE *f, const char *kind, int64_t image, const char *reason)
{
    fprintf(f, "%s,", kind);
    if (image >= 0) fprintf(f, "%lld", (long long)image);
    fputs(",,,,,,,,,,,", f);
    put_csv_field(f, reason);
    fputc('\n', f);
}

/* The row of a map [h,w] of an image of width x height pixels, of which the network sees box. class -1: of none. */
static void put_map(FILE *f, const char *kind, int64_t image, int64_t class, int64_t width, int64_t height,
                    const double box[4], int64_t h, int64_t w, const float *value)
{
    fprintf(f, "%s,%lld,", kind, (long long)image);
    if (class >= 0) fprintf(f, "%lld", (long long)class);
    fprintf(f, ",%lld,%lld", (long long)width, (long long)height);
    for (int k = 0; k < 4; k++) fprintf(f, ",%.9g", box[k]);
    fprintf(f, ",%lld,%lld,", (long long)h, (long long)w);
    for (int64_t k = 0; k < h * w; k++) fprintf(f, "%s%.6g", k ? " " : "", (double)value[k]);
    fputs(",\n", f);
}

/* The maps of one kind on the model of t; NULL, with the reason in peft_last_error: the model has none. */
static peft_maps *make_maps(const training_run *t, size_t kind)
{
    peft_maps *maps = NULL;
    peft_options *o = empty_options(t->ctx);
    must(peft_options_set_string(o, "kind", peft_maps_kind_name(kind)));
    const peft_status status = peft_maps_create(t->model, o, &maps);
    peft_options_free(o);
    if (status && status != PEFT_E_UNSUPPORTED) must(status);
    return maps;
}

/* Computes and writes the map of image i, of its predicted class if the kind is of a class. */
static void write_map(FILE *f, const training_run *t, peft_maps *maps, size_t kind, const peft_dataset *d,
                      const predictions *p, int64_t i)
{
    const char *name = peft_maps_kind_name(kind);
    const int64_t predicted = most_probable(p->score + i * p->classes, p->classes);
    const bool of_class = peft_maps_kind_of_class(kind);
    int64_t h, w, chosen;
    double box[4];
    peft_image *im;
    peft_tensor *image, *map;
    peft_maps_size(maps, &h, &w);
    image = new_images(t->ctx, t->transform, 1);
    must(peft_tensor_create(t->ctx, PEFT_F32, 3, (int64_t[]){ 1, h, w }, &map));
    must(peft_dataset_load(d, i, &im));
    must(peft_transform_apply(t->transform, im, peft_tensor_data(image)));
    must(peft_transform_box(t->transform, peft_image_width(im), peft_image_height(im), box));
    const peft_status status = peft_maps_compute(maps, image, of_class ? &predicted : NULL, map, &chosen, NULL, NULL);
    if (status == PEFT_E_NONFINITE) put_no_map(f, name, i, peft_last_error());
    else must(status);
    if (!status)
        put_map(f, name, i, chosen, peft_image_width(im), peft_image_height(im), box, h, w, peft_tensor_cdata(map));
    peft_image_free(im);
    peft_tensor_free(image);
    peft_tensor_free(map);
}

void write_maps(const study *s, int64_t i, const training_run *t, const evaluation *ev)
{
    const int64_t count = peft_dataset_count(ev->test), classes = peft_dataset_classes(ev->test);
    double *score = as_recorded(ev->scores, count * classes);
    int64_t *label = check_alloc(malloc((size_t)count * sizeof *label)), image[OUTCOMES * MOST_SHOWN];
    for (int64_t k = 0; k < count; k++) label[k] = peft_dataset_label(ev->test, k);
    const predictions p = { .images = count, .classes = classes, .label = label, .score = score };
    const int64_t shown = images_of_maps(&p, image);
    atomic_file record;
    open_run_record(&record, s, i, "maps");
    fputs("kind,image,class,width,height,left,top,right,bottom,rows,columns,values,note\n", record.file);
    for (int k = 0; k < s->maps.count; k++) {
        const size_t kind = s->maps.kind[k];
        peft_maps *maps = NULL;
        if (is_probe(entry_of(s, i)))
            put_no_map(record.file, peft_maps_kind_name(kind), -1, "a probe is fitted to features that the backbone "
                       "has computed; its predictions have no maps");
        else if (!(maps = make_maps(t, kind)))
            put_no_map(record.file, peft_maps_kind_name(kind), -1, peft_last_error());
        for (int64_t j = 0; maps && j < shown; j++) write_map(record.file, t, maps, kind, ev->test, &p, image[j]);
        peft_maps_free(maps);
    }
    close_atomic(&record);
    free(label);
    free(score);
}
