/* SPDX-License-Identifier: Apache-2.0
 * file_read.c -- a whole file mapped read-only. Only regular files: a directory has no bytes and a pipe cannot be
 * mapped. The file must not be shortened while it is mapped. */
#include "core/base/file.h"
#include "core/base/system_call.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Thread_local int (*pf_file_fault)(const char *call);

struct pf_map { peft_context *ctx; void *data; size_t size; };

static peft_status map_file(int fd, const char *path, pf_map *m)
{
    struct stat info;
    int r;
    SYSTEM_CALL(r, "stat", fstat(fd, &info));
    if (r) return pf_fail(PEFT_E_IO, "%s: cannot be examined: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return pf_fail(PEFT_E_IO, "%s: is %s; expected a regular file", path,
                       S_ISDIR(info.st_mode) ? "a directory" : "a pipe, socket or device");
    if ((uintmax_t)info.st_size > SIZE_MAX)
        return pf_fail(PEFT_E_IO, "%s: has %jd bytes, more than this machine can map", path, (intmax_t)info.st_size);
    m->size = (size_t)info.st_size;
    m->data = NULL;
    if (!m->size) return PEFT_OK;                     /* mmap refuses a length of 0 */
    SYSTEM_CALL(r, "mmap", (m->data = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED ? -1 : 0);
    if (r) return pf_fail(PEFT_E_IO, "%s: cannot be mapped (%zu bytes): %s", path, m->size, strerror(errno));
    return PEFT_OK;
}

peft_status pf_map_open(peft_context *ctx, const char *path, pf_map **out)
{
    pf_map *m = pf_alloc(ctx, sizeof *m);
    if (!m) return pf_nomem("file mapping", sizeof *m);
    int fd;
    /* without O_NONBLOCK opening a pipe would wait for a writer */
    SYSTEM_CALL(fd, "open", open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    peft_status s = fd < 0 ? pf_fail(PEFT_E_IO, "%s: cannot be opened: %s", path, strerror(errno))
                           : map_file(fd, path, m);
    if (fd >= 0) close(fd);
    if (s) {
        pf_free(ctx, m);
        return s;
    }
    m->ctx = pf_context_retain(ctx);
    *out = m;
    return PEFT_OK;
}

void pf_map_close(pf_map *m)
{
    if (!m) return;
    peft_context *ctx = m->ctx;
    if (m->data) munmap(m->data, m->size);
    pf_free(ctx, m);
    peft_context_free(ctx);
}

const uint8_t *pf_map_data(const pf_map *m) { return m->data ? m->data : (const uint8_t *)""; }
size_t         pf_map_size(const pf_map *m) { return m->size; }
