/* SPDX-License-Identifier: Apache-2.0
 * report_differences.c -- writes a table of how far each method lies below the best one, with a confidence interval and
 * a p value: over the held-out images, with the predictions that both methods made of them in all runs. */
#include "common/figures/statistics.h"
#include "common/program/errors.h"
#include "pairs.h"
#include "report/report_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The difference of the judged figure in each draw that both have finished, the mean over its runs. */
static statistics differences_of_draws(const study *s, const method *best, const method *other)
{
    double *sum = check_alloc(calloc((size_t)s->runs, sizeof *sum));
    int64_t *count = check_alloc(calloc((size_t)s->runs, sizeof *count));
    for (int64_t i = 0; i < s->runs; i++) {
        const int64_t draw = best->run[i].draw - 1;           /* draws are numbered from 1 */
        const double d = comparable(best, other, i) ? run_difference(s, best, other, i) : NAN;
        if (isnan(d)) continue;
        sum[draw] += d;
        count[draw]++;
    }
    for (int64_t d = 0; d < s->runs; d++) sum[d] = count[d] ? sum[d] / (double)count[d] : NAN;
    const statistics result = statistics_of(sum, s->runs);
    free(sum);
    free(count);
    return result;
}

/* Adds the row of a method: how far its figure lies below that of the best one. */
static void add_difference(table *t, peft_context *ctx, const study *s, const method *best, const method *other,
                           bool patients)
{
    pairs p = find_pairs(s, best, other, patients);
    const bool differs = true;
    const peft_samples samples = samples_of_pairs(s, &p, differs);
    const char *metric = ranking(s)->metric;
    peft_estimate interval = { .value = NAN, .low = NAN, .high = NAN }, test = { .p = NAN };
    if (p.n) {
        must(peft_statistics_bootstrap(ctx, &samples, metric, NULL, &interval, 1));
        must(peft_statistics_permutation(ctx, &samples, metric, NULL, &test, 1));
    }
    add_row(t, other->label);
    add_number(t, (double)p.runs);
    if (patients) add_number(t, (double)p.groups);
    add_number(t, 100 * interval.value);
    add_numbers(t, isnan(interval.high) ? NAN : 100 * interval.low, 100 * interval.high);
    const statistics draws = differences_of_draws(s, best, other);
    const double half = confidence_half_width(draws);
    const bool known = isfinite(half) && draws.sd > 1e-9;     /* draws whose differences are not all equal */
    add_numbers(t, known ? fmax(-100, 100 * (draws.mean - half)) : NAN,
                known ? fmin(100, 100 * (draws.mean + half)) : NAN);
    add_number(t, test.p);
    add_number(t, p.n ? (double)interval.undefined : NAN);
    free_pairs(&p);
}

/* Says that an interval over few draws is wide, or why there is none. */
static void put_note_on_draws(FILE *f, const study *s)
{
    enum { few_draws = 5 };
    const int64_t draws = study_integer(s, "samplings");
    if (draws == 1)
        fputs("<p class=\"small\">With a single draw there is no interval over draws: whether a difference is more "
              "than noise is not known.</p>\n", f);
    else if (draws < few_draws)
        fprintf(f, "<p class=\"small\">The interval over %lld draws is wide and depends on chance; compare --samplings "
                   "5 or more make it narrower.</p>\n", (long long)draws);
}

void put_differences(page *page, const study *s)
{
    FILE *f = page->f;
    const method *best = best_method(s);
    const bool patients = study_has_patients(s);
    const char *unit = study_unit(s), *drawn = patients ? "patients" : unit;
    int64_t finished = 0;
    for (int64_t m = 0; m < s->methods; m++) finished += s->method[m].done > 0;
    if (finished < 2) return;
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    fprintf(f, "<p class=\"small\">%s, in percentage points, less that of ", ranking(s)->heading);
    put_escaped(f, best->label);
    fprintf(f, ", over the runs that both have finished. The interval is a bootstrap over the %s%s (2,000 "
            "resamples; those without %s of a class are undefined and left out), p that of a permutation test "
            "which swaps the two methods\342\200\231 predictions of %s. They say what other %s would change with "
            "these trained models, not what other training images would. The interval of draws is that of the mean "
            "difference by Student\342\200\231s t over the draws: it says what other draws of training images would "
            "change, and takes draws for independent although they share images. It is a dash with one draw, and "
            "where the differences of all draws are equal, as few images make it: equal values do not say how others "
            "would vary. A difference is no more than noise "
            "unless both intervals are there and lie on one side of zero. p is not corrected for the "
            "number of methods, and the best one was chosen by these %s. ", patients ? "patients of the held-out " :
            "held-out ", unit, s->masks ? "a Dice" : "an image", drawn, drawn, unit);
    if (s->masks)
        fputs("The difference is the mean over the classes but the background, of the cases in which both methods "
              "have a Dice of the class: where the true mask lacks the class, a method that predicts none has no Dice. "
              "So it may be another than that of the means above. ", f);
    if (patients) fprintf(f, "All %s of a patient are drawn, and swapped, together.</p>\n", unit);
    else fprintf(f, "The records do not say which %s are of one patient: they are taken for independent, which makes "
                 "intervals too narrow where a patient has several.</p>\n", unit);
    char title[256];
    snprintf(title, sizeof title, "%s less that of %.150s, percentage points", ranking(s)->heading, best->label);
    table *t = new_table(title, "Method");
    add_number_column(t, "Runs", 0);
    if (patients) add_number_column(t, "Patients", WHOLE);
    add_number_column(t, "Difference", 1);
    add_column(t, (table_column){ .heading = "95 % interval", .decimals = 1, .joiner = " to ",
                                  .first = "95 % interval: low", .second = "95 % interval: high" });
    add_column(t, (table_column){ .heading = "95 % interval, draws", .decimals = 1, .joiner = " to ",
                                  .first = "95 % interval, draws: low", .second = "95 % interval, draws: high" });
    add_number_column(t, "p", 4);
    add_number_column(t, "Undefined", 0);
    for (int64_t m = 0; m < s->methods; m++)
        if (s->method[m].done && &s->method[m] != best) add_difference(t, ctx, s, best, &s->method[m], patients);
    put_table(page, t);
    put_note_on_draws(f, s);
    peft_context_free(ctx);
}
