/* SPDX-License-Identifier: Apache-2.0
 * svg.h -- helpers for SVG figures (chart.c, report): axes with round ticks, inks, and text escaped for XML. */
#ifndef SVG_H
#define SVG_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* An axis maps values low..high to positions from..to of the drawing, linearly or by the logarithm. tick: the distance
 * of two ticks (linear axes). */
typedef struct axis { double low, high, tick, from, to; bool log; } axis;
typedef struct tick { double value; char text[16]; } tick;
enum { most_ticks = 24 };

/* Both return an axis that covers low..high; the caller sets from and to. */
axis   round_axis(double low, double high);                   /* linear; 3 to 6 intervals of 1, 2 or 5 times 10^k */
axis   log_axis(double low, double high);                     /* 0 < low <= high; ends at 1, 2 or 5 times 10^k */
double axis_position(const axis *a, double value);
int    make_ticks(const axis *a, tick *out);                  /* fills out [most_ticks]; returns the number of ticks */

/* The inks of figures. Each is a colour for light backgrounds and a class, which the style sheet of a page may give
 * another colour (s-NAME for lines, f-NAME for areas). INK_LINE .. INK_LINE + 6 distinguish lines, also for
 * colour-blind readers (Okabe and Ito 2008, darkened to a contrast of 3 with white). */
typedef enum ink { INK_TEXT, INK_MUTED, INK_GRID, INK_MARK, INK_BIN, INK_DOT, INK_BAR, INK_OTHER, INK_LINE } ink;
enum { ink_lines = 7 };
const char *ink_colour(ink i);                                /* "#1f2933" */
const char *stroke_ink(ink i);                                /* attributes of a line of this ink */
const char *fill_ink(ink i);                                  /* attributes of an area */

/* Writes text with XML's special characters escaped. put_shortened cuts a text of more than `limit` characters to that
 * length, the last three of which are "..."; limit > 3. */
void put_escaped(FILE *f, const char *text);
void put_shortened(FILE *f, const char *text, int64_t limit);
int64_t character_count(const char *text);                    /* characters of a text in UTF-8 */
/* Does this byte begin a character of UTF-8? The further bytes of a character are 10xxxxxx. */
static inline bool begins_character(char byte) { return (byte & 0xC0) != 0x80; }
#endif
