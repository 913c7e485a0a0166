/* SPDX-License-Identifier: Apache-2.0
 * report_curves.c -- draws learning curves: loss and balanced accuracy by epoch, the mean over runs as a strong line,
 * single runs as faint lines. Up to seven methods share a plot, with different colours and dashes; more than seven get
 * one plot each, with the other methods in grey. */
#include "common/figures/statistics.h"
#include "common/program/errors.h"
#include "report_parts.h"
#include <math.h>
#include <stdlib.h>

const char *const line_dashes[ink_lines] = { "none", "7 3", "2 2", "9 3 2 3", "none", "5 2", "3 3" };
enum { width = 360, height = 240, left = 54, right = 344, top = 26,
       bottom = 198 };

typedef struct plot {
    const char *name;                                         /* quantity and unit */
    double *(*values)(const run *r);                          /* [epochs] */
    double factor;                                            /* from values to the unit drawn */
    double chance;                                            /* chance level, drawn as a dotted line; NaN: none */
    int64_t epochs;
    int decimals;                                             /* of the table of values */
    axis x, y;
} plot;

static double *loss_of(const run *r) { return r->loss; }
static double *figure_of(const run *r) { return r->figure; }

/* The value of run r at epoch e, counted from 0; NaN: none. */
static double value_at(const plot *p, const run *r, int64_t e)
{
    return r->done && e < r->epochs ? p->factor * p->values(r)[e] : NAN;
}

static double mean_at(const plot *p, const study *s, const method *m, int64_t e)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < s->runs; i++) {
        double v = value_at(p, &m->run[i], e);
        if (!isnan(v)) sum += v, n++;
    }
    return n ? sum / (double)n : NAN;
}

/* Sets p's axes to cover all values; false: there are no values. */
static bool fit_axes(plot *p, const study *s)
{
    double low = INFINITY, high = -INFINITY;
    p->epochs = 1;
    for (int64_t m = 0; m < s->methods; m++) {
        if (s->method[m].epochs > p->epochs) p->epochs = s->method[m].epochs;
        for (int64_t i = 0; i < s->runs; i++)
            for (int64_t e = 0; e < s->method[m].run[i].epochs; e++) {
                low = fmin(low, value_at(p, &s->method[m].run[i], e));
                high = fmax(high, value_at(p, &s->method[m].run[i], e));
            }
    }
    if (low > high) return false;
    if (!isnan(p->chance)) low = fmin(low, p->chance), high = fmax(high, p->chance);
    /* Values that differ by a factor of more than 20, such as losses, get a logarithmic axis. */
    p->y = low > 0 && high / low > 20 ? log_axis(low, high) : round_axis(low, high);
    p->x = round_axis(0, (double)p->epochs);
    if (p->x.tick < 1) p->x.tick = 1;                         /* epochs are whole numbers */
    p->x.high = (double)p->epochs;
    p->x.from = left;
    p->x.to = right;
    p->y.from = bottom;
    p->y.to = top;
    return true;
}

static void put_axes(FILE *f, const plot *p)
{
    tick ticks[most_ticks];
    for (int k = 0, n = make_ticks(&p->y, ticks); k < n; k++) {
        double y = axis_position(&p->y, ticks[k].value);
        fprintf(f, "<path d=\"M%d %.1fH%d\" %s/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left, y,
                right, stroke_ink(INK_GRID), left - 6, y + 4, ticks[k].text);
    }
    for (int k = 0, n = make_ticks(&p->x, ticks); k < n; k++) {
        double x = axis_position(&p->x, ticks[k].value);
        fprintf(f, "<path d=\"M%.1f %dv4\" %s/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, bottom,
                stroke_ink(INK_MUTED), x, bottom + 18, ticks[k].text);
    }
    fprintf(f, "<path d=\"M%d %dH%d\" %s/>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n"
            "<text x=\"4\" y=\"14\">%s%s</text>\n", left, bottom, right, stroke_ink(INK_MUTED), (left + right) / 2,
            bottom + 36, p->name, p->y.log ? " (logarithmic)" : "");
    if (isnan(p->chance)) return;
    double y = axis_position(&p->y, p->chance);
    fprintf(f, "<path d=\"M%d %.1fH%d\" %s stroke-dasharray=\"1 4\" stroke-width=\"1.5\"/>\n", left, y, right,
            stroke_ink(INK_TEXT));
}

enum { MEAN_OF_RUNS = -1 };
/* Draws run i, or the mean for i = MEAN_OF_RUNS. The line connects the epochs that have a value. style: attributes of
 * the SVG element. */
