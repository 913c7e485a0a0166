/* SPDX-License-Identifier: Apache-2.0
 * chart.h -- charts that compare methods, as SVG. A chart has panels, one for each quantity; a panel has one row for
 * each method, which shows the mean, the standard deviation and, without bars, every value as a faint dot. compare
 * writes a file of all panels; report puts panels into its page. Drawings are 480 units wide. */
#ifndef CHART_H
#define CHART_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct chart_panel {
    const char *title;                                        /* quantity and unit */
    const char *rows;                                         /* what a row is of: "block"; NULL: "method" */
    const double *points;                                     /* [rows, values]; NaN: no value */
    int decimals;                                             /* of the mean and standard deviation printed in a row */
    bool bars;                                                /* bar from 0 to the mean; false: a dot at the mean */
} chart_panel;

/* Writes a file with `count` panels under a title and a note. labels: [rows]. Returns false and sets errno when the
 * file cannot be written. */
bool write_chart(const char *path, const char *title, const char *note, const char *const *labels, int64_t rows,
                 int64_t values, const chart_panel *panels, int64_t count);
/* Writes one panel as an <svg> element of an HTML page. */
void put_chart_panel(FILE *f, const chart_panel *p, const char *const *labels, int64_t rows, int64_t values);
#endif
