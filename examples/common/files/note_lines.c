/* SPDX-License-Identifier: Apache-2.0
 * note_lines.c -- reads the lines of a note (note_lines.h). */
#include "note_lines.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

char *note_line(const char *note, const char *key, int64_t i)
{
    const size_t length = strlen(key);
    for (const char *line = note; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, length) || line[length] != ' ' || i--) continue;
        return check_alloc(strndup(line + length + 1, strcspn(line + length + 1, "\n")));
    }
    return NULL;
}

bool note_number(const char *note, const char *key, int64_t i, double *to)
{
    char *text = note_line(note, key, i), *end = text;
    if (text) *to = strtod(text, &end);
    const bool good = text && end > text && !*end && isfinite(*to);
    free(text);
    return good;
}
