/* SPDX-License-Identifier: Apache-2.0
 * npy.h -- reads a NumPy array file (.npy) in memory: integers or 32-bit floats, in C order and little-endian. */
#ifndef IO_NPY_H
#define IO_NPY_H
#include "io/io.h"

enum { IO_NPY_DIMS = 5 };
typedef struct io_npy {
    char kind;                                                /* 'u', 'i', 'b' (bool), 'f' */
    int bytes, ndim;                                          /* bytes: of one number; ndim: 1..IO_NPY_DIMS */
    int64_t dim[IO_NPY_DIMS], count;
    const uint8_t *data;                                      /* inside the file's memory, maybe unaligned */
} io_npy;

/* Parses the file in place; out->data points into it. kinds: the types of numbers that the caller accepts, a sum of:
 * IO_NPY_WHOLE, integers and bool; IO_NPY_F32, 32-bit floats. PEFT_E_UNSUPPORTED: another type, Fortran order, no
 * extent or more than IO_NPY_DIMS. PEFT_E_FORMAT: a broken header, or data of another size than the header
 * announces. */
enum { IO_NPY_WHOLE = 1, IO_NPY_F32 = 2 };
peft_status io_npy_parse(const uint8_t *file, size_t size, unsigned kinds, io_npy *out);
/* Writes type and shape to text, as "u8 of [3,10,10]"; returns text. */
const char *io_npy_describe(const io_npy *a, char *text, size_t room);
/* Number i as int64; false where it does not fit. */
bool io_npy_int(const io_npy *a, int64_t i, int64_t *out);
#endif
