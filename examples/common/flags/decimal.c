/* SPDX-License-Identifier: Apache-2.0
 * decimal.c -- reads decimal numbers (decimal.h). */
#include "decimal.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

double read_decimal(const char *text, char **end)
{
    const double v = strtod(text, end);
    if (*end > text && strspn(text, "0123456789+-.eE") >= (size_t)(*end - text) && isfinite(v)) return v;
    *end = (char *)(uintptr_t)text;
    return NAN;
}

double flag_number(const flag *f, double low, double high)
{
    char *end;
    const double v = read_decimal(f->value, &end);
    if (*end || !(v >= low && v <= high))
        fail("--%s: given '%s', expected a decimal number from %g to %g", name_of_flag(f).text, f->value, low, high);
    return v;
}
