/* SPDX-License-Identifier: Apache-2.0
 * patches.c -- copies images [b, c, h, w] to patches [b, h/p w/p, c p p], on which the patch embedding is a linear
 * layer, and back for the gradient. */
#include "core/graph/op.h"

typedef enum { TO_PATCHES, TO_IMAGES } direction;
/* height, width: of the images, in pixels; patch: side of a patch, in pixels; rows, columns: of an image in patches. */
typedef struct {
    pk_real *image, *patches;
    direction to;
    int64_t channels, height, width, patch, rows, columns;
} job;

/* Copies rows begin .. end - 1 of the patch grids of all images: row i is row i % rows of image i / rows. The elements
 * of a patch are ordered (channel, y, x); a copy moves one of its lines of pixels. */
static void copy_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    int64_t p = j->patch, plane = j->height * j->width;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        for (int64_t x = 0; x < j->columns; x++)
            for (int64_t c = 0; c < j->channels; c++)
                for (int64_t y = 0; y < p; y++) {
                    pk_real *in_patch = j->patches + (((i * j->columns + x) * j->channels + c) * p + y) * p;
                    pk_real *in_image = j->image + (i / j->rows * j->channels + c) * plane
                                      + (i % j->rows * p + y) * j->width + x * p;
                    if (j->to == TO_IMAGES) memcpy(in_image, in_patch, (size_t)p * sizeof *in_patch);
                    else memcpy(in_patch, in_image, (size_t)p * sizeof *in_patch);
                }
}

static void copy(const pf_run *r, const pf_node *n, pf_val images, pf_val patches, direction to)
{
    const pf_shape *s = &pf_v(r->g, images)->shape;
    const int64_t patch = n->attr.i[0];
    job j = { .image = r->ptr[images.id], .patches = r->ptr[patches.id], .to = to, .channels = s->dim[1],
              .height = s->dim[2], .width = s->dim[3], .patch = patch, .rows = s->dim[2] / patch,
              .columns = s->dim[3] / patch };
    const int64_t rows_per_task = 1;
    pf_parallel(r, s->dim[0] * j.rows, rows_per_task, copy_rows, &j);
}

/* in: images [b,c,h,w]; attr i[0]: patch side; out [b, h/p w/p, c p p] */
static bool patches_infer(pf_graph *g, pf_node *n)
{
    const pf_shape s = pf_v(g, n->in[0])->shape;
    int64_t p = n->attr.i[0];
    if (s.ndim != 4 || p < 1 || s.dim[2] % p || s.dim[3] % p)
        return pf_bad_shape(g, n, "images [b, c, h, w], h and w multiples of the patch side");
    return pf_output(g, n, 0, pf_shape_of(3, s.dim[0], s.dim[2] / p * (s.dim[3] / p), s.dim[1] * p * p));
}
static void patches_run(const pf_run *r, const pf_node *n) { copy(r, n, n->in[0], n->out[0], TO_PATCHES); }
static void patches_grad_emit(pf_grads *gr, const pf_node *n)
{
    pf_attr a = n->attr;
    a.shape = pf_v(gr->g, n->in[0])->shape;
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_patches_grad, &a, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_patches = { .name = "patches", .kernel = "copy", .infer = patches_infer, .grad = patches_grad_emit,
                              .run = patches_run };

/* in: d, the gradient of the patches; attr i[0]: patch side, shape: of the images; out: the same numbers as images */
static bool back_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void back_run(const pf_run *r, const pf_node *n) { copy(r, n, n->out[0], n->in[0], TO_IMAGES); }
const pf_op pf_op_patches_grad = { .name = "patches_grad", .kernel = "copy", .infer = back_infer, .run = back_run };
