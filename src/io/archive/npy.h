/* SPDX-License-Identifier: Apache-2.0
 * npy.h -- one NumPy array file in memory, in C order and little-endian: integers or 32-bit floats. */
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

/* kinds: which numbers the caller reads; of others the array is PEFT_E_UNSUPPORTED. */
enum { IO_NPY_WHOLE = 1, IO_NPY_F32 = 2 };
peft_status io_npy_parse(const uint8_t *file, size_t size, unsigned kinds, io_npy *out);
/* Writes type and shape to text, as "u8 of [3,10,10]"; returns text. */
const char *io_npy_describe(const io_npy *a, char *text, size_t room);
/* Number i as int64; false where it does not fit. */
bool io_npy_int(const io_npy *a, int64_t i, int64_t *out);
#endif
