/* SPDX-License-Identifier: Apache-2.0
 * chart.c -- writes charts as SVG (chart.h): labels at the left, points or bars in the middle, numbers at the right. */
#include "chart.h"
#include "statistics.h"
#include "svg.h"
#include <math.h>
#include <string.h>

/* Lengths in units of the SVG's viewBox. */
enum { chart_width = 480, row_height = 22, panel_top = 34, panel_bottom = 34, heading_height = 62, margin = 10,
       digit_width = 8, max_label_width = 150 };

/* An upper estimate of the text's width in usual sans-serif fonts of 13 units: narrow characters count 5.5, wide ones
 * and those beyond ASCII 13, capitals 10, others 8. */
static double text_width(const char *text)
{
    double width = 0;
    for (; *text; text++) {
        if (!begins_character(*text)) continue;
        if (strchr("iIjl.,:;!'|()[] -ftr", *text)) width += 5.5;
        else if (strchr("mwMW%@", *text) || *text & 0x80) width += 13;
        else width += *text >= 'A' && *text <= 'Z' ? 10 : 8;
    }
    return width;
}

/* Writes the label, shortened to max_label_width, but not to fewer than four characters. */
static void put_label(FILE *f, const char *label)
{
    const double width = text_width(label);
    if (width <= max_label_width) {
        put_escaped(f, label);
        return;
    }
    const int64_t limit = (int64_t)((double)character_count(label) * max_label_width / width);
    put_shortened(f, label, limit > 3 ? limit : 4);
}

/* An axis that covers all values, and mean plus or minus standard deviation of each row; with bars from 0 on. */
static axis fit_axis(const chart_panel *p, int64_t rows, int64_t values)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t r = 0; r < rows; r++) {
        statistics s = statistics_of(p->points + r * values, values);
        if (!s.n) continue;
        low = fmin(low, s.mean - s.sd);
        high = fmax(high, s.mean + s.sd);
        for (int64_t i = 0; i < values; i++) {
            low = fmin(low, p->points[r * values + i]);       /* fmin and fmax ignore NaN */
            high = fmax(high, p->points[r * values + i]);
        }
    }
    if (low > high) low = 0, high = 1;                        /* there are no values */
    if (p->bars) low = 0;
    return round_axis(low, high);
}

static void put_axis(FILE *f, const axis *a, double top, double bottom)
{
    tick ticks[most_ticks];
    for (int k = 0, n = make_ticks(a, ticks); k < n; k++) {
        double x = axis_position(a, ticks[k].value);
        fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x, top, x, bottom,
                stroke_ink(INK_GRID));
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"12\">%s</text>\n", x, bottom + 16,
                ticks[k].text);
    }
}

/* Writes one row, centred on y: the mean as a bar, or as a dot among the single values v as faint dots; the standard
 * deviation as a line with two ends; and mean and standard deviation as text at the right. */
static void put_row(FILE *f, const chart_panel *p, const axis *a, const double *v, int64_t values, double y)
{
    statistics s = statistics_of(v, values);
    if (!s.n) {
        fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">none</text>\n", chart_width - margin,
                y + 4);
        return;
    }
    double x = axis_position(a, s.mean), from = axis_position(a, fmax(a->low, s.mean - s.sd));
    double to = axis_position(a, s.mean + s.sd);
    if (p->bars)
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"10\" %s opacity=\"0.55\"/>\n", a->from, y - 5,
                x - a->from, fill_ink(INK_MARK));
    for (int64_t i = 0; i < values && !p->bars; i++)
        if (!isnan(v[i]))
            fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" %s opacity=\"0.35\"/>\n", axis_position(a, v[i]), y,
                    fill_ink(INK_MARK));
    if (s.n > 1)
        fprintf(f, "<path d=\"M%.1f %.1fV%.1fM%.1f %.1fV%.1fM%.1f %.1fH%.1f\" %s stroke-width=\"1.5\"/>\n", from, y - 4,
                y + 4, to, y - 4, y + 4, from, y, to, stroke_ink(INK_MARK));
    if (!p->bars) fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\" %s/>\n", x, y, fill_ink(INK_MARK));
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f", chart_width - margin, y + 4, p->decimals, s.mean);
    if (s.n > 1) fprintf(f, " \302\261 %.*f", p->decimals, s.sd);         /* the plus-minus sign in UTF-8 */
    fputs("</text>\n", f);
}

