/* SPDX-License-Identifier: Apache-2.0
 * cache_file.c -- storage of a feature cache in a file, which later trainers of the same frozen prefix use again.
 *
 *     file_header | record_header values padding | record_header values padding | ..
 *
 * A record's values are written before its header, which holds their checksum and one of its own: a record that a
 * killed process or a full disk left incomplete does not pass and is computed again. Numbers are in the machine's byte
 * order. The file is read by pread and not mapped, so that another program that shortens it causes a failed read, not a
 * SIGBUS. */
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
enum { VERSION = 2, RECORD_ALIGN = 64 };              /* records take a multiple of RECORD_ALIGN bytes in the file */
typedef struct {
    char magic[8];
    uint32_t version, type;              /* type: the peft_dtype of the values */
    uint64_t record_bytes;               /* of the values of a record, without its header */
    char kernels[32], key[64];           /* key: hexadecimal digits, without a 0 at the end */
    uint64_t checksum;                   /* of the fields before it */
} file_header;
typedef struct {
    int64_t id;
    uint64_t index, checksum;            /* checksum: of the values */
    uint64_t header_checksum;            /* of the fields before it */
} record_header;
typedef struct {
    pf_records records;                  /* the first member: pf_records * is cast to record_file * */
    int fd;
    pid_t owner;                         /* the process that holds the lock */
    size_t stride;                       /* bytes from one record to the next */
    bool write_failed;
    char path[];
} record_file;

/* The position in the file of byte `offset` of a record, whose header begins at 0. */
static off_t record_offset(const record_file *f, size_t index, size_t offset)
{
    return (off_t)(sizeof(file_header) + index * f->stride + offset);
}

/* Reads all bytes from this position of the file. false: the file is too short, or the system refuses. */
static bool read_at(const record_file *f, off_t position, void *to, size_t bytes)
{
    for (char *p = to; bytes;) {
        ssize_t n;
        SYSTEM_CALL(n, "read", pread(f->fd, p, bytes, position));
        if (n <= 0) return false;
        p += n, position += n, bytes -= (size_t)n;
    }
    return true;
}

/* Writes all bytes to this position. false: the system refuses; errno says why. */
static bool write_at(const record_file *f, off_t position, const void *from, size_t bytes)
{
    for (const char *p = from; bytes;) {
        ssize_t n;
        SYSTEM_CALL(n, "write", pwrite(f->fd, p, bytes, position));
        if (n == 0) errno = EIO;
        if (n <= 0) return false;
        p += n, position += n, bytes -= (size_t)n;
    }
    return true;
}

/* Writes bytes of a record. After the first write that fails nothing more is written: complete records stay usable, the
 * incomplete one is cut off. */
static bool write_record(record_file *f, size_t index, size_t offset, const void *from, size_t bytes)
{
    if (f->write_failed || f->owner != getpid()) return false;       /* a forked process only reads */
    if (write_at(f, record_offset(f, index, offset), from, bytes)) return true;
    f->write_failed = true;
    pf_warn(f->records.ctx, "cache_file '%s': cannot be written: %s; no more features are kept in it", f->path,
            strerror(errno));
    if (index == f->records.count && ftruncate(f->fd, record_offset(f, index, 0)))
        pf_log(f->records.ctx, PF_LOG_INFO, "cache_file '%s': the incomplete record cannot be cut off: %s", f->path,
               strerror(errno));
    return false;
}

static bool read_chunk(pf_records *r, size_t index, size_t offset, void *to, size_t bytes)
{
    const record_file *f = (record_file *)r;
    return read_at(f, record_offset(f, index, sizeof(record_header) + offset), to, bytes);
}

static bool write_chunk(pf_records *r, size_t index, size_t offset, const void *from, size_t bytes)
{
    return write_record((record_file *)r, index, sizeof(record_header) + offset, from, bytes);
}

/* Writes the record's header, which makes the record valid. */
static bool commit(pf_records *r, size_t index, int64_t id, uint64_t checksum)
{
    record_header h = { id, index, checksum, 0 };
    h.header_checksum = pf_checksum(&h, offsetof(record_header, header_checksum));
    return write_record((record_file *)r, index, 0, &h, sizeof h);
}

/* Reads the header of a record. false: it was not written completely, or is damaged. */
static bool committed(pf_records *r, size_t index, int64_t *id, uint64_t *checksum)
{
    const record_file *f = (record_file *)r;
    record_header h;
    if (!read_at(f, record_offset(f, index, 0), &h, sizeof h)
        || h.header_checksum != pf_checksum(&h, offsetof(record_header, header_checksum)) || h.index != index
        || h.id < 0) return false;
    *id = h.id;
    *checksum = h.checksum;
    return true;
}

/* Closing alone would not release the lock while a forked process shares the open file, so that the owner unlocks it. A
 * forked process must not, because the lock is the owner's. */
static void close_file(pf_records *r)
{
    const record_file *f = (record_file *)r;
    if (f->fd >= 0 && f->owner == getpid()) flock(f->fd, LOCK_UN);
    if (f->fd >= 0) close(f->fd);
    pf_free(r->ctx, r);
}

/* PEFT_E_IO with the reason that errno holds. */
static peft_status io_error(const record_file *f, const char *problem)
{
    return pf_fail(PEFT_E_IO, "cache_file '%s': %s: %s", f->path, problem, strerror(errno));
}

