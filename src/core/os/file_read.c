/* SPDX-License-Identifier: Apache-2.0
 * file_read.c -- maps a file read-only or reads it into memory; see file.h. Only regular files: a directory has no
 * bytes, a pipe cannot be mapped. A mapped file must not become shorter, or the process gets SIGBUS. A file that is
 * read may change afterwards; a change during the read is detected and refused. */
#include "core/os/file.h"
#include "core/os/system_call.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Thread_local int (*pf_file_fault)(const char *call);

typedef enum access_kind { BY_READ, BY_MMAP } access_kind;
struct pf_map { peft_context *ctx; void *data; size_t size, file_size; access_kind kind; };

static peft_status failed(const char *path, const char *what)
{
    return pf_fail(PEFT_E_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* Checks that the open file is a regular one; gets its size and time of change in *info. */
static peft_status examine(int fd, const char *path, struct stat *info)
{
    int r;
    SYSTEM_CALL(r, "stat", fstat(fd, info));
    if (r) return failed(path, "cannot be examined");
    if (S_ISDIR(info->st_mode))
        return pf_fail(PEFT_E_IO, "%s: is a directory; expected a regular file: give the path of the file in it", path);
    if (!S_ISREG(info->st_mode))
        return pf_fail(PEFT_E_IO, "%s: is a pipe, socket or device; expected a regular file", path);
    if ((uintmax_t)info->st_size > SIZE_MAX)
        return pf_fail(PEFT_E_IO, "%s: has %jd bytes, more than this machine can map", path, (intmax_t)info->st_size);
    return PEFT_OK;
}

/* Maps the first m->size bytes of the file. */
static peft_status map_file(int fd, const char *path, pf_map *m)
{
    int r;
    if (!m->size) return PEFT_OK;                     /* mmap fails for length 0 */
    SYSTEM_CALL(r, "mmap", (m->data = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED ? -1 : 0);
    if (!r) return PEFT_OK;
    m->data = NULL;
    return pf_fail(PEFT_E_IO, "%s: cannot be mapped (%zu bytes): %s", path, m->size, strerror(errno));
}

/* Reads the first m->size bytes of the file into m->data; `before`: what examine told when it was opened. */
static peft_status read_file(int fd, const char *path, const struct stat *before, pf_map *m)
{
    struct stat after;
    if (!(m->data = pf_alloc(m->ctx, m->size))) return pf_nomem(path, m->size);
    for (size_t done = 0; done < m->size;) {
        ssize_t n;
        SYSTEM_CALL(n, "read", read(fd, (char *)m->data + done, m->size - done));
        if (n < 0) return failed(path, "cannot be read");
        if (n == 0) return pf_fail(PEFT_E_IO, "%s: became shorter while it was read", path);
        done += (size_t)n;
    }
    PF_TRY(examine(fd, path, &after));
    if (after.st_size != before->st_size || after.st_mtim.tv_sec != before->st_mtim.tv_sec
        || after.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
        return pf_fail(PEFT_E_IO, "%s: was changed while it was read", path);
    return PEFT_OK;
}

/* Maps or reads, as `kind` says, at most max_bytes from the start of the file. */
static peft_status open_file(peft_context *ctx, const char *path, access_kind kind, size_t max_bytes, pf_map **out)
{
    struct stat info;
    int fd;
    pf_map *m = pf_alloc_zero(ctx, sizeof *m);
    if (!m) return pf_nomem("file", sizeof *m);
    m->ctx = pf_context_retain(ctx);
    m->kind = kind;
    /* O_NONBLOCK: opening a pipe does not wait for a writer */
    SYSTEM_CALL(fd, "open", open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    peft_status s = fd < 0 ? failed(path, "cannot be opened") : examine(fd, path, &info);
    if (!s) {
        m->file_size = (size_t)info.st_size;
        m->size = m->file_size < max_bytes ? m->file_size : max_bytes;
        s = kind == BY_MMAP ? map_file(fd, path, m) : read_file(fd, path, &info, m);
    }
    if (fd >= 0) close(fd);
    if (s) pf_map_close(m);
    else *out = m;
    return s;
}

peft_status pf_map_open(peft_context *ctx, const char *path, pf_map **out)
{
    return open_file(ctx, path, BY_MMAP, PF_WHOLE_FILE, out);
}

peft_status pf_map_read(peft_context *ctx, const char *path, size_t max_bytes, pf_map **out)
{
    return open_file(ctx, path, BY_READ, max_bytes, out);
}

void pf_map_close(pf_map *m)
{
    if (!m) return;
    peft_context *ctx = m->ctx;
    if (m->kind == BY_READ) pf_free(ctx, m->data);
    else if (m->data) munmap(m->data, m->size);
    pf_free(ctx, m);
    peft_context_free(ctx);
}

/* begin, end: the address range of whole pages within the bytes. */
void pf_map_evict(const pf_map *m, const void *from, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)from;
    const uintptr_t begin = (first + page - 1) / page * page, end = (first + bytes) / page * page;
    if (m->kind == BY_MMAP && begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

const uint8_t *pf_map_data(const pf_map *m) { return m->data ? m->data : (const uint8_t *)""; }
size_t         pf_map_size(const pf_map *m) { return m->size; }
size_t         pf_map_file_size(const pf_map *m) { return m->file_size; }
