/* SPDX-License-Identifier: Apache-2.0
 * headings.c -- the names of a table's columns: compared without regard to signs, written into messages; the error
 * for a row. */
#include "io/table/table.h"
#include <stdarg.h>
#include <stdio.h>

void io_table_plain_heading(const char *heading, char *plain)
{
    size_t n = 0;
    for (; *heading && n + 1 < IO_TABLE_WORD; heading++) {
        const char c = io_lower(*heading);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c > 127) plain[n++] = c;
    }
    plain[n] = 0;
}

const char *io_table_columns_text(const io_table *t, const int64_t *columns, int64_t count, char *text, size_t size)
{
    size_t used = 0;
    for (int64_t i = 0; i < count; i++) {
        const char *name = io_table_cell(t, 0, columns ? columns[i] : i);
        if (used + strlen(name) + 40 > size) {
            snprintf(text + used, size - used, " and %lld more", (long long)(count - i));
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%s'%s'", i ? ", " : "", name);
    }
    return text;
}

bool io_table_is_taken(const io_table *t, int64_t c)
{
    return c == t->name || c == t->patient || c == t->study || c == t->split || c == t->mask;
}

peft_status io_table_bad_row(const io_table *t, int64_t row, const char *format, ...)
{
    char problem[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    return io_fail(PEFT_E_FORMAT, "%s: line %lld: %s", t->path, (long long)t->csv.line[row], problem);
}
