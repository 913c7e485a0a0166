/* SPDX-License-Identifier: Apache-2.0
 * npy.h -- io_npy: a NumPy array file (.npy) in memory, of integers or 32-bit floats, in C order and little-endian.
 * Pictures (.npy), data sets (.npz) and checkpoints (.npz) are read through it. */
#ifndef IO_NPY_H
#define IO_NPY_H
#include "io/io.h"

enum { IO_NPY_DIMS = 5 };
typedef struct io_npy {
    char kind;                                                /* 'u': unsigned; 'i': signed; 'b': bool; 'f': float */
    int bytes, ndim;                                          /* bytes: of one element; ndim: 1..IO_NPY_DIMS */
    int64_t dim[IO_NPY_DIMS], count;                          /* count: elements */
    const uint8_t *data;                                      /* in the file's memory; may be unaligned */
} io_npy;

/* Parses the file in place; out->data points into it. accepted: the element types that the caller can use, any of
 * IO_NPY_INTEGERS (bool included) and IO_NPY_F32 joined by |. PEFT_E_UNSUPPORTED: another type, Fortran order, no
 * extent or more than IO_NPY_DIMS. PEFT_E_FORMAT: a broken header, or more or fewer data than the shape needs. */
enum { IO_NPY_INTEGERS = 1, IO_NPY_F32 = 2 };
peft_status io_npy_parse(const uint8_t *file, size_t size, unsigned accepted, io_npy *out);
/* Writes type and shape to text [size], as "u8 of [3,10,10]", for messages; returns text. */
const char *io_npy_describe(const io_npy *a, char *text, size_t size);
/* Element i of an array of integers, as int64_t; false: it does not fit. */
bool io_npy_int(const io_npy *a, int64_t i, int64_t *out);
#endif
