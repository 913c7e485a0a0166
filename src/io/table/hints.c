/* SPDX-License-Identifier: Apache-2.0
 * hints.c -- warnings of columns that are probably meant otherwise: one that looks like the patient, columns of 0 and 1
 * that are labels because nothing else is said, labels that look like ids of pictures. */
#include "io/table/table.h"
#include <stdio.h>

/* Parts of headings of columns that tell patients, and of headings that contain one of these but do not; whole headings
 * of patients, which are too short to look for in others ("pat" in "path"). All are in the form of
 * io_table_plain_heading. */
static const char *const of_patients[] = { "patient", "mrn", "medicalrecord", "subject", "person", "participant",
                                           "case", "hospitalno", "hospitalnumber", "hospitalid", "paciente",
                                           "paziente", "proband", "fallnr", "fallnummer", "fallid" };
static const char *const of_patients_whole[] = { "pat", "patname", "patnum", "patnumber", "patnummer", "pnr", "pno",
                                                 "ptid", "ptno", "ptnr", "subj", "subjid", "upn" };
static const char *const of_other_facts[] = { "age", "sex", "gender", "weight", "height", "size", "position",
                                              "orientation", "count", "birth" };

static bool has_part(const char *text, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, parts[i])) return true;
    return false;
}
static bool is_word(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(text, words[i])) return true;
    return false;
}
#define HAS_PART(text, parts) has_part(text, parts, sizeof parts / sizeof *parts)

/* A table without labels is one of new pictures, which are not split. */
void io_table_warn_of_patients(const io_table *t)
{
    const io_table_options *o = &t->options;
    if (t->patient != IO_NO_COLUMN || *o->patient || o->labels == IO_LABELS_NONE) return;
    for (int64_t c = 0; c < t->csv.columns; c++) {
        char plain[IO_TABLE_WORD];
        const char *heading = io_table_cell(t, 0, c);
        io_table_plain_heading(heading, plain);
        const bool whole = is_word(plain, of_patients_whole, sizeof of_patients_whole / sizeof *of_patients_whole);
        const bool part = HAS_PART(plain, of_patients) && !HAS_PART(plain, of_other_facts);
        if (io_table_is_taken(t, c) || (!whole && !part)) continue;
        io_warn(t->ctx, "%s: no column of patients is known, so that pictures of one patient may be in training and "
                "test alike. If column '%.80s' tells the patient, give patient=%.80s (programs: --table "
                "'patient=%.80s', or --patients PATTERN where file names tell the patient), else patient=none", t->path,
                heading, heading, heading);
        return;
    }
}

void io_table_warn_of_targets(const io_table *t)
{
    char columns[700];
    if (t->options.labels != IO_LABELS_AUTO || *t->options.label) return;
    io_warn(t->ctx, "%s: an image has several labels, the %lld columns of 0 and 1 %s; if one of them is no label (sex, "
            "contrast, ..), choose the labels by label=COLUMN:COLUMN, else give labels=all (programs: --table)",
            t->path, (long long)t->labels, io_table_columns_text(t, t->label, t->labels, columns, sizeof columns));
}

peft_status io_table_check_labels(const io_table *t, bool one_in_a_cell)
{
    enum { FEWEST = 10 };                                     /* rows; fewer say nothing */
    const int64_t rows = t->csv.rows - 1, classes = t->classes.count;
    const char *heading = io_table_cell(t, 0, t->label[0]);
    if (*t->options.classes || rows < FEWEST || 2 * classes <= rows) return PEFT_OK;
    if (one_in_a_cell && classes == rows)
        return io_fail(PEFT_E_FORMAT, "%s: every one of the %lld rows has another label in column '%.80s', as if it "
                       "were an id or a measured value; expected a class that several pictures share. Give "
                       "label=COLUMN of the classes, labels=none for pictures without, or name all by classes=A:B",
                       t->path, (long long)rows, heading);
    io_warn(t->ctx, "%s: column '%.80s' has %lld different labels in %lld rows, as if it were an id or a text; if it "
            "is not the class, give label=COLUMN (programs: --table label=COLUMN)", t->path, heading,
            (long long)classes, (long long)rows);
    return PEFT_OK;
}
