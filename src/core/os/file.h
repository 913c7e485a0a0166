/* SPDX-License-Identifier: Apache-2.0
 * file.h -- reads files, by mmap or into memory, and writes them atomically: a reader sees the old file or the new one,
 * never a part of one. */
#ifndef PF_FILE_H
#define PF_FILE_H
#include "core/base/context.h"

typedef struct pf_map pf_map;                                 /* the bytes of a file, mapped or read */
/* Maps the file read-only: for backbones, which are large and must not be changed in place while they are used. */
peft_status    pf_map_open(peft_context *ctx, const char *path, pf_map **out);
#define PF_WHOLE_FILE SIZE_MAX
/* Reads the first max_bytes of the file (PF_WHOLE_FILE: all) into memory of the context: for all other files. */
peft_status    pf_map_read(peft_context *ctx, const char *path, size_t max_bytes, pf_map **out);
void           pf_map_close(pf_map *m);
/* Evicts the pages that lie wholly within these bytes of a mapped file from memory (madvise MADV_DONTNEED). Reading
 * them loads them from the file again. */
void           pf_map_evict(const pf_map *m, const void *from, size_t bytes);
const uint8_t *pf_map_data(const pf_map *m);
size_t         pf_map_size(const pf_map *m);                  /* bytes that were mapped or read */
size_t         pf_map_file_size(const pf_map *m);             /* bytes of the whole file */

/* Writing: data goes to a temporary file beside the target (file_temporary.h); commit calls fsync, renames
 * that file over the target and calls fsync on the folder. Symbolic links are followed: the file they lead to is
 * replaced, the links stay. Until commit returns PEFT_OK the target is unchanged; abandon, or a failed commit, removes
 * the temporary file. One exception: when only the last step fails, fsync of the folder, the target is already the new
 * file, complete. */
typedef struct pf_writer pf_writer;
peft_status pf_writer_open(peft_context *ctx, const char *path, pf_writer **out);
peft_status pf_writer_write(pf_writer *w, const void *data, size_t bytes);     /* after an error: that error */
peft_status pf_writer_commit(pf_writer *w);                   /* frees w in every case */
const char *pf_writer_temporary(const pf_writer *w);          /* path of the temporary file, to read it back */
void        pf_writer_abandon(pf_writer *w);                  /* frees w; NULL does nothing */

/* The path of the file that a write to `path` replaces: path itself, or the target of the symbolic links that begin
 * there, which need not exist. The caller frees it with pf_free. */
peft_status pf_file_target(peft_context *ctx, const char *path, char **out);
/* Opens the folder that contains path. Returns a file descriptor, or -1 with errno set. */
int         pf_open_folder_of(const char *path);
/* Calls fsync on a folder; does nothing on a file system that cannot. Returns 0, or -1 with errno set. */
int         pf_sync_folder(int folder);

/* For tests: when set, it is called before every system call of the file code with the name of the call ("open",
 * "stat", "chmod", "dup", "read", "write", "fsync", "close", "rename", "unlink", "mkdir", "mmap"). If it returns an
 * errno, the call fails with that errno; 0: the call is made. */
extern _Thread_local int (*pf_file_fault)(const char *call);
#endif
