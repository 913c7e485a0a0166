/* SPDX-License-Identifier: Apache-2.0
 * card_model.c -- the parts of a model card on the model, its training and its decisions (card.h). */
#include "card.h"
#include "common/figures/svg.h"
#include "common/files/note_lines.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Is the text in the list? A list of an earlier record, which lacks it, holds all. */
static bool holds(const json *list, const char *text)
{
    for (size_t i = 0; list && i < list->count; i++)
        if (list->item[i].text && !strcmp(list->item[i].text, text)) return true;
    return !list;
}

/* A method with those of its options that differ from the defaults. */
static void put_method(FILE *f, const json *method)
{
    const json *options = json_member(method, "options"), *changed = json_member(method, "changed");
    const char *name = json_text_of(method, "method");
    int64_t shown = 0;
    put_fact(f, "Method", name);
    put_term(f, "Its options");
    for (size_t i = 0; options && options->kind == JSON_OBJECT && i < options->count; i++) {
        const json *option = &options->item[i];
        if (!option->text || !holds(changed, option->name)) continue;
        fprintf(f, "%s<code>", shown++ ? ", " : "");
        put_escaped(f, option->name);
        fputs("=", f);
        put_escaped(f, option->text);
        fputs("</code>", f);
    }
    fprintf(f, "%s</dd>\n", !shown ? "defaults" : changed ? "; the others have their defaults" : "");
}

static void put_count(FILE *f, const char *term, double n)
{
    put_term(f, term);
    if (isnan(n)) fputs("not recorded", f);
    else put_data(f, n, WHOLE);
    fputs("</dd>\n", f);
}

static const char *text_at(const model_card *c, const char *object, const char *name)
{
    return json_text_of(json_member(c->record, object), name);
}

void put_model_part(page *p, const model_card *c)
{
    const json *methods = member_of(c, "model", "methods");
    const char *slash = strrchr(c->model, '/');
    fputs("<dl>\n", p->f);
    put_fact(p->f, "File", slash ? slash + 1 : c->model);
    put_term(p->f, "SHA-256");
    put_coded(p->f, text_at(c, "model", "sha256"));
    fputs("</dd>\n", p->f);
    for (size_t i = 0; methods && methods->kind == JSON_LIST && i < methods->count; i++)
        put_method(p->f, &methods->item[i]);
    put_count(p->f, "Trained values", number_in(json_member(c->record, "model"), "trainable_parameters"));
    put_fact(p->f, "Backbone", text_at(c, "backbone", "description"));
    put_term(p->f, "Its fingerprint");
    put_coded(p->f, text_at(c, "backbone", "fingerprint"));
    fputs("</dd>\n", p->f);
    put_term(p->f, "Trained by");
    const char *program = json_text_of(c->record, "program"), *library = json_text_of(c->record, "library"),
               *date = json_text_of(c->record, "date");
    put_escaped(p->f, program ? program : "a program that is not recorded");
    fputs(" of libpeft ", p->f);
    put_escaped(p->f, library ? library : "(version not recorded)");
    if (date) {
        fputs(", ", p->f);
        put_escaped(p->f, date);
    }
    fputs("</dd>\n</dl>\n", p->f);
}

/* The flags of the training that were given, but those that name files, or the method, which has lines of its own. */
static void put_given(FILE *f, const model_card *c)
{
    static const char *const elsewhere[] = { "backbone", "data", "test", "out", "force", "state", "resume", "threads",
                                             "predictions", "method", "options" };
    const json *given = json_member(c->record, "given");
    int64_t shown = 0;
    put_term(f, "Options");
    for (size_t i = 0; given && given->kind == JSON_LIST && i < given->count; i++) {
        const char *name = given->item[i].text;
        bool skipped = !name;
        for (size_t k = 0; !skipped && k < sizeof elsewhere / sizeof *elsewhere; k++)
            skipped = !strcmp(name, elsewhere[k]);
        if (skipped) continue;
        const char *value = text_at(c, "options", name);
        fprintf(f, "%s<code>--", shown++ ? ", " : "");
        put_escaped(f, name);
        fputs(value ? " " : "", f);
        put_escaped(f, value ? value : "");
        fputs("</code>", f);
    }
    fprintf(f, "%s</dd>\n", !given ? "not recorded" : shown ? "; the others have their defaults" : "defaults");
}

