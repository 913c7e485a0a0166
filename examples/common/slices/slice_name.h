/* SPDX-License-Identifier: Apache-2.0
 * slice_name.h -- names of slices, FILE#slice=3, and of volumes of slices, FILE#slices=3-9. */
#ifndef SLICE_NAME_H
#define SLICE_NAME_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number of the slice, and the length of FILE; -1: the name is of no slice, and *length is that of all of it. */
int64_t slice_of_name(const char *name, size_t *length);
/* The path of the file of an image, of a slice FILE, to be freed. */
char   *file_of_image(const char *name);
bool    are_of_one_file(const char *a, const char *b);        /* Are both slices, of one file? */
/* The name of the volume of so many slices, the first `first`, of the file at path [length]; to be freed. */
char   *name_of_volume(const char *path, size_t length, int64_t first, int64_t slices);
#endif
