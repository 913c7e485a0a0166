/* SPDX-License-Identifier: Apache-2.0
 * compare_check.c -- checks the images and the list of methods before any training. */
#include "common/data/data.h"
#include "common/model/weights.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include <stdio.h>
#include <string.h>

/* Checks the pictures of every draw; test images that are the same in all draws are checked once. */
static void check_draws(const study *s)
{
    for (int64_t d = 0; d < s->samplings; d++) {
        trial t;
        peft_dataset *test;
        open_trial(s, d * s->entries, &t, &test);
        check_overlap(t.train, test);
        check_pictures((const peft_dataset *const[]){ t.train, d && !s->test_per_class ? NULL : test }, 2, NULL, 0);
        peft_dataset_free(t.train);
        peft_context_free(t.images);
        peft_dataset_free(test);
    }
}

void check_list(study *s)
{
    char place[256];
    peft_dataset *test;
    trial t;
    check_backbone(s->backbone);
    if (!s->unchecked) check_draws(s);
    open_trial(s, 0, &t, &test);
    if (s->records && peft_dataset_multilabel(test))
        fail("--records: %s has several labels an image; expected one", s->data);
    for (int64_t i = 0; i < s->entries; i++) {
        snprintf(place, sizeof place, "%s:%d", s->list, s->entry[i].line);
        program_name = place;
        build_trial(&t, s->entry[i].recipe);
        if (!i) memcpy(s->fingerprint, peft_backbone_fingerprint(t.vit), 64);
        free_trial(&t);
    }
    peft_dataset_free(t.train);
    peft_context_free(t.images);
    peft_dataset_free(test);
}
