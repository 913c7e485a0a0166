/* SPDX-License-Identifier: Apache-2.0
 * note_lines.h -- notes of a model that hold several values, each on a line behind its key: "rule youden". */
#ifndef NOTE_LINES_H
#define NOTE_LINES_H
#include <stdbool.h>
#include <stdint.h>

/* The value of the i-th line with this key, counted from 0, to be freed; NULL: there is none. */
char *note_line(const char *note, const char *key, int64_t i);
/* The same as a finite number; false: there is none, or it is no number. */
bool  note_number(const char *note, const char *key, int64_t i, double *to);
#endif
