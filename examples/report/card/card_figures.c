/* SPDX-License-Identifier: Apache-2.0
 * card_figures.c -- the parts of a model card with the figures of the test images: each figure of each class with its
 * interval, and figures of all classes; and that with the confusion matrix (card.h). */
#include "card.h"
#include "common/figures/svg.h"
#include "common/model/class_figures.h"
#include "common/program/errors.h"
#include "common/segment/figures/case_figures.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const heading[CLASS_FIGURES] = {
    [SENSITIVITY] = "Sensitivity", [SPECIFICITY] = "Specificity", [PPV] = "PPV", [NPV] = "NPV", [AUROC] = "AUROC",
    [AVERAGE_PRECISION] = "Average precision", [F1] = "F1" };

/* "0.833" and in small print "0.55 to 0.95", from a list of value and ends. */
static void put_estimate(FILE *f, const json *e)
{
    const double value = number_at(e, 0), low = number_at(e, 1), high = number_at(e, 2);
    if (isnan(value)) {
        fputs("\342\200\223", f);                             /* an en dash */
        return;
    }
    put_data(f, value, 3);
    if (isnan(low) || isnan(high)) return;
    fputs("<small>", f);
    put_data(f, low, 3);
    fputs(" to ", f);
    put_data(f, high, 3);
    fputs("</small>", f);
}

static const char *name_of_row(const model_card *c, size_t r)
{
    return c->masks ? json_text_of(&c->rows->item[r], "class") : c->class_name[r];
}

/* The figures of a table: those of classes of images, or of masks. count_of: the column in front of them. */
typedef struct figure_columns {
    int count;
    const char *const *name, *const *heading;
    const char *title, *count_of;
} figure_columns;

static figure_columns columns_of(const model_card *c)
{
    static const char title[] = "Figures of each class against the others, with 95 % intervals";
    static const char *const of_masks[CASE_KINDS] = { "Dice", "IoU", "Precision", "Recall", "HD95",
                                                      "Surface distance" };
    if (!c->masks) return (figure_columns){ CLASS_FIGURES, class_figure_name, heading, title, "Test images" };
    return (figure_columns){ CASE_KINDS, case_figure_name, of_masks,
                             "Means of the figures of masks over cases, with 95 % intervals", "Test cases" };
}

/* Images of the class; of masks the cases that the mean of Dice is over. */
static double count_in(const model_card *c, const json *row)
{
    return c->masks ? number_in(json_member(row, "cases"), case_figure_name[CASE_DICE]) : number_in(row, "positive");
}

/* The same for the CSV files, where each end has a column. */
static table *figure_values(const model_card *c, const figure_columns *of)
{
    table *t = new_table(of->title, "Class");
    char name[64];
    add_number_column(t, of->count_of, WHOLE);
    for (int k = 0; k < of->count; k++) {
        add_number_column(t, of->heading[k], 3);
        static const char *const end[] = { "low", "high" };
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "%s %s", of->heading[k], end[i]);
            add_number_column(t, name, 3);
        }
    }
    for (size_t r = 0; r < c->rows->count; r++) {
        const json *row = &c->rows->item[r];
        add_row(t, name_of_row(c, r));
        add_number(t, count_in(c, row));
        for (int k = 0; k < of->count; k++)
            for (size_t i = 0; i < 3; i++) add_number(t, number_at(json_member(row, of->name[k]), i));
    }
    return t;
}

static void put_class_figures(page *p, const model_card *c)
{
    const figure_columns of = columns_of(c);
    fprintf(p->f, "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"%s\"><table class=\"numbers\">\n"
            "<caption>%s</caption>\n<thead><tr><th scope=\"col\">Class</th><th scope=\"col\">%s</th>", of.title,
            of.title, of.count_of);
    for (int k = 0; k < of.count; k++) fprintf(p->f, "<th scope=\"col\">%s</th>", of.heading[k]);
    fputs("</tr></thead>\n<tbody>\n", p->f);
    for (size_t r = 0; r < c->rows->count; r++) {
        const json *row = &c->rows->item[r];
        const double count = count_in(c, row);
        fputs("<tr><th scope=\"row\">", p->f);
        put_escaped(p->f, name_of_row(c, r));
        fputs("</th><td>", p->f);
        if (!isnan(count)) put_data(p->f, count, WHOLE);
        fputs("</td>", p->f);
        for (int k = 0; k < of.count; k++) {
            fputs("<td>", p->f);
            put_estimate(p->f, json_member(row, of.name[k]));
            fputs("</td>", p->f);
        }
        fputs("</tr>\n", p->f);
    }
    fputs("</tbody></table></div>\n", p->f);
    table *values = figure_values(c, &of);
    put_csv_links(p, values);
    free_table(values);
}

