/* SPDX-License-Identifier: Apache-2.0
 * report_cases.c -- shows held-out images that the best method predicted right and wrong in one run, with their class
 * probabilities. Draws the images again as compare did; without the data, it shows names only. */
#include "common/cases/cases.h"
#include "common/data/data.h"
#include "common/program/errors.h"
#include "common/program/verbose.h"
#include "report_parts.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { max_cases = 6, thumbnail_side = 96 };

/* Of the prediction of an image. UNCERTAIN, of right and wrong ones: the two largest probabilities hardly differ. */
typedef enum outcome { WRONG, RIGHT, UNCERTAIN } outcome;

static outcome outcome_of(const study *s, const run *r, int64_t i)
{
    return predicted_class(s, r, i) == r->label[i] ? RIGHT : WRONG;
}

/* The probability of the predicted class of image i. */
static double confidence(const study *s, const run *r, int64_t i)
{
    return r->score[i * s->classes + predicted_class(s, r, i)];
}

/* The largest probability of image i minus the second largest one. */
static double margin(const study *s, const run *r, int64_t i)
{
    const int64_t first = predicted_class(s, r, i);
    double second = 0;
    for (int64_t c = 0; c < s->classes; c++)
        if (c != first && r->score[i * s->classes + c] > second) second = r->score[i * s->classes + c];
    return confidence(s, r, i) - second;
}

/* Should image a be picked before b? taken: of each class, the images that were picked. */
static bool comes_before(const study *s, const run *r, outcome wanted, const int64_t *taken, int64_t a, int64_t b)
{
    const int64_t difference = taken[r->label[a]] - taken[r->label[b]];
    if (wanted == UNCERTAIN) return margin(s, r, a) < margin(s, r, b);
    return difference < 0 || (!difference && confidence(s, r, a) > confidence(s, r, b));
}

/* Picks images of this outcome. Right and wrong ones with the true classes in turn: the next one is of a class of which
 * fewest were picked, and of these the most confident. Uncertain ones by their margin. Fills out [max_cases] with
 * sample numbers and returns how many there are. */
static int64_t pick_cases(const study *s, const run *r, outcome wanted, int64_t *out)
{
    int64_t n = 0, *taken = check_alloc(calloc((size_t)s->classes, sizeof *taken));       /* picked images of a class */
    bool *used = check_alloc(calloc((size_t)r->images, sizeof *used));
    for (; n < max_cases; n++) {
        int64_t best = -1;
        for (int64_t i = 0; i < r->images; i++) {
            if (used[i] || (wanted != UNCERTAIN && outcome_of(s, r, i) != wanted)) continue;
            if (best < 0 || comes_before(s, r, wanted, taken, i, best)) best = i;
        }
        if (best < 0) break;
        used[best] = true;
        taken[r->label[best]]++;
        out[n] = best;
    }
    free(taken);
    free(used);
    return n;
}

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

peft_dataset *open_images(const study *s, const run *r)
{
    const data_request q = {
        .data = study_property(s, "data"), .test = study_property(s, "test"), .table = study_property(s, "table"),
        .patients = study_property(s, "patients"),
        .image_options = study_property(s, "image_options"), .allow_shared_patients = true,
        .shots = study_integer(s, "shots"),
        .tests = study_integer(s, "test_per_class"), .seed = r->draw_seed };
    if (!q.data || access(q.data, R_OK) || (q.test && access(q.test, R_OK))) return NULL;
    peft_dataset *train, *test;
    peft_context *ctx;
    ctx = make_context();
    draw_sets(ctx, &q, &train, &test);
    peft_context_free(ctx);
    peft_dataset_free(train);
    if (study_has_cases(s)) test = first_of_cases(test);
    bool same = peft_dataset_count(test) == r->images;
    for (int64_t i = 0; same && i < r->images; i++)
        same = peft_dataset_label(test, i) == r->label[i] && !strcmp(name_in_records(s, test, i), r->name[i]);
    if (!same)
        fail("%s: the data have changed since the records in %s were made; restore them, or move them away to make a "
             "page without images", q.data, s->folder);
    return test;
}

/* Writes image i; one that is smaller than a thumbnail is enlarged by the style sheet (class "tiny"). */
static void put_thumbnail(FILE *f, const study *s, const run *r, int64_t i, peft_dataset *images)
{
    peft_image *im;
    if (!images) return;
    must(peft_dataset_load(images, i, &im));
    bool tiny = peft_image_width(im) <= thumbnail_side && peft_image_height(im) <= thumbnail_side;
    fprintf(f, "<div class=\"pic\"><img%s alt=\"held-out image %lld, ", tiny ? " class=\"tiny\"" : "", (long long)i);
    put_escaped(f, s->class_name[r->label[i]]);
    fputs("\" src=\"", f);
    put_image_uri(f, im, thumbnail_side);
    fputs("\"></div>\n", f);
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

static void put_case(FILE *f, const study *s, const run *r, int64_t i, peft_dataset *images)
{
    const char *slash = strrchr(r->name[i], '/');
    fputs("<div class=\"case\">\n<div class=\"top\">", f);
    put_thumbnail(f, s, r, i, images);
    fputs("<dl><dt>true</dt><dd>", f);
    put_escaped(f, s->class_name[r->label[i]]);
    fputs("</dd><dt>predicted</dt><dd>", f);
    put_escaped(f, s->class_name[predicted_class(s, r, i)]);
    fprintf(f, "</dd><dt>%s</dt><dd class=\"name\">", study_has_cases(s) ? "case" : "file");
    put_shortened(f, slash ? slash + 1 : r->name[i], 40);
    fputs("</dd></dl></div>\n", f);
    put_probabilities(f, s, r, i);
    fputs("</div>\n", f);
}

/* Writes a heading, with the number of images of this outcome in the run, and below it some of them. images NULL: only
 * their names. */
static void put_group(FILE *f, const study *s, const run *r, outcome wanted, peft_dataset *images)
{
    int64_t picked[max_cases], n = pick_cases(s, r, wanted, picked), all = 0;
    for (int64_t i = 0; i < r->images; i++) all += outcome_of(s, r, i) == wanted;
    if (wanted == UNCERTAIN) fputs("<h4>Most uncertain: the two largest probabilities differ least</h4>\n", f);
    else fprintf(f, "<h4>%s: %lld of %lld</h4>\n", wanted == RIGHT ? "Right" : "Wrong", (long long)all,
                 (long long)r->images);
    fputs("<div class=\"grid narrow\">\n", f);
    for (int64_t k = 0; k < n; k++) put_case(f, s, r, picked[k], images);
    fputs("</div>\n", f);
}

void put_cases(FILE *f, const study *s)
{
    const method *m = best_method(s);
    const run *r = first_run(s, m);                           /* the best method has a finished run */
    peft_dataset *images = open_images(s, r);
    if (!images)
        warn("%s cannot be read: the page shows no images of the study in %s", study_property(s, "data"), s->folder);
    fprintf(f, "<p class=\"small\">Of draw %lld, run %lld of the method with the best balanced accuracy, ",
            (long long)r->draw, (long long)r->number);
    put_escaped(f, m->label);
    fputs(": its most confident predictions, with the true classes in turn. The true class is printed bold.", f);
    fputs(study_has_cases(s) ? " Of each case the first image is shown.</p>\n" : "</p>\n", f);
    put_group(f, s, r, WRONG, images);
    put_group(f, s, r, RIGHT, images);
    if (s->classes > 1) put_group(f, s, r, UNCERTAIN, images);
    peft_dataset_free(images);
}
