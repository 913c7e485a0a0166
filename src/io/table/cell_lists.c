/* SPDX-License-Identifier: Apache-2.0
 * cell_lists.c -- several labels in a cell, such as "Cardiomegaly|Effusion" of ChestX-ray14: a target for each label.
 */
#include "io/table/table.h"

enum { MAX_TARGET_BYTES = 1 << 30 };                          /* rows x classes */

/* Cuts the next label off *rest, which it changes: without blanks around it. NULL: none is left. */
static char *next_label(char **rest, char separator)
{
    char *label = *rest;
    if (!label) return NULL;
    char *end = strchr(label, separator);
    *rest = end ? end + 1 : NULL;
    if (!end) end = label + strlen(label);
    while (end > label && (end[-1] == ' ' || end[-1] == '\t')) end--;
    while (label < end && (*label == ' ' || *label == '\t')) label++;
    *end = 0;
    return label;
}

/* Reads the labels of a row from a copy of its cell: with `found` adds them there, else sets the row's targets. */
static peft_status read_row(io_table *t, int64_t r, char separator, io_strings *found)
{
    const char *whole = io_table_cell(t, r, t->label[0]), *none = t->options.none;
    char *copy = io_copy(t->ctx, whole), *rest = copy;
    int64_t labels = 0;
    bool has_none = false;
    peft_status s = copy ? PEFT_OK : io_nomem(t->path);
    for (char *label; !s && (label = next_label(&rest, separator)); labels++) {
        const bool is_none = *none && io_same_word(label, none);
        has_none |= is_none;
        if (!*label) s = io_table_bad_row(t, r, "an empty label in '%.80s'; for no label write '%.40s'", whole, none);
        else if (is_none) continue;
        else if (found) s = io_strings_add(found, io_copy(t->ctx, label));
        else {
            const int64_t c = io_table_class(t, label);
            if (c < 0) s = io_table_bad_row(t, r, "label '%.80s' is not among the classes of option classes", label);
            else t->row_target[r * t->classes.count + c] = 1;
        }
    }
    peft_sys_free(t->ctx, copy);
    if (!s && has_none && labels > 1) s = io_table_bad_row(t, r, "'%.80s' beside other labels: '%.80s'", none, whole);
    return s;
}

/* Allocates the targets of all rows. Texts that differ in every row make as many classes as rows. */
static peft_status allocate_targets(io_table *t, char separator)
{
    const int64_t rows = t->csv.rows, classes = t->classes.count;     /* 2^24 and 2^20 at most */
    if (rows * classes > MAX_TARGET_BYTES)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: %lld rows with %lld different labels in column '%.80s', separated by "
                       "%c, need %lld bytes of targets; the limit is %d. separator=none makes a cell one label; "
                       "label=COLUMN chooses another column", t->path, (long long)rows - 1, (long long)classes,
                       io_table_cell(t, 0, t->label[0]), separator, (long long)(rows * classes), MAX_TARGET_BYTES);
    t->row_target = io_alloc(t->ctx, rows * classes, 1);
    return t->row_target ? PEFT_OK : io_nomem(t->path);
}

peft_status io_table_read_cell_lists(io_table *t, char separator)
{
    io_strings found = { .ctx = t->ctx };
    peft_status s = PEFT_OK;
    for (int64_t r = 1; r < t->csv.rows && !s; r++) s = read_row(t, r, separator, &found);
    if (!s && !found.count)
        s = io_fail(PEFT_E_FORMAT, "%s: no row has a label in column '%.80s'", t->path,
                    io_table_cell(t, 0, t->label[0]));
    if (!s) s = io_table_set_classes(t, &found, false);
    io_strings_clear(&found);
    if (!s) s = io_table_check_labels(t, false);
    if (!s) s = allocate_targets(t, separator);
    for (int64_t r = 1; r < t->csv.rows && !s; r++) s = read_row(t, r, separator, NULL);
    if (!s) io_inform(t->ctx, "%s: cells of column '%.80s' have several labels, separated by %c; separator=none makes "
                      "a cell one label", t->path, io_table_cell(t, 0, t->label[0]), separator);
    return s;
}
