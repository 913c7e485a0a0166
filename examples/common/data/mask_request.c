/* SPDX-License-Identifier: Apache-2.0
 * mask_request.c -- which flags go with --masks, of programs that train (data.h). */
#include "data.h"
#include "common/program/errors.h"

void check_mask_request(const data_request *q, const char *balance)
{
    if (!q->masks && q->test_masks) fail("--test-masks: is for training on masks; give --masks DIR too");
    if (q->test_masks && !q->test) fail("--test-masks: are those of --test; give it too");
    if (q->masks && balance)
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
