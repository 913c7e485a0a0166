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

/* The length of a cell without the ".0" of a whole number: pandas adds it in a column with gaps, and the patient may be
 * in another table, or in another line, without it. */
static size_t without_decimal_zero(const char *cell)
{
    int64_t v;
    const size_t n = strlen(cell);
    return n > 2 && !strcmp(cell + n - 2, ".0") && io_table_integer(cell, &v) ? n - 2 : n;
}

/* Whether two rows have the same patient or study. */
static bool same_identity(const io_table *t, int64_t x, int64_t y, int64_t column)
{
    if (column == IO_NO_COLUMN) return true;
    const char *a = io_table_cell(t, x, column), *b = io_table_cell(t, y, column);
    const size_t n = without_decimal_zero(a);
    return n == without_decimal_zero(b) && !memcmp(a, b, n);
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

/* Where a row has no patient, puts the patient of another row of its study, else the name of the study. */
static peft_status fill_from_cases(const io_table *t, const io_groups *cases, char **text, int64_t count)
{
    char **patient = io_alloc(t->ctx, cases->names.count + 1, sizeof *patient);
    if (!patient) return io_nomem(t->path);
    for (int64_t c = 0; c < cases->names.count; c++) patient[c] = cases->names.item[c];
    for (int64_t i = count - 1; i >= 0; i--)                  /* the first row of a study that has a patient counts */
        if (cases->of[i] != IO_NO_GROUP && *text[i]) patient[cases->of[i]] = text[i];
    for (int64_t i = 0; i < count; i++)
        if (cases->of[i] != IO_NO_GROUP && !*text[i]) text[i] = patient[cases->of[i]];
    peft_sys_free(t->ctx, patient);
    return PEFT_OK;
}

/* Makes groups of the cells of a column; NULL for IO_NO_COLUMN. cases: of the studies, which count where a cell is
 * empty; NULL: none. */
static peft_status make_groups(const io_table *t, int64_t column, const io_groups *cases, int64_t count,
                               io_groups **out)
{
    char **text;
    int64_t n = 0, none = 0;
    if (column == IO_NO_COLUMN) return PEFT_OK;
    if (!(text = io_alloc(t->ctx, count, sizeof *text))) return io_nomem(t->path);
    for (int64_t r = 1; r < t->csv.rows; r++) {
        if (!t->used[r]) continue;
        text[n] = t->csv.cell[r * t->csv.columns + column];
        text[n][without_decimal_zero(text[n])] = 0;
        n++;
    }
    peft_status s = cases ? fill_from_cases(t, cases, text, count) : PEFT_OK;
    for (int64_t i = 0; i < count; i++) none += !*text[i];
    if (none)
        io_warn(t->ctx, "%s: %lld of %lld pictures have nothing in column '%.80s'; each counts as one of its own",
                t->path, (long long)none, (long long)count, io_table_cell(t, 0, column));
    if (!s) s = io_groups_make(t->ctx, (const char *const *)text, count, out);
    peft_sys_free(t->ctx, text);
    return s;
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
        s = io_strings_add(&d->names, t->file[r]);
        t->file[r] = NULL;
        d->count += !s;
    }
    return s;
}

/* Warns of a study that is listed under two patients: its pictures may come into both parts of a split. */
static peft_status check_studies(const io_table *t, const peft_dataset *d)
{
    const io_groups *cases = d->cases, *patients = d->groups;
    if (!cases || !patients || cases == patients) return PEFT_OK;
    int64_t *patient = io_alloc(t->ctx, cases->names.count + 1, sizeof *patient), mixed = 0, example = 0;
    if (!patient) return io_nomem(t->path);
    for (int64_t c = 0; c < cases->names.count; c++) patient[c] = IO_NO_GROUP;
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t c = cases->of[i], p = patients->of[i];
        if (c == IO_NO_GROUP || p == IO_NO_GROUP) continue;
        if (patient[c] == IO_NO_GROUP) patient[c] = p;
        else if (patient[c] != p && !mixed++) example = c;
    }
    peft_sys_free(t->ctx, patient);
    if (mixed)
        io_warn(t->ctx, "%s: a study has pictures of several patients, such as '%.80s', so that it may come into both "
                "parts of a split; correct the table, or give --table patient=none to keep studies together", t->path,
                cases->names.item[example]);
    return PEFT_OK;
}

/* Without a column of patients, or in a row without a patient, the pictures of a study stay together. */
peft_status io_table_fill(io_table *t, peft_dataset *d)
{
    peft_status s = fill_samples(t, d);
    if (!s) s = make_groups(t, t->study, NULL, d->count, &d->cases);
    if (!s && t->patient != IO_NO_COLUMN) s = make_groups(t, t->patient, d->cases, d->count, &d->groups);
    else if (!s) d->groups = io_groups_retain(d->cases);
    if (!s) s = check_studies(t, d);
    if (!s && d->groups) s = io_warn_of_similar_groups(t->ctx, t->path, &d->groups->names, NULL);
    d->store = &io_files;
    d->class_names = t->classes;
    d->classes = t->classes.count;
    t->classes = (io_strings){ .ctx = t->ctx };
    return s;
}
