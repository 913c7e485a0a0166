/* SPDX-License-Identifier: Apache-2.0
 * whole_file.h -- a file that is there whole or not at all: until it is closed its text is in memory. An error ends the
 * program; the old file stays. */
#ifndef WHOLE_FILE_H
#define WHOLE_FILE_H
#include <stdio.h>

typedef struct whole_file { char *path, *text; size_t size; FILE *file; } whole_file;

void open_whole(whole_file *w, const char *path);             /* path is copied */
void close_whole(whole_file *w);
#endif