static void put_line(FILE *f, const plot *p, const study *s, const method *m, int64_t i, const char *style)
{
    int64_t points = 0;
    fputs("<path d=\"", f);
    for (int64_t e = 0; e < p->epochs; e++) {
        double v = i == MEAN_OF_RUNS ? mean_at(p, s, m, e) : value_at(p, &m->run[i], e);
        if (isnan(v)) continue;
        fprintf(f, "%s%.1f %.1f", points++ ? "L" : "M", axis_position(&p->x, (double)e + 1), axis_position(&p->y, v));
    }
    if (points == 1) fputs("h.1", f);                         /* a short line with round caps: a dot */
    fprintf(f, "\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" %s/>\n", style);
}

/* Draws the method's runs, if there are several, and their mean in style k. */
static void put_method(FILE *f, const plot *p, const study *s, const method *m, int64_t k)
{
    char style[128];
    const char *ink = stroke_ink(INK_LINE + (int)k);
    snprintf(style, sizeof style, "%s stroke-width=\"1\" opacity=\"0.3\"", ink);
    if (m->done > 1)
        for (int64_t i = 0; i < s->runs; i++)
            if (m->run[i].done) put_line(f, p, s, m, i, style);
    snprintf(style, sizeof style, "%s stroke-width=\"2.4\" stroke-dasharray=\"%s\"", ink, line_dashes[k]);
    put_line(f, p, s, m, MEAN_OF_RUNS, style);
}

/* Mean and standard deviation over runs of methods first .. last - 1 in each epoch that has a value. */
static table *curve_values(const plot *p, const study *s, int64_t first, int64_t last)
{
    table *t = new_table(p->name, "Epoch");
    double *v = check_alloc(malloc((size_t)s->runs * sizeof *v));
    for (int64_t m = first; m < last; m++) {
        char deviation[192];
        snprintf(deviation, sizeof deviation, "%.160s: standard deviation", s->method[m].label);
        add_column(t, (table_column){ .heading = s->method[m].label, .decimals = p->decimals, .joiner = " \302\261 ",
                                      .second = deviation });
    }
    for (int64_t e = 0; e < p->epochs; e++) {
        char epoch[32];
        bool any = false;
        snprintf(epoch, sizeof epoch, "%lld", (long long)e + 1);
        for (int64_t m = first; m < last; m++) any = any || !isnan(mean_at(p, s, &s->method[m], e));
        if (any) add_row(t, epoch);
        for (int64_t m = first; any && m < last; m++) {
            for (int64_t i = 0; i < s->runs; i++) v[i] = value_at(p, &s->method[m].run[i], e);
            const statistics all = statistics_of(v, s->runs);
            add_numbers(t, all.mean, all.sd);
        }
    }
    free(v);
    return t;
}

/* All methods in one plot. */
static void put_joint_plot(page *out, const plot *p, const study *s)
{
    open_figure(out, NULL);
    open_svg(out->f, width, height, p->name, " by epoch, one line for each method",
             "Strong lines are means over runs, with the dashes of the legend above; faint lines are single runs.");
    put_axes(out->f, p);
    for (int64_t m = 0; m < s->methods; m++) put_method(out->f, p, s, &s->method[m], m);
    fputs("</svg>\n", out->f);
    close_figure(out, curve_values(p, s, 0, s->methods), NULL);
}

static void put_legend(FILE *f, const study *s)
{
    fputs("<ul class=\"legend\">\n", f);
    for (int64_t m = 0; m < s->methods; m++) {
        fprintf(f, "<li><svg viewBox=\"0 0 34 8\" aria-hidden=\"true\"><title>line</title><path d=\"M1 4h32\" %s "
                "stroke-width=\"2.4\" stroke-dasharray=\"%s\"/></svg>", stroke_ink(INK_LINE + (int)m), line_dashes[m]);
        put_escaped(f, s->method[m].label);
        fputs("</li>\n", f);
    }
    fputs("</ul>\n", f);
}

/* A plot for each method, which shows the means of the other methods in grey. */
static void put_separate_plots(page *out, const plot *p, const study *s)
{
    char grey[96];
    snprintf(grey, sizeof grey, "%s stroke-width=\"1.2\"", stroke_ink(INK_OTHER));
    fprintf(out->f, "<h4>%s</h4>\n<div class=\"grid\">\n", p->name);
    for (int64_t m = 0; m < s->methods; m++) {
        if (!s->method[m].done) continue;
        open_figure(out, NULL);
        put_caption(out, s->method[m].label, NULL);
        open_svg(out->f, width, height, p->name, s->method[m].label,
                 "The strong line is the mean over runs, faint lines are single runs, grey lines the other methods.");
        put_axes(out->f, p);
        for (int64_t o = 0; o < s->methods; o++)
            if (o != m) put_line(out->f, p, s, &s->method[o], MEAN_OF_RUNS, grey);
        const int64_t first_style = 0;
        put_method(out->f, p, s, &s->method[m], first_style);
        fputs("</svg>\n", out->f);
        close_figure(out, curve_values(p, s, m, m + 1), NULL);
    }
    fputs("</div>\n", out->f);
}

void put_curves(page *out, const study *s)
{
    char name[96];
    snprintf(name, sizeof name, "%s on the held-out %s, %%", ranking(s)->heading, study_unit(s));
    plot plots[] = {
        { .name = "Training loss", .values = loss_of, .factor = 1, .chance = NAN, .decimals = 4 },
        { .name = name, .values = figure_of, .factor = 100,
          .chance = s->masks ? NAN : 100.0 / (double)s->classes, .decimals = 1 } };
    bool joint = s->methods <= ink_lines, drawn[2];
    for (int k = 0; k < 2; k++) drawn[k] = fit_axes(&plots[k], s);
    if (!drawn[0] && !drawn[1]) return;
    fprintf(out->f, "<p class=\"small\">Strong lines: the mean over runs. Faint lines: single "
            "runs. The loss is the mean over the steps of the epoch; losses of methods that were trained with "
            "different loss functions cannot be compared.%s%s</p>\n",
            joint ? "" : " Grey: the other methods.",
            drawn[1] && !isnan(plots[1].chance) ? " Dotted: chance level." : "");
    if (joint) {
        put_legend(out->f, s);
        fputs("<div class=\"grid wide\">\n", out->f);
    }
    for (int k = 0; k < 2; k++) {
        if (!drawn[k]) continue;
        if (joint) put_joint_plot(out, &plots[k], s);
        else put_separate_plots(out, &plots[k], s);
    }
    if (joint) fputs("</div>\n", out->f);
}
