/* SPDX-License-Identifier: Apache-2.0
 * table.h -- io_table: a table of labels (CSV, TSV) with the names of its columns in the first line, and the steps that
 * make a data set of it: options, columns, splits, labels, files. */
#ifndef IO_TABLE_H
#define IO_TABLE_H
#include "io/dataset/dataset.h"
#include "io/csv/csv.h"

/* Bytes of an option's text: of one name, and of a list of names. */
enum { IO_TABLE_WORD = 256, IO_TABLE_LIST = 8192 };
/* The options of peft_dataset_open_table, in the order of the table in options.c. "": not given. */
typedef struct io_table_options {
    char path[IO_TABLE_WORD], label[IO_TABLE_LIST], patient[IO_TABLE_WORD], study[IO_TABLE_WORD], split[IO_TABLE_WORD];
    int labels;                                               /* IO_LABELS_ */
    char folder[4096], strip[4096], ending[IO_TABLE_WORD];
    int missing;                                              /* IO_MISSING_ */
    char classes[IO_TABLE_LIST], separator[IO_TABLE_WORD], none[IO_TABLE_WORD];
    int blank, uncertain;                                     /* IO_CELL_ */
    bool onehot;
    char train[IO_TABLE_WORD], val[IO_TABLE_WORD], test[IO_TABLE_WORD];
    int delimiter;                                            /* IO_DELIMITER_ */
    char mask[IO_TABLE_WORD];
} io_table_options;
enum { IO_LABELS_AUTO, IO_LABELS_ALL, IO_LABELS_NONE };
enum { IO_MISSING_ERROR, IO_MISSING_SKIP };
enum { IO_CELL_NOT_JUDGED, IO_CELL_0, IO_CELL_1, IO_CELL_ERROR };
enum { IO_DELIMITER_AUTO, IO_DELIMITER_COMMA, IO_DELIMITER_SEMICOLON, IO_DELIMITER_TAB };

/* Splits, as numbers; IO_SPLIT_NONE: the row is in none of them. */
enum { IO_SPLIT_TRAIN, IO_SPLIT_VAL, IO_SPLIT_TEST, IO_SPLITS, IO_SPLIT_NONE = -1 };
extern const char *const io_split_names[IO_SPLITS];

enum { IO_NO_COLUMN = -1 };
typedef struct io_table {
    peft_context *ctx;
    const char *path;                                         /* of the table, for names and messages */
    io_table_options options;
    io_csv csv;
    /* columns.c: indices of columns. */
    int64_t name, patient, study, split, mask;                /* IO_NO_COLUMN: there is none */
    int64_t *label, labels;                                   /* [labels]: one, or several with a target each */
    /* One entry for each row of csv; row 0, the column names, is not used. */
    int8_t *row_split;                                        /* splits.c; NULL: the table has no splits */
    char **file;                                              /* files.c: the paths of the pictures */
    bool *used;                                               /* rows.c: of the opened split, and no repetition */
    /* classes.c, labels.c, targets.c and cell_lists.c: */
    int64_t *row_label;                                       /* [rows]; NULL: multi-label */
    int8_t *row_target;                                       /* [rows, classes]; NULL: single label */
    io_strings classes;
    int64_t *by_name;                                         /* [classes]: their numbers, in the order of the names */
} io_table;

static inline const char *io_table_cell(const io_table *t, int64_t row, int64_t column)
{
    return io_csv_cell(&t->csv, row, column);
}
/* --- headings.c --- */
/* PEFT_E_FORMAT with the path of the table and the line of the row before the message. */
__attribute__((format(printf, 3, 4))) peft_status io_table_bad_row(const io_table *t, int64_t row,
                                                                   const char *format, ...);

/* --- options.c --- */
const peft_option *io_table_option(size_t i);
/* Reads options (NULL: the defaults) into o. PEFT_E_OPTION: as peft_sys_opt_read. */
peft_status io_table_read_options(const char *text, io_table_options *o);
/* The number of parts between colons in a list such as "a:b:c"; 0 for "". */
int64_t io_list_count(const char *list);
/* Writes part i to text [IO_TABLE_WORD]; returns text, or NULL where the part is longer. */
const char *io_list_part(const char *list, int64_t i, char *text);
/* Whether the word is one of the parts. */
bool io_list_has(const char *list, const char *word);

/* --- headings.c --- */
/* Writes the letters and digits of a heading in lower case to plain [IO_TABLE_WORD]; bytes above 127 are kept. */
void io_table_plain_heading(const char *heading, char *plain);
/* Writes the headings of columns [count] (NULL: of columns 0..count - 1) to text [size] as "'path', 'label'"; those
 * that do not fit are counted. Returns text. */
