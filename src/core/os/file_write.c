/* SPDX-License-Identifier: Apache-2.0
 * file_write.c -- replaces a file atomically: a temporary file beside it is written, flushed to the disk and renamed
 * over it; see file.h. A process that is killed at any moment leaves the old file or the new one, and perhaps the
 * temporary file, which the next save removes. */
#include <peft/file.h>
#include "core/os/file_temporary.h"
#include "core/os/system_call.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST_WRITE ((size_t)1 << 30)               /* bytes; Linux writes at most 2 GiB a call */

struct pf_writer {
    peft_context *ctx;
    pf_temporary temporary;                           /* name "": there is none; fd, lock -1: closed */
    peft_status status;                               /* the first error; the thread has its message */
    char *path;                                       /* as given */
    char *target;                                     /* path with symbolic links followed */
};

static peft_status failed(const pf_writer *w, const char *what)
{
    return pf_fail(PEFT_E_IO, "%s: %s: %s", w->path, what, strerror(errno));
}

/* What the file is that has this mode, for a message; it is no regular file. */
static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Gets the mode of the file that will be replaced. *exists false: there is none, and the umask decides. */
static peft_status examine_target(const pf_writer *w, mode_t *mode, bool *exists)
{
    struct stat info;
    int r;
    *exists = false;
    SYSTEM_CALL(r, "stat", stat(w->target, &info));
    if (r) return errno == ENOENT ? PEFT_OK : failed(w, "cannot be examined");
    if (!S_ISREG(info.st_mode))
        return pf_fail(PEFT_E_IO, "%s: is %s, not a regular file, and will not be replaced by one; give another path",
                       w->path, kind_of(info.st_mode));
    *mode = info.st_mode & 07777;
    *exists = true;
    return PEFT_OK;
}

/* Creates the temporary file. If a target exists, the temporary file gets the target's mode and never has more
 * permissions before. fchmod may fail (exFAT, CIFS, a file of another user): then the file keeps fewer permissions. */
static peft_status create_temporary(pf_writer *w)
{
    struct stat info;
    mode_t mode = 0;
    bool exists;
    int r;
    PF_TRY(examine_target(w, &mode, &exists));
    if (pf_temporary_create(&w->temporary, w->target, exists ? (mode & 0777) | S_IRUSR | S_IWUSR : 0666)) {
        w->temporary.name[0] = 0;                     /* no file to remove */
        return failed(w, "cannot create a temporary file beside it");
    }
    if (!exists) return PEFT_OK;
    SYSTEM_CALL(r, "stat", fstat(w->temporary.fd, &info));
    if (r) return failed(w, "the temporary file cannot be examined");
    if ((info.st_mode & 07777) != mode) SYSTEM_CALL(r, "chmod", fchmod(w->temporary.fd, mode));
    return PEFT_OK;
}

peft_status pf_writer_open(peft_context *ctx, const char *path, pf_writer **out)
{
    pf_writer *w = pf_alloc_zero(ctx, sizeof *w);
    if (!w) return pf_nomem("file writer", sizeof *w);
    w->ctx = pf_context_retain(ctx);
    w->temporary.fd = w->temporary.lock = -1;
    w->path = pf_strdup(ctx, path);
    peft_status s = w->path ? pf_file_target(ctx, path, &w->target) : pf_nomem("file writer", strlen(path));
    size_t bytes = s ? 0 : strlen(w->target) + PF_TEMPORARY_SUFFIX;
    if (!s && !(w->temporary.name = pf_alloc_zero(ctx, bytes))) s = pf_nomem("file writer", bytes);
    if (!s) s = create_temporary(w);
    if (s) pf_writer_abandon(w);
    else *out = w;
    return s;
}

peft_status pf_writer_write(pf_writer *w, const void *data, size_t bytes)
{
    const char *p = data;
    while (!w->status && bytes) {
        ssize_t n;
        SYSTEM_CALL(n, "write", write(w->temporary.fd, p, bytes < LONGEST_WRITE ? bytes : LONGEST_WRITE));
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

/* Closes the temporary file. Returns whether close failed; errno tells why. EINTR is no failure and close is not
 * repeated: the descriptor is closed in any case. */
static bool closing_fails(pf_writer *w)
{
    int injected = pf_call_fails("close") ? errno : 0, r = close(w->temporary.fd);
    w->temporary.fd = -1;
    if (injected) errno = injected;         /* the error that a test asks for */
    return (injected || r) && errno != EINTR;
}

/* Flushes the temporary file and renames it over the target. */
static peft_status replace_target(pf_writer *w)
{
    int r;
    if (w->status) return w->status;
    SYSTEM_CALL(r, "fsync", fsync(w->temporary.fd));
    if (r) return failed(w, "cannot be flushed to the disk");
    if (closing_fails(w)) return failed(w, "cannot be closed");
    int folder = pf_open_folder_of(w->target);
    if (folder < 0) return failed(w, "its folder cannot be opened");
    SYSTEM_CALL(r, "rename", rename(w->temporary.name, w->target));
    peft_status s = r ? failed(w, "cannot be replaced by the temporary file") : PEFT_OK;
    if (!s) {
        w->temporary.name[0] = 0;                     /* no file to remove */
        if (pf_sync_folder(folder)) s = failed(w, "is replaced, but its folder could not be flushed to the disk");
    }
    close(folder);
    return s;
}

peft_status pf_writer_commit(pf_writer *w)
{
    peft_status s = replace_target(w);
    pf_writer_abandon(w);
    return s;
}

const char *pf_writer_temporary(const pf_writer *w) { return w->temporary.name; }

void pf_writer_abandon(pf_writer *w)
{
    if (!w) return;
    peft_context *ctx = w->ctx;
    if (w->temporary.fd >= 0) close(w->temporary.fd);
    if (w->temporary.name && w->temporary.name[0]) unlink(w->temporary.name);
    if (w->temporary.lock >= 0) close(w->temporary.lock);     /* releases the lock, last */
    pf_free(ctx, w->temporary.name);
    pf_free(ctx, w->target);
    pf_free(ctx, w->path);
    pf_free(ctx, w);
    peft_context_free(ctx);
}

peft_status peft_write_file(const char *path, const void *data, size_t size)
{
    peft_context bare;                                /* on the stack, for memory alone: the caller gives no context */
    pf_writer *w;
    if (!path || (!data && size))
        return pf_fail(PEFT_E_INVALID, "peft_write_file: %s is NULL", path ? "data" : "path");
    pf_context_bare(&bare);
    PF_TRY(pf_writer_open(&bare, path, &w));
    (void)pf_writer_write(w, data, size);             /* pf_writer_commit returns its error */
    return pf_writer_commit(w);
}
