/* SPDX-License-Identifier: Apache-2.0
 * judge_cases.h -- compares predicted with true masks, picture by picture, and makes the table of figures by case. A
 * case is a picture; or, with distances, the volume of slices FILE#slice=3, FILE#slice=4, .. of one file that are given
 * one after the other without a gap, have one size, and whose file states the distance between slices, while that of
 * rows and columns is known too. Such a case is named FILE#slices=3-9. */
#ifndef JUDGE_CASES_H
#define JUDGE_CASES_H
#include "case_figures.h"
#include "spacing.h"
#include <peft/io.h>
#include <peft/peft.h>

typedef struct case_judge case_judge;
/* class_name [classes]. distances: hd95 and surface_distance too, else they are NaN. spacing: of pictures whose files
 * state none; 0: not known, and their distances are in pixels. pictures: the largest number of them. several: labels
 * and masks have several labels a pixel. */
typedef struct judge_rule { bool distances; pixel_spacing spacing; int64_t pictures; bool several; } judge_rule;
case_judge *begin_judging(peft_context *ctx, const char *const *class_name, int64_t classes, const judge_rule *rule);
/* patient NULL: not known. labels [height, width]: the predicted classes of the picture's pixels; of several
 * labels [height, width, classes], 1 or 0. An error ends the program. */
typedef struct judged_picture {
    const char *name, *patient;
    const peft_image *image;
    const uint8_t *labels;
    const peft_mask *truth;
} judged_picture;
void         judge_picture(case_judge *j, const judged_picture *p);
/* Judges what is not judged yet, and frees j. */
case_table   end_judging(case_judge *j);
#endif