const char *io_table_columns_text(const io_table *t, const int64_t *columns, int64_t count, char *text, size_t size);
/* Whether the column tells pictures, patients, studies, splits or masks. */
bool io_table_is_taken(const io_table *t, int64_t c);

/* --- columns.c --- */
/* Whether a heading is one of the common names of a column that tells pictures, labels, patients or splits. */
bool io_table_is_heading(const char *name);
/* Finds the columns. PEFT_E_FORMAT: one is missing, or several could be meant; the message lists the columns and says
 * which option chooses. */
peft_status io_table_choose_columns(io_table *t);

/* --- hints.c --- */
/* Warns if no column tells patients, but one looks as if it did. Needs the columns of columns.c. */
void io_table_warn_of_patients(const io_table *t);
/* Warns that columns of 0 and 1 are labels because no option names others. */
void io_table_warn_of_targets(const io_table *t);
/* Warns of a column of labels that has nearly as many classes as the table has rows. one_in_a_cell: a cell is one
 * label; then PEFT_E_FORMAT where every row has a class of its own. */
peft_status io_table_check_labels(const io_table *t, bool one_in_a_cell);

/* --- splits.c --- */
/* Finds the split of each row: in its column, or in ChestX-ray14's lists beside the table. PEFT_E_FORMAT: cells that
 * name no split, where `wanted` (NULL: all rows) is to be opened. */
peft_status io_table_find_splits(io_table *t, const char *wanted);

/* --- classes.c --- */
/* Makes the table's classes of the names in *found, which it empties: those of the option classes, or else all that are
 * found, sorted by number if all are whole numbers, else bytewise. keep_order: in their order instead, none twice.
 * PEFT_E_FORMAT: a name with control characters, or an empty one. */
peft_status io_table_set_classes(io_table *t, io_strings *found, bool keep_order);
/* The class of this name; -1: none. */
int64_t io_table_class(const io_table *t, const char *name);
/* Whether the cell is a whole number, which may end in ".0". */
bool io_table_integer(const char *cell, int64_t *v);

/* --- labels.c: one column of one label --- */
/* Reads the labels of all rows, by the functions below where they are targets. */
peft_status io_table_read_labels(io_table *t);

/* --- targets.c: several columns of 0 and 1 --- */
/* Whether all cells of a column are 0, 1, -1 or empty; *any: one of them is not empty. */
bool io_table_is_binary(const io_table *t, int64_t column, bool *any);
peft_status io_table_read_targets(io_table *t);

/* --- cell_lists.c: several labels in a cell --- */
peft_status io_table_read_cell_lists(io_table *t, char separator);

/* --- files.c --- */
/* Sets the path of each row's picture. PEFT_E_FORMAT: a row without one; a path of another system. */
peft_status io_table_name_files(io_table *t);
/* The path of the mask of a row, "" for an empty cell, which the caller frees; NULL: no memory. */
char       *io_table_mask_path(const io_table *t, int64_t row);
/* Looks for the files of the rows that are used; one that is not there is searched by its name in the folders below.
 * Rows whose file does not exist are an error that names the first, or with missing=skip are marked as not used, with a
 * warning and *skipped, the text of peft_dataset_skipped. */
peft_status io_table_find_files(io_table *t, char **skipped);

/* --- near_file.c --- */
/* Looks in the folder of a picture that does not exist for a file whose name differs only in upper and lower case or in
 * the ending. The caller frees *near; NULL: there is none. */
peft_status io_table_near_file(const io_table *t, const char *path, char **near);

/* --- patients.c --- */
/* The length of a cell of patients or studies without the ".0" of a whole number. */
size_t io_table_identity_length(const char *cell);
/* Makes the cases and groups (patients) of the rows that are used, d->count of them. A case is a study of a patient.
 * PEFT_E_FORMAT: a row without a patient, whose study has several. */
peft_status io_table_make_groups(const io_table *t, peft_dataset *d);

/* --- rows.c --- */
/* Marks the rows of the split `wanted` (NULL: all) as used, but a picture that is listed again only once, with a
 * warning. PEFT_E_FORMAT: a picture with two labels, patients or splits; PEFT_E_NOTFOUND: no row of the split. */
peft_status io_table_choose_rows(io_table *t, const char *wanted);
/* Fills the data set with the rows that are used. */
peft_status io_table_fill(io_table *t, peft_dataset *d);

/* --- table.c --- */
/* Reads the table at path into d: all of the above. split NULL: all rows. */
peft_status io_table_open(const char *path, const char *options, const char *split, peft_dataset *d);
#endif
