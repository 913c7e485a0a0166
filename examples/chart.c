/* SPDX-License-Identifier: Apache-2.0
 * chart.c -- see chart.h. */
#include "chart.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Units of the drawing. A character of the text is taken as 7 units wide. */
enum { full = 480, row_height = 22, above_rows = 34, below_rows = 34, heading = 62, gap = 10, letter = 7,
       most_letters = 20 };
static const char text_colour[] = "#1f2933", mark_colour[] = "#1b6ca8", grid_colour[] = "#d9dee3";

typedef struct row_stat { int64_t n; double mean, sd; } row_stat;
typedef struct axis { double low, high, tick, left, right; } axis;   /* values, then units */

static row_stat stat_of(const double *v, int64_t n)
{
    row_stat s = { 0, 0, 0 };
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) s.mean += v[i], s.n++;
    if (s.n) s.mean /= (double)s.n;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) s.sd += (v[i] - s.mean) * (v[i] - s.mean);
    s.sd = s.n > 1 ? sqrt(s.sd / (double)(s.n - 1)) : 0;
    return s;
}

static double at(const axis *a, double v)
{
    return a->left + (a->right - a->left) * (v - a->low) / (a->high - a->low);
}

/* Ends at multiples of a tick of 1, 2 or 5 times a power of ten, of which there are three to six. */
static axis fit_axis(const chart_panel *p, int64_t rows, int64_t each)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t r = 0; r < rows; r++) {
        row_stat s = stat_of(p->points + r * each, each);
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
    if (high - low < 1e-9) high = low + 1;
    double tick = pow(10, floor(log10((high - low) / 3)));
    while ((high - low) / tick > 5) tick *= (high - low) / tick > 10 ? 5 : 2;
    return (axis){ .low = floor(low / tick) * tick, .high = ceil(high / tick) * tick, .tick = tick };
}

/* At most most_letters characters of UTF-8, the last ones "..." where some are left out; &, <, > spelt out. */
static void put_text(FILE *f, const char *text, bool cut)
{
    int64_t letters = 0, limit = INT64_MAX;
    for (const char *c = text; *c; c++) letters += (*c & 0xC0) != 0x80;
    if (cut && letters > most_letters) limit = most_letters - 3;
    for (; *text; text++) {
        if ((*text & 0xC0) != 0x80 && limit-- == 0) break;
        if (*text == '&') fputs("&amp;", f);
        else if (*text == '<') fputs("&lt;", f);
        else if (*text == '>') fputs("&gt;", f);
        else fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
    }
    if (*text) fputs("...", f);
}

static void put_axis(FILE *f, const axis *a, double top, double bottom)
{
    int decimals = (int)fmax(0, ceil(-log10(a->tick) - 1e-9));
    for (int k = 0; a->low + k * a->tick <= a->high + a->tick / 2; k++) {
        double v = a->low + k * a->tick, x = at(a, v);
        fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x, top, x, bottom,
                grid_colour);
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"12\">%.*f</text>\n", x, bottom + 16,
                decimals, v);
    }
}

/* One row, centred on y: its bar or dot, its deviation, its single values, and the numbers behind it. */
static void put_row(FILE *f, const chart_panel *p, const axis *a, const double *v, int64_t each, double y)
{
    row_stat s = stat_of(v, each);
    if (!s.n) {
        fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">none</text>\n", full - gap, y + 4);
        return;
    }
    double x = at(a, s.mean), from = at(a, fmax(a->low, s.mean - s.sd)), to = at(a, s.mean + s.sd);
    if (p->bars)
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"10\" fill=\"%s\" opacity=\"0.55\"/>\n", a->left,
                y - 5, x - a->left, mark_colour);
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
    size_t longest = 0, numbers = 0;
    for (int64_t r = 0; r < rows; r++) {
        row_stat s = stat_of(p->points + r * each, each);
        size_t n = (size_t)snprintf(NULL, 0, s.n > 1 ? "%.*f + %.*f" : "%.*f", p->decimals, s.mean, p->decimals, s.sd);
        longest = strlen(labels[r]) > longest ? strlen(labels[r]) : longest;
        numbers = n > numbers ? n : numbers;
    }
    if (longest > most_letters) longest = most_letters;
    axis a = fit_axis(p, rows, each);
    a.left = (double)(2 * gap + letter * longest);
    a.right = (double)(full - 2 * gap - letter * numbers);
    double first = top + above_rows, bottom = first + (double)(rows * row_height);
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" font-weight=\"bold\" font-size=\"14\">", gap, top + 20);
    put_text(f, p->title, false);
    fputs("</text>\n", f);
    put_axis(f, &a, first, bottom);
    for (int64_t r = 0; r < rows; r++) {
        double y = first + ((double)r + 0.5) * row_height;
        fprintf(f, "<text x=\"%d\" y=\"%.1f\">", gap, y + 4);
        put_text(f, labels[r], true);
        fputs("</text>\n", f);
        put_row(f, p, &a, p->points + r * each, each, y);
    }
}

bool write_chart(const char *path, const char *title, const char *note, const char *const *labels, int64_t rows,
                 int64_t each, const chart_panel *panels, int64_t count)
{
    FILE *f = fopen(path, "w");
    if (!f) return false;
    double one = (double)(above_rows + below_rows + rows * row_height), high = heading + (double)count * one;
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" "
            "font-family=\"Helvetica,Arial,'DejaVu Sans',sans-serif\" font-size=\"13\" fill=\"%s\" role=\"img\">\n"
            "<title>", full, high, full, high, text_colour);
    put_text(f, title, false);
    fprintf(f, "</title>\n<rect width=\"%d\" height=\"%.0f\" fill=\"#ffffff\"/>\n"
            "<text x=\"%d\" y=\"26\" font-size=\"17\" font-weight=\"bold\">", full, high, gap);
    put_text(f, title, false);
    fprintf(f, "</text>\n<text x=\"%d\" y=\"46\" font-size=\"12\">", gap);
    put_text(f, note, false);
    fputs("</text>\n", f);
    for (int64_t p = 0; p < count; p++) put_panel(f, &panels[p], labels, rows, each, heading + (double)p * one);
    fputs("</svg>\n", f);
    return !fclose(f);
}
