/* SPDX-License-Identifier: Apache-2.0
 * command_line.c -- the array of a run's flags, and what they ask for (run.h). */
#include "run.h"

flag given[] = { FLAGS(FLAG_ROW) RECIPE_FLAGS(FLAG_ROW) TUNE_FLAGS(FLAG_ROW) };

bool staged(void) { return given[then].value || given[prune].value; }
bool validates(void) { return given[val].value || given[stop].value; }
bool in_folds(void) { return parse_validation(given[val].value).kind == VALIDATION_FOLDS; }
