/* SPDX-License-Identifier: Apache-2.0
 * command_line.c -- the array of a run's flags (run.h). */
#include "run.h"

flag given[] = { FLAGS(FLAG_ROW) RECIPE_FLAGS(FLAG_ROW) };
