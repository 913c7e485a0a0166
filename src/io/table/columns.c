/* SPDX-License-Identifier: Apache-2.0
 * columns.c -- finds the columns of a table that tell pictures, labels, patients, studies and splits: those that
 * options name, else those with common names. */
#include "io/table/table.h"
#include <stdio.h>

typedef enum kind { NAME, LABEL, PATIENT, STUDY, SPLIT } kind;
static const char *const kind_text[] = { "the pictures' paths", "the labels", "the patients", "the studies",
                                         "the splits" };
static const char *const kind_option[] = { "path", "label", "patient", "study", "split" };

/* Common names, in lower case and without other characters than letters and digits. Of the names in a table, those of
 * the lowest rank count: a column "path" goes before a column "image_id". */
static const struct { const char *name; kind kind; int rank; } known[] = {
    { "path", NAME, 0 }, { "filepath", NAME, 0 }, { "imagepath", NAME, 0 }, { "imgpath", NAME, 0 },
    { "relativepath", NAME, 0 }, { "filename", NAME, 1 }, { "file", NAME, 1 }, { "imagefile", NAME, 1 },
    { "imagefilename", NAME, 1 }, { "imagename", NAME, 1 }, { "imgname", NAME, 1 }, { "fname", NAME, 1 },
    { "image", NAME, 2 }, { "img", NAME, 2 }, { "picture", NAME, 2 }, { "imageindex", NAME, 2 }, { "imageid", NAME, 3 },
    { "imgid", NAME, 3 }, { "isicid", NAME, 3 }, { "idcode", NAME, 3 }, { "dicomid", NAME, 3 }, { "name", NAME, 4 },
    { "id", NAME, 5 },
    { "label", LABEL, 0 }, { "labels", LABEL, 0 }, { "class", LABEL, 0 }, { "classname", LABEL, 0 },
    { "diagnosis", LABEL, 0 }, { "dx", LABEL, 0 }, { "target", LABEL, 0 }, { "findinglabels", LABEL, 0 },
    { "finding", LABEL, 0 }, { "findings", LABEL, 0 }, { "category", LABEL, 0 }, { "groundtruth", LABEL, 0 },
    { "patient", PATIENT, 0 }, { "patientid", PATIENT, 0 }, { "patientno", PATIENT, 0 },
    { "patientnumber", PATIENT, 0 }, { "patientnr", PATIENT, 0 }, { "patientennr", PATIENT, 0 },
    { "patientennummer", PATIENT, 0 }, { "patientenid", PATIENT, 0 }, { "patnr", PATIENT, 0 },
    { "patno", PATIENT, 0 }, { "patid", PATIENT, 0 }, { "pid", PATIENT, 0 }, { "subject", PATIENT, 0 },
    { "subjectid", PATIENT, 0 }, { "person", PATIENT, 0 }, { "personid", PATIENT, 0 },
    { "participant", PATIENT, 0 }, { "participantid", PATIENT, 0 }, { "case", PATIENT, 1 }, { "caseid", PATIENT, 1 },
    { "lesionid", PATIENT, 2 },
    { "study", STUDY, 0 }, { "studyid", STUDY, 0 }, { "studyuid", STUDY, 0 }, { "studyinstanceuid", STUDY, 0 },
    { "exam", STUDY, 0 }, { "examid", STUDY, 0 }, { "accession", STUDY, 0 }, { "accessionnumber", STUDY, 0 },
    { "volume", STUDY, 0 }, { "volumeid", STUDY, 0 }, { "case", STUDY, 1 }, { "caseid", STUDY, 1 },
    { "split", SPLIT, 0 }, { "set", SPLIT, 1 }, { "subset", SPLIT, 1 }, { "partition", SPLIT, 1 },
    { "phase", SPLIT, 1 }, { "fold", SPLIT, 2 } };
enum { KNOWN = sizeof known / sizeof *known };

