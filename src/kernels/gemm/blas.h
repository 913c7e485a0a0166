/* SPDX-License-Identifier: Apache-2.0
 * blas.h -- the system's BLAS. As a rule it is opened when a product asks for it and never closed: a BLAS starts
 * threads and takes memory as soon as it is loaded, also where the library's own kernels do all the work. The build
 * option PEFT_BLAS=link links it instead. */
#ifndef PK_BLAS_H
#define PK_BLAS_H
#include <cblas.h>
#include "../pk.h"

#ifdef PF_REAL_DOUBLE
typedef __typeof__(cblas_dgemm) pk_blas_gemm;
#else
typedef __typeof__(cblas_sgemm) pk_blas_gemm;
#endif
/* The product of pk_real, or NULL: pk_blas_load was not called or found none. */
pk_blas_gemm *pk_blas_product(void);
#endif
