/* SPDX-License-Identifier: Apache-2.0
 * mask_folders.h -- the folders that masks and other files of pictures are written to, and what is refused before the
 * first picture is read. */
#ifndef MASK_FOLDERS_H
#define MASK_FOLDERS_H
#include "mask_paths.h"

/* flag: the option that names the folder, without --. ending: of the files in it, in place of png. */
typedef struct mask_folder { const char *flag, *path, *ending; } mask_folder;

/* Makes the folders. name [m->count]: of the pictures, whose masks have the paths m. Ends the program before anything
 * is made or written
 * - if a path names no folder, or one that cannot be written, or two of them the same folder;
 * - if two files would have one path, or one of them the path of a folder of another;
 * - if a file would replace a picture of the command;
 * - if a file exists, unless `replace`. */
void prepare_mask_folders(const mask_folder *folder, int count, const mask_paths *m, const char *const *name,
                          int replace);
#endif
