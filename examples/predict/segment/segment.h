/* SPDX-License-Identifier: Apache-2.0
 * segment.h -- the part of program predict for models that give a class for each pixel: masks, overlays, and lines with
 * the area of each class. */
#ifndef PREDICT_SEGMENT_H
#define PREDICT_SEGMENT_H
#include "map_files.h"
#include "predict/predict.h"

/* Whether the pictures are segmented: the model's head gives a map. Ends the program if --task asks for the other, or
 * if flags are given that have no meaning for this kind of model. Called before pictures are read. */
bool segments(const loaded_model *s);
/* What a line of the table is of, and the settings that the results depend on, as text; to be freed. */
char *describe_segmentation(void);
/* Makes the adaptor (begin_adapting), if there is a kind, for calls of one picture or of tiles; ends the program if
 * flags ask for several pictures in a call. */
void begin_adapting_maps(const loaded_model *s, adaptation *a);
/* Segments the pictures in order, writes their files, then their lines; returns how many failed. With an
 * adaptor the model adapts to each picture, or to tiles. *tried: those before a stop. */
int64_t segment_pictures(const loaded_model *s, const adaptation *a, const inputs *in, map_files *files,
                         prediction_table *t, int64_t *tried);
#endif
