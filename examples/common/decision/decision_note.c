/* SPDX-License-Identifier: Apache-2.0
 * decision_note.c -- thresholds as a note of a model and as the text of a flag (decision.h). A note has a line for each
 * value, "rule youden", "set 24 validation images", "positive 1", and "threshold 0.31" for each class in order. */
#include "common/files/note_lines.h"
#include "common/program/errors.h"
#include "decision.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *decision_note(const decision *d)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    if (d->thresholds) {
        fprintf(f, "rule %s\n", d->rule);
        if (d->set) fprintf(f, "set %s\n", d->set);
        if (!d->multilabel) fprintf(f, "positive %lld\n", (long long)d->positive);
        for (int64_t c = 0; c < d->classes; c++) fprintf(f, "threshold %.17g\n", d->thresholds[c]);
    }
    if (fclose(f)) fail("out of memory");
    return text;
}

decision read_decision(const char *note, int64_t classes, bool multilabel)
{
    decision d = plain_decision(classes, multilabel);
    if (!note || !*note) return d;
    free_decision(&d);
    d = (decision){ .classes = classes, .multilabel = multilabel, .positive = -1, .rule = note_line(note, "rule", 0),
                    .set = note_line(note, "set", 0) };
    d.thresholds = check_alloc(malloc((size_t)classes * sizeof *d.thresholds));
    bool good = d.rule != NULL;
    for (int64_t c = 0; c < classes; c++) good &= note_number(note, "threshold", c, &d.thresholds[c]);
    double positive = -1;
    if (!multilabel) good &= classes == 2 && note_number(note, "positive", 0, &positive);
    if (good && (multilabel || positive == 0 || positive == 1)) {
        d.positive = (int64_t)positive;
        return d;
    }
    fail("the note \"decision\" of the model's file is damaged: expected a rule and %lld thresholds; train the model "
         "again", (long long)classes);
}

/* Reads a threshold, 0 to 1, that ends at `end`. */
static double read_threshold(const char *text, const char *end, const char *flag)
{
    char *after;
    const double t = strtod(text, &after);
    if (after == text || after != end || !(t >= 0 && t <= 1))
        fail("--%s: '%.*s' is no threshold; expected a number from 0 to 1", flag, (int)(end - text), text);
    return t;
}

/* The class whose name is the text of `length` characters. */
static int64_t class_of_name(const decision *d, const char *const *names, const char *text, size_t length,
                             const char *flag)
{
    for (int64_t c = 0; c < d->classes; c++)
        if (strlen(names[c]) == length && !memcmp(names[c], text, length)) return c;
    fail("--%s: the model has no class '%.*s'; expected one of its %lld classes, such as '%s'", flag, (int)length, text,
         (long long)d->classes, names[0]);
}

void set_thresholds(decision *d, const char *text, const char *const *names, const char *flag)
{
    if (!d->multilabel && d->classes != 2)
        fail("--%s: the model has %lld classes, of which the most probable one is decided; thresholds are for models "
             "of two classes, or of several labels for an image", flag, (long long)d->classes);
    if (!d->thresholds) d->thresholds = check_alloc(calloc((size_t)d->classes, sizeof *d->thresholds));
    if (!d->multilabel && d->positive < 0) d->positive = 1;
    for (const char *part = text, *end; *part; part = end + (*end == ',')) {
        const char *equals = NULL;
        end = part + strcspn(part, ",");
        for (const char *at = part; at < end; at++)
            if (*at == '=') equals = at;
        const double t = read_threshold(equals ? equals + 1 : part, end, flag);
        const int64_t named = equals ? class_of_name(d, names, part, (size_t)(equals - part), flag) : -1;
        if (!d->multilabel) d->thresholds[d->positive = named < 0 ? d->positive : named] = t;
        else for (int64_t c = 0; c < d->classes; c++)
            if (named < 0 || named == c) d->thresholds[c] = t;
    }
    free(d->rule);
    free(d->set);
    d->rule = check_alloc(strdup(text));
    d->set = NULL;
}
