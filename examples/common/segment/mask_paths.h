/* SPDX-License-Identifier: Apache-2.0
 * mask_paths.h -- under which path the mask of each picture is written. */
#ifndef MASK_PATHS_H
#define MASK_PATHS_H
#include <stdint.h>

/* The path of a picture's mask in its folder: the picture's path without the folders that all pictures share, its
 * ending replaced by .png; "#slice=3" of a slice becomes "_slice3". benign/1.jpg -> benign/1.png,
 * ct.nii.gz#slice=3 -> ct_slice3.png. */
typedef struct mask_paths { int64_t count; char **path; } mask_paths;
/* name [count]: of the pictures. Two may have the same path (prepare_mask_folders, mask_folders.h). */
mask_paths find_mask_paths(const char *const *name, int64_t count);
void       free_mask_paths(mask_paths *m);
/* "FOLDER/PATH" of mask i, with this ending in place of png; to be freed. mask_path makes the folders below FOLDER. */
char      *join_mask_path(const char *folder, const mask_paths *m, int64_t i, const char *ending);
char      *mask_path(const char *folder, const mask_paths *m, int64_t i, const char *ending);
#endif
