/* SPDX-License-Identifier: Apache-2.0
 * segment.h -- studies of masks (compare --masks): which flags they have, the columns of their tables, and what is
 * judged at the end of a run. */
#ifndef COMPARE_SEGMENT_H
#define COMPARE_SEGMENT_H
#include "common/segment/figures/case_figures.h"
#include "compare/compare_study.h"

static inline bool has_masks(const study *s) { return s->images.masks; }
/* refused.c: ends the program for training flags [tuned_flags] that do not go with masks: those of the command line, or
 * of an entry of the list. */
void    check_mask_recipe(const flag *recipe);
void    refuse_several_labels(const peft_dataset *d);         /* refused.c: ends the program if its masks have them */

/* columns.c: the results of a run, which are those of its kind of study, and with masks those of each class. A column
 * is result_dice, .., or from result_columns on one of a class. */
void    store_class_names(study *s, const peft_dataset *d);   /* in shared memory, by a process that has the images */
void    begin_columns(study *s);                              /* after it, in the process that reads the tables */
int     column_count(const study *s);
bool    has_column(const study *s, int column);               /* in the tables of this kind of study? */
char   *column_name(const study *s, int column);              /* "dice", "dice_tumour"; to be freed */
double *run_value(const study *s, int64_t i, int column);     /* of run i */

/* unit.c: the unit of the distances of a run, millimetres where a case has them. Of runs that an earlier compare
 * finished it is read from their records. */
void    store_unit(study *s, int64_t i, const case_table *f);
void    read_unit(study *s, int64_t i);                       /* from the records of run i, with masks */
/* The unit of all finished runs, "mm" or "px"; "mm or px": they differ, or it is not known of one. */
const char *distance_unit(const study *s);

/* map_run.c: Dice of the model as trained so far, the mean of the test cases' classes without the background. */
double  judge_maps(const study *s, const training_run *t, const peft_dataset *test);
/* Judges the trained model, stores its results, and with --records writes the files of the run. */
void    finish_map_run(study *s, int64_t i, training_run *t, peft_dataset *test, const run_clock *clock,
                       epoch_point *curve);
/* map_records.c: the files of run i; f gets hashes in the place of its patients. */
void    write_map_records(const study *s, int64_t i, case_table *f, const epoch_point *curve, int64_t epochs);
/* shown_masks.c: the predicted masks of the best, the median and the worst case, of the first run of each entry. */
static inline bool run_shows_masks(const study *s, int64_t i) { return has_masks(s) && i < s->entries; }
void    write_shown_masks(const study *s, int64_t i, const training_run *t, peft_session *session,
                          const peft_dataset *test, const case_table *f);
#endif
