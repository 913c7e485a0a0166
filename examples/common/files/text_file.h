/* SPDX-License-Identifier: Apache-2.0
 * text_file.h -- reads a text file as a whole. */
#ifndef TEXT_FILE_H
#define TEXT_FILE_H
#include <stddef.h>

/* The content of a file up to its first zero byte, with a 0 behind it, to be freed; NULL: the file does not exist.
 * size: where the length goes; NULL: not wanted. Another error ends the program. */
char *read_text_file(const char *path, size_t *size);
#endif
