/* SPDX-License-Identifier: Apache-2.0
 * compare_draw.c -- draws the training and test images of one run of compare. */
#include "common/data/data.h"
#include "common/program/errors.h"
#include "common/program/verbose.h"
#include "compare_study.h"

void draw_run_data(const study *s, int64_t i, training_run *t, peft_dataset **test)
{
    *t = (training_run){ .backbone = s->backbone, .seed = run_seed(s, i), .threads = 1 };
    t->io_ctx = make_context();
    data_request q = s->images;
    q.seed = draw_seed(s, i);
    draw_sets(t->io_ctx, &q, &t->train, test);
    replace_by_slices(&q, &t->train);
    replace_by_slices(&q, test);
    if (s->per_case) check_cases(*test, "test");
}
