/* SPDX-License-Identifier: Apache-2.0
 * text_file.c -- reads a text file as a whole (text_file.h). */
#include "text_file.h"
#include "common/program/errors.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *read_text_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "r");
    if (!f && errno == ENOENT) return NULL;
    char *text = NULL;
    size_t capacity = 0;
    ssize_t n = f ? getdelim(&text, &capacity, 0, f) : 0;
    if (!f || ferror(f)) fail("%s: %s", path, strerror(errno));
    if (n < 0) *(char *)check_alloc(text) = 0;                /* an empty file */
    if (size) *size = strlen(text);
    fclose(f);
    return text;
}
