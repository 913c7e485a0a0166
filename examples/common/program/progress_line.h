/* SPDX-License-Identifier: Apache-2.0
 * progress_line.h -- a line on standard error that shows how far a program is, its rate, and the time left. It is
 * rewritten in place, a few times a second, and only where standard error is a terminal. */
#ifndef PROGRESS_LINE_H
#define PROGRESS_LINE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct progress_line {
    const char *unit;                                         /* what is counted: "pictures" */
    int64_t all;                                              /* how many there are */
    bool terminal;
    double start, drawn;                                      /* seconds_now() at the start and when last drawn */
} progress_line;

progress_line start_progress(const char *unit, int64_t all);
/* done: of the whole work; skipped: of these, the ones that needed no work, such as those of an earlier run. text: more
 * to show, such as the loss; "" for nothing. */
void show_progress(progress_line *p, int64_t done, int64_t skipped, const char *text);
/* Clears the line, so that other output may follow. */
void hide_progress(const progress_line *p);
/* Writes a duration to text, as "45 s", "3 min 5 s" or "2 h 10 min". Returns text. */
enum { DURATION_SIZE = 32 };
char *duration_text(char text[DURATION_SIZE], double seconds);
#endif
