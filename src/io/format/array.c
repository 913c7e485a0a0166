/* SPDX-License-Identifier: Apache-2.0
 * array.c -- io_array: finds the images in a NumPy array by its type and shape, and copies one of them. */
#include "io/format/array.h"

/* The sample type of the array's elements; false: images have no such samples. */
static bool type_of(const io_npy *a, io_type *out)
{
    static const struct { char kind; int bytes; io_type type; } rows[] = {
        { 'u', 1, IO_U8 }, { 'u', 2, IO_U16 }, { 'i', 2, IO_I16 }, { 'f', 4, IO_F32 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (a->kind == rows[i].kind && a->bytes == rows[i].bytes) {
            *out = rows[i].type;
            return true;
        }
    return false;
}

/* Whether the last extent of an array can be the number of channels. */
static bool is_channels(int64_t extent) { return extent == 1 || extent == 3; }

peft_status io_array_from_npy(const io_npy *a, io_array_shapes shapes, io_array *out)
{
    const bool channels_last = a->ndim > 2 && is_channels(a->dim[a->ndim - 1]);
    const bool single = shapes == IO_ONE_OR_MANY && (a->ndim == 2 || (a->ndim == 3 && channels_last));
    const bool several = a->ndim == 3 || (a->ndim == 4 && channels_last);
    const int64_t *side = single ? a->dim : a->dim + 1;       /* height, width, channels if the array has them */
    io_type type;
    char given[120];
    if (!type_of(a, &type) || !(single || several) || !a->count)
        return io_fail(PEFT_E_UNSUPPORTED, "%s; expected u8, u16, i16 or f32 of %s[n,h,w], [n,h,w,1] or [n,h,w,3], "
                       "n > 0", io_npy_describe(a, given, sizeof given),
                       shapes == IO_MANY_IMAGES ? "" : "[h,w], [h,w,1], [h,w,3], ");
    *out = (io_array){ .type = type, .count = single ? 1 : a->dim[0], .height = side[0], .width = side[1],
                       .channels = 1, .data = a->data };
    if (single ? a->ndim == 3 : a->ndim == 4) out->channels = (int)side[2];
    return PEFT_OK;
}

size_t io_array_image_bytes(const io_array *a)
{
    return (size_t)(a->height * a->width) * (size_t)a->channels * io_types[a->type].bytes;
}

peft_status io_array_read(peft_context *ctx, const io_array *a, int64_t i, peft_image **out)
{
    return peft_image_from_buffer(ctx, a->data + (size_t)i * io_array_image_bytes(a), a->width, a->height, a->channels,
                                  io_types[a->type].depth, IO_NO_GAPS, out);
}
