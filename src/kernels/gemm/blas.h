/* SPDX-License-Identifier: Apache-2.0
 * blas.h -- access to the system's BLAS, for cblas.c. It is opened by dlopen when the first product asks for it: a BLAS
 * starts threads and takes memory as soon as it is loaded, which a process that multiplies by the library's own kernels
 * should not pay for. It stays open. The build option PEFT_BLAS=link links it instead. */
#ifndef PK_BLAS_H
#define PK_BLAS_H
#include <cblas.h>
#include "../pk.h"

#ifdef PF_REAL_DOUBLE
typedef __typeof__(cblas_dgemm) pk_blas_gemm;
#else
typedef __typeof__(cblas_sgemm) pk_blas_gemm;
#endif
/* cblas_sgemm (cblas_dgemm in the double build). NULL before a successful pk_blas_load. */
pk_blas_gemm *pk_blas_product(void);
#endif
