/* SPDX-License-Identifier: Apache-2.0
 * array.h -- a NumPy array of u8, u16, i16 or f32 read as one or several images: for .npy files and for data sets of
 * arrays (.npz). */
#ifndef IO_ARRAY_H
#define IO_ARRAY_H
#include "io/archive/npy.h"
#include "io/image/image.h"

/* count images of height x width x channels, one after another in data, which the NumPy file owns. */
typedef struct io_array { io_type type; int64_t count, height, width; int channels; const uint8_t *data; } io_array;

/* Reads the shape as images. always_many: the first extent is the number of images ([n,h,w], [n,h,w,1], [n,h,w,3]).
 * Else the array may also be one image ([h,w], [h,w,1], [h,w,3]); an array of three extents of which the last is 1 or 3
 * is one image. PEFT_E_UNSUPPORTED: another type or shape, or an array without elements. */
peft_status io_array_of(const io_npy *a, bool always_many, io_array *out);
size_t      io_array_bytes(const io_array *a);                /* of one image */
/* Copies image i, 0 <= i < count. The caller frees *out. */
peft_status io_array_read(peft_context *ctx, const io_array *a, int64_t i, peft_image **out);
#endif
