/* SPDX-License-Identifier: Apache-2.0
 * chart.h -- a figure as one SVG file: panels one above the other, in each a row a thing compared, with every value as
 * a faint dot and their mean and standard deviation. Laid out for 480 units of width, so that it can be read at 400
 * pixels as well as filling a screen. */
#ifndef CHART_H
#define CHART_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct chart_panel {
    const char *title;                                        /* with the unit */
    const double *points;                                     /* [rows, each]; NaN: none */
    int decimals;                                             /* of the numbers behind the rows */
    bool bars;                                                /* from 0 to the mean; else a dot, and the axis fits */
} chart_panel;

/* false: errno says why. */
bool write_chart(const char *path, const char *title, const char *note, const char *const *labels, int64_t rows,
                 int64_t each, const chart_panel *panels, int64_t count);
/* One panel as an SVG element inside a page of HTML. */
void put_chart_panel(FILE *f, const chart_panel *p, const char *const *labels, int64_t rows, int64_t each);
#endif
