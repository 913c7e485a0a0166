/* SPDX-License-Identifier: Apache-2.0
 * mask_request.c -- which flags go with --masks, of programs that train (data.h). */
#include "data.h"
#include "common/program/errors.h"

void check_mask_request(const data_request *q)
{
    require_masks(q->masks, "test-masks", q->test_masks);
    if (q->all_slices && !q->masks)
        fail("--all-slices: is for training on masks; give --masks DIR too, or --image-options slice=N to train on one "
             "slice of each file");
    if (q->test_masks && !q->test) fail("--test-masks: needs --test PATH; give it too");
}

void require_masks(const char *masks, const char *flag, const char *value)
{
    if (value && !masks)
        fail("--%s: is for training on masks; give --masks DIR too, or --mask-options for masks beside their images",
             flag);
}

void refuse_balance(const char *balance)
{
    if (balance)
        fail("--balance: counts classes of images; with --masks leave it out, or give --trainer "
             "class_weights=balanced, which counts pixels");
}

void refuse_with_masks(const flag *given, const int *which, int count)
{
    for (int i = 0; i < count; i++)
        if (given[which[i]].value)
            fail("--%s: is for classes of images, and with --masks each pixel has one; leave it out",
                 name_of_flag(&given[which[i]]).text);
}
