/* SPDX-License-Identifier: Apache-2.0
 * decision_note.c -- thresholds as a note of a model and as the text of a flag (decision.h). A note has a line for each
 * value, "rule youden", "set 24 validation images", "positive 1", and "threshold 0.31" for each class in order. */
#include "common/files/note_lines.h"
#include "common/flags/decimal.h"
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
                    .set = note_line(note, "set", 0), .stored = true };
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
    const double t = read_decimal(text, &after);
    if (after == text || after != end || !(t >= 0 && t <= 1))
        fail("--%s: '%.*s' is no threshold; expected a decimal number from 0 to 1", flag, (int)(end - text), text);
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

/* A threshold and its class; class -1: no name is given. */
typedef struct assignment { int64_t class; double threshold; } assignment;

/* Reads "NAME=0.3" or "0.3", which ends at `end`; the last "=" is the one, since names may have others. */
static assignment read_assignment(const decision *d, const char *const *names, const char *text, const char *end,
                                  const char *flag)
{
    const char *equals = NULL;
    for (const char *at = text; at < end; at++)
        if (*at == '=') equals = at;
    const double t = read_threshold(equals ? equals + 1 : text, end, flag);
    return (assignment){ equals ? class_of_name(d, names, text, (size_t)(equals - text), flag) : -1, t };
}

static void assign(decision *d, assignment a)
{
    if (!d->multilabel) d->thresholds[d->positive = a.class < 0 ? d->positive : a.class] = a.threshold;
    else for (int64_t c = 0; c < d->classes; c++)
        if (a.class < 0 || a.class == c) d->thresholds[c] = a.threshold;
}

/* Reads the assignments of the text, one after another; each class may be named once. */
static void read_thresholds(decision *d, const char *text, const char *const *names, const char *flag)
{
    bool *seen = check_alloc(calloc((size_t)d->classes, sizeof *seen));
    for (const char *part = text, *end;; part = end + 1) {
        end = part + strcspn(part, ",");
        const assignment a = read_assignment(d, names, part, end, flag);
        if (!d->multilabel && (*end || part > text))
            fail("--%s: given '%s', expected one threshold, 0.3 or NAME=0.3: of two classes one has it, and the other "
                 "is decided elsewhere", flag, text);
        if (a.class < 0 && part > text)
            fail("--%s: given '%s', expected one number for all labels, then NAME=0.3,... for some", flag, text);
        if (a.class >= 0 && seen[a.class]) fail("--%s: given '%s', expected '%s' once", flag, text, names[a.class]);
        if (a.class >= 0) seen[a.class] = true;
        assign(d, a);
        if (!*end) break;
    }
    free(seen);
}

void set_thresholds(decision *d, const char *text, const char *const *names, const char *flag)
{
    if (!d->multilabel && d->classes != 2)
        fail("--%s: the model has %lld classes, of which the most probable one is decided; thresholds are for models "
             "of two classes, or of several labels for an image", flag, (long long)d->classes);
    if (!*text) fail("--%s: given '', expected a number from 0 to 1, or NAME=0.3,...", flag);
    if (!d->thresholds) d->thresholds = check_alloc(calloc((size_t)d->classes, sizeof *d->thresholds));
    if (!d->multilabel && d->positive < 0) d->positive = 1;
    read_thresholds(d, text, names, flag);
    free(d->rule);
    free(d->set);
    d->rule = check_alloc(strdup(text));
    d->set = NULL;
    d->stored = false;
}
