/* SPDX-License-Identifier: Apache-2.0
 * file.h -- reading by mmap or into memory, writing so that a reader sees the old file or the new one and never half
 * of one. */
#ifndef PF_FILE_H
#define PF_FILE_H
#include "core/base/context.h"

typedef struct pf_map pf_map;                                 /* the bytes of a file */
/* Mapped read-only: for large files that are not changed in place while they are used (backbones). */
peft_status    pf_map_open(peft_context *ctx, const char *path, pf_map **out);
/* The first `most` bytes (SIZE_MAX: all) in memory of the context: for everything else. */
peft_status    pf_map_read(peft_context *ctx, const char *path, size_t most, pf_map **out);
void           pf_map_close(pf_map *m);
/* Takes the pages that lie wholly within these bytes of a mapped file out of memory (madvise MADV_DONTNEED); reading
 * them loads them from the file again. */
void           pf_map_forget(const pf_map *m, const void *from, size_t bytes);
const uint8_t *pf_map_data(const pf_map *m);
size_t         pf_map_size(const pf_map *m);
size_t         pf_map_file_size(const pf_map *m);             /* of the whole file */

/* Writing: a temporary file beside the target (file_temporary.h), then fsync, rename over it, fsync of the folder.
 * Symbolic links are followed: the file they lead to is replaced, the links stay. Until commit returns PEFT_OK path
 * holds what it held before; abandon (or a failed commit) removes the temporary file. One exception: when only the last
 * step fails, the folder's fsync, path already holds the new file, whole. */
typedef struct pf_writer pf_writer;
peft_status pf_writer_open(peft_context *ctx, const char *path, pf_writer **out);
peft_status pf_writer_write(pf_writer *w, const void *data, size_t bytes);     /* first error sticks */
peft_status pf_writer_commit(pf_writer *w);                   /* frees w in every case */
const char *pf_writer_temporary(const pf_writer *w);          /* path of what is written so far, to read it back */
void        pf_writer_abandon(pf_writer *w);                  /* NULL is fine */

/* The file that a write to path replaces: path, or what it leads to as a symbolic link (which need not exist yet);
 * freed with pf_free. */
peft_status pf_file_target(peft_context *ctx, const char *path, char **out);
/* The folder of path, opened, and brought to the disk (where the file system can); -1 with errno set. */
int         pf_open_folder_of(const char *path);
int         pf_sync_folder(int folder);

/* Test hook: when set, called before every system call of the file code with its name ("open", "stat", "chmod",
 * "dup", "write", "fsync", "close", "rename", "mmap"); a non-zero return is taken as that errno. Thread-local. */
extern _Thread_local int (*pf_file_fault)(const char *call);
#endif
