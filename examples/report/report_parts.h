/* SPDX-License-Identifier: Apache-2.0
 * report_parts.h -- functions that write the parts of report's page as HTML; one file for each part. */
#ifndef REPORT_PARTS_H
#define REPORT_PARTS_H
#include "report_study.h"
#include <peft/io.h>
#include <stdint.h>

/* report_page.c: the page before the first study and after the last. command: the command line that made the page. */
void put_head(FILE *f, const char *title, const study *s, int64_t studies);
void put_foot(FILE *f, const char *command);
/* report_page.c: begins a study with its properties "title" and "note" and a summary of data and backbone; ends it with
 * the settings. */
void put_study_head(FILE *f, const study *s, int64_t number);
void put_settings(FILE *f, const study *s);

/* report_curves.c: styles of lines, with colours that colour-blind readers can distinguish (Okabe and Ito 2008, without
 * yellow, which is too pale). */
typedef struct line_style { const char *colour, *dashes; } line_style;
enum { line_style_count = 7 };
extern const line_style line_styles[line_style_count];

/* The study must have a finished run. */
void put_results(FILE *f, const study *s);                    /* report_results.c: table and chart */
void put_choices(FILE *f, const study *s);                    /* report_choices.c: settings that --tune chose */
void put_differences(FILE *f, const study *s);                /* predictions/report_differences.c: to the best method */
void put_curves(FILE *f, const study *s);                     /* report_curves.c: loss and accuracy by epoch */
void put_confusion(FILE *f, const study *s);                  /* predictions/report_confusion.c: a matrix per method */
void put_reliability(FILE *f, const study *s);                /* predictions/report_reliability.c: diagrams */
void put_calibration(FILE *f, const study *s);                /* predictions/report_calibration.c: temperature */
void put_space(FILE *f, const study *s);                      /* report_space.c: features before and after tuning */
void put_masses(FILE *f, const study *s);                     /* report_mass.c: attention that EPT's prompts take */
void put_cases(FILE *f, const study *s);                      /* report_cases.c: images predicted right and wrong */

/* report_cases.c: opens the run's held-out images, of a study of cases the first image of each; NULL: the data cannot
 * be found. Fails if they differ from the recorded ones. */
peft_dataset *open_images(const study *s, const run *r);

/* report_image.c: the image as a data URI, reduced to at most `side` pixels in width and height. */
void put_image_uri(FILE *f, const peft_image *im, int64_t side);

/* report_page.c: a figure's caption: the method's label; the second function writes text below it, in small print. */
void put_caption(FILE *f, const method *m);
void put_caption_with_text(FILE *f, const method *m, const char *text);
/* report_page.c: opens an <svg> element with this viewBox; its <title> is title, then after. */
void open_svg(FILE *f, int width, int height, const char *title, const char *after);
#endif
