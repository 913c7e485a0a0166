/* SPDX-License-Identifier: Apache-2.0
 * stream.c -- reads forward through a file that may be compressed by gzip, with zlib. A file may have several gzip
 * members; what follows the last of them is ignored, as gzip does. */
#include "io/format/nifti/stream.h"

bool io_is_gzip(const uint8_t *data, size_t size) { return size >= 2 && data[0] == 0x1f && data[1] == 0x8b; }

/* zlib's allocator; `opaque` is the context. */
static void *zlib_alloc(void *opaque, uInt count, uInt size) { return io_alloc(opaque, count, size); }
static void zlib_free(void *opaque, void *block) { peft_sys_free(opaque, block); }

peft_status io_stream_open(peft_context *ctx, const uint8_t *data, size_t size, io_stream **out)
{
    enum { GZIP = 16 };                                       /* added to the window bits: data of gzip, not of zlib */
    io_stream *s = peft_sys_alloc(ctx, sizeof *s);
    if (!s) return io_nomem("gzip");
    s->ctx = ctx;
    s->data = data;
    s->size = size;
    s->start = s->end = 0;
    s->ended = false;
    s->compressed = io_is_gzip(data, size);
    s->inflater = (z_stream){ .next_in = data, .zalloc = zlib_alloc, .zfree = zlib_free, .opaque = ctx };
    if (s->compressed && inflateInit2(&s->inflater, MAX_WBITS + GZIP) != Z_OK) {
        peft_sys_free(ctx, s);
        return io_nomem("gzip");
    }
    *out = s;
    return PEFT_OK;
}

void io_stream_close(io_stream *s)
{
    if (s->compressed) inflateEnd(&s->inflater);
    peft_sys_free(s->ctx, s);
}

/* Unpacks the next window of bytes. PEFT_E_FORMAT: none is left, or the data are damaged. */
static peft_status next_window(io_stream *s)
{
    z_stream *z = &s->inflater;
    const size_t most = 1 << 30;                              /* bytes that zlib is given at once */
    s->start = s->end;
    z->next_out = s->window;
    z->avail_out = IO_STREAM_WINDOW;
    while (z->avail_out && !s->ended) {
        const size_t left = s->size - (size_t)(z->next_in - s->data);
        z->avail_in = (uInt)(left < most ? left : most);
        const int e = inflate(z, Z_NO_FLUSH);
        if (e == Z_MEM_ERROR) return io_nomem("gzip");
        if (e == Z_STREAM_END && io_is_gzip(z->next_in, s->size - (size_t)(z->next_in - s->data))) inflateReset(z);
        else if (e == Z_STREAM_END) s->ended = true;
        else if (e == Z_BUF_ERROR) break;                     /* no input is left */
        else if (e != Z_OK)
            return io_fail(PEFT_E_FORMAT, "gzip: the data are damaged (%s)", z->msg ? z->msg : "a checksum differs");
    }
    s->end = s->start + (IO_STREAM_WINDOW - z->avail_out);
    return s->end > s->start ? PEFT_OK : io_fail(PEFT_E_FORMAT, "gzip: the data end early");
}

peft_status io_stream_read(io_stream *s, int64_t offset, size_t n, uint8_t *to)
{
    if (!s->compressed) {
        if ((uint64_t)offset > s->size || n > s->size - (size_t)offset)
            return io_fail(PEFT_E_FORMAT, "the file ends early; fetch it again");
        memcpy(to, s->data + offset, n);
        return PEFT_OK;
    }
    while (n) {
        peft_status status = offset >= s->end ? next_window(s) : PEFT_OK;
        if (status) return status;
        if (offset >= s->end) continue;
        const size_t there = (size_t)(s->end - offset), part = n < there ? n : there;
        memcpy(to, s->window + (offset - s->start), part);
        to += part, offset += (int64_t)part, n -= part;
    }
    return PEFT_OK;
}

/* Appends the window to a block of *capacity bytes, of which s->start are used. */
static peft_status append_window(io_stream *s, int64_t limit, uint8_t **block, size_t *capacity)
{
    if (s->end > limit) return io_fail(PEFT_E_UNSUPPORTED, "gzip: more than %lld bytes", (long long)limit);
    if ((size_t)s->end > *capacity) {
        const size_t larger = 2 * *capacity + IO_STREAM_WINDOW;
        uint8_t *grown = peft_sys_realloc(s->ctx, *block, larger);
        if (!grown) return io_nomem("gzip");
        *block = grown;
        *capacity = larger;
    }
    memcpy(*block + s->start, s->window, (size_t)(s->end - s->start));
    return PEFT_OK;
}

peft_status io_stream_unpack(peft_context *ctx, const uint8_t *data, size_t size, int64_t limit, uint8_t **out,
                             size_t *out_size)
{
    io_stream *stream;
    uint8_t *block = NULL;
    size_t capacity = 0;
    peft_status s = io_stream_open(ctx, data, size, &stream);
    if (s) return s;
    while (!s && !stream->ended) {
        s = next_window(stream);
        if (s == PEFT_E_FORMAT && stream->ended) s = PEFT_OK;         /* the last window was full */
        else if (!s) s = append_window(stream, limit, &block, &capacity);
    }
    *out = block;
    *out_size = (size_t)stream->end;
    io_stream_close(stream);
    if (!s && block) return PEFT_OK;
    peft_sys_free(ctx, block);
    return s ? s : io_fail(PEFT_E_FORMAT, "gzip: no data");
}
