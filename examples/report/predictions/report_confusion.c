/* SPDX-License-Identifier: Apache-2.0
 * report_confusion.c -- writes one confusion matrix for each method, summed over its runs. A cell is the darker the
 * larger its share of the row. With more than max_named classes, columns are headed by numbers, rows by number and
 * name. */
#include "common/figures/svg.h"
#include "common/program/errors.h"
#include "report/report_parts.h"
#include <stdlib.h>
#include <string.h>

enum { max_named = 5 };

static void put_column_head(FILE *f, const study *s, int64_t c)
{
    if (s->classes > max_named) fprintf(f, "%lld ", (long long)c + 1);
    else put_escaped(f, s->class_name[c]);
}

static void put_row_head(FILE *f, const study *s, int64_t c)
{
    if (s->classes > max_named) fprintf(f, "%lld ", (long long)c + 1);
    put_escaped(f, s->class_name[c]);
}

/* Writes a cell: a count, and its share of the row's count. The background goes from nearly white (#f4f4f4) to dark
 * blue (#08519c); white text has the better contrast on shares above 0.76. */
static void put_cell(FILE *f, int64_t count, int64_t row)
{
    static const int dark[3] = { 0x08, 0x51, 0x9c };
    double share = row ? (double)count / (double)row : 0;
    int c[3];
    for (int k = 0; k < 3; k++) c[k] = 0xf4 + (int)((dark[k] - 0xf4) * share);
    fprintf(f, "<td style=\"background:#%02x%02x%02x;color:%s\">%lld<small>%.0f %%</small></td>", c[0], c[1], c[2],
            share > 0.76 ? "#fff" : "#000", (long long)count, 100 * share);
}

/* Returns the counts [true class, predicted class] over all runs, to be freed. */
static int64_t *count_decisions(const study *s, const method *m)
{
    int64_t *counts = check_alloc(calloc((size_t)(s->classes * s->classes), sizeof *counts));
    for (int64_t i = 0; i < s->runs; i++)
        for (int64_t k = 0; k < m->run[i].images; k++)
            counts[m->run[i].label[k] * s->classes + predicted_class(s, &m->run[i], k)]++;
    return counts;
}

static void put_table(FILE *f, const study *s, const int64_t *counts)
{
    fprintf(f, "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><td></td><th scope=\"colgroup\" "
            "colspan=\"%lld\">predicted</th></tr>\n<tr><th class=\"axis\">true</th>", (long long)s->classes);
    for (int64_t c = 0; c < s->classes; c++) {
        fputs("<th scope=\"col\">", f);
        put_column_head(f, s, c);
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>", f);
    for (int64_t r = 0; r < s->classes; r++) {
        int64_t row = 0;
        for (int64_t c = 0; c < s->classes; c++) row += counts[r * s->classes + c];
        fputs("<tr><th scope=\"row\">", f);
        put_row_head(f, s, r);
        fputs("</th>", f);
        for (int64_t c = 0; c < s->classes; c++) put_cell(f, counts[r * s->classes + c], row);
        fputs("</tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
}

void put_confusion(FILE *f, const study *s)
{
    const char *style = s->classes > max_named ? " many" : "";     /* CSS class */
    fprintf(f, "<h3>Confusion matrices</h3>\n<p class=\"small\">Predictions for held-out %s, summed over all runs "
            "of a method; under each count, its share of the row.</p>\n<div class=\"grid%s\">\n", study_unit(s), style);
    for (int64_t m = 0; m < s->methods; m++) {
        if (!s->method[m].done) continue;
        int64_t *counts = count_decisions(s, &s->method[m]);
        fprintf(f, "<figure class=\"matrix%s\">\n", style);
        put_caption(f, &s->method[m]);
        put_table(f, s, counts);
        fputs("</figure>\n", f);
        free(counts);
    }
    fputs("</div>\n", f);
}