/* Writes a panel whose upper edge is at `top`. The widths of labels and numbers determine where its axis begins and
 * ends; "+" stands for the plus-minus sign when characters are counted. */
static void put_panel(FILE *f, const chart_panel *p, const char *const *labels, int64_t rows, int64_t values,
                      double top)
{
    double label_width = 0;
    size_t number_length = 0;                                 /* characters of the longest "mean + deviation" */
    for (int64_t r = 0; r < rows; r++) {
        statistics s = statistics_of(p->points + r * values, values);
        size_t n = (size_t)snprintf(NULL, 0, s.n > 1 ? "%.*f + %.*f" : "%.*f", p->decimals, s.mean, p->decimals, s.sd);
        label_width = fmax(label_width, text_width(labels[r]));
        number_length = n > number_length ? n : number_length;
    }
    axis a = fit_axis(p, rows, values);
    a.from = 2 * margin + fmin(label_width, max_label_width);
    a.to = (double)(chart_width - 2 * margin - digit_width * (int64_t)number_length);
    double rows_top = top + panel_top, rows_bottom = rows_top + (double)(rows * row_height);
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" font-weight=\"bold\" font-size=\"14\">", margin, top + 20);
    put_escaped(f, p->title);
    fputs("</text>\n", f);
    put_axis(f, &a, rows_top, rows_bottom);
    for (int64_t r = 0; r < rows; r++) {
        double y = rows_top + ((double)r + 0.5) * row_height;
        fprintf(f, "<text x=\"%d\" y=\"%.1f\">", margin, y + 4);
        put_label(f, labels[r]);
        fputs("</text>\n", f);
        put_row(f, p, &a, p->points + r * values, values, y);
    }
}

static double panel_height(int64_t rows) { return (double)(panel_top + panel_bottom + rows * row_height); }

bool write_chart(const char *path, const char *title, const char *note, const char *const *labels, int64_t rows,
                 int64_t values, const chart_panel *panels, int64_t count)
{
    FILE *f = fopen(path, "w");
    if (!f) return false;
    double height = heading_height + (double)count * panel_height(rows);
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" "
            "font-family=\"Helvetica,Arial,'DejaVu Sans',sans-serif\" font-size=\"13\" fill=\"%s\" role=\"img\">\n"
            "<title>", chart_width, height, chart_width, height, ink_colour(INK_TEXT));
    put_escaped(f, title);
    fprintf(f, "</title>\n<rect width=\"%d\" height=\"%.0f\" fill=\"#ffffff\"/>\n"
            "<text x=\"%d\" y=\"26\" font-size=\"17\" font-weight=\"bold\">", chart_width, height, margin);
    put_escaped(f, title);
    fprintf(f, "</text>\n<text x=\"%d\" y=\"46\" font-size=\"12\">", margin);
    put_escaped(f, note);
    fputs("</text>\n", f);
    for (int64_t p = 0; p < count; p++)
        put_panel(f, &panels[p], labels, rows, values, heading_height + (double)p * panel_height(rows));
    fputs("</svg>\n", f);
    return !fclose(f);
}

void put_chart_panel(FILE *f, const chart_panel *p, const char *const *labels, int64_t rows, int64_t values)
{
    fprintf(f, "<svg viewBox=\"0 0 %d %.0f\" class=\"ink\" font-size=\"13\" fill=\"%s\" role=\"img\">\n<title>",
            chart_width, panel_height(rows), ink_colour(INK_TEXT));
    put_escaped(f, p->title);
    fprintf(f, "</title>\n<desc>A row for each %s: %s.</desc>\n", p->rows ? p->rows : "method", p->bars
            ? "a bar from 0 to the mean, a line of the standard deviation on both sides, and both as numbers"
            : "a dot at the mean, faint dots at single values, a line of the standard deviation on both sides, and "
              "mean and deviation as numbers");
    const double top = 0;
    put_panel(f, p, labels, rows, values, top);
    fputs("</svg>\n", f);
}
