/* SPDX-License-Identifier: Apache-2.0
 * report_cases.c -- shows held-out images that the best method predicted right and wrong in one run, with their class
 * probabilities. Draws the images again as compare did; without the data, it shows names only. */
#include "common/cases/cases.h"
#include "common/data/data.h"
#include "common/figures/shown_images.h"
#include "common/program/errors.h"
#include "common/program/verbose.h"
#include "common/segment/figures/case_means.h"
#include "maps/report_maps.h"
#include "report_parts.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { thumbnail_side = 96 };

/* The first image of each case; takes d. */
static peft_dataset *first_of_cases(peft_dataset *d)
{
    peft_dataset *first;
    case_list c = cases_of(d);
    must(peft_dataset_subset(d, c.first, c.count, &first));
    free_cases(&c);
    peft_dataset_free(d);
    return first;
}

static const char *name_in_records(const study *s, const peft_dataset *d, int64_t i)
{
    return study_has_cases(s) ? case_name(d, i) : peft_dataset_name(d, i);
}

/* Has the data set the images of the run, with their labels? */
static bool has_images_of(const study *s, const peft_dataset *d, const run *r)
{
    bool same = peft_dataset_count(d) == r->images;
    for (int64_t i = 0; same && i < r->images; i++)
        same = peft_dataset_label(d, i) == r->label[i] && !strcmp(name_in_records(s, d, i), r->name[i]);
    return same;
}

/* Has it the images of the run's cases, of a study of masks? */
static bool has_cases_of(const peft_dataset *d, const run *r)
{
    int64_t image = 0;
    for (int64_t i = 0; i < r->images; i++) {
        if (image >= peft_dataset_count(d) || !begins_case(&r->cases, i, peft_dataset_name(d, image))) return false;
        image += r->cases.images[i];
    }
    return image == peft_dataset_count(d);
}

peft_dataset *open_images(const study *s, const run *r)
{
    const data_request q = {
        .data = study_property(s, "data"), .test = study_property(s, "test"), .table = study_property(s, "table"),
        .patients = study_property(s, "patients"),
        .image_options = study_property(s, "image_options"), .allow_shared_patients = true,
        .masks = study_property(s, "masks"), .mask_options = study_property(s, "mask_options"),
        .test_masks = study_property(s, "test_masks"), .all_slices = study_property(s, "all_slices") != NULL,
        .shots = study_integer(s, "shots"),
        .tests = study_integer(s, "test_per_class"), .seed = r->draw_seed };
    const char *const paths[] = { q.data, q.test, q.masks, q.test_masks };
    for (size_t k = 0; k < sizeof paths / sizeof *paths; k++)
        if (paths[k] && *paths[k] ? access(paths[k], R_OK) : !k) return NULL;   /* empty: masks beside their images */
    peft_dataset *train, *test;
    peft_context *ctx;
    ctx = make_context();
    draw_sets(ctx, &q, &train, &test);
    peft_context_free(ctx);
    peft_dataset_free(train);
    replace_by_slices(&q, &test);
    if (study_has_cases(s)) test = first_of_cases(test);
    if (!(s->masks ? has_cases_of(test, r) : has_images_of(s, test, r)))
        fail("%s: the data have changed since the records in %s were made; restore them, or move them away to make a "
             "page without images", q.data, s->folder);
    return test;
}

/* Begins the element of image i, up to its address. id NULL: an <img>, which the style sheet (class "tiny") enlarges if
 * it is smaller than a thumbnail; else an <image> of a drawing, with this id, over which maps are drawn. */
static void open_picture(FILE *f, const study *s, const run *r, int64_t i, const peft_image *im, const char *id)
{
    const int64_t w = peft_image_width(im), h = peft_image_height(im), longer = w > h ? w : h;
    const bool tiny = longer <= thumbnail_side;
    const double scale = thumbnail_side / (double)longer, width = (double)w * scale, height = (double)h * scale;
    fputs("<div class=\"pic\">", f);
    if (id) fprintf(f, "<svg class=\"over\" viewBox=\"0 0 %.6g %.6g\" role=\"img\"><title>", width, height);
    else fprintf(f, "<img%s alt=\"", tiny ? " class=\"tiny\"" : "");
    fprintf(f, "held-out image %lld, ", (long long)i);
    put_escaped(f, s->class_name[r->label[i]]);
    if (!id) fputs("\" src=\"", f);
    else fprintf(f, "</title><image id=\"%s\" width=\"%.6g\" height=\"%.6g\" preserveAspectRatio=\"none\"%s "
                 "href=\"", id, width, height, tiny ? " class=\"cells\"" : "");
}

