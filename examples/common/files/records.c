/* SPDX-License-Identifier: Apache-2.0
 * records.c -- names of the columns of results, and which studies have them (records.h). */
#include "records.h"

const char *const result_name[] = {
#define RESULT_NAME(name, kind) #name,
    RESULT_COLUMNS(RESULT_NAME)
};
const result_kind result_of[] = {
#define RESULT_KIND(name, kind) OF_##kind,
    RESULT_COLUMNS(RESULT_KIND)
};
