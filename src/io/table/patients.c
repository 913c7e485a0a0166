/* SPDX-License-Identifier: Apache-2.0
 * patients.c -- the patients (groups) and studies (cases) of a table's rows. All rows of the table are looked at, so
 * that the names do not depend on the split that is opened. */
#include "io/table/table.h"
#include "io/dataset/groups.h"
#include <stdio.h>

/* pandas adds ".0" in a column with gaps, and the patient may be in another table, or in another line, without it. */
size_t io_table_identity_length(const char *cell)
{
    int64_t v;
    const size_t n = strlen(cell);
    return n > 2 && !strcmp(cell + n - 2, ".0") && io_table_integer(cell, &v) ? n - 2 : n;
}


/* The patient and the study of each row; index 0 is row 1. NULL: the table has no such column. */
typedef struct identities {
    const char **patient, **study;
    io_strings copies;                                        /* of cells, and "patient/study" */
} identities;

static peft_status read_column(const io_table *t, int64_t column, identities *id, const char ***text)
{
    const int64_t rows = t->csv.rows - 1;
    if (column == IO_NO_COLUMN) return PEFT_OK;
    if (!(*text = io_alloc(t->ctx, rows, sizeof **text))) return io_nomem(t->path);
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < rows && !s; i++) {
        const char *cell = io_table_cell(t, i + 1, column);
        char *copy = io_copy(t->ctx, cell);
        if (copy) copy[io_table_identity_length(cell)] = 0;
        (*text)[i] = copy;
        s = io_strings_add(&id->copies, copy);
    }
    return s;
}

/* Replaces the row's study by "patient/study". */
static peft_status put_patient_before(const io_table *t, identities *id, int64_t i)
{
    const size_t size = strlen(id->patient[i]) + strlen(id->study[i]) + 2;
    char *name = io_alloc(t->ctx, (int64_t)size, 1);
    if (name) snprintf(name, size, "%s/%s", id->patient[i], id->study[i]);
    id->study[i] = name;
    return io_strings_add(&id->copies, name);
}

static void warn_of_study(const io_table *t, const char *study, const char *a, const char *b)
{
    io_warn(t->ctx, "%s: a study has pictures of several patients, such as '%.80s': it counts as a case of each of "
            "them, '%.80s/%.80s' and '%.80s/%.80s'. If the studies of each patient are not numbered anew, correct the "
            "table, or give --table patient=none to keep studies together", t->path, study, a, study, b, study);
}

/* Fills in the patients of rows without one from other rows of their study, or else from the study's name. first: of
 * each study, its first row with a patient, or -1. Studies with several patients become a case of each. */
static peft_status join(const io_table *t, identities *id, const io_groups *studies, int64_t *first, bool *several)
{
    const int64_t rows = t->csv.rows - 1;
    bool warned = false;
    for (int64_t c = 0; c < studies->names.count; c++) first[c] = -1;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t c = studies->of[i];
        if (c == IO_NO_GROUP || !*id->patient[i]) continue;
        if (first[c] < 0) first[c] = i;
        if (!strcmp(id->patient[first[c]], id->patient[i])) continue;
        several[c] = true;
        if (!warned) warn_of_study(t, studies->names.item[c], id->patient[first[c]], id->patient[i]);
        warned = true;
    }
    for (int64_t i = 0; i < rows; i++) {
        const int64_t c = studies->of[i];
        const bool filled = c == IO_NO_GROUP || *id->patient[i];
        if (!filled && several[c])
            return io_table_bad_row(t, i + 1, "there is no patient, and study '%.80s' is listed under several "
                                    "patients, such as '%.80s'; fill in the patient, or give patient=none to keep "
                                    "studies together", id->study[i], id->patient[first[c]]);
        if (!filled) id->patient[i] = first[c] < 0 ? id->study[i] : id->patient[first[c]];
        peft_status s = c != IO_NO_GROUP && several[c] ? put_patient_before(t, id, i) : PEFT_OK;
        if (s) return s;
    }
    return PEFT_OK;
}

static peft_status join_patients_and_studies(const io_table *t, identities *id)
{
    io_groups *studies;
    peft_status s = io_groups_make(t->ctx, id->study, t->csv.rows - 1, &studies);
    if (s) return s;
    int64_t *first = io_alloc(t->ctx, studies->names.count + 1, sizeof *first);
    bool *several = io_alloc(t->ctx, studies->names.count + 1, sizeof *several);
    s = first && several ? join(t, id, studies, first, several) : io_nomem(t->path);
    peft_sys_free(t->ctx, several);
    peft_sys_free(t->ctx, first);
    io_groups_free(t->ctx, studies);
    return s;
}

/* Makes groups of the texts of the rows that are used, and warns of empty ones. Moves these texts to the front. */
static peft_status make_groups(const io_table *t, int64_t column, const char **text, int64_t count, io_groups **out)
{
    int64_t n = 0, none = 0;
    if (!text) return PEFT_OK;
    for (int64_t r = 1; r < t->csv.rows; r++)
        if (t->used[r]) none += !*(text[n++] = text[r - 1]);
    if (none)
        io_warn(t->ctx, "%s: %lld of %lld pictures have nothing in column '%.80s'; each counts as one of its own",
                t->path, (long long)none, (long long)count, io_table_cell(t, 0, column));
    return io_groups_make(t->ctx, text, count, out);
}

/* Without a column of patients the pictures of a study stay together. */
peft_status io_table_make_groups(const io_table *t, peft_dataset *d)
{
    identities id = { .copies = { .ctx = t->ctx } };
    peft_status s = read_column(t, t->patient, &id, &id.patient);
    if (!s) s = read_column(t, t->study, &id, &id.study);
    if (!s && id.patient && id.study) s = join_patients_and_studies(t, &id);
    if (!s) s = make_groups(t, t->study, id.study, d->count, &d->cases);
    if (!s) s = make_groups(t, t->patient, id.patient, d->count, &d->groups);
    if (!s && !id.patient) d->groups = io_groups_retain(d->cases);
    peft_sys_free(t->ctx, id.patient);
    peft_sys_free(t->ctx, id.study);
    io_strings_clear(&id.copies);
    return s;
}
