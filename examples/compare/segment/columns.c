/* SPDX-License-Identifier: Apache-2.0
 * columns.c -- the columns of compare's tables (segment.h). */
#include "common/program/errors.h"
#include "common/segment/mask_sets.h"
#include "compare/compare_jobs.h"
#include "segment.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void store_class_names(study *s, const peft_dataset *d)
{
    size_t used = 0;
    for (int64_t c = 0; c < label_classes(d); c++) {
        const char *name = label_class_name(d, c);
        const size_t size = strlen(name) + 1;
        if (used + size >= class_names_size)
            fail("--mask-options: the names of the classes have more than %d characters in all; give shorter ones",
                 class_names_size - 2);
        memcpy(s->class_names + used, name, size);
        used += size;
    }
}

void begin_columns(study *s)
{
    if (!has_masks(s)) return;
    for (const char *name = s->class_names; *name; name += strlen(name) + 1) s->classes++;
    const size_t values = (size_t)(study_size(s) * s->classes * results_of_class);
    s->of_class = alloc_shared(values * sizeof *s->of_class);
    for (size_t k = 0; k < values; k++) s->of_class[k] = NAN;
}

int column_count(const study *s) { return result_columns + (int)s->classes * results_of_class; }

bool has_column(const study *s, int column)
{
    return column >= result_columns || (result_of[column] & (has_masks(s) ? OF_MASKS : OF_CLASSES));
}

char *column_name(const study *s, int column)
{
    const char *class = s->class_names;
    const int k = column - result_columns;
    char *name;
    if (k < 0) return check_alloc(strdup(result_name[column]));
    for (int c = 0; c < k / results_of_class; c++) class += strlen(class) + 1;
    if (asprintf(&name, "%s_%s", result_name[result_first_of_class + k % results_of_class], class) < 0)
        fail("out of memory");
    return name;
}

double *run_value(const study *s, int64_t i, int column)
{
    if (column < result_columns) return &s->result[i].value[column];
    return &s->of_class[i * s->classes * results_of_class + column - result_columns];
}
