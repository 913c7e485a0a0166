/* SPDX-License-Identifier: Apache-2.0
 * labels.c -- reads the labels of a table; those of one column with one label in a cell here. */
#include "io/table/table.h"
#include <stdio.h>

/* Writes the number as digits over the cell, in which it becomes no longer. */
static void write_number(char *cell, int64_t v)
{
    char text[24];
    const size_t n = (size_t)snprintf(text, sizeof text, "%lld", (long long)v) + 1;
    memcpy(cell, text, n);
}

/* Where all labels are whole numbers, makes the texts of equal ones equal: "1" of "1.0" and "01". Refuses a negative
 * one, which no class has. */
static peft_status unify_numbers(const io_table *t, int64_t column)
{
    int64_t v, negative = 0;
    for (int64_t r = 1; r < t->csv.rows; r++) {
        if (!io_table_integer(io_table_cell(t, r, column), &v)) return PEFT_OK;
        if (v < 0 && !negative) negative = r;
    }
    if (negative && !*t->options.classes)
        return io_table_bad_row(t, negative, "label %.40s, expected numbers from 0 on; remove rows without a label, or "
                                "name the classes by classes=A:B", io_table_cell(t, negative, column));
    for (int64_t r = 1; r < t->csv.rows; r++) {
        char *cell = t->csv.cell[r * t->csv.columns + column];
        if (io_table_integer(cell, &v)) write_number(cell, v);
    }
    return PEFT_OK;
}

static peft_status collect(const io_table *t, int64_t column, io_strings *found)
{
    peft_status s = PEFT_OK;
    for (int64_t r = 1; r < t->csv.rows && !s; r++) {
        const char *cell = io_table_cell(t, r, column);
        if (!*cell)
            s = io_table_bad_row(t, r, "no label in column '%.80s'; add it, or remove the line",
                                 io_table_cell(t, 0, column));
        else if (r == 1 || strcmp(cell, io_table_cell(t, r - 1, column)))      /* tables are often sorted by label */
            s = io_strings_add(found, io_copy(t->ctx, cell));
    }
    return s;
}

static peft_status read_column(io_table *t, int64_t column)
{
    io_strings found = { .ctx = t->ctx };
    peft_status s = unify_numbers(t, column);
    if (!s) s = collect(t, column, &found);
    if (!s) s = io_table_set_classes(t, &found, false);
    io_strings_clear(&found);
    if (!s) s = io_table_check_labels(t, true);
    for (int64_t r = 1; r < t->csv.rows && !s; r++) {
        const char *cell = io_table_cell(t, r, column);
        if ((t->row_label[r] = io_table_class(t, cell)) < 0)
            s = io_table_bad_row(t, r, "label '%.80s' is not among the classes of option classes", cell);
    }
    return s;
}

/* The character between labels in the cells of a column; 0: a cell is one label. */
static char find_separator(const io_table *t, int64_t column)
{
    const char *given = t->options.separator;
    if (*given) return given[1] ? 0 : *given;                 /* "none" is the only word */
    for (int64_t r = 1; r < t->csv.rows; r++)
        if (strchr(io_table_cell(t, r, column), '|')) return '|';
    return 0;
}

peft_status io_table_read_labels(io_table *t)
{
    if (t->labels > 1 || t->options.labels == IO_LABELS_ALL) return io_table_read_targets(t);
    const char separator = t->labels ? find_separator(t, t->label[0]) : 0;
    if (separator) return io_table_read_cell_lists(t, separator);
    t->row_label = io_alloc(t->ctx, t->csv.rows, sizeof *t->row_label);
    if (!t->row_label) return io_nomem(t->path);
    if (t->labels) return read_column(t, t->label[0]);
    io_strings one = { .ctx = t->ctx };
    peft_status s = io_strings_add(&one, io_copy(t->ctx, "unlabelled"));
    if (!s) s = io_table_set_classes(t, &one, true);
    io_strings_clear(&one);
    return s;
}
