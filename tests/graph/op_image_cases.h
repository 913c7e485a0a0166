/* SPDX-License-Identifier: Apache-2.0
 * op_image_cases.h -- the cases of op_cases.h for operations on images, and what all cases share. */
#ifndef OP_IMAGE_CASES_H
#define OP_IMAGE_CASES_H
#include "lab.h"

enum { B = 2, T = 3, D = 4 };                             /* samples, rows (tokens), columns */
#define NONE PF_NONE

/* The form for inputs that must be contiguous: l->form (lab.h), with COMPUTED in place of views of columns. */
static lab_form dense(const lab *l) { return l->form == PLAIN ? PLAIN : COMPUTED; }

/* v: 1: the side of a patch is 4, else 2; from 2 on the images are not square */
static pf_val case_patches(lab *l, int v)
{
    const pf_attr a = { .i = { v == 1 ? 4 : 2 } };
    pf_val x = lab_leaf_as(l, dense(l), PEFT_DIMS(B, 3, v == 2 ? 6 : 4, v == 3 ? 8 : 4));
    return pf_emit(&l->g, &pf_op_patches, &a, 1, (pf_val[]){ x });
}

/* v % 2 + 1: the width w of the frame around images of 6 x 6 pixels; from 2 on of 5 x 9 */
static pf_val case_frame(lab *l, int v)
{
    const int64_t rows = v < 2 ? 6 : 5, columns = v < 2 ? 6 : 9, w = v % 2 + 1;
    const int64_t wide[] = { 1, 2, w, columns, 0 }, high[] = { 1, 2, rows - 2 * w, w, 0 };
    pf_val up = lab_leaf_as(l, dense(l), wide), down = lab_leaf_as(l, dense(l), wide);
    pf_val left = lab_leaf_as(l, dense(l), high), right = lab_leaf_as(l, dense(l), high);
    return peft_sys_frame(&l->g, up, down, left, right);
}

/* v 0: the block around frequency 0; 1: one beside it; 2: every frequency; 3: two blocks, one after the other; 4, 5:
 * images that are wider than high, and the other way round */
static pf_val case_frequencies(lab *l, int v)
{
    if (v == 3) {
        pf_val x = lab_leaf_as(l, dense(l), PEFT_DIMS(1, 1, 4, 4));
        pf_val once = peft_sys_scale_frequencies(&l->g, x, lab_leaf_as(l, dense(l), PEFT_DIMS(1, 2, 2)), -1);
        return peft_sys_scale_frequencies(&l->g, peft_sys_mul(&l->g, once, x), lab_leaf_as(l, dense(l),
                                          PEFT_DIMS(1, 3, 3)), -1);
    }
    const int64_t block[] = { 3, 2, 5, 0, 3, 2 }, first[] = { -1, -2, 0, 0, -1, -2 };
    pf_val x = lab_leaf_as(l, dense(l), PEFT_DIMS(B, 2, v == 4 ? 3 : 5, v == 5 ? 4 : 5));
    return peft_sys_scale_frequencies(&l->g, x, lab_leaf_as(l, dense(l), PEFT_DIMS(2, block[v], block[v])), first[v]);
}

/* v: bit 0: one matrix for both blocks; bits 1 and 2: terms 0 (exact), 2, 3 or 5 */
static pf_val case_rotate(lab *l, int v)
{
    enum { SIDE = 3, BLOCKS = 2 };
    static const int terms[] = { 0, 2, 3, 5 };
    pf_val packed = lab_leaf_as(l, dense(l), PEFT_DIMS(v & 1 ? 1 : BLOCKS, SIDE * (SIDE - 1) / 2));
    pf_val x = LEAF(l, B, T, SIDE * BLOCKS);
    pf_val r = peft_sys_cayley(&l->g, packed, SIDE, terms[v >> 1]);
    return peft_sys_rotate(&l->g, peft_sys_rotate(&l->g, x, r), r);
}

/* v: bit 0: a bias; v / 2: maps of 1x1, 1x5 and 4x3 pixels, one channel in, one channel out, kernels of 1x1, 3x1 and
 * 1x5 */
static pf_val case_conv2d(lab *l, int v)
{
    static const struct { int b, h, w, in, out, kh, kw; } at[] = {
        { 3, 1, 1, 2, 3, 3, 3 }, { 1, 1, 5, 3, 2, 3, 3 }, { B, 4, 3, 3, 4, 3, 3 }, { B, 3, 4, 1, 3, 5, 5 },
        { 1, 3, 3, 4, 1, 3, 3 }, { B, 2, 3, 3, 2, 1, 1 }, { 1, 4, 2, 2, 3, 3, 1 }, { 1, 2, 6, 2, 2, 1, 5 } };
    const int i = v / 2;
    pf_val x = LEAF(l, at[i].b, at[i].h * at[i].w, at[i].in);
    pf_val w = lab_leaf_as(l, dense(l), PEFT_DIMS(at[i].out, at[i].in, at[i].kh, at[i].kw));
    return pf_conv2d(&l->g, x, at[i].h, at[i].w, w, v & 1 ? LEAF(l, at[i].out) : NONE);
}

/* Images of side 6, which are a constant, become smaller (v 0) or larger (v 1); the factors m are trained. */
static pf_val case_resize(lab *l, int v)
{
    pf_val x = lab_const(l, PEFT_DIMS(B, 2, 6, 6)), m = LEAF(l, 2, v ? 9 : 4, v ? 9 : 4);
    return peft_sys_mul(&l->g, peft_sys_resize_images(&l->g, x, v ? 9 : 4), m);
}

/* Maps that become larger, by the same factor and by others, smaller in one direction, and of one line or column. */
static pf_val case_upsample(lab *l, int v)
{
    static const int64_t size[][4] = { { 2, 3, 4, 6 }, { 3, 2, 5, 6 }, { 4, 2, 3, 9 }, { 1, 3, 2, 3 }, { 5, 1, 2, 4 } };
    const int64_t *s = size[v];
    return pf_upsample(&l->g, LEAF(l, B, s[0] * s[1], 2), s[0], s[1], s[2], s[3]);
}
#endif
