/* SPDX-License-Identifier: Apache-2.0
 * npy.c -- the picture format NumPy (.npy): an array that is one image, or several slices. The state of an open file is
 * its io_array. */
#include "io/format/array.h"
#include "io/format/formats.h"

static bool probe(const uint8_t *data, size_t size) { return size >= 6 && !memcmp(data, "\x93NUMPY", 6); }

/* Finds the images in the array: each is a slice of the file. */
static peft_status open_array(io_encoded *f)
{
    io_npy a;
    io_array *images = io_alloc(f->ctx, 1, sizeof *images);
    if (!images) return io_nomem("NumPy array");
    peft_status s = io_npy_parse(f->data, f->size, IO_NPY_INTEGERS | IO_NPY_F32, &a);
    if (!s) s = io_array_from_npy(&a, IO_ONE_OR_MANY, images);
    if (s) {
        peft_sys_free(f->ctx, images);
        return io_fail_in(s, "NumPy array");
    }
    f->state = images;
    f->slices = images->count;
    return PEFT_OK;
}

static peft_status read_slice(const io_encoded *f, int64_t slice, peft_image **out)
{
    const io_array *a = f->state;
    const int bits = (int)(8 * io_types[a->type].bytes);
    peft_status s = io_check_limits(f->options, a->width, a->height, a->channels, bits);
    return s ? s : io_array_read(f->ctx, a, slice, out);
}

static void close_array(io_encoded *f) { peft_sys_free(f->ctx, f->state); }

const io_format io_format_npy = { .name = "NumPy (.npy)", .endings = "npy", .probe = probe, .open = open_array,
                                  .read = read_slice, .close = close_array };
