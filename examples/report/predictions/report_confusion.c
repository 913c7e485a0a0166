/* SPDX-License-Identifier: Apache-2.0
 * report_confusion.c -- writes one confusion matrix for each method, summed over its runs. */
#include "common/program/errors.h"
#include "report/report_parts.h"
#include <stdlib.h>

/* Returns the counts [true class, predicted class] over all runs, to be freed. */
static int64_t *count_decisions(const study *s, const method *m)
{
    int64_t *counts = check_alloc(calloc((size_t)(s->classes * s->classes), sizeof *counts));
    for (int64_t i = 0; i < s->runs; i++)
        for (int64_t k = 0; k < m->run[i].images; k++)
            counts[m->run[i].label[k] * s->classes + predicted_class(s, &m->run[i], k)]++;
    return counts;
}

void put_confusion(page *p, const study *s)
{
    const matrix names = { .classes = s->classes, .class_name = s->class_name };
    fprintf(p->f, "<p class=\"small\">Predictions for held-out %s, summed over all runs "
            "of a method; under each count, its share of the row.</p>\n<div class=\"grid%s\">\n", study_unit(s),
            has_numbered_classes(&names) ? " many" : "");
    for (int64_t m = 0; m < s->methods; m++) {
        if (!s->method[m].done) continue;
        int64_t *counts = count_decisions(s, &s->method[m]);
        const matrix of_method = { s->classes, s->class_name, counts };
        char title[192];
        snprintf(title, sizeof title, "Confusion matrix of %.160s", s->method[m].label);
        put_matrix(p, &of_method, s->method[m].label, title);
        free(counts);
    }
    fputs("</div>\n", p->f);
}
