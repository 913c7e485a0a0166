/* SPDX-License-Identifier: Apache-2.0
 * report_reliability.c -- draws reliability diagrams: accuracy against confidence (the probability of the predicted
 * class) in 15 bins, and below it a histogram of confidences. */
#include "report/report_parts.h"
#include <math.h>

/* Positions in units of the SVG: the diagram is at top..bottom, the histogram stands on histogram_base. */
enum { bins = 15, width = 300, left = 40, right = 284, top = 24, bottom = 214, histogram_base = 282,
       histogram_height = 44, height = 330 };

/* n predictions; for each bin their number, the number of right ones, and the sum of confidences. ece: expected
 * calibration error. */
typedef struct calibration { int64_t n, size[bins], right[bins]; double confidence[bins], ece; } calibration;

/* Sorts the predictions of all runs into bins: bin b holds confidences above b/15, up to (b + 1)/15. */
static calibration calibrate(const study *s, const method *m)
{
    calibration c = { 0 };
    for (int64_t i = 0; i < s->runs; i++) {
        const run *r = &m->run[i];
        for (int64_t k = 0; k < r->images; k++, c.n++) {
            int64_t predicted = predicted_class(s, r, k);
            double p = r->score[k * s->classes + predicted];
            int b = 0;
            while (b < bins - 1 && p > (b + 1) / (double)bins) b++;
            c.size[b]++;
            c.right[b] += predicted == r->label[k];
            c.confidence[b] += p;
        }
    }
    for (int b = 0; b < bins; b++) c.ece += fabs((double)c.right[b] - c.confidence[b]) / (double)(c.n ? c.n : 1);
    return c;
}

/* Writes the labels and grid lines of both axes. */
static void put_frame(FILE *f, const axis *x, const axis *y)
{
    tick ticks[most_ticks];
    for (int k = 0, n = make_ticks(x, ticks); k < n; k++)
        fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", axis_position(x, ticks[k].value),
                histogram_base + 16, ticks[k].text);
    for (int k = 0, n = make_ticks(y, ticks); k < n; k++) {
        double v = axis_position(y, ticks[k].value);
        fprintf(f, "<path d=\"M%d %.1fH%d\" %s/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left, v,
                right, stroke_ink(INK_GRID), left - 6, v + 4, ticks[k].text);
    }
    fprintf(f, "<text x=\"4\" y=\"14\">accuracy, %%</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">confidence, "
            "%%</text>\n<text x=\"%d\" y=\"%d\">share of predictions, %%</text>\n", (left + right) / 2,
            histogram_base + 34, left, histogram_base - histogram_height - 6);
}

/* Writes for each bin the accuracy as a bar with a dot at the mean confidence, and the bin's share of the predictions
 * in the histogram, whose highest bar has histogram_height; then the diagonal and the axes. */
static void put_bins(FILE *f, const calibration *c, const axis *x, const axis *y)
{
    int64_t largest = 1;
    for (int b = 0; b < bins; b++) largest = c->size[b] > largest ? c->size[b] : largest;
    for (int b = 0; b < bins; b++) {
        if (!c->size[b]) continue;
        double n = (double)c->size[b], from = axis_position(x, 100.0 * b / bins);
        double bar_width = axis_position(x, 100.0 * (b + 1) / bins) - from;
        double dot_x = axis_position(x, 100 * c->confidence[b] / n);
        double accuracy_y = axis_position(y, 100 * (double)c->right[b] / n);
        double share_height = histogram_height * n / (double)largest;
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" %s opacity=\"0.75\"/>\n"
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" %s/>\n"
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" %s/>\n",
                from + 1, accuracy_y, bar_width - 2, bottom - accuracy_y, fill_ink(INK_BIN), dot_x, accuracy_y,
                fill_ink(INK_DOT), from + 1, histogram_base - share_height, bar_width - 2, share_height,
                fill_ink(INK_BAR));
    }
    fprintf(f, "<path d=\"M%d %dH%d\" %s/><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f</text>\n",
            left, histogram_base - histogram_height, right, stroke_ink(INK_GRID), left - 6,
            histogram_base - histogram_height + 4, 100 * (double)largest / (double)c->n);
    fprintf(f, "<path d=\"M%d %dL%d %d\" %s stroke-dasharray=\"5 4\"/>\n<path d=\"M%d %dH%dM%d %dH%d\" %s/>\n", left,
            bottom, right, top, stroke_ink(INK_TEXT), left, bottom, right, left, histogram_base, right,
            stroke_ink(INK_MUTED));
}

/* The bins that hold predictions. */
static table *bin_values(const calibration *c, const char *label)
{
    char text[192];
    snprintf(text, sizeof text, "Reliability of %.160s", label);
    table *t = new_table(text, "Confidence, %");
    add_number_column(t, "Predictions", WHOLE);
    add_number_column(t, "Accuracy, %", 1);
    add_number_column(t, "Mean confidence, %", 1);
    for (int b = 0; b < bins; b++) {
        const double n = (double)c->size[b];
        if (!c->size[b]) continue;
        snprintf(text, sizeof text, "above %.1f to %.1f", 100.0 * b / bins, 100.0 * (b + 1) / bins);
        add_row(t, text);
        add_number(t, n);
        add_number(t, 100 * (double)c->right[b] / n);
        add_number(t, 100 * c->confidence[b] / n);
    }
    return t;
}

void put_reliability(page *p, const study *s)
{
    FILE *f = p->f;
    axis x = round_axis(0, 100), y = x;                       /* percent */
    x.from = left, x.to = right, y.from = bottom, y.to = top;
    fputs("<p class=\"small\">Reliability diagrams: each bar is the share of right predictions "
          "among those whose confidence (probability of the predicted class) is in this bin; the dot is at the bin's "
          "mean confidence. On the dashed line, confidence equals accuracy: the model is well calibrated. ECE, the "
          "expected calibration error, is the mean distance from that line over all predictions of all runs of a "
          "method.</p>\n"
          "<div class=\"grid narrow\">\n", f);
    for (int64_t m = 0; m < s->methods; m++) {
        char text[96];
        calibration c = calibrate(s, &s->method[m]);
        if (!c.n) continue;
        snprintf(text, sizeof text, "ECE %.1f %%, %lld predictions", 100 * c.ece, (long long)c.n);
        open_figure(p, NULL);
        put_caption(p, s->method[m].label, text);
        open_svg(f, width, height, "Reliability of ", s->method[m].label,
                 "Bars: share of right predictions by confidence, with a dot at the mean confidence; the dashed line "
                 "is where both are equal; below, how many predictions have this confidence.");
        put_frame(f, &x, &y);
        put_bins(f, &c, &x, &y);
        fputs("</svg>\n", f);
        close_figure(p, bin_values(&c, s->method[m].label), NULL);
    }
    fputs("</div>\n", f);
}
