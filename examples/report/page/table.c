/* SPDX-License-Identifier: Apache-2.0
 * table.c -- builds a table of numbers (table.h). */
#include "table.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *copy_of(const char *text) { return text ? check_alloc(strdup(text)) : NULL; }

table *new_table(const char *title, const char *row_heading)
{
    table *t = check_alloc(calloc(1, sizeof *t));
    t->title = copy_of(title);
    t->row_heading = copy_of(row_heading);
    t->bold_row = -1;
    return t;
}

void add_column(table *t, table_column c)
{
    t->column = grow_by_one(t->column, t->columns, sizeof *t->column);
    t->column[t->columns++] = (table_column){ copy_of(c.heading), c.decimals, copy_of(c.joiner), copy_of(c.first),
                                              copy_of(c.second) };
}

void add_number_column(table *t, const char *heading, int decimals)
{
    add_column(t, (table_column){ .heading = heading, .decimals = decimals });
}

void add_row(table *t, const char *label)
{
    t->row = grow_by_one(t->row, t->rows, sizeof *t->row);
    t->row[t->rows++] = (table_row){
        .label = copy_of(label), .cell = check_alloc(calloc((size_t)t->columns + 1, sizeof(table_cell))) };
}

static void add_cell(table *t, table_cell cell)
{
    table_row *r = &t->row[t->rows - 1];
    if (r->cells == t->columns) fail("table '%s': more cells than its %lld columns", t->title, (long long)t->columns);
    r->cell[r->cells++] = cell;
}

void add_number(table *t, double v) { add_numbers(t, v, NAN); }

void add_numbers(table *t, double first, double second) { add_cell(t, (table_cell){ { first, second }, NULL }); }

void add_text(table *t, const char *text) { add_cell(t, (table_cell){ { NAN, NAN }, copy_of(text) }); }

void free_table(table *t)
{
    if (!t) return;
    for (int64_t r = 0; r < t->rows; r++) {
        for (int64_t c = 0; c < t->row[r].cells; c++) free(t->row[r].cell[c].text);
        free(t->row[r].cell);
        free(t->row[r].label);
    }
    for (int64_t c = 0; c < t->columns; c++) {
        const table_column *k = &t->column[c];
        const char *owned[] = { k->heading, k->joiner, k->first, k->second };
        for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free((void *)(uintptr_t)owned[i]);
    }
    free(t->column);
    free(t->row);
    free(t->title);
    free(t->row_heading);
    free(t);
}
