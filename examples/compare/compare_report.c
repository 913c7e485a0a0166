/* SPDX-License-Identifier: Apache-2.0
 * compare_report.c -- summarises the results of all runs of compare as a table, a CSV file and a chart. */
#include "common/figures/chart.h"
#include "common/figures/statistics.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include "segment/segment.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double mib = 1024.0 * 1024.0;

/* The runs of an entry are the runs entry, entry + entries, entry + 2 entries, ... of the study. */
moments summarise(const study *s, int64_t entry, int column)
{
    const int64_t count = s->samplings * s->runs;
    double *v = check_alloc(malloc((size_t)count * sizeof *v)), max = NAN;
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = entry + k * s->entries;
        v[k] = s->done[i] ? *run_value(s, i, column) : NAN;
        max = fmax(max, v[k]);                                /* ignores NaN */
    }
    const statistics result = statistics_of(v, count);
    free(v);
    return (moments){ result.n, result.mean, result.sd, max };
}

/* Has any run a value in this column? Accuracies are undefined for several labels per image, map for one. */
static bool has_values(const study *s, int column)
{
    for (int64_t e = 0; e < s->entries; e++)
        if (summarise(s, e, column).n) return true;
    return false;
}

/* Prints mean and standard deviation times factor, "65.7 +- 3.4", right-aligned in 16 columns. */
static void print_quality(moments m, double factor)
{
    char text[32] = "-";
    if (m.n) snprintf(text, sizeof text, "%.1f", factor * m.mean);
    if (m.n > 1) snprintf(text, sizeof text, "%.1f +- %4.1f", factor * m.mean, factor * m.sd);
    printf("%16s", text);
}

/* Prints v right-aligned in `width` columns; "-": there is none, as the steps of a probe. */
static void print_number(int width, int decimals, double v)
{
    if (isnan(v)) printf("%*s", width, "-");
    else printf("%*.*f", width, decimals, v);
}

void print_table(const study *s)
{
    static const struct { int column; double factor; const char *heading; bool unit; } quality[] = {
        { result_accuracy, 100, "accuracy", false }, { result_balanced_accuracy, 100, "balanced acc.", false },
        { result_map, 100, "mAP", false }, { result_auroc_macro, 100, "macro AUROC", false },
        { result_dice, 100, "Dice", false }, { result_iou, 100, "IoU", false }, { result_hd95, 1, "HD95", true },
        { result_surface_distance, 1, "surf.", true } };
    enum { qualities = sizeof quality / sizeof *quality };
    int width = 6;                                            /* of the column of labels */
    if (s->per_case) printf("metrics are of cases: %s\n", case_rule_phrase[s->rule]);
    for (int64_t e = 0; e < s->entries; e++)
        if ((int)strlen(s->entry[e].label) > width) width = (int)strlen(s->entry[e].label);
    printf("%-*s %5s", width, "", "runs");
    for (int q = 0; q < qualities; q++) {
        char heading[32];
        snprintf(heading, sizeof heading, "%s %s", quality[q].heading, quality[q].unit ? distance_unit(s) : "%");
        if (has_values(s, quality[q].column)) printf("%16s", heading);
    }
    printf("%12s %8s %8s %12s %9s\n", "trained", "s/step", "seconds", "planned MiB", "peak MiB");
    for (int64_t e = 0; e < s->entries; e++) {
        moments seconds = summarise(s, e, result_seconds), steps = summarise(s, e, result_seconds_per_step);
        printf("%-*s %5lld", width, s->entry[e].label, (long long)seconds.n);
        for (int q = 0; q < qualities; q++)
            if (has_values(s, quality[q].column))
                print_quality(summarise(s, e, quality[q].column), quality[q].factor);
        if (seconds.n) {
            print_number(12, 0, summarise(s, e, result_trainable_parameters).max);
            print_number(9, 4, steps.mean);
            print_number(9, 1, seconds.mean);
            print_number(13, 1, summarise(s, e, result_planned_bytes).max / mib);
            print_number(10, 1, summarise(s, e, result_peak_bytes).max / mib);
        }
        putchar('\n');
    }
}

/* Mean and standard deviation of a column. */
static void put_summary_heading(FILE *f, const study *s, int column)
{
    if (!has_column(s, column)) return;
    static const char *const part[] = { "mean", "sd" };
    char *name = column_name(s, column), *heading;
    for (int k = 0; k < 2; k++) {
        if (asprintf(&heading, "%s_%s", name, part[k]) < 0) fail("out of memory");
        fputc(',', f);
        put_csv_field(f, heading);
        free(heading);
    }
    free(name);
}

