/* SPDX-License-Identifier: Apache-2.0
 * mask_folders.h -- the folders that masks and other files of pictures are written to, and what is refused before the
 * first picture is read. */
#ifndef MASK_FOLDERS_H
#define MASK_FOLDERS_H
#include "mask_paths.h"

/* flag: the option that names the folder, without --. ending: of the files in it, in place of png. files: their paths;
 * of [files->count]: the name of the picture that each belongs to. */
typedef struct mask_folder {
    const char *flag, *path, *ending;
    const mask_paths *files;
    const char *const *of;
} mask_folder;

/* Makes the folders. name [count]: of the pictures. Ends the program before anything is made or written
 * - if a path names no folder, or one that cannot be written, or two of them the same folder;
 * - if two files would have one path, or one of them the path of a folder of another;
 * - if a file would replace a picture of the command;
 * - if a file exists, unless `replace`. */
void prepare_mask_folders(const mask_folder *folder, int folders, const char *const *name, int64_t count, int replace);
#endif
