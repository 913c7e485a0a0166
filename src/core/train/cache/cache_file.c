/* SPDX-License-Identifier: Apache-2.0
 * cache_file.c -- the cache's records in a file that outlives the trainer: a header that says what they are of, then
 * records one after the other, each a head and its values. The values are written before the head, and the head holds
 * their sum and a sum of its own: what a killed process or a full disk leaves unfinished is seen and made anew. Numbers
 * are in the machine's byte order. Reading is by pread, so that a file shortened by somebody else is no more than an
 * unreadable record. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/bits/sum.h"
#include "core/os/system_call.h"
#include "core/train/cache/cache.h"

static const char magic[8] = "PEFTFEAT";
enum { VERSION = 2, ROW = 64 };                       /* records begin at multiples of ROW */
typedef struct {
    char magic[8];
    uint32_t version, type;
    uint64_t record;
    char by[32], key[64];
    uint64_t sum;
} header;
typedef struct { int64_t id; uint64_t number, values, sum; } head;
typedef struct { pf_shelf s; int fd; pid_t process; size_t stride; bool broken; char path[]; } shelf;

static off_t place(const shelf *f, size_t number, size_t at)
{
    return (off_t)(sizeof(header) + number * f->stride + at);
}

static bool get(const shelf *f, off_t at, void *to, size_t bytes)
{
    for (char *p = to; bytes;) {
        ssize_t n;
        SYSTEM_CALL(n, "read", pread(f->fd, p, bytes, at));
        if (n <= 0) return false;
        p += n, at += n, bytes -= (size_t)n;
    }
    return true;
}

static bool put(const shelf *f, off_t at, const void *from, size_t bytes)
{
    for (const char *p = from; bytes;) {
        ssize_t n;
        SYSTEM_CALL(n, "write", pwrite(f->fd, p, bytes, at));
        if (n == 0) errno = EIO;
        if (n <= 0) return false;
        p += n, at += n, bytes -= (size_t)n;
    }
    return true;
}

/* The first write that fails is the last: what is there stays usable, and what the failed one left is cut off. */
static bool put_or_stop(shelf *f, size_t number, size_t at, const void *from, size_t bytes)
{
    if (f->broken || f->process != getpid()) return false;       /* a forked process reads what is there */
    if (put(f, place(f, number, at), from, bytes)) return true;
    f->broken = true;
    pf_log(f->s.ctx, 1, "%s: cannot be written: %s; nothing more is kept in it", f->path, strerror(errno));
    if (number == f->s.used && ftruncate(f->fd, place(f, number, 0)))
        pf_log(f->s.ctx, 2, "%s: the unfinished record cannot be cut off: %s", f->path, strerror(errno));
    return false;
}

static bool read_part(pf_shelf *s, size_t number, size_t at, void *to, size_t bytes)
{
    const shelf *f = (shelf *)s;
    return get(f, place(f, number, sizeof(head) + at), to, bytes);
}

static bool write_part(pf_shelf *s, size_t number, size_t at, const void *from, size_t bytes)
{
    return put_or_stop((shelf *)s, number, sizeof(head) + at, from, bytes);
}

static bool seal(pf_shelf *s, size_t number, int64_t id, uint64_t sum)
{
    head h = { id, number, sum, 0 };
    h.sum = pf_sum(0, &h, offsetof(head, sum));
    return put_or_stop((shelf *)s, number, 0, &h, sizeof h);
}

static bool sealed(pf_shelf *s, size_t number, int64_t *id, uint64_t *sum)
{
    const shelf *f = (shelf *)s;
    head h;
    if (!get(f, place(f, number, 0), &h, sizeof h) || h.sum != pf_sum(0, &h, offsetof(head, sum))
        || h.number != number || h.id < 0) return false;
    *id = h.id;
    *sum = h.values;
    return true;
}

/* The lock is given back by name: a forked process has the same opened file and would keep it locked. That process does
 * not give it back in turn, as it is not its own. */
static void close_shelf(pf_shelf *s)
{
    const shelf *f = (shelf *)s;
    if (f->fd >= 0 && f->process == getpid()) flock(f->fd, LOCK_UN);
    if (f->fd >= 0) close(f->fd);
    pf_free(s->ctx, s);
}

static peft_status failed(const shelf *f, const char *what)
{
    return pf_fail(PEFT_E_IO, "cache_file '%s': %s: %s", f->path, what, strerror(errno));
}

