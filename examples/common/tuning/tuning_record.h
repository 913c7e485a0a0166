/* SPDX-License-Identifier: Apache-2.0
 * tuning_record.h -- the part of a training record (record/record.h) that says how --tune chose settings. */
#ifndef TUNING_RECORD_H
#define TUNING_RECORD_H
#include "common/record/json_write.h"
#include "trial_table.h"

/* how: the flag --tune-search; last [candidates]: how each was judged at last, by the predictions of all folds. */
typedef struct search_record {
    const tuning *search;
    const char *how;
    int64_t folds, images;
    const trial *last;
    int64_t chosen;
} search_record;
/* An object `name` (NULL in a list or at the top): "search", "metric", "folds", "images", "chosen", and "candidates",
 * each with its "settings", the "share" of the training after which it was judged at last, the metric, and "loss"; both
 * are null if the candidate diverged. */
void record_search(json_writer *w, const char *name, const search_record *r);
#endif
