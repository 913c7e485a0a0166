/* SPDX-License-Identifier: Apache-2.0
 * record.h -- the parts of a training record, a JSON file beside a model that says how it was trained, on which images,
 * and how good it is (docs/finetune.md lists the members). */
#ifndef RECORD_H
#define RECORD_H
#include "common/model/evaluate.h"
#include "common/model/recipe.h"
#include "common/record/json_write.h"
#include "common/validation/figure_intervals.h"
#include <peft/io.h>

/* MODEL.record.json; to be freed. */
char *record_path(const char *model);
/* "format", "library", "program", "date", "command": the members that every record begins with. */
void record_head(json_writer *w, const char *program, int argc, char **argv);
/* "backbone": path, fingerprint, note of the model. */
void record_backbone(json_writer *w, const training_run *t);
/* "options": the value of every flag that has one; "given": the names of those that were given. */
void record_flags(json_writer *w, const flag *flags, int count);
/* "methods": for each adapter "method", its name, "options", and "changed", those that differ from the defaults;
 * "trainable_parameters": their number. */
void record_method(json_writer *w, peft_model *m);
/* An object `name`: path, source, numbers of images, of each class and of patients, digests, and each file, once for
 * all its slices, with the SHA-256 of its content; of images in an archive that of the archive. Reads all files.
 * source: a phrase, or NULL. */
void record_images(json_writer *w, const char *name, const char *path, const char *source, const peft_dataset *d);
/* A list of an estimate's value and the ends of its interval. */
void record_estimate(json_writer *w, const char *name, const peft_estimate *e);
/* An object `name` of the figures of scores [count, classes]; null if scores is NULL. details: NULL, or the figures of
 * these scores as the model decides: with them the object has the intervals, the figures of each class and the
 * confusion matrix too (record_figures.c). */
void record_figures(json_writer *w, const char *name, peft_context *ctx, const double *scores, const peft_dataset *d,
                    const figures *details);
/* The same, with decisions by the most probable class or from 0.5 on, and "figure_intervals": each figure's value and
 * the ends of its interval. */
void record_figures_of_folds(json_writer *w, const char *name, peft_context *ctx, const double *scores,
                             const peft_dataset *d, const figure_intervals *intervals);
/* SHA-256 of a file's content; false: it is no readable regular file. */
bool hash_file(const char *path, char hex[65]);
/* SHA-256 of the file of image i of d; false: no such file. Call in the order of i with the same hex: for a further
 * slice of the same file it is kept. */
bool hash_image(const peft_dataset *d, int64_t i, char hex[65]);
#endif
