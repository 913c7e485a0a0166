/* SPDX-License-Identifier: Apache-2.0
 * card_limits.c -- the part of a model card on what its data leave open: each limit is derived from the record
 * (card.h). */
#include "card.h"
#include "common/figures/svg.h"
#include <math.h>
#include <string.h>

/* With fewer images of a class Wilson's 95 % interval of a sensitivity of 0.9 is wider than 0.2. */
enum { FEW = 37, LONGEST_NAME = 40 };

static double test_images_of(const model_card *c, int64_t k)
{
    const double positive = c->rows ? number_in(&c->rows->item[k], "positive") : NAN;
    return isnan(positive) ? number_in(json_member(c->data[2], "classes"), c->class_name[k]) : positive;
}

/* Names the classes with least <= test images < limit, with their numbers. */
static void put_classes(FILE *f, const model_card *c, const char *before, const char *after, double least, double limit)
{
    int64_t found = 0;
    for (int64_t k = 0; k < c->classes; k++) {
        const double n = test_images_of(c, k);
        if (!(n >= least && n < limit) || ++found > most_listed) continue;
        fprintf(f, "%s", found > 1 ? ", " : before);
        put_shortened(f, c->class_name[k], LONGEST_NAME);
        if (n > 0) fprintf(f, " (%.0f)", n);
    }
    if (found > most_listed) fprintf(f, " and %lld more", (long long)(found - most_listed));
    if (found) fprintf(f, "%s</li>\n", after);
}

static void put_overlap(FILE *f, const model_card *c)
{
    const json *t = json_member(c->record, "training");
    const double images = number_in(t, "test_images_trained_on"), patients = number_in(t, "test_patients_trained_on");
    if (images > 0)
        fprintf(f, "<li>%.0f of the test images were also trained on: the figures are too good.</li>\n", images);
    if (patients > 0)
        fprintf(f, "<li>%.0f patients are in the training and in the test images: the figures are too good.</li>\n",
                patients);
    if (isnan(number_in(c->data[0], "patients")) || isnan(number_in(c->data[2], "patients")))
        fputs("<li>Patients are not known: images of one may be in several sets, which makes the figures too good, and "
              "intervals that take all images as independent are then too narrow.</li>\n", f);
}

/* The shares of the classes among the test images, on which predictive values depend; of many classes the smallest and
 * the largest. */
static void put_prevalence(FILE *f, const model_card *c)
{
    const double images = number_in(c->data[2], "images");
    const bool many = c->classes > most_listed;
    double low = INFINITY, high = 0;
    if (!(images > 0)) return;
    fputs("<li>PPV, NPV and average precision hold where classes are as frequent as in the test images: ", f);
    for (int64_t k = 0; k < c->classes; k++) {
        const double share = 100 * test_images_of(c, k) / images;
        low = fmin(low, share);
        high = fmax(high, share);
        if (many) continue;
        fputs(k ? ", " : "", f);
        put_shortened(f, c->class_name[k], LONGEST_NAME);
        if (!isnan(share)) fprintf(f, " %.3g %%", share);
    }
    if (many) fprintf(f, "each from %.3g %% to %.3g %%", fmin(low, high), high);
    fputs(".</li>\n", f);
}

static void put_origin(FILE *f, const model_card *c)
{
    const char *training = json_text_of(c->data[0], "path"), *test = json_text_of(c->data[2], "path");
    if (training && test && !strcmp(training, test))
        fputs("<li>The test images come from the same data as the training images, so from the same scanners and "
              "sites: what others give is not known.</li>\n", f);
    else if (training && test)
        fputs("<li>The test images have a path of their own; the record does not say whether they come from other "
              "scanners or sites.</li>\n", f);
}

/* Limits of figures of image classes. */
static void put_class_limits(FILE *f, const model_card *c)
{
    put_classes(f, c, "<li>No test images: ", "; nothing is known of the sensitivity for them.", 0, 1);
    put_classes(f, c, "<li>Few test images, and so wide intervals: ", ".", 1, FEW);
    put_prevalence(f, c);
}

/* Figures of masks are means over all test cases (images or volumes), whatever class the image has. */
static void put_mask_limits(FILE *f, const model_card *c)
{
    const double images = number_in(c->data[2], "images"), cases = number_in(c->figures, "masks");
    const bool of_cases = cases < images;
    if (of_cases ? cases < FEW : images < FEW)
        fprintf(f, "<li>Few test %s, and so wide intervals: %.0f.</li>\n", of_cases ? "cases" : "images",
                of_cases ? cases : images);
}

void put_limits_part(page *p, const model_card *c)
{
    const json *folds = json_member(c->record, "out_of_fold_figures");
    fputs("<ul>\n", p->f);
    put_overlap(p->f, c);
    if (c->masks) put_mask_limits(p->f, c);
    else put_class_limits(p->f, c);
    put_origin(p->f, c);
    if (!c->data[1] && (!folds || folds->kind == JSON_NULL))
        fputs("<li>No validation images: if settings were changed after a look at the test figures, these are too "
              "good.</li>\n", p->f);
    if (!c->figures) fputs("<li>No figures of test images are recorded.</li>\n", p->f);
    fputs("</ul>\n", p->f);
}
