/* SPDX-License-Identifier: Apache-2.0
 * spacing.h -- the distances between pixels of a picture: those that its file states, or else those of the flag
 * --spacing. */
#ifndef SPACING_H
#define SPACING_H
#include <peft/io.h>
#include <stdbool.h>

/* Millimetres between rows, columns and slices; 0: not known. */
typedef struct pixel_spacing { double row, column, slice; } pixel_spacing;
/* The value of --spacing, ROW:COLUMN or ROW:COLUMN:SLICE, which ends the program if it is none; NULL: not known. */
pixel_spacing spacing_of_flag(const char *text);
/* That of the picture's file; where it states none for rows and columns, or for slices, that of `other`. */
pixel_spacing spacing_of(const peft_image *im, pixel_spacing other);
static inline bool is_known(pixel_spacing s) { return s.row > 0 && s.column > 0; }

/* Volumes whose files state no distance between slices are judged by single slices. note_slice keeps which files of
 * several slices these are; slices of a file are noted one after the other. warn_of_flat_slices tells of them, once in
 * a program, unless --spacing gives the distance, and forgets them. Not for several threads. */
void note_slice(const char *name, const peft_image *im);
void warn_of_flat_slices(pixel_spacing other);
#endif
