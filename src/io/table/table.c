/* SPDX-License-Identifier: Apache-2.0
 * table.c -- io_table_open: reads a table of labels into a data set. */
#include "io/table/table.h"

enum { MAX_TABLE_BYTES = 256 << 20 };

/* Reads the file into cells. */
static peft_status read_cells(io_table *t)
{
    static const char delimiters[] = { 0, ',', ';', '\t' };
    uint8_t *data;
    char *text;
    size_t size;
    peft_status s = io_read_file(t->ctx, t->path, MAX_TABLE_BYTES, &data, &size);
    if (!s) s = io_text_decode(t->ctx, t->path, data, size, &text);
    if (!s) s = io_csv_read(t->ctx, t->path, text, delimiters[t->options.delimiter], &t->csv);
    if (!s && t->csv.rows == 1)
        s = io_fail(PEFT_E_FORMAT, "%s: one line, of column names or of a picture; expected a line of column names and "
                    "one for each picture", t->path);
    return s;
}

/* Labels are those of all splits, which therefore number the classes alike. */
static peft_status make(io_table *t, const char *split, peft_dataset *d)
{
    peft_status s = read_cells(t);
    if (!s) s = io_table_choose_columns(t);
    if (!s) io_table_warn_of_patients(t);
    if (!s) s = io_table_find_splits(t, split);
    if (!s) s = io_table_name_files(t);
    if (!s) s = io_table_read_labels(t);
    if (!s) s = io_table_choose_rows(t, split);
    if (!s) s = io_table_find_files(t, &d->skipped);
    return s ? s : io_table_fill(t, d);
}

static void release(io_table *t)
{
    for (int64_t r = 0; t->file && r < t->csv.rows; r++) peft_sys_free(t->ctx, t->file[r]);
    peft_sys_free(t->ctx, t->file);
    peft_sys_free(t->ctx, t->used);
    peft_sys_free(t->ctx, t->label);
    peft_sys_free(t->ctx, t->row_split);
    peft_sys_free(t->ctx, t->row_label);
    peft_sys_free(t->ctx, t->row_target);
    peft_sys_free(t->ctx, t->by_name);
    io_strings_clear(&t->classes);
    io_csv_clear(&t->csv);
    peft_sys_free(t->ctx, t);
}

peft_status io_table_open(const char *path, const char *options, const char *split, peft_dataset *d)
{
    io_table *t = io_alloc(d->ctx, 1, sizeof *t);
    if (!t) return io_nomem(path);
    t->ctx = t->classes.ctx = t->csv.ctx = d->ctx;
    t->path = path;
    peft_status s = io_check_split(split);
    if (!s) s = io_table_read_options(options, &t->options);
    if (!s) s = make(t, split, d);
    release(t);
    return s;
}
