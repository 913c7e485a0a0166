/* SPDX-License-Identifier: Apache-2.0
 * map_records.c -- writes the record files of a run of a study of masks (records.h). */
#include "common/program/errors.h"
#include "segment.h"
#include <stdlib.h>
#include <string.h>

/* Puts the hashes of the patients' ids in the place of the ids. */
static void hash_patients(case_table *f)
{
    for (int64_t i = 0; i < f->cases; i++) {
        if (!f->patient[i]) continue;
        char *hash = check_alloc(malloc(patient_hash_size));
        patient_hash(f->patient[i], hash);
        free(f->patient[i]);
        f->patient[i] = hash;
    }
}

void write_map_records(const study *s, int64_t i, case_table *f, const epoch_point *curve, int64_t epochs)
{
    char *path = run_record_path(s, i, "cases");
    hash_patients(f);
    write_curve(s, i, curve, epochs);
    write_case_figures(f, path);
    write_run(s, i);
    free(path);
}
