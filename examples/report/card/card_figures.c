/* SPDX-License-Identifier: Apache-2.0
 * card_figures.c -- the parts of a model card with the figures of the test images: each figure of each class with its
 * interval, and figures of all classes; and that with the confusion matrix (card.h). */
#include "card.h"
#include "common/figures/svg.h"
#include "common/model/class_figures.h"
#include "common/program/errors.h"
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

/* The same for the CSV files, where each end has a column. */
static table *figure_values(const model_card *c, const char *title)
{
    table *t = new_table(title, "Class");
    char name[64];
    add_number_column(t, "Test images", WHOLE);
    for (int k = 0; k < CLASS_FIGURES; k++) {
        add_number_column(t, heading[k], 3);
        static const char *const end[] = { "low", "high" };
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "%s %s", heading[k], end[i]);
            add_number_column(t, name, 3);
        }
    }
    for (int64_t r = 0; r < c->classes; r++) {
        const json *row = &c->rows->item[r];
        add_row(t, c->class_name[r]);
        add_number(t, number_in(row, "positive"));
        for (int k = 0; k < CLASS_FIGURES; k++)
            for (size_t i = 0; i < 3; i++) add_number(t, number_at(json_member(row, class_figure_name[k]), i));
    }
    return t;
}

static void put_class_figures(page *p, const model_card *c)
{
    static const char title[] = "Figures of each class against the others, with 95 % intervals";
    fprintf(p->f, "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"%s\"><table class=\"numbers\">\n"
            "<caption>%s</caption>\n<thead><tr><th scope=\"col\">Class</th><th scope=\"col\">Test images</th>", title,
            title);
    for (int k = 0; k < CLASS_FIGURES; k++) fprintf(p->f, "<th scope=\"col\">%s</th>", heading[k]);
    fputs("</tr></thead>\n<tbody>\n", p->f);
    for (int64_t r = 0; r < c->classes; r++) {
        const json *row = &c->rows->item[r];
        const double positive = number_in(row, "positive");
        fputs("<tr><th scope=\"row\">", p->f);
        put_escaped(p->f, c->class_name[r]);
        fputs("</th><td>", p->f);
        if (!isnan(positive)) put_data(p->f, positive, WHOLE);
        fputs("</td>", p->f);
        for (int k = 0; k < CLASS_FIGURES; k++) {
            fputs("<td>", p->f);
            put_estimate(p->f, json_member(row, class_figure_name[k]));
            fputs("</td>", p->f);
        }
        fputs("</tr>\n", p->f);
    }
    fputs("</tbody></table></div>\n", p->f);
    table *values = figure_values(c, title);
    put_csv_links(p, values);
    free_table(values);
}

static const struct { const char *member, *term; } all[] = {
    { "accuracy", "Accuracy" }, { "balanced_accuracy", "Balanced accuracy" }, { "f1_macro", "F1, mean of classes" },
    { "auroc_macro", "AUROC, mean of classes" }, { "map", "Mean average precision" } };

const char *card_figure_term(const char *member)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(member, all[i].member)) return all[i].term;
    return !strcmp(member, "loss") ? "Loss" : member;
}

/* Figures of all classes: the plain numbers of the record, the accuracy with its interval. */
static void put_overall(FILE *f, const model_card *c)
{
    const json *accuracy = json_member(c->figures, "accuracy_interval");
    fputs("<dl class=\"row\">\n", f);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const double v = number_in(c->figures, all[i].member);
        if (!json_member(c->figures, all[i].member)) continue;
        fputs("<div>", f);
        put_term(f, all[i].term);
        if (!i && accuracy) put_estimate(f, accuracy);
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
    } else fputs("<p>Not recorded: figures of each class, and intervals. The record is of an earlier "
               "version of finetune.</p>\n", p->f);
    if (intervals)
        fprintf(p->f, "<p class=\"small\">Intervals %s. \342\200\223: not defined.</p>\n",
                !strcmp(intervals, "by patient") ? "by patient" : "as if all images were independent");
}

void put_confusion_part(page *p, const model_card *c)
{
    int64_t *counts = read_confusion(c);
    const matrix m = { c->classes, c->class_name, counts };
    if (counts) {
        begin_values(p->f, c, "Images of each true and predicted class");
        put_matrix(p, &m, "Test images, and their share of the true class", "Confusion matrix");
        end_values(p->f, c);
    } else fprintf(p->f, "<p>%s</p>\n", c->multilabel ? "None: an image may have several labels." : "Not recorded.");
    free(counts);
}
