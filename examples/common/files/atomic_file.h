/* SPDX-License-Identifier: Apache-2.0
 * atomic_file.h -- writes a text file atomically: close_atomic replaces the file at path by what was printed to `file`.
 * An error ends the program and leaves the old file as it was. */
#ifndef ATOMIC_FILE_H
#define ATOMIC_FILE_H
#include <stdio.h>

/* Print to `file`; it collects the text, `size` bytes, in memory. */
typedef struct atomic_file { char *path, *text; size_t size; FILE *file; } atomic_file;

void open_atomic(atomic_file *w, const char *path);           /* path is copied */
void close_atomic(atomic_file *w);
#endif
