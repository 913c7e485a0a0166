/* SPDX-License-Identifier: Apache-2.0
 * eigen.h -- eigenvalues and eigenvectors of a dense symmetric matrix in double precision. */
#ifndef PF_EIGEN_H
#define PF_EIGEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Doubles of workspace that pf_eigen_symmetric needs for n rows. */
size_t pf_eigen_workspace(int64_t n);

/* Decomposes the symmetric matrix A of n rows and n columns: A = sum over i of values[i] * v_i v_i^T.
 * a       in: A, row-major, of which only the lower triangle is read; out: row i is the eigenvector v_i, of length 1
 * values  out: n eigenvalues, in no particular order
 * work    pf_eigen_workspace(n) doubles
 * false: an entry is not finite, or an eigenvalue did not converge (the contents of a and values are undefined).
 * The result depends on the input alone. Time: about 9 n^3 additions and multiplications in one thread.
 * Source: Golub and Van Loan, Matrix Computations, algorithms 8.3.1 (Householder tridiagonalisation) and 8.3.2 (QR step
 * with implicit Wilkinson shift). */
bool pf_eigen_symmetric(double *a, int64_t n, double *values, double *work);
#endif
