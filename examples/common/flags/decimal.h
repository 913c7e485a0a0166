/* SPDX-License-Identifier: Apache-2.0
 * decimal.h -- decimal numbers in values of flags and in files of the programs. */
#ifndef DECIMAL_H
#define DECIMAL_H
#include "flags.h"

/* As strtod, for finite decimal numbers alone: 3, -0.5, 1e-3. For other text, such as a hexadecimal number, inf, nan or
 * a number behind blanks, *end is text, and the value is NaN. */
double read_decimal(const char *text, char **end);
double flag_number(const flag *f, double low, double high);   /* the value, a number in low..high; else fails */
#endif
