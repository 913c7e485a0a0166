/* SPDX-License-Identifier: Apache-2.0
 * splits.c -- finds the split of each row of a table: in a column, or in two lists of names beside the table, as
 * ChestX-ray14 has them. */
#include "io/table/table.h"
#include <stdio.h>
#include <unistd.h>

const char *const io_split_names[IO_SPLITS] = { "train", "val", "test" };
enum { MAX_LIST_BYTES = 64 << 20 };

/* The number of a split's name; IO_SPLIT_NONE for NULL. */
static int8_t split_number(const char *name)
{
    for (int8_t k = 0; name && k < IO_SPLITS; k++)
        if (!strcmp(name, io_split_names[k])) return k;
    return IO_SPLIT_NONE;
}

/* The split that a cell means: by the options train, val and test if any is given, else by its name. */
static int8_t split_of_cell(const io_table_options *o, const char *cell)
{
    const char *const lists[IO_SPLITS] = { o->train, o->val, o->test };
    if (!*o->train && !*o->val && !*o->test) return split_number(io_split_of(cell));
    for (int8_t k = 0; k < IO_SPLITS; k++)
        if (io_list_has(lists[k], cell)) return k;
    return IO_SPLIT_NONE;
}

static peft_status read_column(io_table *t, const char *wanted)
{
    const io_table_options *o = &t->options;
    const bool listed = *o->train || *o->val || *o->test;
    int64_t unknown = 0;
    for (int64_t r = 1; r < t->csv.rows; r++) {
        const char *cell = io_table_cell(t, r, t->split);
        t->row_split[r] = split_of_cell(o, cell);
        unknown += t->row_split[r] == IO_SPLIT_NONE;
        if (t->row_split[r] == IO_SPLIT_NONE && wanted && !listed)
            return io_table_bad_row(t, r, "column '%.80s' has '%.80s', expected train, val or test; say which cells "
                                    "mean which split by train=A:B,val=C,test=D, or give split=none",
                                    io_table_cell(t, 0, t->split), cell);
    }
    if (unknown && listed)
        io_warn(t->ctx, "%s: %lld rows are in no split: their cells in column '%.80s' are not among train=, val= and "
                "test=", t->path, (long long)unknown, io_table_cell(t, 0, t->split));
    return PEFT_OK;
}

/* The path of a file beside the table; NULL: no memory. */
static char *beside(const io_table *t, const char *name)
{
    char *folder = io_folder_of(t->ctx, t->path);
    char *path = folder ? io_join(t->ctx, folder, name) : NULL;
    peft_sys_free(t->ctx, folder);
    return path;
}

/* Adds the lines of a text, without blanks around them, to names; empty ones are left out. Changes the text. */
static peft_status add_lines(const io_table *t, char *text, io_strings *names)
{
    peft_status s = PEFT_OK;
    for (char *line = text, *next; *line && !s; line = next) {
        char *end = line + strcspn(line, "\r\n");
        next = end + (*end != 0);
        while (end > line && (end[-1] == ' ' || end[-1] == '\t')) end--;
        *end = 0;
        line += strspn(line, " \t");
        if (*line) s = io_strings_add(names, io_copy(t->ctx, line));
    }
    return s;
}

/* Reads a list of names, one on each line, and sorts them. */
static peft_status read_list(const io_table *t, const char *path, io_strings *names)
{
    uint8_t *data;
    size_t size;
    peft_status s = io_read_file(t->ctx, path, MAX_LIST_BYTES, &data, &size);
    char *text;
    if (!s) s = io_text_decode(t->ctx, path, data, size, &text);
    if (s) return s;
    s = add_lines(t, text, names);
    peft_sys_free(t->ctx, text);
    if (!s && !names->count)
        s = io_fail(PEFT_E_FORMAT, "%s: the list is empty; expected the name of a picture of %s on each line. "
                    "split=none opens the table without splits", path, t->path);
    io_strings_sort(names);
    return s;
}

static bool has_name(const io_strings *names, const char *name) { return io_strings_find(names, name) >= 0; }

/* Sets row_split from the lists of names for training and for the test. */
static peft_status read_lists(io_table *t, const char *train_path, const char *test_path)
{
    io_strings train = { .ctx = t->ctx }, test = { .ctx = t->ctx };
    int64_t unknown = 0;
    peft_status s = read_list(t, train_path, &train);
    if (!s) s = read_list(t, test_path, &test);
    for (int64_t r = 1; r < t->csv.rows && !s; r++) {
        const char *name = io_table_cell(t, r, t->name);
        const bool in_train = has_name(&train, name), in_test = has_name(&test, name);
        if (in_train && in_test) s = io_table_bad_row(t, r, "'%.200s' is in %s and in %s", name, train_path, test_path);
        t->row_split[r] = in_train ? IO_SPLIT_TRAIN : in_test ? IO_SPLIT_TEST : IO_SPLIT_NONE;
        unknown += !in_train && !in_test;
    }
    if (!s) io_inform(t->ctx, "%s: the splits are those of %s and %s", t->path, train_path, test_path);
    if (!s && unknown)
        io_warn(t->ctx, "%s: %lld rows are in neither %s nor %s, and in no split", t->path, (long long)unknown,
                train_path, test_path);
    io_strings_clear(&train);
    io_strings_clear(&test);
    return s;
}

peft_status io_table_find_splits(io_table *t, const char *wanted)
{
    if (t->split != IO_NO_COLUMN || !strcmp(t->options.split, "none")) {
        if (t->split == IO_NO_COLUMN) return PEFT_OK;
        t->row_split = io_alloc(t->ctx, t->csv.rows, sizeof *t->row_split);
        return t->row_split ? read_column(t, wanted) : io_nomem(t->path);
    }
    char *train = beside(t, "train_val_list.txt"), *test = beside(t, "test_list.txt");
    peft_status s = train && test ? PEFT_OK : io_nomem(t->path);
    if (!s && !access(train, F_OK) && !access(test, F_OK)) {
        t->row_split = io_alloc(t->ctx, t->csv.rows, sizeof *t->row_split);
        s = t->row_split ? read_lists(t, train, test) : io_nomem(t->path);
    }
    peft_sys_free(t->ctx, train);
    peft_sys_free(t->ctx, test);
    return s;
}
