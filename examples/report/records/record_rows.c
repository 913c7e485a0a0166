/* SPDX-License-Identifier: Apache-2.0
 * record_rows.c -- reads record files row by row (record_rows.h). */
#include "record_rows.h"
#include "common/files/csv.h"
#include "common/files/text_file.h"
#include <stdlib.h>
#include <string.h>

enum { max_fields = most_record_fields };
/* Cuts off what follows the last line end. True: there was something. */
static bool drop_torn_line(char *text)
{
    char *end = strrchr(text, '\n'), *rest = end ? end + 1 : text;
    const bool torn = *rest || !end;
    *rest = 0;
    return torn;
}

file_rows read_record_file(const study *s, const method *m, run *r, char **keep, const file_form *form)
{
    char *path = path_of_record(s, m, r, form->kind), *text = *keep = read_text_file(path, NULL), *field[max_fields];
    static char empty[] = "";
    file_rows f = { .there = text, .rows = -1 };              /* without the heading */
    const bool torn = text && form->may_end_early && drop_torn_line(text);
    while (text && *text && !f.cut) {
        const int fields_read = read_csv_row(&text, field, max_fields);
        const bool whole = fields_read == form->fields || (form->may_lack_last && fields_read == form->fields - 1);
        if (!whole && (!form->may_end_early || *text)) fail_malformed(path);
        if (!whole) f.cut = f.rows + 2;
        else {
            if (fields_read < form->fields) field[form->fields - 1] = empty;
            if (f.rows >= 0) form->store(s, r, f.rows, field, path);
            f.rows++;
        }
    }
    if (torn && !f.cut) f.cut = f.rows + 2;
    if (f.rows < 0) f.rows = 0;
    free(path);
    return f;
}

bool read_rows(const study *s, const method *m, run *r, char **keep, const char *kind, int fields,
               int64_t least, row_reader store)
{
    const file_rows f = read_record_file(s, m, r, keep, &(file_form){ .kind = kind, .fields = fields, .store = store });
    char *path = path_of_record(s, m, r, kind);
    if (f.there && f.rows < least) fail_malformed(path);
    free(path);
    return f.there;
}
