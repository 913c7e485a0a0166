/* SPDX-License-Identifier: Apache-2.0
 * file_temporary.c -- creates the temporary file of a save and removes those that killed processes left; see
 * file_temporary.h. */
#include "core/os/file_temporary.h"
#include "core/os/system_call.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_TRIES 1000                               /* numbers tried for the name */

/* Whether name is still the name of the file that fd has open. */
static bool names_open_file(const char *name, int fd)
{
    struct stat named, opened;
    return !lstat(name, &named) && !fstat(fd, &opened)
        && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

enum { ABSENT, IN_USE, REMOVED };                     /* what remove_left_over found or did */

/* Removes the file if it is a regular one that no process has locked. A process that saves locks its temporary file
 * before it writes and holds the lock until after the rename. So, once this function has the lock, the name cannot
 * become a file of a running process between names_open_file and unlink. */
static int remove_left_over(const char *name)
{
    struct stat info;
    int result = IN_USE;
    int fd = open(name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    /* a file without write permission can be locked all the same */
    if (fd < 0 && errno == EACCES) fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? ABSENT : IN_USE;
    if (!fstat(fd, &info) && S_ISREG(info.st_mode) && !flock(fd, LOCK_EX | LOCK_NB) && names_open_file(name, fd))
        result = unlink(name) ? IN_USE : REMOVED;
    close(fd);
    return result;
}

/* Makes t->name <target>.tmp.<n>. */
static void set_name(pf_temporary *t, const char *target, int n)
{
    snprintf(t->name, strlen(target) + PF_TEMPORARY_SUFFIX, "%s.tmp.%d", target, n);
}

/* Creates and locks t->name. -1 with EEXIST: another process uses that name. */
static int create(pf_temporary *t, mode_t mode)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    SYSTEM_CALL(t->fd, "open", open(t->name, flags, mode));
    if (t->fd < 0 && errno == EEXIST) {
        if (remove_left_over(t->name) != IN_USE) SYSTEM_CALL(t->fd, "open", open(t->name, flags, mode));
        else errno = EEXIST;
    }
    if (t->fd < 0) return -1;
    /* Until it is locked, another process may remove the new file as a left-over. */
    bool locked_by_another = flock(t->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
    if (!locked_by_another && names_open_file(t->name, t->fd)) {
        SYSTEM_CALL(t->lock, "dup", fcntl(t->fd, F_DUPFD_CLOEXEC, 0));
        if (t->lock >= 0) return 0;
        int e = errno;
        unlink(t->name);
        errno = e;
    } else errno = EEXIST;
    int e = errno;
    close(t->fd);
    t->fd = -1;
    errno = e;
    return -1;
}

int pf_temporary_create(pf_temporary *t, const char *target, mode_t mode)
{
    int n = 0, r = -1;
    for (; n < MOST_TRIES; n++) {
        set_name(t, target, n);
        r = create(t, mode);
        if (!r || errno != EEXIST) break;
    }
    if (r) return -1;
    /* Left-overs of several killed processes have consecutive numbers: remove those behind this one. */
    int own = n;
    do set_name(t, target, ++n);
    while (n < MOST_TRIES && remove_left_over(t->name) != ABSENT);
    set_name(t, target, own);
    return 0;
}
