/* SPDX-License-Identifier: Apache-2.0
 * file_temporary.c -- creating the temporary file of a save, removing those of killed processes. */
#include "core/os/file_temporary.h"
#include "core/os/system_call.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_TRIES 1000

/* Whether name still is the file that fd has open. */
static bool is_still(const char *name, int fd)
{
    struct stat there, ours;
    return !lstat(name, &there) && !fstat(fd, &ours) && there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
}

enum { ABSENT, STAYS, REMOVED };

/* Removes name when it is a regular file that no process has locked. Its owner locks it before it is used and renames
 * it under the lock, so nothing of a living process can be met between is_still and unlink. */
static int remove_left_over(const char *name)
{
    struct stat info;
    int found = STAYS;
    int fd = open(name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == EACCES) fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? ABSENT : STAYS;
    if (!fstat(fd, &info) && S_ISREG(info.st_mode) && !flock(fd, LOCK_EX | LOCK_NB) && is_still(name, fd))
        found = unlink(name) ? STAYS : REMOVED;
    close(fd);
    return found;
}

static void set_name(pf_temporary *t, const char *target, int n)
{
    snprintf(t->name, strlen(target) + PF_TEMPORARY_ROOM, "%s.tmp.%d", target, n);
}

/* Creates t->name. EEXIST: it is another's. */
static int create(pf_temporary *t, mode_t mode)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    SYSTEM_CALL(t->fd, "open", open(t->name, flags, mode));
    if (t->fd < 0 && errno == EEXIST) {
        if (remove_left_over(t->name) != STAYS) SYSTEM_CALL(t->fd, "open", open(t->name, flags, mode));
        else errno = EEXIST;
    }
    if (t->fd < 0) return -1;
    /* Another process may take the new file for a left-over until it is locked. */
    bool taken = flock(t->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
    if (!taken && is_still(t->name, t->fd)) {
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
    /* Those that several processes left behind have the numbers that follow. */
    int ours = n;
    do set_name(t, target, ++n);
    while (n < MOST_TRIES && remove_left_over(t->name) != ABSENT);
    set_name(t, target, ours);
    return 0;
}