bool io_table_is_heading(const char *name)
{
    char plain[IO_TABLE_WORD];
    io_table_plain_heading(name, plain);
    for (int k = 0; k < KNOWN; k++)
        if (!strcmp(plain, known[k].name)) return true;
    return false;
}

/* The error for columns that cannot be chosen: "table.csv: WHAT; the columns are ...; CURE". */
static peft_status no_column(const io_table *t, const char *what, const char *cure)
{
    char columns[1500];
    return io_fail(PEFT_E_FORMAT, "%s: %s; the columns are %s; %s", t->path, what,
                   io_table_columns_text(t, NULL, t->csv.columns, columns, sizeof columns), cure);
}

/* The column that an option names: by its heading, by #N, or by its heading in other case. */
static peft_status find_named(const io_table *t, const char *option, const char *text, int64_t *column)
{
    char what[IO_TABLE_WORD + 80], plain[IO_TABLE_WORD], other[IO_TABLE_WORD];
    int64_t number, found = 0;
    for (int64_t c = t->csv.columns - 1; c >= 0; c--)
        if (!strcmp(io_table_cell(t, 0, c), text)) *column = c, found++;
    if (!found && *text == '#' && peft_sys_opt_integer(text + 1, strlen(text + 1), &number) && number >= 1 &&
        number <= t->csv.columns)
        *column = number - 1, found = 1;
    io_table_plain_heading(text, plain);
    for (int64_t c = 0, exact = found; !exact && *plain && c < t->csv.columns; c++) {
        io_table_plain_heading(io_table_cell(t, 0, c), other);
        if (!strcmp(plain, other)) *column = c, found++;
    }
    if (found == 1) return PEFT_OK;
    snprintf(what, sizeof what, found ? "option %s=%s names %d columns" : "option %s=%s names no column", option, text,
             (int)found);
    return no_column(t, what, "give one of them, or #N for the N-th");
}

/* Sets *column to that of an option's text, or for "" to the one with a common name: IO_NO_COLUMN if none has. taken:
 * a column that is not considered. */
static peft_status find_column(const io_table *t, kind k, const char *text, int64_t taken, int64_t *column)
{
    int rank = KNOWN;
    int64_t second = IO_NO_COLUMN;                            /* another column of the same rank */
    *column = IO_NO_COLUMN;
    if (!strcmp(text, "none")) return PEFT_OK;
    if (*text) return find_named(t, kind_option[k], text, column);
    for (int64_t c = 0; c < t->csv.columns; c++) {
        char plain[IO_TABLE_WORD];
        io_table_plain_heading(io_table_cell(t, 0, c), plain);
        for (int i = 0; i < KNOWN && c != taken; i++) {
            if (known[i].kind != k || known[i].rank > rank || strcmp(plain, known[i].name)) continue;
            second = known[i].rank == rank ? *column : IO_NO_COLUMN;
            *column = c;
            rank = known[i].rank;
        }
    }
    if (second == IO_NO_COLUMN) return PEFT_OK;
    char what[2 * IO_TABLE_WORD + 80], cure[80];
    snprintf(what, sizeof what, "%s may be in column '%.200s' or '%.200s'", kind_text[k], io_table_cell(t, 0, second),
             io_table_cell(t, 0, *column));
    snprintf(cure, sizeof cure, "give %s=COLUMN", kind_option[k]);
    return no_column(t, what, cure);
}

static void add_label(io_table *t, int64_t column) { t->label[t->labels++] = column; }

/* Takes the columns that option label names. */
static peft_status take_named_labels(io_table *t)
{
    char part[IO_TABLE_WORD];
    const int64_t count = io_list_count(t->options.label);
    for (int64_t i = 0; i < count; i++) {
        int64_t column = IO_NO_COLUMN;
        const char *name = io_list_part(t->options.label, i, part);
        if (!name || t->labels == t->csv.columns)
            return io_fail(PEFT_E_OPTION, "table: option 'label' has more columns than the table, or a longer name");
        peft_status s = find_named(t, "label", name, &column);
        if (s) return s;
        for (int64_t k = 0; k < t->labels; k++)
            if (t->label[k] == column)
                return io_fail(PEFT_E_OPTION, "table: option 'label' names the column '%s' twice", name);
        add_label(t, column);
    }
    return PEFT_OK;
}

