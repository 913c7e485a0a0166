/* SPDX-License-Identifier: Apache-2.0
 * rows.c -- the rows of a table that become samples: those of the split, each picture once. */
#include "io/table/table.h"
#include "io/dataset/groups.h"

static bool same_labels(const io_table *t, int64_t x, int64_t y)
{
    if (t->row_label) return t->row_label[x] == t->row_label[y];
    const int64_t n = t->classes.count;
    return !memcmp(t->row_target + x * n, t->row_target + y * n, (size_t)n);
}

/* Whether two rows have the same patient or study. */
static bool same_identity(const io_table *t, int64_t x, int64_t y, int64_t column)
{
    if (column == IO_NO_COLUMN) return true;
    const char *a = io_table_cell(t, x, column), *b = io_table_cell(t, y, column);
    const size_t n = io_table_identity_length(a);
    return n == io_table_identity_length(b) && !memcmp(a, b, n);
}

/* Refuses two rows of one picture that contradict each other. */
static peft_status check_repetition(const io_table *t, int64_t first, int64_t again)
{
    const char *what = !same_labels(t, first, again) ? "label"
                     : t->row_split && t->row_split[first] != t->row_split[again] ? "split"
                     : !same_identity(t, first, again, t->patient) ? "patient"
                     : !same_identity(t, first, again, t->study) ? "study" : NULL;
    if (!what) return PEFT_OK;
    return io_table_bad_row(t, again, "'%.300s' has another %s than in line %lld", t->file[again], what,
                            (long long)t->csv.line[first]);
}

/* Marks rows that repeat an earlier one as not used. The indices in `sorted` are rows. */
static peft_status leave_out_repetitions(io_table *t)
{
    const int64_t rows = t->csv.rows - 1;
    int64_t repeated = 0, example = 0;
    peft_status s = PEFT_OK;
    io_named *sorted = io_alloc(t->ctx, rows, sizeof *sorted);
    if (!sorted) return io_nomem(t->path);
    for (int64_t i = 0; i < rows; i++) sorted[i] = (io_named){ t->file[i + 1], i + 1 };
    io_sort_named(sorted, rows);
    for (int64_t i = 1, first = 0; i < rows && !s; i++) {
        if (strcmp(sorted[first].name, sorted[i].name)) {
            first = i;
            continue;
        }
        s = check_repetition(t, sorted[first].i, sorted[i].i);
        repeated += t->used[sorted[i].i];
        if (t->used[sorted[i].i]) example = sorted[i].i;
        t->used[sorted[i].i] = false;
    }
    peft_sys_free(t->ctx, sorted);
    if (!s && repeated)
        io_warn(t->ctx, "%s: %lld lines repeat a picture with the same label, such as line %lld (%.200s); each picture "
                "is taken once", t->path, (long long)repeated, (long long)t->csv.line[example], t->file[example]);
    return s;
}

peft_status io_table_choose_rows(io_table *t, const char *wanted)
{
    int64_t found = 0;
    if (!(t->used = io_alloc(t->ctx, t->csv.rows, sizeof *t->used))) return io_nomem(t->path);
    if (wanted && !t->row_split)
        return io_fail(PEFT_E_NOTFOUND, "%s: the table has no column of splits, so no split '%.40s'; open all "
                       "rows, without a split, or name the column by split=COLUMN", t->path, wanted);
    for (int64_t r = 1; r < t->csv.rows; r++) {
        const int8_t split = t->row_split ? t->row_split[r] : IO_SPLIT_NONE;
        t->used[r] = !wanted || (split >= 0 && !strcmp(io_split_names[split], io_split_of(wanted)));
        found += t->used[r];
    }
    if (!found) return io_fail(PEFT_E_NOTFOUND, "%s: no row is of the split '%.40s'", t->path, wanted);
    return leave_out_repetitions(t);
}

/* Copies the labels and moves the paths of the rows that are used. */
static peft_status fill_samples(io_table *t, peft_dataset *d)
{
    const int64_t classes = t->classes.count;
    int64_t n = 0;
    peft_status s = PEFT_OK;
    for (int64_t r = 1; r < t->csv.rows; r++) n += t->used[r];
    if (t->row_label) d->label = io_alloc(d->ctx, n, sizeof *d->label);
    else d->target = io_alloc(d->ctx, n * classes, 1);
    if (!d->label && !d->target) return io_nomem(t->path);
    for (int64_t r = 1; r < t->csv.rows && !s; r++) {
        if (!t->used[r]) continue;
        if (d->label) d->label[d->count] = t->row_label[r];
        else memcpy(d->target + d->count * classes, t->row_target + r * classes, (size_t)classes);
        if (t->mask != IO_NO_COLUMN) s = io_strings_add(&d->mask_names, io_table_mask_path(t, r));
        if (s) break;
        s = io_strings_add(&d->names, t->file[r]);
        t->file[r] = NULL;
        d->count += !s;
    }
    return s;
}

peft_status io_table_fill(io_table *t, peft_dataset *d)
{
    peft_status s = fill_samples(t, d);
    if (!s) s = io_table_make_groups(t, d);
    if (!s && d->groups) s = io_warn_of_similar_groups(t->ctx, t->path, &d->groups->names, NULL);
    d->store = &io_files;
    d->class_names = t->classes;
    d->classes = t->classes.count;
    t->classes = (io_strings){ .ctx = t->ctx };
    return s;
}
