/* SPDX-License-Identifier: Apache-2.0
 * report_chart.c -- a figure of one panel (chart.h) with its values: mean, standard deviation and every run. */
#include "common/figures/statistics.h"
#include "report_parts.h"

static table *values_of(const study *s, const chart_panel *panel, const char *row_heading, const char *const *labels,
                        int64_t rows)
{
    table *t = new_table(panel->title, row_heading);
    add_column(t, (table_column){ .heading = "Mean \302\261 standard deviation", .decimals = panel->decimals,
                                  .joiner = " \302\261 ", .first = "Mean", .second = "Standard deviation" });
    for (int64_t i = 0; i < s->runs; i++) {
        const run *r = &s->method[0].run[i];
        char heading[64];
        snprintf(heading, sizeof heading, "Draw %lld, run %lld", (long long)r->draw, (long long)r->number);
        add_number_column(t, heading, panel->decimals);
    }
    for (int64_t k = 0; k < rows; k++) {
        const double *v = panel->points + k * s->runs;
        const statistics all = statistics_of(v, s->runs);
        add_row(t, labels[k]);
        add_numbers(t, all.mean, all.sd);
        for (int64_t i = 0; i < s->runs; i++) add_number(t, v[i]);
    }
    return t;
}

void put_chart_figure(page *p, const study *s, const chart_panel *panel, const char *row_heading,
                      const char *const *labels, int64_t rows)
{
    open_figure(p, NULL);
    put_chart_panel(p->f, panel, labels, rows, s->runs);
    close_figure(p, values_of(s, panel, row_heading, labels, rows), NULL);
}
