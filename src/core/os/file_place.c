/* SPDX-License-Identifier: Apache-2.0
 * file_place.c -- finds the file that symbolic links lead to, and opens and syncs the folder of a file; see file.h. */
#include "core/os/system_call.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };                             /* the limit of Linux */

/* Replaces *path, the path of a symbolic link, by the path that the link leads to: a relative target is relative to the
 * link's folder. user_path: the path that the caller of the library gave, for messages. */
static peft_status follow_link(peft_context *ctx, const char *user_path, char **path)
{
    char target[PATH_MAX];
    ssize_t n = readlink(*path, target, sizeof target - 1);
    if (n < 0) return pf_fail(PEFT_E_IO, "%s: the symbolic link cannot be read: %s", user_path, strerror(errno));
    target[n] = 0;
    const char *slash = strrchr(*path, '/');
    size_t folder_bytes = slash && target[0] != '/' ? (size_t)(slash - *path) + 1 : 0;
    char *next = pf_alloc(ctx, folder_bytes + (size_t)n + 1);
    if (!next) return pf_nomem("path", folder_bytes + (size_t)n + 1);
    memcpy(next, *path, folder_bytes);
    memcpy(next + folder_bytes, target, (size_t)n + 1);
    pf_free(ctx, *path);
    *path = next;
    return PEFT_OK;
}

/* Follows one link after another; a path that lstat does not find is the target, too: it need not exist. */
peft_status pf_file_target(peft_context *ctx, const char *path, char **out)
{
    struct stat info;
    peft_status s = PEFT_OK;
    char *target = pf_strdup(ctx, path);
    if (!target) return pf_nomem("path", strlen(path) + 1);
    for (int links = 0; !s && !lstat(target, &info) && S_ISLNK(info.st_mode); links++)
        s = links < MOST_LINKS ? follow_link(ctx, path, &target)
                               : pf_fail(PEFT_E_IO, "%s: more than %d symbolic links, perhaps in a circle", path,
                                         MOST_LINKS);
    if (s) pf_free(ctx, target);
    else *out = target;
    return s;
}

int pf_open_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;    /* bytes of the folder and its slash; 0: none */
    char folder[PATH_MAX] = ".";
    int fd;
    if (n >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (n) memcpy(folder, path, n), folder[n] = 0;
    SYSTEM_CALL(fd, "open", open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd;
}

int pf_sync_folder(int folder)
{
    int r;
    SYSTEM_CALL(r, "fsync", fsync(folder));
    const bool unsupported = errno == EINVAL || errno == ENOTSUP || errno == ENOSYS;      /* by the file system */
    return r && !unsupported ? -1 : 0;
}
