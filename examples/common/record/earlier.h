/* SPDX-License-Identifier: Apache-2.0
 * earlier.h -- images that a model was trained on, as the record beside it lists them, for a training that begins with
 * this model. */
#ifndef EARLIER_H
#define EARLIER_H
#include "common/record/json_write.h"
#include <peft/io.h>
#include <stdint.h>

/* SHA-256 of the images' files, ascending, those of still earlier trainings among them. unknown: why they are not
 * known; NULL: they are. */
typedef struct earlier_images { char (*sum)[65]; int64_t count; char *unknown; } earlier_images;

/* Reads MODEL.record.json, if it is that of this model file. A file that is no record is as none. */
earlier_images read_earlier_images(const char *model);
void free_earlier_images(earlier_images *e);
/* Marks the images of d, mark[count], whose files have one of the sums, and returns their number. Images in an archive
 * have no files: then e->unknown is set, and -1 returned, as it is if e is not known. */
int64_t mark_earlier(earlier_images *e, const peft_dataset *d, char *mark);
/* A list `name` of the sums; null if they are not known. */
void record_earlier(json_writer *w, const char *name, const earlier_images *e);
#endif
