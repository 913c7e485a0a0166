/* SPDX-License-Identifier: Apache-2.0
 * file_temporary.h -- the file that is written beside the one it will replace: <target>.tmp.<n>, n the first number
 * that is free. Its writer holds a lock (flock) on it from its creation to the rename, and the system drops that lock
 * when the process ends, so a temporary file without a lock is left over from a killed process and is removed by the
 * next save. Where the file system has no such locks, left-overs stay and the next number is taken. */
#ifndef PF_FILE_TEMPORARY_H
#define PF_FILE_TEMPORARY_H
#include <stddef.h>
#include <sys/types.h>

enum { PF_TEMPORARY_ROOM = 16 };                      /* bytes of a name beside its target's */

/* fd: to write; lock: a second descriptor of the same opened file, closed after the rename. */
typedef struct pf_temporary { int fd, lock; char *name; } pf_temporary;
/* t->name has the target's length and PF_TEMPORARY_ROOM bytes. The file is created with mode less the umask. 0, or -1
 * with errno set and nothing created. */
int pf_temporary_create(pf_temporary *t, const char *target, mode_t mode);
#endif
