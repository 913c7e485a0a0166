/* SPDX-License-Identifier: Apache-2.0
 * adapt_table.c -- tables of many runs, for a page and as CSV (adapt.h). */
#include "adapt.h"
#include "common/figures/statistics.h"
#include "common/files/atomic_file.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NO_KIND = -1, UNADAPTED = 0 };                         /* numbers of kinds: not one; "none" */
enum { PLAIN, WITH_SIGN };                                    /* form of a number: "1.2" or "+1.2" */

/* The mean of a figure over the settings first .. last - 1, for one seed and kind. */
static double mean_over(const study *s, int first, int last, int seed, int kind, int figure)
{
    double sum = 0;
    for (int i = first; i < last; i++) sum += figure_of(run_of(s, i, seed, kind), figure);
    return sum / (last - first);
}

/* The statistics over the seeds of a figure's mean over settings, minus that of kind `minus` unless it is NO_KIND. */
static statistics over_seeds(const study *s, int first, int last, int kind, int minus, int figure)
{
    double *v = check_alloc(malloc((size_t)s->seeds * sizeof *v));
    for (int i = 0; i < s->seeds; i++) {
        v[i] = mean_over(s, first, last, i, kind, figure);
        if (minus != NO_KIND) v[i] -= mean_over(s, first, last, i, minus, figure);
    }
    const statistics t = statistics_of(v, s->seeds);
    free(v);
    return t;
}

/* Prints a mean with its interval, both times scale: "61.2 [58.1, 64.3]", or, WITH_SIGN, "+1.2 [-0.3, +2.7]". */
static void print_interval(statistics t, double scale, int sign)
{
    const double half = confidence_half_width(t), low = (t.mean - half) * scale, high = (t.mean + half) * scale;
    printf(sign ? " %+.1f" : " %.1f", t.mean * scale);
    if (!isnan(half)) printf(sign ? " [%+.1f, %+.1f]" : " [%.1f, %.1f]", low, high);
    printf(" |");
}

void print_kinds(const study *s)
{
    printf("| adaptation | accuracy, %% | minus %s | ECE, %% | ms an image | MiB |\n", s->kind[UNADAPTED]);
    printf("| --- | --- | --- | --- | --- | --- |\n");
    for (int k = 0; k < s->kinds; k++) {
        printf("| %s |", s->kind[k]);
        print_interval(over_seeds(s, 0, s->settings, k, NO_KIND, ACCURACY), 100, PLAIN);
        if (k != UNADAPTED)
            print_interval(over_seeds(s, 0, s->settings, k, UNADAPTED, ACCURACY), 100, WITH_SIGN);
        else printf("  |");
        print_interval(over_seeds(s, 0, s->settings, k, NO_KIND, ECE), 100, PLAIN);
        printf(" %.1f | %.1f |\n", 1e3 * over_seeds(s, 0, s->settings, k, NO_KIND, SECONDS).mean,
               over_seeds(s, 0, s->settings, k, NO_KIND, BYTES).mean / 1048576);
    }
}

void print_settings(const study *s)
{
    printf("| images |");
    for (int k = 0; k < s->kinds; k++) printf(" %s |", s->kind[k]);
    printf("\n| --- |");
    for (int k = 0; k < s->kinds; k++) printf(" --- |");
    printf("\n");
    for (int i = 0; i < s->settings; i++) {
        printf("| %s |", s->setting[i]);
        for (int k = 0; k < s->kinds; k++)
            printf(" %.1f |", 100 * over_seeds(s, i, i + 1, k, NO_KIND, ACCURACY).mean);
        printf("\n");
    }
}

void write_runs(const study *s, uint64_t first_seed, const char *path)
{
    atomic_file w;
    open_atomic(&w, path);
    fprintf(w.file, "setting,seed,adaptation");
    for (int f = 0; f < FIGURES; f++) fprintf(w.file, ",%s", figure_name[f]);
    fputc('\n', w.file);
    for (int i = 0; i < s->settings; i++)
        for (int seed = 0; seed < s->seeds; seed++)
            for (int k = 0; k < s->kinds; k++) {
                fprintf(w.file, "%s,%llu,", s->setting[i], (unsigned long long)first_seed + (unsigned)seed);
                put_csv_field(w.file, s->kind[k]);
                for (int f = 0; f < FIGURES; f++) fprintf(w.file, ",%.6g", figure_of(run_of(s, i, seed, k), f));
                fputc('\n', w.file);
            }
    close_atomic(&w);
}
