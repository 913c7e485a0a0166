/* SPDX-License-Identifier: Apache-2.0
 * format.c -- the formats of the table (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include <string.h>

static const char *const format_name[] = { [FORMAT_TEXT] = "text", [FORMAT_CSV] = "csv",
                                           [FORMAT_CSV_SEMICOLON] = "csv-semicolon", [FORMAT_JSONL] = "jsonl" };

table_format read_format(const char *name)
{
    for (size_t i = 0; i < sizeof format_name / sizeof *format_name; i++)
        if (!strcmp(name, format_name[i])) return (table_format)i;
    fail("--format: given '%s', expected text, csv, csv-semicolon or jsonl", name);
}

bool is_csv(table_format format) { return format == FORMAT_CSV || format == FORMAT_CSV_SEMICOLON; }

const csv_style *style_of_format(table_format format)
{
    return format == FORMAT_CSV_SEMICOLON ? &csv_semicolons : &csv_commas;
}
