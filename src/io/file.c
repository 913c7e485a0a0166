/* SPDX-License-Identifier: Apache-2.0
 * file.c -- reads a regular file, or its first bytes, into memory: pictures and lists; the beginnings of
 * files are hashed to find equal pictures. */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_LIMIT INT64_MAX

static peft_status system_failed(const char *call, const char *path)
{
    return io_fail(PEFT_E_IO, "%s: %s: %s", path, call, strerror(errno));
}

/* Reads exactly size bytes. PEFT_E_IO also where another process has shortened the file since fstat. */
static peft_status read_exactly(int fd, const char *path, uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_failed("read", path);
        if (n == 0) return io_fail(PEFT_E_IO, "%s: the file became shorter while it was read", path);
        done += (size_t)n;
    }
    return PEFT_OK;
}

/* Reads the first max_bytes bytes, or all of a shorter file. PEFT_E_UNSUPPORTED: the file has more than limit bytes. */
static peft_status read_open(peft_context *ctx, int fd, const char *path, int64_t max_bytes, int64_t limit,
                             uint8_t **data, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st)) return system_failed("stat", path);
    if (S_ISDIR(st.st_mode))
        return io_fail(PEFT_E_IO, "%s: is a folder; expected a file, such as those in it (%s/*)", path, path);
    if (!S_ISREG(st.st_mode))
        return io_fail(PEFT_E_IO, "%s: not a regular file; expected a file on disk, not a pipe or a device", path);
    if (st.st_size > limit)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: the file has %lld bytes, the limit is %lld", path,
                       (long long)st.st_size, (long long)limit);
    const size_t n = (size_t)(st.st_size < max_bytes ? st.st_size : max_bytes);
    uint8_t *bytes = peft_sys_alloc(ctx, n + 1);
    if (!bytes) return io_nomem(path);
    peft_status s = read_exactly(fd, path, bytes, n);
    if (s) {
        peft_sys_free(ctx, bytes);
        return s;
    }
    bytes[n] = 0;                                             /* so that a text is a string */
    *data = bytes;
    *size = n;
    return PEFT_OK;
}

/* Opens the file for read_open, which has the same arguments. */
static peft_status read_path(peft_context *ctx, const char *path, int64_t max_bytes, int64_t limit, uint8_t **data,
                             size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);                   /* opening a FIFO must not block */
    if (fd < 0) return system_failed("open", path);
    peft_status s = read_open(ctx, fd, path, max_bytes, limit, data, size);
    close(fd);
    return s;
}

peft_status io_read_file(peft_context *ctx, const char *path, int64_t limit, uint8_t **data, size_t *size)
{
    return read_path(ctx, path, NO_LIMIT, limit, data, size);
}

peft_status io_read_head(peft_context *ctx, const char *path, int64_t max_bytes, uint8_t **data, size_t *size)
{
    return read_path(ctx, path, max_bytes, NO_LIMIT, data, size);
}
