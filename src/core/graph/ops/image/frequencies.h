/* SPDX-License-Identifier: Apache-2.0
 * frequencies.h -- a block of the spectrum of a plane of pixels, for operation "frequencies" and for what compares
 * amplitudes. */
#ifndef PF_FREQUENCIES_H
#define PF_FREQUENCIES_H
#include "core/graph/graph.h"

typedef struct { double re, im; } pf_complex;

/* Memory to compute frequencies first .. first + block - 1, down and across, of planes [side, side]. table [side]:
 * e^(-2 pi i j / side); lines [block, side]: the transforms of all rows of pixels. */
typedef struct pf_spectrum_memory { int64_t side, block, first; pf_complex *table, *lines; } pf_spectrum_memory;
size_t             pf_spectrum_bytes(int64_t side, int64_t block);           /* of table and lines */
/* Divides memory of pf_spectrum_bytes into table and lines, and fills the table. The caller keeps the memory. */
pf_spectrum_memory pf_spectrum_memory_at(void *memory, int64_t side, int64_t block, int64_t first);
/* Writes the 2-D discrete Fourier transform of the pixels at these frequencies to out [block, block]. */
void               pf_spectrum_of(const pf_spectrum_memory *m, const pk_real *pixels, pf_complex *out);
#endif
