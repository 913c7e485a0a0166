/* SPDX-License-Identifier: Apache-2.0
 * report_calibration.c -- writes a table of calibration: errors of each method's probabilities, before and after
 * temperature scaling. The linear probe stands for the state before tuning. */
#include "common/program/errors.h"
#include "report/report_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { halves = 2 };

/* The predictions of all finished runs of a method. */
typedef struct predictions {
    int64_t n, classes;
    double *probability;                                      /* [n, classes] */
    float *logit;                                             /* [n, classes]: log(probability) */
    int64_t *label, *half;                                    /* [n]; half: 0 or 1, by the name of the image */
} predictions;

/* Images are divided by a hash (FNV-1a) of their patient, or else of their name, so that all images of a patient, and
 * an image in all runs, are in the same half. */
static int64_t half_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash >> 16 & 1;
}

static predictions collect(const study *s, const method *m)
{
    const double least = 1e-45;                               /* smallest float above 0: stands for a 0 of rounding */
    predictions p = { .classes = s->classes };
    for (int64_t i = 0; i < s->runs; i++) p.n += m->run[i].images;
    const size_t n = (size_t)p.n, count = n * (size_t)s->classes;
    p.probability = check_alloc(calloc(count + 1, sizeof *p.probability));
    p.logit = check_alloc(calloc(count + 1, sizeof *p.logit));
    p.label = check_alloc(calloc(n + 1, sizeof *p.label));
    p.half = check_alloc(calloc(n + 1, sizeof *p.half));
    int64_t at = 0;
    for (int64_t i = 0; i < s->runs; i++)
        for (int64_t k = 0; k < m->run[i].images; k++, at++) {
            p.label[at] = m->run[i].label[k];
            const char *patient = m->run[i].patient[k];
            p.half[at] = half_of(patient ? patient : m->run[i].name[k]);
            for (int64_t c = 0; c < s->classes; c++) {
                const double v = fmin(m->run[i].score[k * s->classes + c], 1);
                p.probability[at * s->classes + c] = v;
                p.logit[at * s->classes + c] = (float)log(fmax(v, least));
            }
        }
    return p;
}

static void free_predictions(predictions *p)
{
    free(p->probability);
    free(p->logit);
    free(p->label);
    free(p->half);
}

/* Copies the rows of one half to logit [.., classes] and label, and writes their places in p to row; returns their
 * number. */
static int64_t take_half(const predictions *p, int64_t half, float *logit, int64_t *label, int64_t *row)
{
    int64_t n = 0;
    for (int64_t i = 0; i < p->n; i++) {
        if (p->half[i] != half) continue;
        memcpy(logit + n * p->classes, p->logit + i * p->classes, (size_t)p->classes * sizeof *logit);
        label[n] = p->label[i];
        row[n++] = i;
    }
    return n;
}

/* Fits a temperature on each half and applies it to the other: scaled [n, classes]. Returns false if a half is
 * empty. */
static bool scale_by_halves(const predictions *p, double temperature[halves], double *scaled)
{
    float *logit[halves];
    int64_t *label[halves], *row[halves], n[halves];
    for (int h = 0; h < halves; h++) {
        logit[h] = check_alloc(calloc((size_t)(p->n * p->classes) + 1, sizeof **logit));
        label[h] = check_alloc(calloc((size_t)p->n + 1, sizeof **label));
        row[h] = check_alloc(calloc((size_t)p->n + 1, sizeof **row));
        n[h] = take_half(p, h, logit[h], label[h], row[h]);
    }
    const bool both = n[0] && n[1];
    double *part = check_alloc(calloc((size_t)(p->n * p->classes) + 1, sizeof *part));
    for (int h = 0; both && h < halves; h++) {
        must(peft_metrics_fit_temperature(logit[h], label[h], n[h], p->classes, &temperature[h]));
        const int other = 1 - h;
        must(peft_metrics_temperature_scores(logit[other], n[other], p->classes, temperature[h], part));
        for (int64_t i = 0; i < n[other]; i++)
            memcpy(scaled + row[other][i] * p->classes, part + i * p->classes, (size_t)p->classes * sizeof *part);
    }
    for (int h = 0; h < halves; h++) {
        free(logit[h]);
        free(label[h]);
        free(row[h]);
    }
    free(part);
    return both;
}

static const struct { const char *heading, *metric; double factor; int decimals; } columns[] = {
    { "ECE, %", "ece", 100, 1 }, { "MCE, %", "mce", 100, 1 }, { "Brier score", "brier", 1, 3 },
    { "NLL", "nll", 1, 3 } };
