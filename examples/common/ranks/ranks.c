/* SPDX-License-Identifier: Apache-2.0
 * ranks.c -- the functions of a program that one process runs (ranks.h): none. */
#include "ranks.h"

rank_functions ranks = { .count = 1 };
