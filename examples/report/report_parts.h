/* SPDX-License-Identifier: Apache-2.0
 * report_parts.h -- functions that write the parts of report's page as HTML; one file for each part. A part that has
 * nothing to show writes nothing. */
#ifndef REPORT_PARTS_H
#define REPORT_PARTS_H
#include "common/figures/chart.h"
#include "common/figures/svg.h"
#include "page/page.h"
#include "report_study.h"
#include <peft/io.h>
#include <stdint.h>

/* report_summary.c: the title of a study: compare --title, else the last part of the path of the data, else the folder
 * of the records; with the folder where others of `all` [studies] have the same. */
void put_title(FILE *f, const study *s, const study *all, int64_t studies);
/* report_summary.c: begins a study with its title, its note and a summary of data and backbone; ends it with the
 * settings. */
void put_study_head(FILE *f, const study *s, int64_t number, const study *all, int64_t studies);
void put_settings(FILE *f, const study *s);

/* report_curves.c: dashes of lines, which have the inks INK_LINE .. INK_LINE + 6. */
extern const char *const line_dashes[ink_lines];

/* The study must have a finished run. */
void put_results(page *p, const study *s);                    /* report_results.c: table and chart */
void put_choices(page *p, const study *s);                    /* report_choices.c: settings that --tune chose */
void put_differences(page *p, const study *s);                /* predictions/report_differences.c: to the best method */
void put_curves(page *p, const study *s);                     /* report_curves.c: loss and accuracy by epoch */
void put_confusion(page *p, const study *s);                  /* predictions/report_confusion.c: a matrix per method */
void put_reliability(page *p, const study *s);                /* predictions/report_reliability.c: diagrams */
void put_calibration(page *p, const study *s);                /* predictions/report_calibration.c: temperature */
void put_space(page *p, const study *s);                      /* report_space.c: features before and after tuning */
void put_masses(page *p, const study *s);                     /* report_mass.c: attention that EPT's prompts take */
void put_cases(page *p, const study *s);                      /* report_cases.c: images predicted right and wrong */
/* Of studies of masks */
void put_class_table(page *p, const study *s);                /* segment/class_table.c: figures of each class */
void put_dice_chart(page *p, const study *s);                 /* segment/dice_chart.c: Dice of each case */
void put_overlays(page *p, const study *s);                   /* segment/overlays.c: best, median and worst case */

/* report_chart.c: a figure of one panel, [rows, s->runs] points (chart.h), with its values. row_heading: above the
 * labels, "Method". */
void put_chart_figure(page *p, const study *s, const chart_panel *panel, const char *row_heading,
                      const char *const *labels, int64_t rows);

/* report_cases.c: opens the run's held-out images, of a study of cases the first image of each; NULL: the data cannot
 * be found. Fails if they differ from the recorded ones. */
peft_dataset *open_images(const study *s, const run *r);

/* report_image.c: the image as a data URI, reduced to at most `side` pixels in width and height; of other depths than
 * 8 bits from its least sample (black) to its largest (white). */
void put_image_uri(FILE *f, const peft_image *im, int64_t side);
/* The same of pixels rgb [height,width,3] as they are; alpha [height,width]: their opacity, or NULL. */
void put_rgb_uri(FILE *f, const unsigned char *rgb, const unsigned char *alpha, int64_t width, int64_t height);
#endif
