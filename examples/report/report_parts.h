/* SPDX-License-Identifier: Apache-2.0
 * report_parts.h -- the parts of report's page, each in a file of its own. */
#ifndef REPORT_PARTS_H
#define REPORT_PARTS_H
#include "report_study.h"
#include <peft/io.h>
#include <stdint.h>

/* report_page.c: everything before the first study and after the last. */
void put_head(FILE *f, const char *title, const study *s, int64_t studies);
void put_foot(FILE *f, const char *command);
/* title, note, facts */
void put_study_head(FILE *f, const study *s, int64_t number);
void put_settings(FILE *f, const study *s);

/* These need a run that is done. */
void put_results(FILE *f, const study *s);                    /* report_results.c: the table and its picture */
void put_curves(FILE *f, const study *s);                     /* report_curves.c: loss and held-out figure by epoch */
void put_confusion(FILE *f, const study *s);                  /* report_confusion.c: a table a method, runs pooled */
void put_reliability(FILE *f, const study *s);                /* report_reliability.c: accuracy against confidence */
void put_cases(FILE *f, const study *s);                      /* report_cases.c: right and wrong images */

/* report_image.c: the image as a data URI, shrunk to at most `side` pixels wide and high. */
struct peft_image;
void put_image_uri(FILE *f, const struct peft_image *im, int64_t side);

/* <figcaption>the method's label: text</figcaption> */
void put_caption(FILE *f, const method *m, const char *text);
/* Opens an SVG of this size in units, with its title; the page scales it to the width there is. */
void open_svg(FILE *f, int width, int height, const char *what, const char *of);
#endif
