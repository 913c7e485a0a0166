/* SPDX-License-Identifier: Apache-2.0
 * all_slices.c -- --all-slices: each slice of a file of several images is an image (data.h). */
#include "data.h"
#include "image_options.h"
#include "common/slices/slice_name.h"
#include "common/program/errors.h"
#include <string.h>

peft_dataset *all_slices_of(peft_dataset *d, const char *of_model)
{
    peft_dataset *out;
    const peft_status s = peft_dataset_with_slices(d, &out);
    if (s == PEFT_E_OPTION)
        fail("--all-slices: %s%s", peft_last_error(), find_image_option(of_model, "slice", strlen("slice"))
             ? "; the model was trained with this option: give --image-options slice=none" : "");
    must(s);
    peft_dataset_free(d);
    return out;
}

void replace_by_slices(const data_request *q, peft_dataset **d)
{
    if (q->all_slices && *d) *d = all_slices_of(*d, NULL);
}

slice_count count_slices(const peft_dataset *d)
{
    slice_count n = { 0, 0 };
    size_t length;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        const int64_t slice = slice_of_name(peft_dataset_name(d, i), &length);
        n.slices += slice >= 0;
        n.files += slice == 0;
    }
    return n;
}

bool has_slices(const peft_dataset *d) { return count_slices(d).slices > 0; }
