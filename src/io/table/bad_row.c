/* SPDX-License-Identifier: Apache-2.0
 * bad_row.c -- the error for a row of a table. */
#include "io/table/table.h"
#include <stdarg.h>
#include <stdio.h>

peft_status io_table_bad_row(const io_table *t, int64_t row, const char *format, ...)
{
    char problem[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    return io_fail(PEFT_E_FORMAT, "%s: line %lld: %s", t->path, (long long)t->csv.line[row], problem);
}