enum { column_count = sizeof columns / sizeof *columns, ece_column = 0, nll_column = 3 };

/* Adds a cell with column k's metric of these probabilities. */
static void add_metric(table *t, const predictions *p, const double *probability, int k)
{
    double v;
    must(peft_metrics_calibration(probability, p->label, p->n, p->classes, columns[k].metric, &v, 1));
    add_number(t, columns[k].factor * v);
}

/* Is the entry a classifier on the features of the unchanged backbone, trained in steps or to the optimum? */
static bool is_linear(const method *m) { return !strcmp(m->name, "linear"); }
static bool is_logistic(const method *m) { return !strcmp(m->name, "probe") && strstr(m->settings, "kind=logistic"); }

static int64_t count_finished(const study *s, bool (*is)(const method *m))
{
    int64_t count = 0;
    for (int64_t m = 0; m < s->methods; m++) count += s->method[m].done && is(&s->method[m]);
    return count;
}

/* Entries of method linear stand for the state before tuning; in a study without them logistic probes do. */
static bool stands_for_before(const study *s, const method *m)
{
    return is_linear(m) || (is_logistic(m) && !count_finished(s, is_linear));
}

static void add_calibration(table *t, const study *s, const method *m)
{
    double temperature[halves];
    char *label;
    predictions p = collect(s, m);
    double *scaled = check_alloc(calloc((size_t)(p.n * p.classes) + 1, sizeof *scaled));
    if (asprintf(&label, "%s%s", m->label, stands_for_before(s, m) ? " (before tuning)" : "") < 0)
        fail("out of memory");
    add_row(t, label);
    for (int k = 0; k < column_count; k++) add_metric(t, &p, p.probability, k);
    if (scale_by_halves(&p, temperature, scaled)) {
        add_numbers(t, temperature[0], temperature[1]);
        add_metric(t, &p, scaled, ece_column);
        add_metric(t, &p, scaled, nll_column);
    } else {
        for (int k = 0; k < 3; k++) add_number(t, NAN);
    }
    free(label);
    free(scaled);
    free_predictions(&p);
}

void put_calibration(page *page, const study *s)
{
    FILE *f = page->f;
    fprintf(f, "<p class=\"small\">Of the predictions for held-out %s of "
          "all runs. ECE and MCE: mean and largest distance of confidence and accuracy over 15 bins; Brier score: mean "
          "squared error, summed over classes; NLL: mean of \342\210\222log of the true class\342\200\231s "
          "probability. Temperature scaling divides the logits by the temperature with the least NLL: it is fitted on "
          "one half of the held-out %s (a patient\342\200\231s in one, where patients are known) and applied to the "
          "other, and the reverse, which gives two temperatures; "
          "above 1 the model was too confident. ", study_unit(s), study_unit(s));
    fputs("The temperature is sought between 0.01 and 100: 100 (or 0.01) is the end of this range, where the NLL still "
          "fell, and says that the probabilities are no better than chance (or that every image is right). Each half "
          "has few images in a small study: scaling may then make ECE and NLL worse than they were. ", f);
    if (count_finished(s, is_linear))
        fputs("Before tuning means the entries of method linear: a classifier on the features of the unchanged "
              "backbone, trained on the same images in steps.</p>\n", f);
    else if (count_finished(s, is_logistic))
        fputs("Before tuning means the logistic probe, since the study has no entry with method linear: a classifier "
              "on the features of the unchanged backbone, fitted to the same images until it converged.</p>\n", f);
    else
        fputs("The study has no entry with method linear and no logistic probe, a classifier on the features of the "
              "unchanged backbone, which would show the calibration before tuning.</p>\n", f);
    table *t = new_table("Calibration errors, and after temperature scaling", "Method");
    for (int k = 0; k < column_count; k++) add_number_column(t, columns[k].heading, columns[k].decimals);
    add_column(t, (table_column){ .heading = "Temperatures", .decimals = 2, .joiner = ", ", .first = "Temperature 1",
                                  .second = "Temperature 2" });
    add_number_column(t, "scaled ECE, %", columns[ece_column].decimals);
    add_number_column(t, "scaled NLL", columns[nll_column].decimals);
    for (int64_t m = 0; m < s->methods; m++)
        if (s->method[m].done) add_calibration(t, s, &s->method[m]);
    put_table(page, t);
}
