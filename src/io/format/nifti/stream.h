/* SPDX-License-Identifier: Apache-2.0
 * stream.h -- io_stream: a file in memory, compressed by gzip or not, that is read from its beginning to its end in a
 * window of 64 KiB. */
#ifndef IO_NIFTI_STREAM_H
#define IO_NIFTI_STREAM_H
#include "io/io.h"
#define ZLIB_CONST                                            /* the input of zlib is const */
#include <zlib.h>

enum { IO_STREAM_WINDOW = 1 << 16 };
typedef struct io_stream {
    peft_context *ctx;
    const uint8_t *data;
    size_t size;
    bool compressed, ended;                                   /* ended: the window has the last byte */
    int64_t start, end;                                       /* offsets of the unpacked bytes in the window */
    z_stream inflater;
    uint8_t window[IO_STREAM_WINDOW];
} io_stream;

bool io_is_gzip(const uint8_t *data, size_t size);
/* Opens the data, which must stay in place; the caller closes and frees *out. */
peft_status io_stream_open(peft_context *ctx, const uint8_t *data, size_t size, io_stream **out);
/* Copies n unpacked bytes from the offset, which may not lie before that of an earlier call. A
 * checksum of gzip is checked where its member is read to the end. PEFT_E_FORMAT: the data end before, or are
 * damaged. */
peft_status io_stream_read(io_stream *s, int64_t offset, size_t n, uint8_t *to);
void io_stream_close(io_stream *s);
/* Unpacks all data of gzip into memory of ctx, which the caller frees. PEFT_E_FORMAT: they are damaged or cut short;
 * PEFT_E_UNSUPPORTED: they have more than limit bytes. */
peft_status io_stream_unpack(peft_context *ctx, const uint8_t *data, size_t size, int64_t limit, uint8_t **out,
                             size_t *out_size);
#endif
