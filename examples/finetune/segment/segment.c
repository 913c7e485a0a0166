/* SPDX-License-Identifier: Apache-2.0
 * segment.c -- trainings on masks: which flags they have, and the figures of the test images (run.h). */
#include "finetune/run.h"
#include "common/program/errors.h"
#include "common/segment/map_figures.h"
#include <stdlib.h>

void check_mask_flags(void)
{
    const int of_masks[] = { mask_options, test_masks };
    const int of_classes[] = { per_case, threshold, positive, conformal, predictions, prune, nested };
    for (size_t i = 0; i < sizeof of_masks / sizeof *of_masks; i++)
        if (!given[masks].value && given[of_masks[i]].value)
            fail("--%s: is for training on masks; give --masks DIR too", name_of_flag(&given[of_masks[i]]).text);
    if (!given[masks].value) return;
    for (size_t i = 0; i < sizeof of_classes / sizeof *of_classes; i++)
        if (given[of_classes[i]].value)
            fail("--%s: is for classes of images, and with --masks each pixel has one; leave it out",
                 name_of_flag(&given[of_classes[i]]).text);
    if (tunes()) fail("--tune: chooses by classes of images; leave it out with --masks");
    if (in_folds()) fail("--val folds: judges classes of images; with --masks give a path or a share, --val 0.2");
    if (given[own_flags + recipe_balance].value)
        fail("--balance: counts classes of images; with --masks leave it out, or give --trainer class_weights=...");
    if (given[test_masks].value && !given[test].value) fail("--test-masks: are those of --test; give it too");
}

bool evaluate_maps(run *r, peft_session *s)
{
    double *dice = score_maps(s, r->test, r->t.transform);
    if (!dice) return false;
    map_figures f = estimate_maps(dice, r->test);
    print_map_figures(&f, r->test, "test_images");
    write_record(r, dice, NULL);
    free_map_figures(&f);
    free(dice);
    return true;
}