/* Opens or creates the file, locks it, and sets *size to its size. */
static peft_status open_file(record_file *f, size_t *size)
{
    struct stat info;
    int r;
    SYSTEM_CALL(f->fd, "open", open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
    if (f->fd < 0) return io_error(f, "cannot be opened for reading and writing");
    SYSTEM_CALL(r, "stat", fstat(f->fd, &info));
    if (r) return io_error(f, "cannot be examined");
    if (!S_ISREG(info.st_mode)) return pf_fail(PEFT_E_IO, "cache_file '%s': is not a regular file", f->path);
    SYSTEM_CALL(r, "lock", flock(f->fd, LOCK_EX | LOCK_NB));
    if (r && errno == EWOULDBLOCK)
        return pf_fail(PEFT_E_STATE, "cache_file '%s': is in use by another trainer; give each a file of its own",
                       f->path);
    if (r) return io_error(f, "cannot be locked");
    SYSTEM_CALL(r, "stat", fstat(f->fd, &info));         /* again: until the lock was taken it may have grown */
    if (r) return io_error(f, "cannot be examined");
    *size = (size_t)info.st_size;
    return PEFT_OK;
}

/* Compares the header in the file with the one that this trainer would write. */
static peft_status check_header(const record_file *f, const file_header *found, const file_header *wanted)
{
    if (memcmp(found->magic, magic, sizeof magic))
        return pf_fail(PEFT_E_FORMAT, "cache_file '%s': is not a feature cache and stays as it is; name another file",
                       f->path);
    if (found->version != VERSION)
        return pf_fail(PEFT_E_FORMAT, "cache_file '%s': format version %u, expected %d; remove the file and it is made "
                       "again", f->path, (unsigned)found->version, VERSION);
    if (found->checksum != pf_checksum(found, offsetof(file_header, checksum)))
        return pf_fail(PEFT_E_FORMAT, "cache_file '%s': its header is damaged; remove the file and it is made again",
                       f->path);
    if (memcmp(found->key, wanted->key, sizeof found->key))
        return pf_fail(PEFT_E_MISMATCH, "cache_file '%s': holds features of another frozen prefix (digest %.64s, this "
                       "model's is %.64s), of other weights, layers, method options or resolution; remove the file or "
                       "name another", f->path, found->key, wanted->key);
    if (memcmp(found->kernels, wanted->kernels, sizeof found->kernels))
        return pf_fail(PEFT_E_MISMATCH, "cache_file '%s': holds features computed by kernels and matrix product "
                       "'%.32s', this trainer uses '%.32s', which rounds otherwise; remove the file or name another",
                       f->path, found->kernels, wanted->kernels);
    if (found->type != wanted->type || found->record_bytes != wanted->record_bytes)
        return pf_fail(PEFT_E_MISMATCH, "cache_file '%s': holds %llu bytes for each sample in another cache_type, "
                       "expected %llu; set cache_type as before, remove the file or name another", f->path,
                       (unsigned long long)found->record_bytes, (unsigned long long)wanted->record_bytes);
    return PEFT_OK;
}

/* Writes the header of a new file, or of one whose header is incomplete because its writer was killed. Checks that of
 * any other file and counts its records. */
static peft_status check_file(record_file *f, const pf_record_file *spec)
{
    file_header found = { .version = 0 };
    file_header wanted = { .version = VERSION, .type = (uint32_t)spec->type, .record_bytes = f->records.record_bytes };
    size_t size = 0;
    memcpy(wanted.magic, magic, sizeof magic);
    memcpy(wanted.key, spec->key, sizeof wanted.key);
    snprintf(wanted.kernels, sizeof wanted.kernels, "%s", spec->kernels);
    wanted.checksum = pf_checksum(&wanted, offsetof(file_header, checksum));
    PF_TRY(open_file(f, &size));
    if (!read_at(f, 0, &found, size < sizeof found ? size : sizeof found)) return io_error(f, "cannot be read");
    if (size < sizeof found && !memcmp(found.magic, magic, size < sizeof magic ? size : sizeof magic)) {
        if (!write_at(f, 0, &wanted, sizeof wanted)) return io_error(f, "cannot be written");
        return PEFT_OK;
    }
    PF_TRY(check_header(f, &found, &wanted));
    f->records.count = (size - sizeof found + f->stride - 1) / f->stride;           /* the last record has no padding */
    if (f->records.count > f->records.capacity) f->records.count = f->records.capacity;
    return PEFT_OK;
}

peft_status pf_records_in_file(peft_context *ctx, const pf_record_file *spec, pf_records **out)
{
    const size_t length = strlen(spec->path) + 1, bytes = sizeof(record_file) + length,
        stride = (sizeof(record_header) + spec->record_bytes + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
    if (spec->limit < sizeof(file_header) + stride)
        return pf_fail(PEFT_E_OPTION, "cache_features: given %zu bytes, expected at least %zu for one sample in "
                       "cache_file '%s'", spec->limit, sizeof(file_header) + stride, spec->path);
    record_file *f = pf_alloc_zero(ctx, bytes);
    if (!f) return pf_nomem("cache_file", bytes);
    f->records = (pf_records){ .ctx = ctx, .capacity = (spec->limit - sizeof(file_header)) / stride,
                       .record_bytes = spec->record_bytes, .memory_bytes = bytes,
                       .read = read_chunk, .write = write_chunk, .commit = commit, .committed = committed,
                       .close = close_file };
    f->fd = -1;
    f->owner = getpid();
    f->stride = stride;
    memcpy(f->path, spec->path, length);
    peft_status s = check_file(f, spec);
    if (s) close_file(&f->records);
    else *out = &f->records;
    return s;
}
