/* SPDX-License-Identifier: Apache-2.0
 * record_rows.h -- reads the rows of record files that may lack columns or be cut short. */
#ifndef REPORT_RECORD_ROWS_H
#define REPORT_RECORD_ROWS_H
#include "report/report_study.h"

/* What a file is, by kind (record_name): fields of a row; may_lack_last: records of an earlier version lack the last
 * field, which is read as empty; may_end_early: the file may be cut short. */
typedef struct file_form {
    const char *kind;
    int fields;
    bool may_lack_last, may_end_early;
    row_reader store;
} file_form;
/* How many rows a file has below its heading, and where it is cut short: the line; 0: it is not. there: it exists. */
typedef struct file_rows { bool there; int64_t rows, cut; } file_rows;
/* Passes the rows of a run's file to form->store. Fields point into *keep, the text of the file, to be freed. Damage
 * that the form does not allow ends the program. */
file_rows read_record_file(const study *s, const method *m, run *r, char **keep, const file_form *form);
#endif
