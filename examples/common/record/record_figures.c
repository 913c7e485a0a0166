/* SPDX-License-Identifier: Apache-2.0
 * record_figures.c -- the figures of a training record (record.h). */
#include "record.h"

void record_estimate(json_writer *w, const char *name, const peft_estimate *e)
{
    json_list(w, name);
    json_number(w, NULL, e->value);
    json_number(w, NULL, e->low);
    json_number(w, NULL, e->high);
    json_close(w);
}

/* "confusion": a list for each true class, of the numbers of images by predicted class. */
static void record_confusion(json_writer *w, const figures *f)
{
    const int64_t classes = f->of_classes.classes;
    if (!f->confusion) {
        json_null(w, "confusion");
        return;
    }
    json_list(w, "confusion");
    for (int64_t r = 0; r < classes; r++) {
        json_list(w, NULL);
        for (int64_t c = 0; c < classes; c++) json_integer(w, NULL, f->confusion[r * classes + c]);
        json_close(w);
    }
    json_close(w);
}

static void record_classes(json_writer *w, const figures *f, const peft_dataset *d)
{
    json_list(w, "classes");
    for (int64_t c = 0; c < f->of_classes.classes; c++) {
        const class_row *row = &f->of_classes.row[c];
        json_object(w, NULL);
        json_text(w, "class", peft_dataset_class_name(d, c));
        json_integer(w, "positive", row->positive);
        json_integer(w, "negative", row->negative);
        json_integer(w, "unjudged", row->unjudged);
        for (int k = 0; k < CLASS_FIGURES; k++) record_estimate(w, class_figure_name[k], &row->of[k]);
        json_close(w);
    }
    json_close(w);
}

/* The members of an object of figures. */
static void record_members(json_writer *w, peft_context *ctx, const double *scores, const peft_dataset *d,
                           const figures *details)
{
    const judging_figure *f;
    json_integer(w, "images", peft_dataset_count(d));
    for (int i = 0; (f = figure_at(i, peft_dataset_multilabel(d))); i++) {
        const bool plain = !details || smaller_is_better(f);
        json_number(w, figure_name(f), plain ? figure_of(f, ctx, scores, d) : figure_in(f, &details->m));
    }
    if (!details) return;
    if (details->confusion) record_estimate(w, "accuracy_interval", &details->accuracy);
    json_text(w, "intervals", details->of_classes.by_patient ? "by patient" : "by image");
    record_confusion(w, details);
    record_classes(w, details, d);
}

void record_figures(json_writer *w, const char *name, peft_context *ctx, const double *scores, const peft_dataset *d,
                    const figures *details)
{
    if (!scores) {
        json_null(w, name);
        return;
    }
    json_object(w, name);
    record_members(w, ctx, scores, d, details);
    json_close(w);
}

void record_figures_of_folds(json_writer *w, const char *name, peft_context *ctx, const double *scores,
                             const peft_dataset *d, const figure_intervals *intervals)
{
    const bool several = peft_dataset_multilabel(d);
    decision plain = plain_decision(peft_dataset_classes(d), several);
    figures details = compute_figures(ctx, scores, d, &plain);
    json_object(w, name);
    record_members(w, ctx, scores, d, &details);
    json_object(w, "figure_intervals");
    for (int i = 0; i < intervals->count; i++)
        record_estimate(w, figure_name(figure_at(i, several)), &intervals->of[i]);
    json_close(w);
    json_close(w);
    free_figures(&details);
    free_decision(&plain);
}
