/* SPDX-License-Identifier: Apache-2.0
 * slice_name.c -- reads and writes names of slices (slice_name.h). */
#include "slice_name.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t slice_of_name(const char *name, size_t *length)
{
    static const char mark[] = "#slice=";
    const char *hash = strrchr(name, '#'), *digits = hash ? hash + strlen(mark) : NULL;
    char *end;
    *length = strlen(name);
    if (!hash || strncmp(hash, mark, strlen(mark)) || *digits < '0' || *digits > '9') return -1;
    const int64_t slice = strtoll(digits, &end, 10);
    if (*end) return -1;
    *length = (size_t)(hash - name);
    return slice;
}

char *file_of_image(const char *name)
{
    size_t length;
    (void)slice_of_name(name, &length);
    return check_alloc(strndup(name, length));
}

bool are_of_one_file(const char *a, const char *b)
{
    size_t length, other;
    return slice_of_name(a, &length) >= 0 && slice_of_name(b, &other) >= 0 && length == other &&
           !strncmp(a, b, length);
}

char *name_of_volume(const char *path, size_t length, int64_t first, int64_t slices)
{
    char *name;
    if (asprintf(&name, "%.*s#slices=%lld-%lld", (int)length, path, (long long)first,
                 (long long)(first + slices - 1)) < 0)
        fail("out of memory");
    return name;
}