/* Takes all columns that have no other meaning. binary: they must be of 0 and 1, else none is taken. */
static void take_other_columns(io_table *t, bool binary)
{
    bool any;
    for (int64_t c = 0; c < t->csv.columns; c++) {
        if (io_table_is_taken(t, c)) continue;
        if (binary && (!io_table_is_binary(t, c, &any) || !any)) {
            t->labels = 0;
            return;
        }
        add_label(t, c);
    }
}

/* The error for a table whose labels are in no column with a common name; names those of 0 and 1. */
static peft_status no_labels(const io_table *t)
{
    char cure[1200] = "give label=COLUMN, label=COLUMN:COLUMN for several columns of 0 and 1, or labels=none for "
                      "pictures without labels";
    size_t used = 0;
    bool any;
    int64_t found = 0;
    for (int64_t c = 0; c < t->csv.columns; c++) {
        const char *name = io_table_cell(t, 0, c);
        if (io_table_is_taken(t, c) || !io_table_is_binary(t, c, &any) || !any) continue;
        if (used + strlen(name) + 60 > sizeof cure) break;
        used += (size_t)snprintf(cure + used, sizeof cure - used, "%s%s", found++ ? ":" : "give label=", name);
    }
    if (found) snprintf(cure + used, sizeof cure - used, " (columns of 0 and 1), another column, or "
                        "labels=none for pictures without labels");
    return no_column(t, "no column has a common name of labels (label, class, diagnosis, ..)", cure);
}

static peft_status choose_labels(io_table *t)
{
    t->label = io_alloc(t->ctx, t->csv.columns, sizeof *t->label);
    if (!t->label) return io_nomem(t->path);
    if (t->options.labels == IO_LABELS_NONE) return PEFT_OK;
    if (*t->options.label) return take_named_labels(t);
    int64_t column = IO_NO_COLUMN;
    if (t->options.labels == IO_LABELS_AUTO) {
        peft_status s = find_column(t, LABEL, "", t->name, &column);
        if (s || column != IO_NO_COLUMN) {
            if (!s) add_label(t, column);
            return s;
        }
    }
    take_other_columns(t, t->options.labels == IO_LABELS_AUTO);
    if (t->labels < 2 && t->options.labels == IO_LABELS_AUTO) return no_labels(t);
    return t->labels ? PEFT_OK
                     : no_column(t, "labels=all, but every column has another meaning", "give label=COLUMN");
}

peft_status io_table_choose_columns(io_table *t)
{
    const io_table_options *o = &t->options;
    peft_status s = find_column(t, NAME, o->path, IO_NO_COLUMN, &t->name);
    if (!s && t->name == IO_NO_COLUMN)
        s = no_column(t, "no column has a common name of the pictures' paths (path, filename, image, ..)",
                      "give path=COLUMN");
    if (!s) s = find_column(t, PATIENT, o->patient, IO_NO_COLUMN, &t->patient);
    if (!s) s = find_column(t, STUDY, o->study, t->patient, &t->study);
    if (!s) s = find_column(t, SPLIT, o->split, IO_NO_COLUMN, &t->split);
    if (!s && t->split == IO_NO_COLUMN && (*o->train || *o->val || *o->test))
        s = no_column(t, "train=, val= or test= is given, but no column of splits", "give split=COLUMN");
    t->mask = IO_NO_COLUMN;
    if (!s && *o->mask) s = find_named(t, "mask", o->mask, &t->mask);
    return s ? s : choose_labels(t);
}
