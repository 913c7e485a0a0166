/* SPDX-License-Identifier: Apache-2.0
 * frequencies.h -- a block of the spectrum of a plane of pixels, for operation "frequencies" and for what compares
 * amplitudes. */
#ifndef PF_FREQUENCIES_H
#define PF_FREQUENCIES_H
#include "core/graph/graph.h"

typedef struct { double re, im; } pf_complex;

/* table [side]: e^(-2 pi i j / side). */
typedef struct pf_waves { int64_t side; pf_complex *table; } pf_waves;
/* Memory to compute frequencies first .. first + block - 1, down and across, of planes [height, width]. lines
 * [block, height]: the transforms of all rows of pixels. */
typedef struct pf_spectrum_memory {
    int64_t block, first;
    pf_waves down, across;
    pf_complex *lines;
} pf_spectrum_memory;
size_t             pf_spectrum_bytes(int64_t height, int64_t width, int64_t block);       /* of tables and lines */
/* Divides memory of pf_spectrum_bytes into tables and lines, and fills the tables. The caller keeps the memory. */
pf_spectrum_memory pf_spectrum_memory_at(void *memory, int64_t height, int64_t width, int64_t block, int64_t first);
/* Writes the 2-D discrete Fourier transform of the pixels at these frequencies to out [block, block]. */
void               pf_spectrum_of(const pf_spectrum_memory *m, const pk_real *pixels, pf_complex *out);
#endif