/* What the means of distances of masks are in, and leave out. */
static void put_distances(FILE *f, const model_card *c)
{
    const char *unit = json_text_of(c->figures, "unit");
    double infinite = 0, in_pixels = 0;
    for (size_t r = 0; r < c->rows->count; r++) {
        const double a = number_in(&c->rows->item[r], "infinite"), b = number_in(&c->rows->item[r], "in_pixels");
        infinite += isnan(a) ? 0 : a;
        in_pixels += isnan(b) ? 0 : b;
    }
    fprintf(f, "<p class=\"small\">HD95 and surface distance in %s. Their means leave out ",
            unit && !strcmp(unit, "mm") ? "mm" : "pixels");
    put_data(f, infinite, WHOLE);
    fputs(" infinite distances, where only one of true and predicted mask has the class", f);
    if (in_pixels > 0) {
        fputs(", and ", f);
        put_data(f, in_pixels, WHOLE);
        fputs(" of cases whose spacing is not known", f);
    }
    fputs(". The means of classes are those of all but the first.</p>\n", f);
}

/* interval: the member with the value and its interval; NULL: there is none. */
static const struct { const char *member, *term, *interval; } all[] = {
    { "accuracy", "Accuracy", "accuracy_interval" }, { "balanced_accuracy", "Balanced accuracy", NULL },
    { "f1_macro", "F1, mean of classes", NULL }, { "auroc_macro", "AUROC, mean of classes", NULL },
    { "map", "Mean average precision", NULL }, { "dice", "Dice, mean of classes", "dice_interval" },
    { "iou", "IoU, mean of classes", "iou_interval" },
    { "precision", "Precision, mean of classes", "precision_interval" },
    { "recall", "Recall, mean of classes", "recall_interval" }, { "hd95", "HD95, mean of classes", "hd95_interval" },
    { "surface_distance", "Surface distance, mean of classes", "surface_distance_interval" } };

const char *card_figure_term(const char *member)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(member, all[i].member)) return all[i].term;
    return !strcmp(member, "loss") ? "Loss" : member;
}

/* Figures of all classes: the plain numbers of the record, the accuracy with its interval. */
static void put_overall(FILE *f, const model_card *c)
{
    fputs("<dl class=\"row\">\n", f);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const double v = number_in(c->figures, all[i].member);
        const json *interval = all[i].interval ? json_member(c->figures, all[i].interval) : NULL;
        if (!json_member(c->figures, all[i].member)) continue;
        fputs("<div>", f);
        put_term(f, all[i].term);
        if (interval) put_estimate(f, interval);
        else if (isnan(v)) fputs("\342\200\223", f);
        else put_data(f, v, 3);
        fputs("</dd></div>\n", f);
    }
    fputs("</dl>\n", f);
}

/* The counts of the record, to be freed; NULL: it has none. A list of another form ends the program. */
static int64_t *read_confusion(const model_card *c)
{
    const json *rows = json_member(c->figures, "confusion");
    const size_t n = (size_t)c->classes;
    if (!rows || rows->kind == JSON_NULL) return NULL;
    int64_t *counts = check_alloc(malloc(n * n * sizeof *counts));
    bool good = rows->kind == JSON_LIST && rows->count == n;
    for (size_t i = 0; good && i < n * n; i++) {
        const json *row = &rows->item[i / n];
        const double v = row->count == n ? number_at(row, i % n) : NAN;
        good = v >= 0 && v < 1e15;
        counts[i] = good ? (int64_t)v : 0;
    }
    if (!good)
        fail("--card %s: the training record %s is damaged: expected a confusion matrix of %lld classes", c->model,
             c->record_path, (long long)c->classes);
    return counts;
}

void put_figures_part(page *p, const model_card *c)
{
    const char *intervals = json_text_of(c->figures, "intervals");
    if (!c->figures) {
        fputs("<p>None are recorded: the training ended before the test images were evaluated.</p>\n", p->f);
        return;
    }
    put_overall(p->f, c);
    if (c->rows) {
        begin_values(p->f, c, "Figures of each class");
        put_class_figures(p, c);
        end_values(p->f, c);
        if (c->masks) put_distances(p->f, c);
    } else fputs("<p>Not recorded: figures of each class, and intervals. The record is of an earlier "
               "version of finetune.</p>\n", p->f);
    if (intervals)
        fprintf(p->f, "<p class=\"small\">Intervals %s. \342\200\223: not defined.</p>\n",
                !strcmp(intervals, "by patient") ? "by patient"
                : c->masks ? "as if all cases were independent" : "as if all images were independent");
}

void put_confusion_part(page *p, const model_card *c)
{
    int64_t *counts = read_confusion(c);
    const matrix m = { c->classes, c->class_name, counts };
    if (counts) {
        begin_values(p->f, c, "Images of each true and predicted class");
        put_matrix(p, &m, "Test images, and their share of the true class", "Confusion matrix");
        end_values(p->f, c);
    } else fprintf(p->f, "<p>%s</p>\n", c->masks ? "None: classes are those of pixels."
                   : c->multilabel ? "None: an image may have several labels." : "Not recorded.");
    free(counts);
}