/* The descriptor, locked, and the file's size. */
static peft_status open_file(shelf *f, size_t *size)
{
    struct stat info;
    int r;
    SYSTEM_CALL(f->fd, "open", open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
    if (f->fd < 0) return failed(f, "cannot be opened for reading and writing");
    SYSTEM_CALL(r, "stat", fstat(f->fd, &info));
    if (r) return failed(f, "cannot be examined");
    if (!S_ISREG(info.st_mode)) return pf_fail(PEFT_E_IO, "cache_file '%s': is not a regular file", f->path);
    SYSTEM_CALL(r, "lock", flock(f->fd, LOCK_EX | LOCK_NB));
    if (r && errno == EWOULDBLOCK)
        return pf_fail(PEFT_E_STATE, "cache_file '%s': is in use by another trainer; give each a file of its own",
                       f->path);
    if (r) return failed(f, "cannot be locked");
    SYSTEM_CALL(r, "stat", fstat(f->fd, &info));         /* again: another process may have filled it up to now */
    if (r) return failed(f, "cannot be examined");
    *size = (size_t)info.st_size;
    return PEFT_OK;
}

static peft_status check_header(const shelf *f, const header *found, const header *wanted)
{
    if (memcmp(found->magic, magic, sizeof magic))
        return pf_fail(PEFT_E_FORMAT, "cache_file '%s': is something else than a feature cache, and is left alone",
                       f->path);
    if (found->version != VERSION)
        return pf_fail(PEFT_E_FORMAT, "cache_file '%s': version %u, expected %d; remove the file to fill it anew",
                       f->path, (unsigned)found->version, VERSION);
    if (found->sum != pf_sum(0, found, offsetof(header, sum)))
        return pf_fail(PEFT_E_FORMAT, "cache_file '%s': its header is damaged; remove the file", f->path);
    if (memcmp(found->key, wanted->key, sizeof found->key))
        return pf_fail(PEFT_E_MISMATCH, "cache_file '%s': holds features of the frozen computation %.64s, this model's "
                       "is %.64s (other weights, layers, ratio or resolution); remove the file or name another",
                       f->path, found->key, wanted->key);
    if (memcmp(found->by, wanted->by, sizeof found->by))
        return pf_fail(PEFT_E_MISMATCH, "cache_file '%s': holds features computed by kernels and product '%.32s', this "
                       "trainer computes by '%.32s', which rounds otherwise; remove the file or name another", f->path,
                       found->by, wanted->by);
    if (found->type != wanted->type || found->record != wanted->record)
        return pf_fail(PEFT_E_MISMATCH, "cache_file '%s': holds %llu bytes a sample of another cache_type, expected "
                       "%llu; remove the file or name another", f->path, (unsigned long long)found->record,
                       (unsigned long long)wanted->record);
    return PEFT_OK;
}

/* A new file, or one whose maker did not come to its first record, gets the header. */
static peft_status check_file(shelf *f, const pf_shelf_file *spec)
{
    header found = { .version = 0 };
    header wanted = { .version = VERSION, .type = (uint32_t)spec->type, .record = f->s.record };
    size_t size = 0;
    memcpy(wanted.magic, magic, sizeof magic);
    memcpy(wanted.key, spec->key, sizeof wanted.key);
    snprintf(wanted.by, sizeof wanted.by, "%s", spec->by);
    wanted.sum = pf_sum(0, &wanted, offsetof(header, sum));
    PF_TRY(open_file(f, &size));
    if (!get(f, 0, &found, size < sizeof found ? size : sizeof found)) return failed(f, "cannot be read");
    if (size < sizeof found && !memcmp(found.magic, magic, size < sizeof magic ? size : sizeof magic)) {
        if (!put(f, 0, &wanted, sizeof wanted)) return failed(f, "cannot be written");
        return PEFT_OK;
    }
    PF_TRY(check_header(f, &found, &wanted));
    f->s.used = (size - sizeof found + f->stride - 1) / f->stride;           /* the last one has no padding behind it */
    if (f->s.used > f->s.room) f->s.used = f->s.room;
    return PEFT_OK;
}

peft_status pf_shelf_in_file(peft_context *ctx, const pf_shelf_file *spec, pf_shelf **out)
{
    const size_t length = strlen(spec->path) + 1, bytes = sizeof(shelf) + length,
        stride = (sizeof(head) + spec->record + ROW - 1) / ROW * ROW;
    if (spec->limit < sizeof(header) + stride)
        return pf_fail(PEFT_E_OPTION, "cache_features: given %zu bytes; cache_file '%s' takes %zu for the first sample",
                       spec->limit, spec->path, sizeof(header) + stride);
    shelf *f = pf_alloc_zero(ctx, bytes);
    if (!f) return pf_nomem("cache_file", bytes);
    f->s = (pf_shelf){ .ctx = ctx, .room = (spec->limit - sizeof(header)) / stride, .record = spec->record,
                       .bytes = bytes, .read = read_part, .write = write_part, .seal = seal, .sealed = sealed,
                       .close = close_shelf };
    f->fd = -1;
    f->process = getpid();
    f->stride = stride;
    memcpy(f->path, spec->path, length);
    peft_status s = check_file(f, spec);
    if (s) close_shelf(&f->s);
    else *out = &f->s;
    return s;
}
