/* SPDX-License-Identifier: Apache-2.0
 * segment.c -- trainings on masks: which flags they have, and the figures of the test images (run.h). */
#include "finetune/run.h"
#include "common/program/errors.h"
#include "common/segment/figures/mean_figures.h"
#include "common/segment/figures/score_cases.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_mask_flags(void)
{
    const int of_masks[] = { spacing, case_figures };
    const int of_classes[] = { per_case, positive, conformal, predictions, prune, nested };
    given[masks].value = path_of_masks(given[masks].value, given[mask_options].value);
    const data_request q = { .test = given[test].value, .masks = given[masks].value,
                             .test_masks = given[test_masks].value,
                             .all_slices = given[all_slices].value != NULL };
    check_mask_request(&q);
    for (size_t i = 0; i < sizeof of_masks / sizeof *of_masks; i++)
        require_masks(given[masks].value, name_of_flag(&given[of_masks[i]]).text, given[of_masks[i]].value);
    if (!given[masks].value) return;
    refuse_balance(given[own_flags + recipe_balance].value);
    (void)spacing_of_flag(given[spacing].value);
    refuse_with_masks(given, of_classes, sizeof of_classes / sizeof *of_classes);
    if (tunes()) fail("--tune: chooses by classes of images; leave it out with --masks");
    if (in_folds()) fail("--val folds: judges classes of images; with --masks give a path or a share, --val 0.2");
}

void begin_mask_decisions(run *r)
{
    const char *text = given[threshold].value;
    const bool several = peft_dataset_mask_multilabel(r->t.train);
    if (text && !several)
        fail("--threshold: a pixel has its most probable class; thresholds are for several labels a pixel, leave it "
             "out");
    if (text && parse_threshold_rule(text).name)
        fail("--threshold %s: is chosen by classes of images; give a number, 0.3", text);
    r->how = plain_decision(label_classes(r->t.train), several);
    if (text) {
        const char **names = check_alloc(malloc((size_t)r->how.classes * sizeof *names));
        for (int64_t c = 0; c < r->how.classes; c++) names[c] = label_class_name(r->t.train, c);
        set_thresholds(&r->how, text, names, "threshold");
        free(names);
    }
    char *note = text ? decision_note(&r->how) : check_alloc(strdup(""));
    must(peft_model_set_note(r->t.model, "link", several ? "sigmoid" : "softmax"));
    store_note(r, "decision", note);
}

bool evaluate_maps(run *r, peft_session *s)
{
    r->test_cases = score_cases(s, r->test, r->t.transform, spacing_of_flag(given[spacing].value));
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
