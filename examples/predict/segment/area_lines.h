/* SPDX-License-Identifier: Apache-2.0
 * area_lines.h -- lines of predict's table with the area of each class of a segmented picture. */
#ifndef AREA_LINES_H
#define AREA_LINES_H
#include "predict/predict.h"

/* The columns behind the name of the picture: its width and height, the pixels of each class, and with --spacing the
 * area of each class in square millimetres, which is empty where the spacing is unknown. */
void put_area_columns(FILE *f, const csv_style *style, const loaded_model *s);
/* The rest of a line behind the name, without the line break. */
void put_areas(FILE *f, table_format format, const loaded_model *s, const areas *a);
/* Reads the areas of a line that put_areas wrote behind the name at `rest`; the line ends at `end`. pixels [classes].
 * false: they cannot be read, or do not add up to the picture. */
bool read_areas(const loaded_model *s, table_format format, const char *rest, const char *end, areas *a,
                int64_t *pixels);
#endif
