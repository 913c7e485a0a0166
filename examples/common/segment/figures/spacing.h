/* SPDX-License-Identifier: Apache-2.0
 * spacing.h -- the distances between pixels of a picture: those that its file states, or else those of the flag
 * --spacing. */
#ifndef SPACING_H
#define SPACING_H
#include <peft/io.h>
#include <stdbool.h>

/* Millimetres between rows and between columns; 0: not known. */
typedef struct pixel_spacing { double row, column; } pixel_spacing;
/* The value of --spacing, ROW:COLUMN, which ends the program if it is none; NULL: not known. */
pixel_spacing spacing_of_flag(const char *text);
/* That of the picture's file, or else `other`. */
pixel_spacing spacing_of(const peft_image *im, pixel_spacing other);
static inline bool is_known(pixel_spacing s) { return s.row > 0 && s.column > 0; }
#endif
