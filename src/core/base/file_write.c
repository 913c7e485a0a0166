/* SPDX-License-Identifier: Apache-2.0
 * file_write.c -- replacing a file in one step: a temporary file beside it is written, brought to the disk and renamed
 * over it. A process killed at any moment leaves the old file or the new one (and perhaps the temporary file). */
#include "core/base/file.h"
#include "core/base/system_call.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_TRIES 1000
#define LONGEST_WRITE ((size_t)1 << 30)               /* the system takes at most 2 GiB at once */

struct pf_writer {
    peft_context *ctx;
    int fd;                                           /* -1 once closed */
    peft_status status;                               /* the first error; its message is kept by the thread */
    char *path, *temporary;                           /* temporary: "" when no file of ours is there */
};

static peft_status failed(const pf_writer *w, const char *what)
{
    return pf_fail(PEFT_E_IO, "%s: %s: %s", w->path, what, strerror(errno));
}

/* The mode the new file gets: that of the file it replaces (*keep), else what the umask leaves. */
static peft_status look_at_target(const pf_writer *w, mode_t *mode, bool *keep)
{
    struct stat info;
    int r;
    *keep = false;
    SYSTEM_CALL(r, "stat", stat(w->path, &info));
    if (r) return errno == ENOENT ? PEFT_OK : failed(w, "cannot be examined");
    if (!S_ISREG(info.st_mode))
        return pf_fail(PEFT_E_IO, "%s: is not a regular file and will not be replaced by one", w->path);
    *mode = info.st_mode & 07777;
    *keep = true;
    return PEFT_OK;
}

/* Creates a file that nobody else has open. Left-overs of a killed process of the same number are stepped over. */
static peft_status create_temporary(pf_writer *w, size_t room)
{
    for (int n = 0; n < MOST_TRIES && w->fd < 0; n++) {
        snprintf(w->temporary, room, "%s.tmp.%ld.%d", w->path, (long)getpid(), n);
        SYSTEM_CALL(w->fd, "open", open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (w->fd < 0 && errno != EEXIST) break;
    }
    if (w->fd >= 0) return PEFT_OK;
    w->temporary[0] = 0;                              /* not ours to remove */
    return failed(w, "cannot create a temporary file beside it");
}

static peft_status start(pf_writer *w, size_t room)
{
    mode_t mode = 0;
    bool keep;
    int r;
    PF_TRY(look_at_target(w, &mode, &keep));
    PF_TRY(create_temporary(w, room));
    if (!keep) return PEFT_OK;
    SYSTEM_CALL(r, "chmod", fchmod(w->fd, mode));
    return r ? failed(w, "the temporary file cannot be given its mode") : PEFT_OK;
}

peft_status pf_writer_open(peft_context *ctx, const char *path, pf_writer **out)
{
    size_t room = strlen(path) + 40;
    pf_writer *w = pf_alloc_zero(ctx, sizeof *w);
    if (!w) return pf_nomem("file writer", sizeof *w);
    w->ctx = pf_context_retain(ctx);
    w->fd = -1;
    w->path = pf_strdup(ctx, path);
    w->temporary = pf_alloc_zero(ctx, room);
    peft_status s = w->path && w->temporary ? start(w, room) : pf_nomem("file writer", room);
    if (s) pf_writer_abandon(w);
    else *out = w;
    return s;
}

peft_status pf_writer_write(pf_writer *w, const void *data, size_t bytes)
{
    const char *p = data;
    while (!w->status && bytes) {
        ssize_t n;
        SYSTEM_CALL(n, "write", write(w->fd, p, bytes < LONGEST_WRITE ? bytes : LONGEST_WRITE));
        if (n == 0) errno = EIO;
        if (n <= 0) {
            w->status = failed(w, "cannot be written");
        } else {
            p += n;
            bytes -= (size_t)n;
        }
    }
    return w->status;
}

/* Brings the rename to the disk. Some file systems cannot, and say EINVAL. */
static peft_status sync_folder(const pf_writer *w, int folder)
{
    int r;
    SYSTEM_CALL(r, "fsync", fsync(folder));
    return r && errno != EINVAL ? failed(w, "is replaced, but the folder could not be brought to the disk") : PEFT_OK;
}

static int open_folder(const pf_writer *w)
{
    char *slash = strrchr(w->path, '/'), first = 0;
    int fd;
    if (slash) first = slash[1], slash[1] = 0;        /* w->path is ours: the folder is its beginning */
    SYSTEM_CALL(fd, "open", open(slash ? w->path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (slash) slash[1] = first;
    return fd;
}

/* Not redone when interrupted: the descriptor is gone all the same. */
static int close_file(pf_writer *w)
{
    int made = pf_call_fails("close") ? errno : 0, r = close(w->fd);
    w->fd = -1;
    if (made) errno = made;
    return (made || r) && errno != EINTR;
}

static peft_status finish(pf_writer *w)
{
    int r;
    if (w->status) return w->status;
    SYSTEM_CALL(r, "fsync", fsync(w->fd));
    if (r) return failed(w, "cannot be brought to the disk");
    if (close_file(w)) return failed(w, "cannot be closed");
    int folder = open_folder(w);
    if (folder < 0) return failed(w, "its folder cannot be opened");
    SYSTEM_CALL(r, "rename", rename(w->temporary, w->path));
    peft_status s = r ? failed(w, "cannot be replaced by the temporary file") : PEFT_OK;
    if (!s) {
        w->temporary[0] = 0;                          /* nothing is left to remove */
        s = sync_folder(w, folder);
    }
    close(folder);
    return s;
}

peft_status pf_writer_commit(pf_writer *w)
{
    peft_status s = finish(w);
    pf_writer_abandon(w);
    return s;
}

const char *pf_writer_temporary(const pf_writer *w) { return w->temporary; }

void pf_writer_abandon(pf_writer *w)
{
    if (!w) return;
    peft_context *ctx = w->ctx;
    if (w->fd >= 0) close(w->fd);
    if (w->temporary && w->temporary[0]) unlink(w->temporary);
    pf_free(ctx, w->temporary);
    pf_free(ctx, w->path);
    pf_free(ctx, w);
    peft_context_free(ctx);
}
