/* SPDX-License-Identifier: Apache-2.0
 * map_run.c -- what is judged of a model that gives maps: its results, and the records of its cases (segment.h). */
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "common/segment/figures/score_cases.h"
#include "common/segment/map_figures.h"
#include "segment.h"
#include <math.h>
#include <stdlib.h>

double judge_maps(const study *s, const training_run *t, const peft_dataset *test)
{
    peft_session *session;
    const int64_t classes = s->classes;
    must(peft_session_create(t->model, NULL, &session));
    double *dice = score_maps(session, test, t->transform);
    const double mean = mean_dice(dice, peft_dataset_count(test), classes, peft_dataset_mask_multilabel(test));
    free(dice);
    peft_session_free(session);
    return mean;
}

/* Stores the means of a figure of the cases: of each class, and of the classes without the background. */
static void store_means(study *s, int64_t i, const case_table *f, int result, int kind)
{
    double *counted = check_alloc(malloc((size_t)(f->cases * f->classes) * sizeof *counted));
    double *mean = check_alloc(malloc((size_t)f->classes * sizeof *mean));
    for (int64_t k = 0; k < f->cases * f->classes; k++)
        counted[k] = counted_value(f, any_millimetres(f), kind, k / f->classes, k % f->classes);
    *run_value(s, i, result) = means_of_maps(counted, f->cases, f->classes, f->several, mean);
    for (int64_t c = 0; c < f->classes; c++)
        *run_value(s, i, result_columns + (int)c * results_of_class + result - result_first_of_class) = mean[c];
    free(counted);
    free(mean);
}

/* Stores the results of the trained model. */
static void store_results(study *s, int64_t i, const case_table *f, const peft_dataset *test)
{
    static const struct { int result, kind; } stored[] = {
        { result_dice, CASE_DICE }, { result_iou, CASE_IOU }, { result_hd95, CASE_HD95 },
        { result_surface_distance, CASE_SURFACE_DISTANCE } };
    *run_value(s, i, result_test_images) = (double)peft_dataset_count(test);
    for (size_t k = 0; k < sizeof stored / sizeof *stored; k++) store_means(s, i, f, stored[k].result, stored[k].kind);
}

void finish_map_run(study *s, int64_t i, training_run *t, peft_dataset *test, const run_clock *clock,
                    epoch_point *curve)
{
    peft_session *session;
    must(peft_session_create(t->model, NULL, &session));
    case_table f = score_spaced_cases(session, test, t->transform, spacing_of_flag(s->spacing));
    store_results(s, i, &f, test);
    *run_value(s, i, result_seconds) = run_seconds(clock);
    if (s->judge_every && t->epochs) curve[t->epochs - 1].figure = *run_value(s, i, result_dice);
    if (s->records && run_shows_masks(s, i)) write_shown_masks(s, i, t, session, test, &f);
    if (s->records) write_map_records(s, i, &f, curve, t->epochs);
    free_case_figures(&f);
    peft_session_free(session);
}
