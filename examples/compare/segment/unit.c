/* SPDX-License-Identifier: Apache-2.0
 * unit.c -- the unit of the distances in compare's table and chart (segment.h). */
#include "common/segment/figures/case_means.h"
#include "segment.h"
#include <stdlib.h>
#include <string.h>

static const char either[] = "mm or px";

void store_unit(study *s, int64_t i, const case_table *f) { s->unit[i] = any_millimetres(f) ? "mm" : "px"; }

void read_unit(study *s, int64_t i)
{
    if (!has_masks(s) || s->unit[i]) return;
    char *path = run_record_path(s, i, "cases");
    case_table f = read_case_figures(path);
    store_unit(s, i, &f);
    free_case_figures(&f);
    free(path);
}

const char *distance_unit(const study *s)
{
    const char *unit = NULL;
    for (int64_t i = 0; i < study_size(s); i++) {
        if (!s->done[i]) continue;
        if (!s->unit[i] || (unit && strcmp(unit, s->unit[i]))) return either;
        unit = s->unit[i];
    }
    return unit ? unit : either;
}
