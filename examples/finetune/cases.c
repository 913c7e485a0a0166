/* SPDX-License-Identifier: Apache-2.0
 * cases.c -- metrics of cases of several images: --per-case of finetune (run.h). */
#include "run.h"
#include "common/model/cases.h"
#include "common/model/evaluate.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fails if a case has images of two labels: its own label is then not known. */
static void check_case_labels(const case_list *c, const peft_dataset *d)
{
    const size_t classes = (size_t)peft_dataset_classes(d);
    float *first = check_alloc(malloc(2 * classes * sizeof *first)), *other = first + classes;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        const int64_t k = c->first[c->of[i]];
        must(peft_dataset_targets(d, k, first));
        must(peft_dataset_targets(d, i, other));
        if (memcmp(first, other, classes * sizeof *first))
            fail("--per-case: case '%s' has images of different labels (%s, %s); give every image the label of its case",
                 peft_dataset_case(d, i), peft_dataset_name(d, k), peft_dataset_name(d, i));
    }
    free(first);
}

void check_cases(const peft_dataset *test)
{
    if (!given[per_case].value) return;
    parse_case_rule(given[per_case].value);
    if (!peft_dataset_has_cases(test))
        fail("--per-case: the test images have no cases; give a table with a column of studies (--table study=COLUMN)");
    case_list c = cases_of(test);
    check_case_labels(&c, test);
    free_cases(&c);
}

void evaluate_cases(const run *r, const double *scores)
{
    const case_rule rule = parse_case_rule(given[per_case].value);
    peft_dataset *one_of_each;
    case_list c = cases_of(r->test);
    double *of_cases = aggregate_cases(&c, scores, peft_dataset_count(r->test), peft_dataset_classes(r->test), rule,
                                       peft_dataset_multilabel(r->test));
    must(peft_dataset_subset(r->test, c.first, c.count, &one_of_each));
    printf("\ncases: %s of the probabilities of their images\n", rule == CASE_MEAN ? "mean" : "maximum");
    print_metrics(r->t.ctx, of_cases, one_of_each);
    putchar('\n');
    peft_dataset_free(one_of_each);
    free(of_cases);
    free_cases(&c);
}
