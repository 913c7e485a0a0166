/* SPDX-License-Identifier: Apache-2.0
 * compare_check.c -- checks the images and the list of methods before the first run of compare. */
#include "common/data/data.h"
#include "common/backbone/weights.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "common/segment/mask_sets.h"
#include "compare_study.h"
#include "segment/segment.h"
#include "tuning/choice.h"
#include <stdio.h>
#include <string.h>

/* Counts the images of every draw and, without --unchecked, checks their pictures. Sets whose pictures are all among
 * those of the first draw are checked with it alone: without --test-per-class the test images, and the training images
 * where both sets are drawn from --data, or where all are trained on. Not with --shots where patients are known: then
 * further images of a drawn patient are in neither set. */
static void check_draws(study *s)
{
    const peft_transform *no_transform = NULL;                /* entries may differ in theirs; only decodes */
    const int all_cores = 0;
    mask_pixels *const not_kept = NULL;
    int64_t decoded = 0;
    double seconds = 0;
    for (int64_t d = 0; d < s->samplings; d++) {
        training_run t;
        peft_dataset *test;
        const bool of_one_set = draw_run_data(s, d * s->entries, &t, &test);          /* the first run of draw d */
        const bool grouped = peft_dataset_has_groups(t.train) || peft_dataset_has_groups(test);
        const bool repeats = d > 0 && !(grouped && s->images.shots);
        const bool same_test = repeats && !s->images.tests;
        const bool same_train = repeats && (of_one_set ? !s->images.tests : !s->images.shots);
        const peft_dataset *const sets[] = { same_train ? NULL : t.train, same_test ? NULL : test };
        count_draw(s, d, t.train, test);
        if (!s->unchecked) {
            check_overlap(t.train, test);
            const double start = seconds_now();
            decoded += decode_pictures(sets, 2, no_transform, all_cores);
            seconds += seconds_now() - start;
            const peft_dataset *const masked[] = { t.train, sets[1] };
            if (has_masks(s)) check_masks(masked, 2, spacing_of_flag(s->spacing), not_kept);
        }
        peft_dataset_free(t.train);
        peft_context_free(t.io_ctx);                          /* of the data sets, made by draw_run_data */
        peft_dataset_free(test);
    }
    if (!s->unchecked)
        printf("decoded %lld pictures of %lld draw%s in %.1f s: all can be read\n", (long long)decoded,
               (long long)s->samplings, s->samplings == 1 ? "" : "s", seconds);
}

/* Builds the training of each entry on the first draw, so that wrong options are found before hours of runs. */
void check_list(study *s)
{
    char location[256];
    peft_dataset *test;
    training_run t;
    program_name = "compare";                                 /* until the entries of the list are checked */
    check_backbone(s->backbone);
    check_draws(s);
    draw_run_data(s, 0, &t, &test);
    if (!peft_dataset_has_groups(t.train) && !peft_dataset_has_groups(test)) print_patients(t.train, NULL, test);
    if (has_masks(s)) {
        refuse_several_labels(test);
        store_class_names(s, test);
        print_mask_classes(test);
    } else check_test_classes(test);
    if (s->records && peft_dataset_multilabel(test))
        fail("--records: %s has several labels per image, expected one; leave --records out", s->images.data);
    for (int64_t i = 0; i < s->entries; i++) {
        snprintf(location, sizeof location, "%s:%d", s->list, s->entry[i].line);
        program_name = location;                              /* error messages begin with "list.txt:12: " */
        build_entry(&t, &s->entry[i]);
        if (is_probe(&s->entry[i])) check_probe(&t, &s->entry[i]);
        check_choice(&t, &s->entry[i]);
        if (!i) memcpy(s->fingerprint, peft_backbone_fingerprint(t.vit), 64);
        free_training(&t);
    }
    peft_dataset_free(t.train);
    peft_context_free(t.io_ctx);
    peft_dataset_free(test);
}