static void put_epochs(FILE *f, const model_card *c)
{
    const json *t = json_member(c->record, "training");
    const double planned = number_in(t, "epochs"), trained = number_in(t, "epochs_trained"),
                 kept = number_in(t, "model_epoch"), folds = number_in(t, "fold_epochs"),
                 figure = number_in(t, "best_figure");
    const char *by = json_text_of(t, "best_by");
    put_term(f, "Epochs");
    if (isnan(trained) || isnan(kept)) fputs("not recorded", f);
    else {
        fprintf(f, "%.0f trained", trained);
        if (!isnan(planned) && planned > trained) fprintf(f, " of %.0f planned", planned);
        fprintf(f, "; the model has the values of epoch %.0f, ", kept);
        if (by) {
            fputs("the best by ", f);
            put_escaped(f, by);
            fputs(" of the validation images", f);
            if (!isnan(figure)) fprintf(f, " (%.4g)", figure);
        } else fputs("the last", f);
        if (!isnan(folds)) fprintf(f, "; %.0f is the median of the best epochs of the folds", folds);
    }
    fputs("</dd>\n", f);
}

void put_training_part(page *p, const model_card *c)
{
    fputs("<dl>\n", p->f);
    put_given(p->f, c);
    put_epochs(p->f, c);
    put_count(p->f, "Seed", number_in(json_member(c->record, "training"), "seed"));
    fputs("</dl>\n", p->f);
}

void put_preprocessing_part(page *p, const model_card *c)
{
    const char *source = text_at(c, "training", "preprocessing_source");
    fputs("<p>", p->f);
    put_coded(p->f, text_at(c, "training", "preprocessing"));
    if (source) {
        fputs(" (", p->f);
        put_escaped(p->f, source);
        fputs(")", p->f);
    }
    fputs("</p>\n", p->f);
}

/* The thresholds of a note of a model ("decision", decision.h). */
static void put_thresholds(FILE *f, const model_card *c, const char *note)
{
    char *rule = note_line(note, "rule", 0), *set = note_line(note, "set", 0);
    double t = NAN, positive = NAN;
    if (!c->multilabel && note_number(note, "positive", 0, &positive) && (positive == 0 || positive == 1) &&
        c->classes == 2 && note_number(note, "threshold", (int64_t)positive, &t)) {
        put_escaped(f, c->class_name[(int64_t)positive]);
        fprintf(f, " where its probability is at least %.4g, else ", t);
        put_escaped(f, c->class_name[1 - (int64_t)positive]);
    } else for (int64_t k = 0; k < c->classes; k++) {
        if (!note_number(note, "threshold", k, &t)) continue;
        fputs(k ? ", " : "", f);
        put_escaped(f, c->class_name[k]);
        fprintf(f, " from %.4g on", t);
    }
    fputs("; rule: ", f);
    put_escaped(f, rule ? rule : "not recorded");
    fputs(set ? ", chosen on " : ", chosen on no images", f);
    put_escaped(f, set ? set : "");
    free(rule);
    free(set);
}

void put_decision_part(page *p, const model_card *c)
{
    const char *decision = json_text_of(c->record, "decision"), *sets = json_text_of(c->record, "conformal");
    double level, by_class = 0;
    fputs("<dl>\n", p->f);
    put_term(p->f, "Decision");
    if (decision) put_thresholds(p->f, c, decision);
    else fputs(c->multilabel ? "each label whose probability is at least 0.5" : "the most probable class", p->f);
    fputs("</dd>\n", p->f);
    put_term(p->f, "Prediction sets");
    if (sets && note_number(sets, "level", 0, &level)) {
        char *set = note_line(sets, "set", 0);
        (void)note_number(sets, "by_class", 0, &by_class);
        fprintf(p->f, "hold the true class with a probability of at least %.4g%s; fitted on ", level,
                by_class > 0 ? " in each class" : "");
        put_escaped(p->f, set ? set : "images that are not recorded");
        free(set);
    } else fputs("none", p->f);
    fputs("</dd>\n</dl>\n", p->f);
}
