/* SPDX-License-Identifier: Apache-2.0
 * file.c -- whole files in. */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static peft_status system_failed(const char *call, const char *path)
{
    return io_fail(PEFT_E_IO, "%s: %s: %s", path, call, strerror(errno));
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

/* At most the first most bytes; more than limit are refused. */
static peft_status read_open(int fd, const char *path, int64_t most, int64_t limit, uint8_t **data, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st)) return system_failed("stat", path);
    if (!S_ISREG(st.st_mode)) return io_fail(PEFT_E_IO, "%s: not a regular file", path);
    if (st.st_size > limit)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: %lld bytes, the limit is %lld", path, (long long)st.st_size,
                       (long long)limit);
    const size_t n = (size_t)(st.st_size < most ? st.st_size : most);
    uint8_t *p = malloc(n + 1);
    if (!p) return io_nomem(path);
    peft_status s = fill(fd, path, p, n);
    if (s) {
        free(p);
        return s;
    }
    p[n] = 0;
    *data = p;
    *size = n;
    return PEFT_OK;
}

static peft_status read_path(const char *path, int64_t most, int64_t limit, uint8_t **data, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);                   /* a fifo must not block the open */
    if (fd < 0) return system_failed("open", path);
    peft_status s = read_open(fd, path, most, limit, data, size);
    close(fd);
    return s;
}

peft_status io_read_file(const char *path, int64_t limit, uint8_t **data, size_t *size)
{
    return read_path(path, INT64_MAX, limit, data, size);
}

peft_status io_read_head(const char *path, int64_t most, uint8_t **data, size_t *size)
{
    return read_path(path, most, INT64_MAX, data, size);
}
