/* SPDX-License-Identifier: Apache-2.0
 * map_run.c -- what is judged of a model that gives maps: its results, and the records of its cases (segment.h). */
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "common/segment/figures/score_cases.h"
#include "segment.h"
#include <stdlib.h>

double judge_maps(const study *s, const training_run *t, const peft_dataset *test)
{
    peft_session *session;
    must(peft_session_create(t->model, NULL, &session));
    const double mean = judged_dice(session, test, t->transform, spacing_of_flag(s->spacing));
    peft_session_free(session);
    return mean;
}

/* Stores the results of the trained model: of each figure the means by class, and their mean. */
static void store_results(study *s, int64_t i, const case_table *f, const peft_dataset *test)
{
    double *mean = check_alloc(malloc((size_t)f->classes * sizeof *mean));
    *run_value(s, i, result_test_images) = (double)peft_dataset_count(test);
    for (int k = 0; k < results_of_class; k++) {
        *run_value(s, i, result_first_of_class + k) = means_by_class(f, recorded_kind[k], mean);
        for (int64_t c = 0; c < f->classes; c++)
            *run_value(s, i, result_columns + (int)c * results_of_class + k) = mean[c];
    }
    free(mean);
}

void finish_map_run(study *s, int64_t i, training_run *t, peft_dataset *test, const run_clock *clock,
                    epoch_point *curve)
{
    peft_session *session;
    must(peft_session_create(t->model, NULL, &session));
    case_table f = score_cases(session, test, t->transform, spacing_of_flag(s->spacing));
    store_results(s, i, &f, test);
    store_unit(s, i, &f);
    *run_value(s, i, result_seconds) = run_seconds(clock);
    if (s->judge_every && t->epochs) curve[t->epochs - 1].figure = *run_value(s, i, result_dice);
    if (s->records && run_shows_masks(s, i)) write_shown_masks(s, i, t, session, test, &f);
    if (s->records) write_map_records(s, i, &f, curve, t->epochs);
    free_case_figures(&f);
    peft_session_free(session);
}
