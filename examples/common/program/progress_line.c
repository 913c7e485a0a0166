/* SPDX-License-Identifier: Apache-2.0
 * progress_line.c -- draws the line of progress_line.h. */
#include "progress_line.h"
#include "clock.h"
#include <stdio.h>
#include <unistd.h>

static const double seconds_between_lines = 0.2;

progress_line start_progress(const char *unit, int64_t all)
{
    return (progress_line){ .unit = unit, .all = all, .terminal = isatty(STDERR_FILENO), .start = seconds_now() };
}

char *duration_text(char text[DURATION_SIZE], double seconds)
{
    const long s = (long)(seconds + 0.5);
    if (s < 60) snprintf(text, DURATION_SIZE, "%ld s", s);
    else if (s < 3600) snprintf(text, DURATION_SIZE, "%ld min %ld s", s / 60, s % 60);
    else snprintf(text, DURATION_SIZE, "%ld h %ld min", s / 3600, s % 3600 / 60);
    return text;
}

void show_progress(progress_line *p, int64_t done, int64_t skipped, const char *text)
{
    const double now = seconds_now(), seconds = now - p->start;
    char left[DURATION_SIZE] = "";
    if (!p->terminal || (now - p->drawn < seconds_between_lines && done < p->all) || done <= skipped || seconds <= 0)
        return;
    const double rate = (double)(done - skipped) / seconds;
    duration_text(left, (double)(p->all - done) / rate);
    p->drawn = now;
    fprintf(stderr, "\r\033[K%lld of %lld %s, %.3g/s, %s left%s%s", (long long)done, (long long)p->all, p->unit, rate,
            left, *text ? ", " : "", text);
}

void hide_progress(const progress_line *p)
{
    if (p->terminal && p->drawn > 0) fprintf(stderr, "\r\033[K");
}
