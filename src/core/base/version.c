/* SPDX-License-Identifier: Apache-2.0
 * version.c -- the version of the library and how it was built, for peft_version_* and peft_build_info. */
#include <peft/status.h>
#include "kernels/pk.h"

#if defined(__clang__)
#define COMPILER_TEXT __VERSION__
#elif defined(__GNUC__)
#define COMPILER_TEXT "gcc " __VERSION__
#else
#define COMPILER_TEXT "unknown compiler"
#endif

/* PK_BLAS_FIRST: file name of the BLAS that is tried first at run time (kernels/gemm/blas.c). */
#ifdef PK_BLAS_LINKED
#define PK_BLAS_TEXT "linked"
#else
#define PK_BLAS_TEXT "opened on demand, " PK_BLAS_FIRST
#endif

#if defined(PK_TILES)
#define KERNELS_TEXT "avx512_amx avx512_bf16 avx512_vnni avx512 avx2 ref"
#elif defined(PK_SIMD)
#define KERNELS_TEXT "avx512_bf16 avx512_vnni avx512 avx2 ref"
#else
#define KERNELS_TEXT "ref"
#endif

#ifdef PF_REAL_DOUBLE
#define REAL_TEXT "double"
#else
#define REAL_TEXT "float"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER_TEXT "; address sanitizer"
#else
#define SANITIZER_TEXT ""
#endif

unsigned peft_version_number(void) { return PEFT_VERSION_NUMBER; }
const char *peft_version_string(void) { return PEFT_VERSION_STRING; }

const char *peft_build_info(void)
{
    return "libpeft " PEFT_VERSION_STRING "; " COMPILER_TEXT "; BLAS: " PK_BLAS_TEXT "; kernels: " KERNELS_TEXT
           "; reals: " REAL_TEXT SANITIZER_TEXT;
}
