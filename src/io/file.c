/* SPDX-License-Identifier: Apache-2.0
 * file.c -- opens regular files; reads one, or its first bytes, into memory: pictures and lists; the beginnings of
 * files are hashed to find equal pictures. */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static peft_status system_failed(const char *call, const char *path)
{
    return io_fail(PEFT_E_IO, "%s: %s: %s", path, call, strerror(errno));
}

int64_t io_read_part(int fd, void *to, size_t n, uint64_t position)
{
    size_t done = 0;
    while (done < n) {
        const ssize_t part = pread(fd, (char *)to + done, n - done, (off_t)(position + done));
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return -1;
        if (!part) break;
        done += (size_t)part;
    }
    return (int64_t)done;
}

static peft_status check_regular(int fd, const char *path, uint64_t *size)
{
    struct stat st;
    if (fstat(fd, &st)) return system_failed("stat", path);
    if (S_ISDIR(st.st_mode))
        return io_fail(PEFT_E_IO, "%s: is a folder; expected a file, such as those in it (%s/*)", path, path);
    if (!S_ISREG(st.st_mode))
        return io_fail(PEFT_E_IO, "%s: not a regular file; expected a file on disk, not a pipe or a device", path);
    *size = (uint64_t)st.st_size;
    return PEFT_OK;
}

peft_status io_open_file(const char *path, int *fd, uint64_t *size)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);                      /* opening a FIFO must not block */
    if (*fd < 0) return system_failed("open", path);
    const peft_status s = check_regular(*fd, path, size);
    if (s) close(*fd);
    return s;
}

/* Reads the first n bytes, and ends them with a 0, so that a text is a string. PEFT_E_IO also where another process has
 * shortened the file since it was opened. */
static peft_status read_bytes(peft_context *ctx, int fd, const char *path, size_t n, uint8_t **out)
{
    uint8_t *bytes = peft_sys_alloc(ctx, n + 1);
    if (!bytes) return io_nomem(path);
    const int64_t got = io_read_part(fd, bytes, n, 0);
    if (got == (int64_t)n) {
        bytes[n] = 0;
        *out = bytes;
        return PEFT_OK;
    }
    const peft_status s = got < 0 ? system_failed("read", path)
                                  : io_fail(PEFT_E_IO, "%s: the file became shorter while it was read", path);
    peft_sys_free(ctx, bytes);
    return s;
}

peft_status io_read_open_file(peft_context *ctx, int fd, const char *path, uint64_t size, int64_t limit,
                              uint8_t **data)
{
    if (size > (uint64_t)limit)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: the file has %llu bytes, the limit is %lld", path,
                       (unsigned long long)size, (long long)limit);
    return read_bytes(ctx, fd, path, (size_t)size, data);
}

peft_status io_read_file(peft_context *ctx, const char *path, int64_t limit, uint8_t **data, size_t *size)
{
    int fd;
    uint64_t bytes = 0;
    peft_status s = io_open_file(path, &fd, &bytes);
    if (s) return s;
    s = io_read_open_file(ctx, fd, path, bytes, limit, data);
    if (!s) *size = (size_t)bytes;
    close(fd);
    return s;
}

peft_status io_read_head(peft_context *ctx, const char *path, int64_t max_bytes, uint8_t **data, size_t *size)
{
    int fd;
    uint64_t bytes = 0;
    peft_status s = io_open_file(path, &fd, &bytes);
    if (s) return s;
    *size = (size_t)(bytes < (uint64_t)max_bytes ? bytes : (uint64_t)max_bytes);
    s = read_bytes(ctx, fd, path, *size, data);
    close(fd);
    return s;
}
