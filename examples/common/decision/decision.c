/* SPDX-License-Identifier: Apache-2.0
 * decision.c -- decides by thresholds, or for the most probable class (decision.h). */
#include "decision.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

decision plain_decision(int64_t classes, bool multilabel)
{
    decision d = { .classes = classes, .multilabel = multilabel, .positive = -1 };
    if (!multilabel) return d;
    d.thresholds = check_alloc(malloc((size_t)classes * sizeof *d.thresholds));
    d.rule = check_alloc(strdup("0.5"));
    for (int64_t c = 0; c < classes; c++) d.thresholds[c] = 0.5;
    return d;
}

void free_decision(decision *d)
{
    free(d->thresholds);
    free(d->rule);
    free(d->set);
}

int64_t decided_class(const decision *d, const double *p)
{
    int64_t largest = 0;
    if (d->thresholds) return p[d->positive] >= d->thresholds[d->positive] ? d->positive : 1 - d->positive;
    must(peft_metrics_decide(p, 1, d->classes, &largest));
    return largest;
}

void decide(const decision *d, const double *probabilities, int64_t n, double *decided)
{
    for (int64_t i = 0; i < n; i++) {
        const double *p = probabilities + i * d->classes;
        const int64_t only = d->multilabel ? -1 : decided_class(d, p);
        for (int64_t c = 0; c < d->classes; c++)
            decided[i * d->classes + c] = d->multilabel ? p[c] >= d->thresholds[c] : c == only;
    }
}

char *decision_text(const decision *d, const char *const *names, char decimal)
{
    const csv_style style = { .decimal = decimal };
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    const int64_t first = d->multilabel ? 0 : d->positive, last = d->multilabel ? d->classes - 1 : d->positive;
    for (int64_t c = first; d->thresholds && c <= last; c++) {
        fprintf(f, "%s%s>=", c > first ? "|" : "", names[c]);
        put_csv_number(f, &style, d->thresholds[c]);
    }
    if (fclose(f)) fail("out of memory");
    return text;
}

char *class_list(const double *chosen, const char *const *names, int64_t classes)
{
    char *text;
    size_t size;
    bool any = false;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int64_t c = 0; c < classes; c++) {
        if (chosen[c] == 0) continue;
        fprintf(f, "%s%s", any ? "|" : "", names[c]);
        any = true;
    }
    if (fclose(f)) fail("out of memory");
    return text;
}
