/* SPDX-License-Identifier: Apache-2.0
 * decimal.h -- decimal numbers in values of flags and in files of --case-figures. */
#ifndef DECIMAL_H
#define DECIMAL_H
/* As strtod, for finite decimal numbers alone: 3, -0.5, 1e-3. For other text, such as a hexadecimal number, inf, nan or
 * a number behind blanks, *end is text, and the value is NaN. */
double read_decimal(const char *text, char **end);
#endif
