/* SPDX-License-Identifier: Apache-2.0
 * segment.c -- trainings on masks: which flags they have, and the figures of the test images (run.h). */
#include "finetune/run.h"
#include "common/program/errors.h"
#include "common/segment/figures/mean_figures.h"
#include "common/segment/figures/score_cases.h"
#include <stdio.h>

void check_mask_flags(void)
{
    const int of_masks[] = { spacing, case_figures };
    const int of_classes[] = { per_case, threshold, positive, conformal, predictions, prune, nested };
    given[masks].value = path_of_masks(given[masks].value, given[mask_options].value);
    const data_request q = { .test = given[test].value, .masks = given[masks].value,
                             .test_masks = given[test_masks].value };
    check_mask_request(&q, given[own_flags + recipe_balance].value);
    for (size_t i = 0; i < sizeof of_masks / sizeof *of_masks; i++)
        if (!given[masks].value && given[of_masks[i]].value)
            fail("--%s: is for training on masks; give --masks DIR too", name_of_flag(&given[of_masks[i]]).text);
    if (!given[masks].value) return;
    (void)spacing_of_flag(given[spacing].value);
    refuse_with_masks(given, of_classes, sizeof of_classes / sizeof *of_classes);
    if (tunes()) fail("--tune: chooses by classes of images; leave it out with --masks");
    if (in_folds()) fail("--val folds: judges classes of images; with --masks give a path or a share, --val 0.2");
}

bool evaluate_maps(run *r, peft_session *s)
{
    r->test_cases = score_spaced_cases(s, r->test, r->t.transform, spacing_of_flag(given[spacing].value));
    if (!r->test_cases.cases) return false;
    mean_figures m = estimate_means(r->t.ctx, &r->test_cases);
    print_means(stdout, &m, "test_");
    free_means(&m);
    printf("%-22s %lld\n", "test_images", (long long)peft_dataset_count(r->test));
    write_record(r, NULL, NULL);
    if (given[case_figures].value) {
        write_case_figures(&r->test_cases, given[case_figures].value);
        printf("%-22s %s\n", "written", given[case_figures].value);
    }
    return true;
}
