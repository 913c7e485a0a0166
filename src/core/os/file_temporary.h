/* SPDX-License-Identifier: Apache-2.0
 * file_temporary.h -- the temporary file of a save, for file_write.c: <target>.tmp.<n> with the first number n that is
 * free. Its process holds a lock (flock) on it from its creation until after the rename. The system drops the lock when
 * the process ends, so a temporary file without a lock is left over from a killed process, and the next save removes
 * it. On a file system without such locks left-overs stay, and the next number is taken. */
#ifndef PF_FILE_TEMPORARY_H
#define PF_FILE_TEMPORARY_H
#include <stddef.h>
#include <sys/types.h>

enum { PF_TEMPORARY_SUFFIX = 16 };                    /* most bytes of ".tmp.<n>" with the final 0 */

/* fd: to write; lock: a duplicate of fd, which holds the lock after fd is closed and is closed after the rename. */
typedef struct pf_temporary { int fd, lock; char *name; } pf_temporary;
/* Creates the file and writes its name to t->name, which the caller gives with strlen(target) + PF_TEMPORARY_SUFFIX
 * bytes. mode is subject to the umask. Returns 0, or -1 with errno set and no file created. */
int pf_temporary_create(pf_temporary *t, const char *target, mode_t mode);
#endif
