/* SPDX-License-Identifier: Apache-2.0
 * decimal.c -- reads decimal numbers (decimal.h). */
#include "decimal.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

double read_decimal(const char *text, char **end)
{
    const double v = strtod(text, end);
    if (*end > text && strspn(text, "0123456789+-.eE") >= (size_t)(*end - text) && isfinite(v)) return v;
    *end = (char *)(uintptr_t)text;
    return NAN;
}
