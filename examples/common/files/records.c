/* SPDX-License-Identifier: Apache-2.0
 * records.c -- see records.h. */
#include "records.h"

const char *const result_name[] = {
#define RESULT_NAME(name) #name,
    RESULT_COLUMNS(RESULT_NAME)
};
