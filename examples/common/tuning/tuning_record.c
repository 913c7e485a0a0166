/* SPDX-License-Identifier: Apache-2.0
 * tuning_record.c -- writes how --tune chose settings (tuning_record.h). */
#include "tuning_record.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void record_candidate(json_writer *w, const tuning *t, int64_t candidate, const trial *last)
{
    char *settings = candidate_text(t->candidates, candidate, t->recipe);
    json_object(w, NULL);
    json_text(w, "settings", settings);
    json_number(w, "share", last->share);
    if (strcmp(t->metric, "loss")) json_number(w, t->metric, last->diverged ? NAN : last->value);
    json_number(w, "loss", last->diverged ? NAN : last->loss);
    json_close(w);
    free(settings);
}

void record_search(json_writer *w, const char *name, const search_record *r)
{
    const tuning *t = r->search;
    char *chosen = candidate_text(t->candidates, r->chosen, t->recipe);
    json_object(w, name);
    json_text(w, "search", r->how);
    json_text(w, "metric", t->metric);
    json_integer(w, "folds", r->folds);
    json_integer(w, "images", r->images);
    json_text(w, "chosen", chosen);
    json_list(w, "candidates");
    for (int64_t c = 0; c < grid_size(t->candidates); c++) record_candidate(w, t, c, &r->last[c]);
    json_close(w);
    json_close(w);
    free(chosen);
}
