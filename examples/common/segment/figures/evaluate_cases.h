/* SPDX-License-Identifier: Apache-2.0
 * evaluate_cases.h -- compares predicted with true masks, picture by picture, and makes the table of figures by case. A
 * case is a picture; or the volume of slices FILE#slice=3, FILE#slice=4, .. of one file that are given
 * one after the other without a gap, have one size, and whose file states the distance between slices, while that of
 * rows and columns is known too. Such a case is named FILE#slices=3-9. */
#ifndef EVALUATE_CASES_H
#define EVALUATE_CASES_H
#include "case_figures.h"
#include "spacing.h"
#include <peft/io.h>
#include <peft/peft.h>

typedef struct case_evaluator case_evaluator;
/* class_name [classes]. distances: hd95 and surface_distance too, else they are NaN. spacing: of pictures whose files
 * state none; 0: not known, and their distances are in pixels. pictures: the largest number of them. several: labels
 * and masks have several labels a pixel. */
typedef struct evaluation_rule {
    bool distances;
    pixel_spacing spacing;
    int64_t pictures;
    bool several;
} evaluation_rule;
case_evaluator *begin_evaluation(peft_context *ctx, const char *const *class_name, int64_t classes,
                                 const evaluation_rule *rule);
/* patient NULL: not known. labels [height, width]: the predicted classes of the picture's pixels; of several
 * labels [height, width, classes], 1 or 0. An error ends the program. */
typedef struct evaluated_picture {
    const char *name, *patient;
    const peft_image *image;
    const uint8_t *labels;
    const peft_mask *truth;
} evaluated_picture;
void            evaluate_picture(case_evaluator *e, const evaluated_picture *p);
/* Evaluates the last case, and frees e. */
case_table      end_evaluation(case_evaluator *e);
#endif
