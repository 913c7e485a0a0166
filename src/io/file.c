/* SPDX-License-Identifier: Apache-2.0
 * file.c -- whole files in and, atomically, out. */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static peft_status system_failed(const char *call, const char *path)
{
    char text[128];
    int e = errno;
    return io_fail(PEFT_E_IO, "%s: %s: %s", path, call, strerror_r(e, text, sizeof text));
}

/* Fills data[size] and reports what was there; a file that shrinks meanwhile is a failure. */
static peft_status fill(int fd, const char *path, uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = read(fd, data + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_failed("read", path);
        if (n == 0) return io_fail(PEFT_E_IO, "%s: the file became shorter while it was read", path);
        at += (size_t)n;
    }
    return PEFT_OK;
}

static peft_status read_open(int fd, const char *path, int64_t limit, uint8_t **data, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st)) return system_failed("stat", path);
    if (!S_ISREG(st.st_mode)) return io_fail(PEFT_E_IO, "%s: not a regular file", path);
    if (st.st_size > limit)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: %lld bytes, the limit is %lld", path, (long long)st.st_size,
                       (long long)limit);
    uint8_t *p = malloc((size_t)st.st_size + 1);
    if (!p) return io_nomem(path);
    peft_status s = fill(fd, path, p, (size_t)st.st_size);
    if (s) {
        free(p);
        return s;
    }
    p[st.st_size] = 0;
    *data = p;
    *size = (size_t)st.st_size;
    return PEFT_OK;
}

peft_status io_read_file(const char *path, int64_t limit, uint8_t **data, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);                   /* a fifo must not block the open */
    if (fd < 0) return system_failed("open", path);
    peft_status s = read_open(fd, path, limit, data, size);
    close(fd);
    return s;
}

static peft_status write_all(int fd, const char *path, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = write(fd, data + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_failed("write", path);
        at += (size_t)n;
    }
    return fsync(fd) ? system_failed("fsync", path) : PEFT_OK;
}

/* The rename is durable once the folder is on disk too. */
static peft_status sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder) return io_nomem(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    peft_status s = fd < 0 || fsync(fd) ? system_failed("fsync of the folder", path) : PEFT_OK;
    if (fd >= 0) close(fd);
    free(folder);
    return s;
}

peft_status io_write_file(const char *path, const void *data, size_t size)
{
    static atomic_uint serial;
    char tail[64];
    snprintf(tail, sizeof tail, ".tmp.%ld.%u", (long)getpid(), atomic_fetch_add(&serial, 1));
    char *temporary = io_join(path, tail);
    if (!temporary) return io_nomem(path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    peft_status s = fd < 0 ? system_failed("create", path) : write_all(fd, path, data, size);
    if (fd >= 0 && close(fd) && !s) s = system_failed("close", path);
    if (!s && rename(temporary, path)) s = system_failed("rename", path);
    if (s && fd >= 0) unlink(temporary);
    free(temporary);
    return s ? s : sync_folder(path);
}
