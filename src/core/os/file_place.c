/* SPDX-License-Identifier: Apache-2.0
 * file_place.c -- finds the file that symbolic links lead to, and opens and syncs the folder of a file; see file.h. */
#include "core/os/system_call.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };                             /* the limit of Linux */

/* Replaces *path, a symbolic link, by its target; a relative target is relative to the link's folder. given: for
 * messages. */
static peft_status follow(peft_context *ctx, const char *given, char **path)
{
    char text[PATH_MAX];                              /* the target */
    ssize_t n = readlink(*path, text, sizeof text - 1);
    if (n < 0) return pf_fail(PEFT_E_IO, "%s: the symbolic link cannot be read: %s", given, strerror(errno));
    text[n] = 0;
    const char *slash = strrchr(*path, '/');
    size_t folder = slash && text[0] != '/' ? (size_t)(slash - *path) + 1 : 0;
    char *next = pf_alloc(ctx, folder + (size_t)n + 1);
    if (!next) return pf_nomem("path", folder + (size_t)n + 1);
    memcpy(next, *path, folder);
    memcpy(next + folder, text, (size_t)n + 1);
    pf_free(ctx, *path);
    *path = next;
    return PEFT_OK;
}

peft_status pf_file_target(peft_context *ctx, const char *path, char **out)
{
    struct stat info;
    peft_status s = PEFT_OK;
    char *target = pf_strdup(ctx, path);
    if (!target) return pf_nomem("path", strlen(path) + 1);
    for (int links = 0; !s && !lstat(target, &info) && S_ISLNK(info.st_mode); links++)
        s = links < MOST_LINKS ? follow(ctx, path, &target)
                               : pf_fail(PEFT_E_IO, "%s: more than %d symbolic links, perhaps in a circle", path,
                                         MOST_LINKS);
    if (s) pf_free(ctx, target);
    else *out = target;
    return s;
}

int pf_open_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
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
    return r && errno != EINVAL && errno != ENOTSUP && errno != ENOSYS ? -1 : 0;      /* not all can */
}
