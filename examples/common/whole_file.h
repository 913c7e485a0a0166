/* SPDX-License-Identifier: Apache-2.0
 * whole_file.h -- a file that is there whole or not at all: until then it is written under another name. What a killed
 * process left under that is written over. An error ends the program; the old file stays. */
#ifndef WHOLE_FILE_H
#define WHOLE_FILE_H
#include <stdio.h>

typedef struct whole_file { char *path, *part; FILE *file; } whole_file;

whole_file open_whole(const char *path);                      /* path is copied */
void       close_whole(whole_file *w);
#endif
