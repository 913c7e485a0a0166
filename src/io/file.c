/* SPDX-License-Identifier: Apache-2.0
 * file.c -- reading a regular file, or its first bytes, into memory. */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static peft_status system_failed(const char *call, const char *path)
{
    return io_fail(PEFT_E_IO, "%s: %s: %s", path, call, strerror(errno));
}

/* Reads exactly size bytes. A file that another process shortens meanwhile is PEFT_E_IO. */
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

/* Reads at most max_bytes; a file of more than limit bytes is refused. */
static peft_status read_open(peft_context *ctx, int fd, const char *path, int64_t max_bytes, int64_t limit,
                             uint8_t **data, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st)) return system_failed("stat", path);
    if (S_ISDIR(st.st_mode))
        return io_fail(PEFT_E_IO, "%s: a folder; expected a file, such as those in it (%s/*)", path, path);
    if (!S_ISREG(st.st_mode)) return io_fail(PEFT_E_IO, "%s: not a regular file", path);
    if (st.st_size > limit)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: %lld bytes, the limit is %lld", path, (long long)st.st_size,
                       (long long)limit);
    const size_t n = (size_t)(st.st_size < max_bytes ? st.st_size : max_bytes);
    uint8_t *p = peft_sys_alloc(ctx, n + 1);
    if (!p) return io_nomem(path);
    peft_status s = fill(fd, path, p, n);
    if (s) {
        peft_sys_free(ctx, p);
        return s;
    }
    p[n] = 0;
    *data = p;
    *size = n;
    return PEFT_OK;
}

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
    return read_path(ctx, path, INT64_MAX, limit, data, size);
}

peft_status io_read_head(peft_context *ctx, const char *path, int64_t max_bytes, uint8_t **data, size_t *size)
{
    return read_path(ctx, path, max_bytes, INT64_MAX, data, size);
}
