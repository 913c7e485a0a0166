/* SPDX-License-Identifier: Apache-2.0
 * prediction_sets.c -- sets of classes by quantiles of calibration images (prediction_sets.h). */
#include "prediction_sets.h"
#include "common/files/note_lines.h"
#include "common/flags/decimal.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

set_rule parse_set_rule(const char *text, int64_t classes)
{
    char *end;
    set_rule r = { .classes = classes, .coverage = read_decimal(text, &end) };
    r.by_class = !strcmp(end, ",class");
    if (end == text || (*end && !r.by_class) || !(r.coverage > 0 && r.coverage < 1))
        fail("--conformal: given '%s', expected a coverage between 0 and 1, 0.9, or 0.9,class for this coverage in "
             "each class%s", text, r.coverage > 1 ? "; a coverage is given as 0.9, not in percent" : "");
    return r;
}

static peft_options *options_of(peft_context *ctx, const set_rule *r)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    must(peft_options_set_string(o, "score", "lac"));
    must(peft_options_set_int(o, "by_class", r->by_class));
    return o;
}

void fit_sets(peft_context *ctx, set_rule *r, const double *probabilities, const int64_t *labels, int64_t n,
              const char *set)
{
    peft_options *o = options_of(ctx, r);
    r->quantiles = check_alloc(malloc((size_t)r->classes * sizeof *r->quantiles));
    r->set = check_alloc(strdup(set));
    if (peft_conformal_fit(ctx, probabilities, labels, n, r->classes, 1 - r->coverage, o, r->quantiles))
        fail("--conformal %.9g: %s (calibration images: %s); give more validation images, or a smaller coverage",
             r->coverage, peft_last_error(), set);
    peft_options_free(o);
}

char *set_note(const set_rule *r)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    if (r->coverage > 0) {
        fprintf(f, "level %.17g\nby_class %d\nset %s\n", r->coverage, r->by_class, r->set);
        for (int64_t c = 0; c < r->classes; c++) fprintf(f, "quantile %.17g\n", r->quantiles[c]);
    }
    if (fclose(f)) fail("out of memory");
    return text;
}

set_rule read_set_rule(const char *note, int64_t classes)
{
    set_rule r = { .classes = classes };
    double by_class = 0;
    if (!note || !*note) return r;
    r.set = note_line(note, "set", 0);
    r.quantiles = check_alloc(malloc((size_t)classes * sizeof *r.quantiles));
    bool good = r.set && note_number(note, "level", 0, &r.coverage) && note_number(note, "by_class", 0, &by_class);
    for (int64_t c = 0; c < classes; c++) good &= note_number(note, "quantile", c, &r.quantiles[c]);
    if (!good || !(r.coverage > 0 && r.coverage < 1))
        fail("the note \"conformal\" of the model's file is damaged: expected a level and %lld quantiles; train the "
             "model again", (long long)classes);
    r.by_class = by_class > 0;
    return r;
}

void free_set_rule(set_rule *r)
{
    free(r->quantiles);
    free(r->set);
}

void find_set(peft_context *ctx, const set_rule *r, const double *probabilities, double *chosen)
{
    const int64_t one_image = 1, first = 0;
    peft_options *o = options_of(ctx, r);
    uint8_t *in_set = check_alloc(malloc((size_t)r->classes));
    must(peft_conformal_sets(ctx, probabilities, one_image, r->classes, r->quantiles, first, o, in_set));
    for (int64_t c = 0; c < r->classes; c++) chosen[c] = in_set[c];
    free(in_set);
    peft_options_free(o);
}

set_name name_of_sets(const set_rule *r)
{
    set_name name;
    snprintf(name.text, sizeof name.text, "set_%.6g", 100 * r->coverage);
    return name;
}
