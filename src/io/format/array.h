/* SPDX-License-Identifier: Apache-2.0
 * array.h -- io_array: a NumPy array of u8, u16, i16 or f32 that is read as images: for .npy files and for data sets of
 * arrays (.npz). */
#ifndef IO_ARRAY_H
#define IO_ARRAY_H
#include "io/archive/npy.h"
#include "io/image/image.h"

/* `count` images [height, width, channels] one after the other in data, which lies in the memory of the NumPy file. */
typedef struct io_array { io_type type; int64_t count, height, width; int channels; const uint8_t *data; } io_array;

/* The shapes that an array may have. IO_MANY_IMAGES: [n,h,w], [n,h,w,1], [n,h,w,3]. IO_ONE_OR_MANY: also one image,
 * [h,w], [h,w,1], [h,w,3]; three extents of which the last is 1 or 3 are then one image. */
typedef enum io_array_shapes { IO_MANY_IMAGES, IO_ONE_OR_MANY } io_array_shapes;
/* Finds the images in a NumPy array. PEFT_E_UNSUPPORTED: another type or shape, or an array without elements. */
peft_status io_array_from_npy(const io_npy *a, io_array_shapes shapes, io_array *out);
size_t      io_array_image_bytes(const io_array *a);          /* the size of one image */
/* Copies image i, 0 <= i < count. The caller frees *out. */
peft_status io_array_read(peft_context *ctx, const io_array *a, int64_t i, peft_image **out);
#endif
