/* SPDX-License-Identifier: Apache-2.0
 * whole_file.h -- writes a file atomically: its text stays in memory until the file is closed. An error ends the
 * program and leaves the old file. */
#ifndef WHOLE_FILE_H
#define WHOLE_FILE_H
#include <stdio.h>

typedef struct whole_file { char *path, *text; size_t size; FILE *file; } whole_file;

void open_whole(whole_file *w, const char *path);             /* path is copied */
void close_whole(whole_file *w);
#endif
