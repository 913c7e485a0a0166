/* SPDX-License-Identifier: Apache-2.0
 * records.c -- names of the columns of results (records.h). */
#include "records.h"

const char *const result_name[] = {
#define RESULT_NAME(name) #name,
    RESULT_COLUMNS(RESULT_NAME)
};
