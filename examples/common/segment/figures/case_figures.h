/* SPDX-License-Identifier: Apache-2.0
 * case_figures.h -- figures of predicted masks by case and class, in memory and as the file of --case-figures: a CSV
 * file with a row for each case and class, the classes of a case after each other, in the same order in all cases:
 *   case              name of the picture, or of the volume whose slices are judged as one
 *   patient           empty: not known
 *   class             name of the class
 *   pixels_truth      pixels (of a volume: voxels) of the class in the true mask, and in the predicted one; pixels that
 *   pixels_predicted  the true mask leaves out count in neither
 *   dice, iou, precision, recall    0 to 1; empty: undefined, as neither mask has the class (precision: no predicted
 *                     pixel, recall: no true one)
 *   hd95, surface_distance    inf: only one of both masks has the class; empty: neither has it
 *   unit              of these distances: mm, or px where the spacing of the case is not known
 *   images            of the case: 1, or the number of slices that are judged as one volume
 * docs/segmentation.md defines the figures. */
#ifndef CASE_FIGURES_H
#define CASE_FIGURES_H
#include <stdbool.h>
#include <stdint.h>

/* The figures in the order of their columns, by their names in <peft/segmentation.h>. */
enum { CASE_DICE, CASE_IOU, CASE_PRECISION, CASE_RECALL, CASE_HD95, CASE_SURFACE_DISTANCE, CASE_KINDS };
extern const char *const case_figure_name[CASE_KINDS];
static inline bool is_case_distance(int kind) { return kind >= CASE_HD95; }

typedef struct case_table {
    int64_t cases, classes;
    bool several;                                             /* classes are labels, without a background */
    char **class_name;                                        /* [classes] */
    char **name, **patient;                                   /* [cases]; patient NULL: not known */
    bool *millimetres;                                        /* [cases]: the unit of distances; else pixels */
    int64_t *images;                                          /* [cases]: 1, or the slices of a volume */
    int64_t *truth, *predicted;                               /* [cases, classes] pixels of the class */
    double *value[CASE_KINDS];                                /* [cases, classes] each; NaN: undefined */
} case_table;

/* Room for so many cases, of which f->cases are 0 for the caller to fill; all texts are NULL. Freed with its texts. */
case_table   make_case_figures(int64_t cases, int64_t classes);
void         free_case_figures(case_table *f);
int64_t      images_of_cases(const case_table *f);             /* of all cases */
/* The number of each case's patient, [cases], to be freed: what peft_statistics_bootstrap takes as groups; -1 where it
 * is not known. NULL: no patient is known. */
int64_t     *patients_of_cases(const case_table *f);
/* Writes the file at path, atomically. An error ends the program. */
void         write_case_figures(const case_table *f, const char *path);
/* Reads such a file. An error ends the program with file and line: another heading, a number that is none or out of
 * range, a case without a class that others have, two cases of one name. */
case_table   read_case_figures(const char *path);
#endif
