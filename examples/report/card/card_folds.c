/* SPDX-License-Identifier: Apache-2.0
 * card_folds.c -- the part of a model card on what folds of the training images told: the settings that finetune --tune
 * chose, and the figures of --nested and --val folds (card.h). */
#include "card.h"
#include "common/figures/svg.h"
#include <math.h>
#include <string.h>

static const json *object_of(const model_card *c, const char *name)
{
    const json *j = json_member(c->record, name);
    return j && j->kind == JSON_OBJECT ? j : NULL;
}

bool has_folds(const model_card *c)
{
    return object_of(c, "tuning") || object_of(c, "nested") || object_of(c, "out_of_fold_figures");
}

static bool is_list(const json *j) { return j && j->kind == JSON_LIST; }

/* All combinations of a search, folded, and not printed. */
static void put_candidates(page *p, const json *search, const char *metric)
{
    const json *list = json_member(search, "candidates");
    if (!is_list(list)) return;
    table *t = new_table("Combinations, judged by the predictions of all folds", "Settings");
    const bool by_loss = !strcmp(metric, "loss");
    if (!by_loss) add_number_column(t, card_figure_term(metric), 3);
    add_number_column(t, card_figure_term("loss"), 4);
    add_number_column(t, "Trained, %", 0);
    for (size_t i = 0; i < list->count; i++) {
        const json *candidate = &list->item[i];
        const char *settings = json_text_of(candidate, "settings");
        add_row(t, settings ? settings : "not recorded");
        if (!by_loss) add_number(t, number_in(candidate, metric));
        add_number(t, number_in(candidate, "loss"));
        add_number(t, 100 * number_in(candidate, "share"));
    }
    fputs("<figure><details><summary>All combinations</summary>\n", p->f);
    put_table(p, t);
    fputs("</details></figure>\n", p->f);
}

static void put_choice(page *p, const json *search)
{
    const json *list = json_member(search, "candidates");
    const char *metric = json_text_of(search, "metric");
    if (!metric) metric = "a figure that is not recorded";
    fputs("<p>Settings: ", p->f);
    put_coded(p->f, json_text_of(search, "chosen"));
    if (is_list(list)) fprintf(p->f, ", the best of %lld combinations", (long long)list->count);
    fputs(" by ", p->f);
    put_escaped(p->f, metric);
    const double folds = number_in(search, "folds");
    fputs(" on ", p->f);
    if (!isnan(folds)) fprintf(p->f, "%.0f ", folds);
    fputs("folds of the training images.</p>\n", p->f);
    put_candidates(p, search, metric);
}

/* What the searches of outer folds chose, in their order. */
static void put_outer_choices(FILE *f, const json *nested)
{
    const json *list = json_member(nested, "searches");
    for (size_t i = 0; is_list(list) && i < list->count; i++) {
        fputs(i ? "; " : "<p class=\"small\">Chosen in the outer folds: ", f);
        put_coded(f, json_text_of(&list->item[i], "chosen"));
    }
    if (is_list(list) && list->count) fputs(".</p>\n", f);
}

/* Figures of predictions by trainings that held the image out, with intervals where the record has them. */
static void put_held_out(page *p, const json *figures, const char *title)
{
    static const char *const order[] = { "balanced_accuracy", "map", "accuracy", "f1_macro", "auroc_macro", "loss" };
    const json *intervals = json_member(figures, "figure_intervals");
    table *t = new_table(title, "Figure");
    add_number_column(t, "Value", 3);
    add_column(t, (table_column){ .heading = "95 % interval", .decimals = 3, .joiner = " to ",
                                  .first = "95 % interval: low", .second = "95 % interval: high" });
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const json *interval = json_member(intervals, order[i]);
        if (!json_member(figures, order[i])) continue;
        add_row(t, card_figure_term(order[i]));
        add_number(t, number_in(figures, order[i]));
        add_numbers(t, number_at(interval, 1), number_at(interval, 2));
    }
    put_table(p, t);
}

void put_folds_part(page *p, const model_card *c)
{
    const json *search = object_of(c, "tuning"), *nested = object_of(c, "nested"),
               *folds = object_of(c, "out_of_fold_figures");
    if (search) put_choice(p, search);
    if (nested) {
        put_held_out(p, json_member(nested, "figures"), "Training images in outer folds, settings chosen without them");
        put_outer_choices(p->f, nested);
    }
    if (folds) put_held_out(p, folds, "Training images, each by a training that held it out");
    const char *intervals = json_text_of(nested ? json_member(nested, "figures") : folds, "intervals");
    if (intervals)
        fprintf(p->f, "<p class=\"small\">Intervals %s, by bootstrap.</p>\n",
                !strcmp(intervals, "by patient") ? "by patient" : "as if all images were independent");
}
