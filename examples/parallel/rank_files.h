/* SPDX-License-Identifier: Apache-2.0
 * rank_files.h -- a folder of its own in TMPDIR (or /tmp) for each rank but rank 0: all ranks run the same program, and
 * what they write has the same content, so that only rank 0's files are kept. */
#ifndef RANK_FILES_H
#define RANK_FILES_H

/* A path in that folder in place of `path`, to be kept until the end. The folder gets copies of the files whose names
 * begin with that of `path`, such as the training states of an earlier run. */
const char *own_path(const char *path);
void remove_rank_files(void);
/* Removes the folders that killed ranks of earlier runs have left in TMPDIR. */
void remove_left_files(void);
#endif