void write_summary(const char *path, const study *s)
{
    FILE *f = fopen(path, "w");
    if (!f) fail("--summary %s: %s", path, strerror(errno));
    fputs("label,method,runs", f);
    for (int c = 0; c < column_count(s); c++) put_summary_heading(f, s, c);
    fputs(",settings\n", f);
    for (int64_t e = 0; e < s->entries; e++) {
        put_csv_field(f, s->entry[e].label);
        fputc(',', f);
        put_csv_field(f, s->entry[e].recipe[recipe_method].value);
        fprintf(f, ",%lld", (long long)summarise(s, e, result_steps).n);
        for (int c = 0; c < column_count(s); c++) {
            if (!has_column(s, c)) continue;
            moments m = summarise(s, e, c);
            if (m.n) fprintf(f, ",%.10g", m.mean);
            else fputc(',', f);
            if (m.n > 1) fprintf(f, ",%.10g", m.sd);
            else fputc(',', f);
        }
        fputc(',', f);
        put_csv_field(f, s->entry[e].settings);
        fputc('\n', f);
    }
    if (fclose(f)) fail("--summary %s: %s", path, strerror(errno));
}

void write_figure(const char *path, const study *s)
{
    typedef struct quantity { const char *title; int column; double factor; int decimals; bool bars; } quantity;
    char distance[32];
    snprintf(distance, sizeof distance, "HD95 (%s)", distance_unit(s));
    const quantity of_masks[] = { { "Mean Dice (%)", result_dice, 100, 1, false },
                                  { distance, result_hd95, 1, 1, false } };
    static const quantity of_classes[] = { { "Balanced accuracy (%)", result_balanced_accuracy, 100, 1, false },
                                           { "Macro AUROC (%)", result_auroc_macro, 100, 1, false } };
    static const quantity precision = { "Mean average precision (%)", result_map, 100, 1, false };
    const quantity *quality = has_masks(s) ? of_masks : of_classes;
    const quantity shown[] = {
        has_values(s, result_map) ? precision : quality[0], quality[1],
        { "Training step, one thread (ms)", result_seconds_per_step, 1000, 1, true },
        { "Memory peak of training (MiB)", result_peak_bytes, 1 / mib, 1, true } };
    enum { panels = sizeof shown / sizeof *shown };
    int64_t runs = s->samplings * s->runs;                    /* of each entry */
    chart_panel panel[panels];
    const char **labels = check_alloc(calloc((size_t)s->entries, sizeof *labels));
    for (int64_t e = 0; e < s->entries; e++) labels[e] = s->entry[e].label;
    for (int p = 0; p < panels; p++) {
        double *points = check_alloc(malloc((size_t)(s->entries * runs) * sizeof *points));
        for (int64_t i = 0; i < study_size(s); i++) {         /* run i is value i / entries of row i % entries */
            double *point = &points[i % s->entries * runs + i / s->entries];
            *point = s->done[i] ? shown[p].factor * s->result[i].value[shown[p].column] : NAN;
        }
        panel[p] = (chart_panel){ .title = shown[p].title, .bars = shown[p].bars, .decimals = shown[p].decimals,
                                  .points = points };
    }
    char note[280], shots[RANGE_TEXT];
    if (s->images.shots) snprintf(shots, sizeof shots, "%lld %s per class", (long long)s->images.shots,
                                  s->images.all_slices ? "files" : "images");
    else range_text(shots, range_of_draws(s, draw_train_images, 0), "training image");
    /* "\302\261" is the plus-minus sign in UTF-8. */
    snprintf(note, sizeof note, "%s, %lld draw%s x %lld seed%s; %s%s%sline: mean \302\261 sd", shots,
             (long long)s->samplings, s->samplings > 1 ? "s" : "", (long long)s->runs, s->runs > 1 ? "s" : "",
             s->per_case ? "of cases, " : "", s->per_case ? case_rule_phrase[s->rule] : "",
             s->per_case ? "; " : "");
    const char *slash = strrchr(s->images.data, '/');
    if (!write_chart(path, slash && slash[1] ? slash + 1 : s->images.data, note, labels, s->entries, runs, panel,
                     panels))
        fail("--svg %s: %s", path, strerror(errno));
    for (int p = 0; p < panels; p++) free((double *)(uintptr_t)panel[p].points);
    free(labels);
}
