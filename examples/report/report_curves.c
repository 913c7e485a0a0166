/* SPDX-License-Identifier: Apache-2.0
 * report_curves.c -- draws learning curves: loss and balanced accuracy by epoch, the mean over runs as a strong line,
 * single runs as faint lines. Up to seven methods share a plot, with different colours and dashes; more than seven get
 * one plot each, with the other methods in grey. */
#include "common/figures/svg.h"
#include "report_parts.h"
#include <math.h>
#include <stdlib.h>

const line_style line_styles[line_style_count] = {
    { "#0072b2", "none" }, { "#d55e00", "7 3" }, { "#009e73", "2 2" }, { "#cc79a7", "9 3 2 3" }, { "#e69f00", "none" },
    { "#56b4e9", "5 2" }, { "#000000", "3 3" } };
enum { width = 360, height = 240, left = 54, right = 344, top = 26,
       bottom = 198 };

typedef struct plot {
    const char *name;                                         /* quantity and unit */
    double *(*values)(const run *r);                          /* [epochs] */
    double factor;                                            /* from values to the unit drawn */
    double chance;                                            /* chance level, drawn as a dotted line; NaN: none */
    int64_t epochs;
    axis x, y;
} plot;

static double *loss_of(const run *r) { return r->loss; }
static double *balanced_of(const run *r) { return r->balanced; }

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
        fprintf(f, "<path d=\"M%d %.1fH%d\" stroke=\"#d9dee3\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>"
                "\n", left, y, right, left - 6, y + 4, ticks[k].text);
    }
    for (int k = 0, n = make_ticks(&p->x, ticks); k < n; k++) {
        double x = axis_position(&p->x, ticks[k].value);
        fprintf(f, "<path d=\"M%.1f %dv4\" stroke=\"#52606d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s"
                "</text>\n", x, bottom, x, bottom + 18, ticks[k].text);
    }
    fprintf(f, "<path d=\"M%d %dH%d\" stroke=\"#52606d\"/>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>"
            "\n<text x=\"4\" y=\"14\">%s%s</text>\n", left, bottom, right, (left + right) / 2, bottom + 36, p->name,
            p->y.log ? " (logarithmic)" : "");
    if (isnan(p->chance)) return;
    double y = axis_position(&p->y, p->chance);
    fprintf(f, "<path d=\"M%d %.1fH%d\" stroke=\"#1f2933\" stroke-dasharray=\"1 4\" stroke-width=\"1.5\"/>\n", left, y,
            right);
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
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"1\" opacity=\"0.22\"", line_styles[k].colour);
    if (m->done > 1)
        for (int64_t i = 0; i < s->runs; i++)
            if (m->run[i].done) put_line(f, p, s, m, i, style);
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"2.4\" stroke-dasharray=\"%s\"", line_styles[k].colour,
             line_styles[k].dashes);
    put_line(f, p, s, m, MEAN_OF_RUNS, style);
}

/* All methods in one plot. */
static void put_joint_plot(FILE *f, const plot *p, const study *s)
{
    fputs("<figure>\n", f);
    open_svg(f, width, height, p->name, " by epoch, one line for each method");
    put_axes(f, p);
    for (int64_t m = 0; m < s->methods; m++) put_method(f, p, s, &s->method[m], m);
    fputs("</svg>\n</figure>\n", f);
}

static void put_legend(FILE *f, const study *s)
{
    fputs("<ul class=\"legend\">\n", f);
    for (int64_t m = 0; m < s->methods; m++) {
        fprintf(f, "<li><svg viewBox=\"0 0 34 8\" aria-hidden=\"true\"><title>line</title><path d=\"M1 4h32\" "
                "stroke=\"%s\" stroke-width=\"2.4\" stroke-dasharray=\"%s\"/></svg>", line_styles[m].colour,
                line_styles[m].dashes);
        put_escaped(f, s->method[m].label);
        fputs("</li>\n", f);
    }
    fputs("</ul>\n", f);
}

/* A plot for each method, which shows the means of the other methods in grey. */
static void put_separate_plots(FILE *f, const plot *p, const study *s)
{
    fprintf(f, "<h4>%s</h4>\n<div class=\"grid\">\n", p->name);
    for (int64_t m = 0; m < s->methods; m++) {
        if (!s->method[m].done) continue;
        fputs("<figure>\n", f);
        put_caption(f, &s->method[m]);
        open_svg(f, width, height, p->name, s->method[m].label);
        put_axes(f, p);
        for (int64_t o = 0; o < s->methods; o++)
            if (o != m) put_line(f, p, s, &s->method[o], MEAN_OF_RUNS, "stroke=\"#c3cad2\" stroke-width=\"1.2\"");
        const int64_t first_style = 0;
        put_method(f, p, s, &s->method[m], first_style);
        fputs("</svg>\n</figure>\n", f);
    }
    fputs("</div>\n", f);
}

void put_curves(FILE *f, const study *s)
{
    plot plots[] = {
        { .name = "Training loss", .values = loss_of, .factor = 1, .chance = NAN },
        { .name = study_has_cases(s) ? "Balanced accuracy on the held-out cases, %"
                                     : "Balanced accuracy on the held-out images, %",
          .values = balanced_of, .factor = 100, .chance = 100.0 / (double)s->classes } };
    bool joint = s->methods <= line_style_count, drawn[2];
    for (int k = 0; k < 2; k++) drawn[k] = fit_axes(&plots[k], s);
    if (!drawn[0]) return;
    fprintf(f, "<h3>Learning curves</h3>\n<p class=\"small\">Strong lines: the mean over runs. Faint lines: single "
            "runs. The loss is the mean over the steps of the epoch; losses of methods that were trained with "
            "different loss functions cannot be compared.%s%s</p>\n",
            joint ? "" : " Grey: the other methods.", drawn[1] ? " Dotted: chance level." : "");
    if (joint) {
        put_legend(f, s);
        fputs("<div class=\"grid wide\">\n", f);
    }
    for (int k = 0; k < 2; k++) {
        if (!drawn[k]) continue;
        if (joint) put_joint_plot(f, &plots[k], s);
        else put_separate_plots(f, &plots[k], s);
    }
    if (joint) fputs("</div>\n", f);
}
