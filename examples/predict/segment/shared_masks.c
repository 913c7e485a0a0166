/* SPDX-License-Identifier: Apache-2.0
 * shared_masks.c -- pictures of several arguments that would have one mask, as pictures of one name in two folders
 * (truth.h). */
#include "truth.h"
#include "common/slices/slice_name.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* file: of the picture; of slices that of the volume, whose mask is one file too. */
typedef struct masked { const char *mask; char *file; } masked;

static int by_mask_and_file(const void *a, const void *b)
{
    const masked *x = a, *y = b;
    const int order = strcmp(x->mask, y->mask);
    return order ? order : strcmp(x->file, y->file);
}

/* Is the file a DICOM segmentation, which may have the masks of many pictures? */
static bool is_dicom(const char *path)
{
    char head[132] = "";
    FILE *f = fopen(path, "rb");
    const bool dicom = f && fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head + 128, "DICM", 4);
    if (f) fclose(f);
    return dicom;
}

void refuse_shared_masks(const inputs *in, const char *masks)
{
    if (in->sets < 2 || is_dicom(masks)) return;
    masked *sorted = check_alloc(malloc((size_t)(in->count + 1) * sizeof *sorted));
    for (int64_t i = 0; i < in->count; i++)
        sorted[i] = (masked){ input_mask_file(in, i), file_of_image(input_name(in, i)) };
    qsort(sorted, (size_t)in->count, sizeof *sorted, by_mask_and_file);
    for (int64_t k = 1; k < in->count; k++) {
        const masked *a = &sorted[k - 1], *b = &sorted[k];
        if (!strcmp(a->mask, b->mask) && strcmp(a->file, b->file))
            fail("--masks %s: %s would be the mask of %s and of %s; give pictures of different names, or their common "
                 "folder and masks in folders of the same names", masks, a->mask, a->file, b->file);
    }
    for (int64_t i = 0; i < in->count; i++) free(sorted[i].file);
    free(sorted);
}
