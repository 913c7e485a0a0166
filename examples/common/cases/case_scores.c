/* SPDX-License-Identifier: Apache-2.0
 * case_scores.c -- labels of cases, which are those of their images, and the probabilities of the cases of a data set
 * (cases.h). */
#include "cases.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

/* Fails if a case has images of two labels: its own label is then not known. */
static void check_labels(const case_list *c, const peft_dataset *d, const char *which)
{
    const size_t classes = (size_t)peft_dataset_classes(d);
    float *first = check_alloc(malloc(2 * classes * sizeof *first)), *other = first + classes;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        const int64_t k = c->first[c->of[i]];
        must(peft_dataset_targets(d, k, first));
        must(peft_dataset_targets(d, i, other));
        if (memcmp(first, other, classes * sizeof *first))
            fail("--per-case: case '%s' has %s images of different labels (%s, %s); give every image the label of its "
                 "case", peft_dataset_case(d, i), which, peft_dataset_name(d, k), peft_dataset_name(d, i));
    }
    free(first);
}

void check_cases(const peft_dataset *d, const char *which)
{
    if (!peft_dataset_has_cases(d))
        fail("--per-case: the %s images have no cases; give a table with a column of studies (--table study=COLUMN)",
             which);
    case_list c = cases_of(d);
    check_labels(&c, d, which);
    free_cases(&c);
}

case_scores judge_cases(peft_dataset *d, const double *scores, case_rule rule)
{
    const bool *all_known = NULL;
    case_scores s = { .list = cases_of(d) };
    s.scores = aggregate_cases(&s.list, scores, all_known, peft_dataset_count(d), peft_dataset_classes(d), rule,
                               peft_dataset_multilabel(d));
    must(peft_dataset_subset(d, s.list.first, s.list.count, &s.samples));
    return s;
}

void free_case_scores(case_scores *s)
{
    peft_dataset_free(s->samples);
    free(s->scores);
    free_cases(&s->list);
}

const char *case_name(const peft_dataset *d, int64_t i)
{
    const char *name = peft_dataset_case(d, i);
    return name ? name : peft_dataset_name(d, i);
}
