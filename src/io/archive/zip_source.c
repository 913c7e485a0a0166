/* SPDX-License-Identifier: Apache-2.0
 * zip_source.c -- io_zip_open: gives libzip a source that reads the file by pread. After a fork both processes share
 * one file offset, so that read() in one would move the offset of the other; pread does not use it. Bytes before the
 * archive (the program of a self-extracting zip) are skipped. */
#include "io/archive/zip.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The end-of-central-directory record is the last part of a zip; a comment may follow it. */
enum { END_RECORD_BYTES = 22, MAX_COMMENT_BYTES = 65535 };

/* The archive begins at byte start of the file and has size bytes; libzip reads next at start + position. */
typedef struct source { peft_context *ctx; int fd; int64_t start, size, position; zip_error_t error; } source;

/* Reads size bytes from this offset of the file, fewer at its end; returns how many, or -1. */
static int64_t read_at(int fd, void *data, int64_t size, int64_t offset)
{
    int64_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, (uint8_t *)data + done, (size_t)(size - done), offset + done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (!n) break;
        done += n;
    }
    return done;
}

/* Answers ZIP_SOURCE_STAT with the size of the archive. */
static int64_t stat_source(source *s, void *data, zip_uint64_t length)
{
    zip_stat_t *st = data;
    if (length < sizeof *st) return -1;
    zip_stat_init(st);
    st->size = (zip_uint64_t)s->size;
    st->valid = ZIP_STAT_SIZE;
    return sizeof *st;
}

/* The callback of zip_source_function_create. */
static zip_int64_t on_command(void *state, void *data, zip_uint64_t length, zip_source_cmd_t command)
{
    source *s = state;
    int64_t n;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL,
                                              ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_OPEN:
        s->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        n = s->size - s->position < (int64_t)length ? s->size - s->position : (int64_t)length;
        n = n > 0 ? read_at(s->fd, data, n, s->start + s->position) : 0;
        if (n < 0) zip_error_set(&s->error, ZIP_ER_READ, errno);
        else s->position += n;
        return n;
    case ZIP_SOURCE_SEEK:
        n = zip_source_seek_compute_offset((zip_uint64_t)s->position, (zip_uint64_t)s->size, data, length, &s->error);
        if (n >= 0) s->position = n;
        return n < 0 ? -1 : 0;
    case ZIP_SOURCE_TELL: return s->position;
    case ZIP_SOURCE_STAT: return stat_source(s, data, length);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&s->error, data, length);
    case ZIP_SOURCE_CLOSE: return 0;
    case ZIP_SOURCE_FREE:
        close(s->fd);
        zip_error_fini(&s->error);
        peft_sys_free(s->ctx, s);
        return 0;
    default:
        zip_error_set(&s->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static uint32_t read_u32(const uint8_t *p)                   /* little-endian */
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Sets *start to the byte of the file at which the archive begins. The central directory lies directly before the end
 * record, which states the directory's length (byte 12), its offset from the beginning of the archive (byte 16) and the
 * length of the comment (byte 20). The directory's true place minus that offset is *start. It is 0 without an end
 * record, or for ZIP64: libzip then reads the whole file. false: no memory. */
static bool find_start(peft_context *ctx, int fd, int64_t size, int64_t *start)
{
    const int64_t most = END_RECORD_BYTES + MAX_COMMENT_BYTES, tail_size = size < most ? size : most;
    uint8_t *tail = peft_sys_alloc(ctx, (size_t)tail_size), signature[4];   /* the last tail_size bytes of the file */
    *start = 0;
    if (tail && read_at(fd, tail, tail_size, size - tail_size) == tail_size)
        for (int64_t i = tail_size - END_RECORD_BYTES; i >= 0; i--) {
            const uint8_t *record = tail + i;
            if (memcmp(record, "PK\5\6", 4) || i + END_RECORD_BYTES + (record[20] | record[21] << 8) > tail_size)
                continue;
            const int64_t length = read_u32(record + 12), offset = read_u32(record + 16);
            const int64_t directory = size - tail_size + i - length;
            if (offset < UINT32_MAX && directory > offset && read_at(fd, signature, 4, directory) == 4 &&
                (!memcmp(signature, "PK\1\2", 4) || !length))
                *start = directory - offset;
            break;
        }
    const bool allocated = tail != NULL;
    peft_sys_free(ctx, tail);
    return allocated;
}

/* Opens the file and finds the archive in it. */
static peft_status open_source(source *s, const char *path)
{
    struct stat st;
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0) return io_fail(PEFT_E_IO, "%s: %s", path, strerror(errno));
    peft_status status = PEFT_OK;
    if (fstat(s->fd, &st)) status = io_fail(PEFT_E_IO, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode)) status = io_fail(PEFT_E_IO, "%s: not a regular file", path);
    else if (!find_start(s->ctx, s->fd, st.st_size, &s->start)) status = io_nomem(path);
    else s->size = st.st_size - s->start;
    if (status) close(s->fd);
    return status;
}

peft_status io_zip_open(peft_context *ctx, const char *path, zip_t **out)
{
    zip_error_t error;
    source *s = io_alloc(ctx, 1, sizeof *s);
    if (!s) return io_nomem(path);
    s->ctx = ctx;
    peft_status status = open_source(s, path);
    if (status) {
        peft_sys_free(ctx, s);
        return status;
    }
    zip_error_init(&s->error);
    zip_error_init(&error);
    zip_source_t *z = zip_source_function_create(on_command, s, &error);
    if (!z) on_command(s, NULL, 0, ZIP_SOURCE_FREE);
    *out = z ? zip_open_from_source(z, ZIP_RDONLY, &error) : NULL;
    if (!*out) {
        const int code = zip_error_code_zip(&error);
        status = io_fail(code == ZIP_ER_READ ? PEFT_E_IO : code == ZIP_ER_MEMORY ? PEFT_E_NOMEM : PEFT_E_FORMAT,
                         "%s: %s", path, zip_error_strerror(&error));
        if (z) zip_source_free(z);
    }
    zip_error_fini(&error);
    return status;
}
