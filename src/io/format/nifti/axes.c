/* SPDX-License-Identifier: Apache-2.0
 * axes.c -- which axis of a volume lies closest to right, anterior and superior (header.h). As nibabel does
 * (orientations.py, io_orientation), the matrix without the sizes of voxels is replaced by the closest rotation, and
 * each axis gets the direction of its largest entry, those with the largest ones first. */
#include "io/format/nifti/header.h"
#include <math.h>

/* The transposed inverse of m, by its cofactors; returns the determinant. */
static double inverse_transposed(double m[3][3], double out[3][3])
{
    double determinant = 0;
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            const int r1 = (r + 1) % 3, r2 = (r + 2) % 3, c1 = (c + 1) % 3, c2 = (c + 2) % 3;
            out[r][c] = m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1];
        }
    for (int c = 0; c < 3; c++) determinant += m[0][c] * out[0][c];
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) out[r][c] /= determinant;
    return determinant;
}

/* Divides each column by its length; false: a length is 0 or not finite. */
static bool normalise(double m[3][3])
{
    for (int c = 0; c < 3; c++) {
        const double length = sqrt(m[0][c] * m[0][c] + m[1][c] * m[1][c] + m[2][c] * m[2][c]);
        if (!(length > 0 && isfinite(length))) return false;
        for (int r = 0; r < 3; r++) m[r][c] /= length;
    }
    return true;
}

/* Replaces m by the rotation (with or without a reflection) that is closest to it: Newton's iteration for the polar
 * decomposition, m = (m + m^-T) / 2. false: m is singular. */
static bool to_rotation(double m[3][3])
{
    const double smallest = 1e-9;                             /* determinant, after columns have the length 1 */
    double change = 1, other[3][3];
    for (int step = 0; step < 100 && change > 1e-15; step++) {
        if (!(fabs(inverse_transposed(m, other)) > smallest)) return false;
        change = 0;
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++) {
                const double next = (m[r][c] + other[r][c]) / 2;
                change = fmax(change, fabs(next - m[r][c]));
                m[r][c] = next;
            }
    }
    return true;
}

/* The index of the largest of three sizes among those that are free; the first of equal ones. */
static int largest(const double size[3], const bool taken[3])
{
    int best = !taken[0] ? 0 : !taken[1] ? 1 : 2;
    for (int i = best + 1; i < 3; i++)
        if (!taken[i] && size[i] > size[best]) best = i;
    return best;
}

/* The closest axes; false: the file states no usable matrix. */
static bool closest_axes(const io_nifti *n, io_axes *out)
{
    bool row_taken[3] = { false }, column_taken[3] = { false };
    double m[3][3], size[3][3], strongest[3];                 /* size: of the entries, by column */
    memcpy(m, n->direction, sizeof m);
    if (n->form == IO_FORM_NONE || !normalise(m) || !to_rotation(m)) return false;
    for (int c = 0; c < 3; c++) {
        for (int r = 0; r < 3; r++) size[c][r] = fabs(m[r][c]);
        strongest[c] = fmax(size[c][0], fmax(size[c][1], size[c][2]));
    }
    for (int step = 0; step < 3; step++) {
        const int c = largest(strongest, column_taken), r = largest(size[c], row_taken);
        out->axis[r] = c;
        out->reversed[r] = m[r][c] < 0;
        column_taken[c] = row_taken[r] = true;
    }
    return true;
}

peft_status io_nifti_axes(const io_nifti *n, io_axes *out)
{
    if (closest_axes(n, out)) return PEFT_OK;
    if (n->form == IO_FORM_NONE)
        return io_fail(PEFT_E_UNSUPPORTED, "NIfTI: orient=ras: the file has neither an sform nor a qform, so it does "
                       "not state how its axes lie in the body; use orient=stored");
    return io_fail(PEFT_E_UNSUPPORTED, "NIfTI: orient=ras: the matrix of the %s is singular; use orient=stored",
                   n->form == IO_FORM_SFORM ? "sform" : "qform");
}

void io_nifti_letters(const io_nifti *n, char letter[3])
{
    io_axes to;
    const bool known = closest_axes(n, &to);
    for (int r = 0; r < 3; r++)
        if (known) letter[to.axis[r]] = to.reversed[r] ? "LPI"[r] : "RAS"[r];
        else letter[r] = 0;
}