static void put_thumbnail(FILE *f, const study *s, const run *r, int64_t i, peft_dataset *images, const char *id)
{
    peft_image *im;
    if (!images) return;
    must(peft_dataset_load(images, i, &im));
    open_picture(f, s, r, i, im, id);
    put_image_uri(f, im, thumbnail_side);
    fputs(id ? "\"/></svg></div>\n" : "\"></div>\n", f);
    peft_image_free(im);
}

/* Writes the class probabilities as a list of bars. */
static void put_probabilities(FILE *f, const study *s, const run *r, int64_t i)
{
    fputs("<ul class=\"shares\" aria-label=\"probabilities\">\n", f);
    for (int64_t c = 0; c < s->classes; c++) {
        double p = 100 * r->score[i * s->classes + c];
        fprintf(f, "<li%s><span>", c == r->label[i] ? " class=\"true\"" : "");
        put_escaped(f, s->class_name[c]);
        fprintf(f, "</span><i><b style=\"width:%.1f%%\"></b></i><span>%.1f %%</span></li>\n", p, p);
    }
    fputs("</ul>\n", f);
}

/* The end of a path that begins after the last slash but one: "class/0001.png". */
static const char *folder_and_file(const char *path)
{
    const char *at = path + strlen(path);
    for (int slashes = 0; at > path; at--)
        if (at[-1] == '/' && ++slashes == 2) break;
    return at;
}

/* What a page shows of the images of one run. */
typedef struct shown_run {
    const study *s;
    const run *r;
    predictions all;
    peft_dataset *images;                                     /* NULL: the data cannot be found */
    image_maps maps;
} shown_run;

static void put_case(page *p, const shown_run *c, outcome wanted, int64_t i)
{
    FILE *f = p->f;
    const study *s = c->s;
    const run *r = c->r;
    const bool mapped = has_map_of(&c->maps, i);
    char id[64];
    snprintf(id, sizeof id, "case-%lld-%d-%lld", (long long)p->study, (int)wanted, (long long)i);
    fprintf(f, "<div class=\"case%s\">\n<div class=\"top\">", mapped ? " mapped" : "");
    put_thumbnail(f, s, r, i, c->images, mapped ? id : NULL);
    fputs("<dl><dt>true</dt><dd>", f);
    put_escaped(f, s->class_name[r->label[i]]);
    fputs("</dd><dt>predicted</dt><dd>", f);
    put_escaped(f, s->class_name[predicted_class(s, r, i)]);
    fprintf(f, "</dd><dt>%s</dt><dd class=\"name\">", study_has_cases(s) ? "case" : "file");
    put_shortened(f, folder_and_file(r->name[i]), 40);
    fputs("</dd></dl></div>\n", f);
    put_probabilities(f, s, r, i);
    if (mapped) put_image_maps(p, s, i, &c->maps, c->images ? id : NULL);
    fputs("</div>\n", f);
}

/* Writes a heading, with the number of images of this outcome in the run, and below it some of them. */
static void put_group(page *p, const shown_run *c, outcome wanted)
{
    FILE *f = p->f;
    int64_t picked[MOST_SHOWN], n = choose_shown(&c->all, wanted, picked), all = 0;
    for (int64_t i = 0; i < c->r->images; i++) all += outcome_of(&c->all, i) == wanted;
    if (wanted == UNCERTAIN) fputs("<h4>Most uncertain: the two largest probabilities differ least</h4>\n", f);
    else fprintf(f, "<h4>%s: %lld of %lld</h4>\n", wanted == RIGHT ? "Right" : "Wrong", (long long)all,
                 (long long)c->r->images);
    fprintf(f, "<div class=\"grid %s\">\n", c->maps.count ? "cases" : "narrow");
    for (int64_t k = 0; k < n; k++) put_case(p, c, wanted, picked[k]);
    fputs("</div>\n", f);
}

void put_cases(page *p, const study *s)
{
    FILE *f = p->f;
    const method *m = best_method(s);
    const run *r = first_run(s, m);                           /* the best method has a finished run */
    shown_run c = { .s = s, .r = r, .images = open_images(s, r), .maps = read_maps(s, m, r),
                    .all = { .images = r->images, .classes = s->classes, .label = r->label, .score = r->score } };
    if (!c.images)
        warn("%s cannot be read: the page shows no images of the study in %s", study_property(s, "data"), s->folder);
    fprintf(f, "<p class=\"small\">Of draw %lld, run %lld of the method with the best balanced accuracy, ",
            (long long)r->draw, (long long)r->number);
    put_escaped(f, m->label);
    fputs(": its most confident predictions, with the true classes in turn. The true class is printed bold.", f);
    fputs(study_has_cases(s) ? " Of each case the first image is shown.</p>\n" : "</p>\n", f);
    put_map_notes(p, s, m, &c.maps);
    put_group(p, &c, WRONG);
    put_group(p, &c, RIGHT);
    if (s->classes > 1) put_group(p, &c, UNCERTAIN);
    free_maps(&c.maps);
    peft_dataset_free(c.images);
}
