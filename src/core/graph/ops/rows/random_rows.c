/* SPDX-License-Identifier: Apache-2.0
 * random_rows.c -- factors for mul_rows: 1 for rows that are chosen at random, 0 for the others. */
#include "core/base/rng.h"
#include "core/graph/op.h"

enum { COUNT, STREAM, TRAINING };                        /* attr.i */

/* in: x [..,n,d]; attr i[0]: how many rows, i[1]: stream of the random numbers, i[2]: 1 in training; out: [n], 1 for
 * that many rows, 0 for the others. Outside of training neither the seed nor the step matters, so that predictions are
 * the same everywhere. Selection sampling (Knuth, The Art of Computer Programming 2, algorithm S): each set of rows is
 * equally likely. */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_shape *s = &pf_v(g, n->in[0])->shape;
    if (s->ndim < 2 || n->attr.i[COUNT] < 0 || n->attr.i[COUNT] > s->dim[s->ndim - 2])
        return pf_bad_shape(g, n, "[.., rows, d] with at least as many rows as are chosen");
    return pf_output(g, n, 0, pf_shape_of(1, s->dim[s->ndim - 2]));
}
static void run(const pf_run *r, const pf_node *n)
{
    const bool training = n->attr.i[TRAINING];
    /* bit 31 keeps these streams apart from those of initial values, which do not have it (params.c) */
    const uint32_t stream = 0x80000000u | (uint32_t)n->attr.i[STREAM];
    const pf_rng rng = { training ? r->seed : 0, training ? (uint32_t)r->step : 0, stream };
    const int64_t rows = pf_shape_count(&pf_v(r->g, n->out[0])->shape);
    int64_t wanted = n->attr.i[COUNT];
    for (int64_t i = 0; i < rows; i++) {
        const bool chosen = (double)pf_rng_u32(&rng, (uint64_t)i) * (double)(rows - i) < 0x1p32 * (double)wanted;
        r->ptr[n->out[0].id][i] = chosen;
        wanted -= chosen;
    }
}
const pf_op pf_op_random_rows = { .name = "random_rows", .flags = PF_NO_GRADIENT | PF_RANDOM, .infer = infer,
                                  .run = run };
