/* SPDX-License-Identifier: Apache-2.0
 * chart.c -- see chart.h. */
#include "chart.h"
#include "spread.h"
#include "svg.h"
#include <math.h>
#include <string.h>

/* Units of the drawing. */
enum { full = 480, row_height = 22, above_rows = 34, below_rows = 34, heading = 62, gap = 10, digit = 8,
       widest_label = 150 };
static const char text_colour[] = "#1f2933", mark_colour[] = "#1b6ca8", grid_colour[] = "#d9dee3";

/* Units that text takes at most in the usual fonts. */
static double text_width(const char *text)
{
    double width = 0;
    for (; *text; text++) {
        if ((*text & 0xC0) == 0x80) continue;                 /* inside a character */
        width += strchr("iIjl.,:;!'|()[] -ftr", *text) ? 5.5 : strchr("mwMW%@", *text) || *text & 0x80 ? 13 :
                 *text >= 'A' && *text <= 'Z' ? 10 : 8;
    }
    return width;
}

/* The label, cut off where it would be too wide. */
static void put_label(FILE *f, const char *label)
{
    double width = text_width(label);
    int64_t letters = 0, most = 0;
    for (const char *c = label; *c; c++) letters += (*c & 0xC0) != 0x80;
    if (width > widest_label) most = (int64_t)((double)letters * widest_label / width);
    put_escaped(f, label, most > 3 || !most ? most : 4);
}

static axis fit_axis(const chart_panel *p, int64_t rows, int64_t each)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t r = 0; r < rows; r++) {
        spread s = spread_of(p->points + r * each, each);
        if (!s.n) continue;
        low = fmin(low, s.mean - s.sd);
        high = fmax(high, s.mean + s.sd);
        for (int64_t i = 0; i < each; i++) {
            low = fmin(low, p->points[r * each + i]);         /* fmin and fmax leave NaN out */
            high = fmax(high, p->points[r * each + i]);
        }
    }
    if (low > high) low = 0, high = 1;
    if (p->bars) low = 0;
    return round_axis(low, high);
}

static void put_axis(FILE *f, const axis *a, double top, double bottom)
{
    tick ticks[most_ticks];
    for (int k = 0, n = ticks_of(a, ticks); k < n; k++) {
        double x = at(a, ticks[k].value);
        fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x, top, x, bottom,
                grid_colour);
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"12\">%s</text>\n", x, bottom + 16,
                ticks[k].text);
    }
}

/* One row, centred on y: its bar or dot, its deviation, its single values, and the numbers behind it. */
static void put_row(FILE *f, const chart_panel *p, const axis *a, const double *v, int64_t each, double y)
{
    spread s = spread_of(v, each);
    if (!s.n) {
        fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">none</text>\n", full - gap, y + 4);
        return;
    }
    double x = at(a, s.mean), from = at(a, fmax(a->low, s.mean - s.sd)), to = at(a, s.mean + s.sd);
    if (p->bars)
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"10\" fill=\"%s\" opacity=\"0.55\"/>\n", a->from,
                y - 5, x - a->from, mark_colour);
    for (int64_t i = 0; i < each && !p->bars; i++)
        if (!isnan(v[i]))
            fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\" opacity=\"0.35\"/>\n", at(a, v[i]), y,
                    mark_colour);
    if (s.n > 1)
        fprintf(f, "<path d=\"M%.1f %.1fV%.1fM%.1f %.1fV%.1fM%.1f %.1fH%.1f\" stroke=\"%s\" stroke-width=\"1.5\"/>\n",
                from, y - 4, y + 4, to, y - 4, y + 4, from, y, to, mark_colour);
    if (!p->bars) fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\" fill=\"%s\"/>\n", x, y, mark_colour);
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f", full - gap, y + 4, p->decimals, s.mean);
    if (s.n > 1) fprintf(f, " \302\261 %.*f", p->decimals, s.sd);
    fputs("</text>\n", f);
}

static void put_panel(FILE *f, const chart_panel *p, const char *const *labels, int64_t rows, int64_t each, double top)
{
    double longest = 0;
    size_t numbers = 0;
    for (int64_t r = 0; r < rows; r++) {
        spread s = spread_of(p->points + r * each, each);
        size_t n = (size_t)snprintf(NULL, 0, s.n > 1 ? "%.*f + %.*f" : "%.*f", p->decimals, s.mean, p->decimals, s.sd);
        longest = fmax(longest, text_width(labels[r]));
        numbers = n > numbers ? n : numbers;
    }
    axis a = fit_axis(p, rows, each);
    a.from = 2 * gap + fmin(longest, widest_label);
    a.to = (double)(full - 2 * gap - digit * (int64_t)numbers);
    double first = top + above_rows, bottom = first + (double)(rows * row_height);
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" font-weight=\"bold\" font-size=\"14\">", gap, top + 20);
    put_escaped(f, p->title, 0);
    fputs("</text>\n", f);
    put_axis(f, &a, first, bottom);
    for (int64_t r = 0; r < rows; r++) {
        double y = first + ((double)r + 0.5) * row_height;
        fprintf(f, "<text x=\"%d\" y=\"%.1f\">", gap, y + 4);
        put_label(f, labels[r]);
        fputs("</text>\n", f);
        put_row(f, p, &a, p->points + r * each, each, y);
    }
}

static double panel_height(int64_t rows) { return (double)(above_rows + below_rows + rows * row_height); }

bool write_chart(const char *path, const char *title, const char *note, const char *const *labels, int64_t rows,
                 int64_t each, const chart_panel *panels, int64_t count)
{
    FILE *f = fopen(path, "w");
    if (!f) return false;
    double one = panel_height(rows), high = heading + (double)count * one;
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" "
            "font-family=\"Helvetica,Arial,'DejaVu Sans',sans-serif\" font-size=\"13\" fill=\"%s\" role=\"img\">\n"
            "<title>", full, high, full, high, text_colour);
    put_escaped(f, title, 0);
    fprintf(f, "</title>\n<rect width=\"%d\" height=\"%.0f\" fill=\"#ffffff\"/>\n"
            "<text x=\"%d\" y=\"26\" font-size=\"17\" font-weight=\"bold\">", full, high, gap);
    put_escaped(f, title, 0);
    fprintf(f, "</text>\n<text x=\"%d\" y=\"46\" font-size=\"12\">", gap);
    put_escaped(f, note, 0);
    fputs("</text>\n", f);
    for (int64_t p = 0; p < count; p++) put_panel(f, &panels[p], labels, rows, each, heading + (double)p * one);
    fputs("</svg>\n", f);
    return !fclose(f);
}

void put_chart_panel(FILE *f, const chart_panel *p, const char *const *labels, int64_t rows, int64_t each)
{
    fprintf(f, "<svg viewBox=\"0 0 %d %.0f\" font-size=\"13\" fill=\"%s\" role=\"img\">\n<title>", full,
            panel_height(rows), text_colour);
    put_escaped(f, p->title, 0);
    fputs("</title>\n", f);
    put_panel(f, p, labels, rows, each, 0);
    fputs("</svg>\n", f);
}
