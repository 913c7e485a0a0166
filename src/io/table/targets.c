/* SPDX-License-Identifier: Apache-2.0
 * targets.c -- labels in columns of 0 and 1: a target for each column, or one label where every row has exactly one 1
 * in several columns. */
#include "io/table/table.h"

/* What a cell says; BLANK: nothing, OTHER: no number of these. */
enum { UNCERTAIN = -1, NO, YES, BLANK, OTHER };

static int read_cell(const char *cell)
{
    static const struct { const char *text; int value; } words[] = {
        { "0", NO }, { "1", YES }, { "", BLANK }, { "0.0", NO }, { "1.0", YES }, { "-1", UNCERTAIN },
        { "-1.0", UNCERTAIN }, { "false", NO }, { "true", YES }, { "no", NO }, { "yes", YES }, { "nan", BLANK },
        { "na", BLANK } };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (io_same_word(cell, words[i].text)) return words[i].value;
    return OTHER;
}

bool io_table_is_binary(const io_table *t, int64_t column, bool *any)
{
    *any = false;
    for (int64_t r = 1; r < t->csv.rows; r++) {
        const int value = read_cell(io_table_cell(t, r, column));
        if (value == OTHER) return false;
        *any |= value != BLANK;
    }
    return true;
}

/* The target of a cell; *blank and *uncertain count such cells. */
static peft_status read_target(const io_table *t, int64_t r, int64_t column, int64_t *blank, int64_t *uncertain,
                               int8_t *target)
{
    const char *cell = io_table_cell(t, r, column), *heading = io_table_cell(t, 0, column);
    const int value = read_cell(cell);
    if (value == OTHER)
        return io_table_bad_row(t, r, "column '%.80s' has '%.80s', expected 0, 1, -1 (not judged) or nothing; if it is "
                                "no label, name the columns of the labels by label=A:B", heading, cell);
    *blank += value == BLANK;
    *uncertain += value == UNCERTAIN;
    *target = (int8_t)value;
    if (value == NO || value == YES) return PEFT_OK;
    const int meant = value == BLANK ? t->options.blank : t->options.uncertain;
    if (meant == IO_CELL_ERROR)
        return io_table_bad_row(t, r, "column '%.80s' %s, and option %s=error is given", heading,
                                value == BLANK ? "is empty" : "has -1", value == BLANK ? "blank" : "uncertain");
    *target = (int8_t)(meant == IO_CELL_NOT_JUDGED ? IO_NOT_JUDGED : meant == IO_CELL_1);
    return PEFT_OK;
}

/* Whether there are several columns, and every row has one target of 1 and no target of -1. */
static bool is_one_hot(const io_table *t)
{
    if (t->labels < 2) return false;
    for (int64_t r = 1; r < t->csv.rows; r++) {
        const int8_t *target = t->row_target + r * t->labels;
        int64_t ones = 0;
        for (int64_t c = 0; c < t->labels; c++) {
            if (target[c] < 0) return false;
            ones += target[c];
        }
        if (ones != 1) return false;
    }
    return true;
}

/* Makes a label of the one target of each row. */
static peft_status make_labels(io_table *t)
{
    if (!(t->row_label = io_alloc(t->ctx, t->csv.rows, sizeof *t->row_label))) return io_nomem(t->path);
    for (int64_t r = 1; r < t->csv.rows; r++)
        while (!t->row_target[r * t->labels + t->row_label[r]]) t->row_label[r]++;
    peft_sys_free(t->ctx, t->row_target);
    t->row_target = NULL;
    io_inform(t->ctx, "%s: every row has exactly one 1 in the columns of labels: they are one label; onehot=false "
              "makes them several", t->path);
    return PEFT_OK;
}

static peft_status set_classes(io_table *t)
{
    io_strings headings = { .ctx = t->ctx };
    peft_status s = PEFT_OK;
    if (*t->options.classes)
        return io_fail(PEFT_E_OPTION, "table: option 'classes' has no meaning for labels in several columns, whose "
                       "order is that of label=A:B, nor with labels=all");
    for (int64_t c = 0; c < t->labels && !s; c++)
        s = io_strings_add(&headings, io_copy(t->ctx, io_table_cell(t, 0, t->label[c])));
    if (!s) s = io_table_set_classes(t, &headings, true);
    io_strings_clear(&headings);
    return s;
}

peft_status io_table_read_targets(io_table *t)
{
    int64_t blank = 0, uncertain = 0, targets;
    peft_status s = set_classes(t);
    if (s) return s;
    if (__builtin_mul_overflow(t->csv.rows, t->labels, &targets) || !(t->row_target = io_alloc(t->ctx, targets, 1)))
        return io_nomem(t->path);
    for (int64_t r = 1; r < t->csv.rows; r++)
        for (int64_t c = 0; c < t->labels; c++)
            if ((s = read_target(t, r, t->label[c], &blank, &uncertain, t->row_target + r * t->labels + c))) return s;
    if (blank || uncertain)
        io_inform(t->ctx, "%s: of the cells of labels %lld are empty and %lld are -1 (options blank and uncertain say "
                  "what they mean)", t->path, (long long)blank, (long long)uncertain);
    if (t->options.onehot && is_one_hot(t)) return make_labels(t);
    io_table_warn_of_targets(t);
    return PEFT_OK;
}
