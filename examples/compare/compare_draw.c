/* SPDX-License-Identifier: Apache-2.0
 * compare_draw.c -- draws the training and test images of one run. */
#include "common/data/data.h"
#include "common/program/errors.h"
#include "compare_study.h"

void open_trial(const study *s, int64_t i, trial *t, peft_dataset **test)
{
    *t = (trial){ .backbone = s->backbone, .seed = run_seed(s, i), .threads = 1 };
    must(peft_context_create(NULL, NULL, NULL, &t->images));
    draw_sets(t->images, s->data, s->test, s->shots, s->test_per_class, draw_seed(s, i), &t->train, test);
}
