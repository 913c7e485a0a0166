/* SPDX-License-Identifier: Apache-2.0
 * double_blas.c -- the BLAS that this build links (PEFT_BLAS=link; usually it is opened at run time): its products
 * equal those of the library's own GEMM and a sum by hand. */
#include "suite.h"
#include <math.h>
#include <peft/status.h>
#include "kernels/pk.h"

enum { M = 13, N = 21, K = 34 };

START_TEST(products_of_the_linked_blas_are_right)
{
    static double a[M * K], b[K * N], c[2][M * N];
    const pk_table *t = pk_find("auto");
    ck_assert_ptr_nonnull(strstr(peft_build_info(), "BLAS: linked"));
    ck_assert_ptr_null(pk_blas_load());                       /* NULL: there is a BLAS */
    ck_assert_int_eq(pk_gemm_chosen(t, PK_GEMM_CBLAS, PK_COMPUTE_F32), PK_GEMM_CBLAS);
    for (int i = 0; i < M * K; i++) a[i] = sin(i);
    for (int i = 0; i < K * N; i++) b[i] = cos(i);
    const int threads = 1;
    void *work = aligned_alloc(PK_ALIGN, (pk_gemm_work(t, PK_COMPUTE_F32, M, N, K, threads) / PK_ALIGN + 1) * PK_ALIGN);
    for (int kind = PK_GEMM_OWN; kind <= PK_GEMM_CBLAS; kind++) {
        const pk_gemm g = { .m = M, .n = N, .k = K, .a = a, .a_row = K, .a_col = 1, .b = b, .b_row = N, .b_col = 1,
                            .c = c[kind == PK_GEMM_CBLAS], .c_row = N, .scale = 1 };
        pk_gemm_run(t, NULL, (pk_gemm_kind)kind, &g, work);
    }
    const double *by_own = c[0], *by_blas = c[1];
    for (int i = 0; i < M * N; i++) ck_assert_double_eq_tol(by_own[i], by_blas[i], 1e-13);
    double first = 0;
    for (int k = 0; k < K; k++) first += a[k] * b[k * N];
    ck_assert_double_eq_tol(by_blas[0], first, 1e-13);
    free(work);
}
END_TEST

SUITE_MAIN("double_blas", products_of_the_linked_blas_are_right)
