/* SPDX-License-Identifier: Apache-2.0
 * spng.h -- libspng with memory of a context, shared by the files that read and write PNG. */
#ifndef IO_SPNG_H
#define IO_SPNG_H
#include "io/io.h"
#include <spng.h>

/* flags: 0 or SPNG_CTX_ENCODER. NULL: no memory. A thread has one at a time. */
spng_ctx *io_spng_begin(peft_context *ctx, int flags);
/* Frees memory of libspng's allocator, such as an encoded file; before io_spng_end. */
void io_spng_release(void *block);
/* Frees what io_spng_begin has made; libspng's allocator may not be called after it. */
void io_spng_end(spng_ctx *png);
/* The error for a code of libspng; cure: what stands before its text. */
peft_status io_spng_failed(int e, const char *cure);
#endif
