/* SPDX-License-Identifier: Apache-2.0
 * field.c -- the part of a line of predict's table that identifies its picture (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include "common/record/json_write.h"
#include <stdio.h>

static void put_name(FILE *f, table_format format, const char *name)
{
    if (is_csv(format)) put_csv_text(f, style_of_format(format), name);
    else if (format == FORMAT_JSONL) put_json_text(f, name);
    else fputs(name, f);
}

char *name_field(table_format format, const char *name)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    put_name(f, format, name);
    if (fclose(f)) fail("out of memory");
    return text;
}
