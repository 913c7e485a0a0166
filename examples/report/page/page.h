/* SPDX-License-Identifier: Apache-2.0
 * page.h -- the HTML page that report writes: its frame, its parts with a table of contents, its figures and tables
 * with their values as CSV. A page is one stream in which nothing needs the network or a script. */
#ifndef PAGE_H
#define PAGE_H
#include "table.h"
#include <stdbool.h>

typedef struct csv_file { char *name, *text; size_t size; } csv_file;
typedef struct page {
    FILE *f;                                                  /* where the part that is being written goes */
    const char *csv;                                          /* folder beside the page for CSV files; NULL: in links */
    csv_file *file;                                           /* [files]: contents of that folder */
    int64_t files, tables, study;                             /* tables written; number of the study, from 1;
                                                               * 0: the page is a card */
} page;

/* frame.c: the page before and after its contents. command: the command line that made the page. local_numbers: with a
 * script that writes decimal separators as the reader's browser does. */
void put_head(FILE *f, const char *title, bool local_numbers);
void put_foot(FILE *f, const char *command, bool local_numbers);
void put_code(FILE *f, const char *caption, const char *text);       /* text NULL: "unknown" */

/* figure.c: a table with links to its values as CSV files; takes t. */
void put_table(page *p, table *t);
void put_csv_links(page *p, const table *t);                  /* only the links */
/* A figure: open_figure, a caption, any contents such as open_svg .. </svg>, then close_figure, which writes the values
 * below it, folded, and takes both tables; more: what the CSV files hold in place of `values`, or NULL. class: of the
 * element, or NULL. */
void open_figure(page *p, const char *class);
void put_caption(page *p, const char *text, const char *small);      /* small: in small print below, or NULL */
void close_figure(page *p, table *values, table *more);
/* Opens an <svg> element with this viewBox. Its title is title, then after; description says what is drawn how. */
void open_svg(FILE *f, int width, int height, const char *title, const char *after, const char *description);
void free_page(page *p);

/* matrix.c: a confusion matrix as a figure, with its counts as CSV files. */
typedef struct matrix {
    int64_t classes;
    const char *const *class_name;                            /* [classes] */
    const int64_t *count;                                     /* [classes, classes]: true class, predicted class */
} matrix;
void put_matrix(page *p, const matrix *m, const char *caption, const char *title);
bool has_numbered_classes(const matrix *m);                   /* too many to head columns by their names */

/* csv_folder.c: the folder p->csv beside the page at path. The check ends the program with an error where it cannot be
 * made, or exists and `replace` is false; writing makes it and writes all files. */
void check_csv_folder(const page *p, const char *path, bool replace);
void write_csv_folder(const page *p, const char *path);

/* style_css.c, which CMake makes of style.css */
extern const char style_css[];
#endif
