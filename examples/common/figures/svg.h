/* SPDX-License-Identifier: Apache-2.0
 * svg.h -- helpers for SVG figures: axes with round ticks, and text escaped for XML. */
#ifndef SVG_H
#define SVG_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct axis { double low, high, tick, from, to; bool log; } axis;    /* values, then units of the drawing */
typedef struct tick { double value; char text[16]; } tick;
enum { most_ticks = 24 };

/* from and to are the caller's to fill. Ends at multiples of a tick of 1, 2 or 5 times a power of ten, of which there
 * are three to six. */
axis   round_axis(double low, double high);
axis   log_axis(double low, double high);                     /* 0 < low <= high; ends at 1, 2 or 5 */
double at(const axis *a, double value);                       /* where on the drawing */
int    ticks_of(const axis *a, tick *out);                    /* out [most_ticks]; how many */

/* At most `most` characters of UTF-8 (0: all), the last ones "..." where some are left out. */
void put_escaped(FILE *f, const char *text, int64_t most);
#endif
