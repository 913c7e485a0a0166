/* SPDX-License-Identifier: Apache-2.0
 * rollout.c -- attention roll-out (Abnar and Zuidema, ACL 2020), as <peft/maps.h> defines it. Only one row of the
 * product R = A'_last .. A'_first is needed: a row vector is multiplied with one A' after the other, from the last
 * block to the first, in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/graph/op.h"
#include "core/graph/ops/scores/attention_map.h"
#include "core/maps/maps.h"

typedef struct {
    int64_t first, last;                 /* blocks */
    int64_t own, prefix;                 /* own tokens of the network; those of them before the patches */
    int fuse;                            /* pf_fuse */
    double discard;
    bool class_row;                      /* the row of the class token; false: the mean of the patches' rows */
    pf_val map[PEFT_DEPTH_MAX];          /* [b,t,t]: of a block, heads fused */
    int64_t row[PEFT_DEPTH_MAX];         /* of the class token in the block */
    double *vector, *next;               /* [own] each, in one block with a and sorted */
    pk_real *a, *sorted;                 /* [own,own]: A of the own tokens; sorted: with discard only */
    int64_t *token;                      /* [own]: rows of the own tokens among all */
} rollout;

static void before(void *user, pf_graph *g, peft_site *s)
{
    pf_class_row_before(&((peft_maps *)user)->class_row, g, s);
}

/* The weights of an attention that a method computed step by step, heads fused. */
static pf_val map_of_steps(const rollout *r, pf_graph *g, const peft_site *s)
{
    const pf_node *n = pf_maker_of(g, 0, s->out);
    if (!n || n->op != &pf_op_attention_apply)
        return pf_graph_fail(g, pf_fail(PEFT_E_UNSUPPORTED, "maps of kind=rollout: a method computes the attention of "
                                        "block %lld itself, in a form whose weights are not known",
                                        (long long)s->layer));
    return pf_emit(g, &pf_op_fuse_heads, &(pf_attr){ .i = { r->fuse } }, 1, (pf_val[]){ n->in[0] });
}

static void after(void *user, pf_graph *g, peft_site *s)
{
    peft_maps *m = user;
    rollout *r = m->state;
    pf_class_row_after(&m->class_row, g, s);
    if (g->status || s->where != PEFT_ATTN || s->layer < r->first || s->layer > r->last) return;
    const pf_attr a = { .i = { r->fuse, m->model->backbone->shape.heads } };
    const pf_val v = pf_exists(s->out) ? map_of_steps(r, g, s)
        : pf_emit(g, &pf_op_attention_map, &a, 5, (pf_val[]){ s->q, s->k, s->xk, s->sink, s->head_scale });
    if (g->status) return;
    pf_v(g, v)->keep = true;
    r->map[s->layer] = v;
    r->row[s->layer] = m->class_row.row;
}

/* Sets class_row from the option "row". */
static peft_status choose_row(peft_maps *s, rollout *r)
{
    static const char *const words[] = { "auto", "class", "mean" };
    enum { AUTO, CLASS };
    const peft_model *m = s->model;
    const pf_feature f = m->pool;
    const bool class_token = m->backbone->shape.class_token;
    int row;
    PF_TRY(pf_maps_word(s, "row", words, 3, &row));
    if (row == CLASS && !class_token)
        return pf_fail(PEFT_E_OPTION, "row: given class, but the network has no class token; expected mean or auto");
    const bool reads = f == PF_FEATURE_CLS || f == PF_FEATURE_CLS_MEAN || f == PF_FEATURE_CLS_DIST;
    r->class_row = row == CLASS || (row == AUTO && class_token && reads && m->head->reads == PF_READS_FEATURE);
    return PEFT_OK;
}

static size_t state_bytes(const rollout *r)
{
    const size_t n = (size_t)r->own;
    return n * (2 * sizeof(double) + sizeof(int64_t)) + n * n * sizeof(pk_real) * (r->discard > 0 ? 2 : 1);
}

static peft_status create(peft_maps *s)
{
    static const char *const fuses[] = { "mean", "max", "min" };
    const pf_vit_shape *v = &s->model->backbone->shape;
    rollout *r = s->state;
    r->prefix = pf_vit_prefix(v);
    r->own = r->prefix + pf_vit_patches(v);
    r->discard = pf_maps_float(s, "discard");
    PF_TRY(pf_maps_blocks(s, &r->first, &r->last));
    PF_TRY(pf_maps_word(s, "fuse", fuses, 3, &r->fuse));
    PF_TRY(choose_row(s, r));
    r->vector = pf_alloc_zero(s->ctx, state_bytes(r));
    if (!r->vector) return pf_nomem("attention roll-out", state_bytes(r));
    r->next = r->vector + r->own;
    r->token = (int64_t *)(r->next + r->own);
    r->a = (pk_real *)(r->token + r->own);
    r->sorted = r->discard > 0 ? r->a + r->own * r->own : NULL;
    s->overlay = (pf_overlay){ .before = before, .after = after, .user = s };
    return pf_maps_compile(s, NULL);
}

static int ascending(const void *a, const void *b)
{
    const pk_real x = *(const pk_real *)a, y = *(const pk_real *)b;
    return (x > y) - (x < y);
}

/* Sets the smallest entries of r->a to 0, floor(discard * entries) of them; of equal ones the first. */
static void discard(rollout *r)
{
    const int64_t all = r->own * r->own, count = (int64_t)floor(r->discard * (double)all);
    if (count < 1) return;
    memcpy(r->sorted, r->a, (size_t)all * sizeof *r->a);
    qsort(r->sorted, (size_t)all, sizeof *r->sorted, ascending);
    const pk_real limit = r->sorted[count - 1];
    int64_t equal = count;                               /* entries equal to limit that are set to 0 */
    for (int64_t i = 0; i < all; i++) equal -= r->a[i] < limit;
    for (int64_t i = 0; i < all; i++) {
        if (r->a[i] > limit || (r->a[i] == limit && equal-- <= 0)) continue;
        r->a[i] = 0;
    }
}

/* Copies the rows and columns of the network's own tokens from A of a block: class token, registers, patches. */
static void copy_own(rollout *r, const pf_exec *e, int64_t block, int64_t sample)
{
    const pf_shape *shape = &pf_v(&e->g, r->map[block])->shape;
    const int64_t all = shape->dim[1], moved = all - r->own;     /* registers and patches are the last rows */
    const pk_real *a = pf_exec_data(e, r->map[block]) + sample * all * all;
    for (int64_t i = 0; i < r->own; i++) r->token[i] = i + moved;
    r->token[0] = r->prefix ? r->row[block] : moved;
    for (int64_t i = 0; i < r->own; i++)
        for (int64_t j = 0; j < r->own; j++) r->a[i * r->own + j] = a[r->token[i] * all + r->token[j]];
}

/* vector = vector A', with A' = (A + I) / 2 and each row divided by its sum. */
static void multiply(rollout *r)
{
    memset(r->next, 0, (size_t)r->own * sizeof *r->next);
    for (int64_t i = 0; i < r->own; i++) {
        const pk_real *row = r->a + i * r->own;
        double sum = 1;
        for (int64_t j = 0; j < r->own; j++) sum += (double)row[j];
        const double factor = r->vector[i] / sum;
        for (int64_t j = 0; j < r->own; j++) r->next[j] += factor * (double)row[j];
        r->next[i] += factor;
    }
    memcpy(r->vector, r->next, (size_t)r->own * sizeof *r->vector);
}

static peft_status compute(peft_maps *s, const peft_tensor *images, int64_t n, const int64_t *classes, pk_real *maps,
                           int64_t *chosen)
{
    rollout *r = s->state;
    const int64_t patches = r->own - r->prefix;
    (void)classes;
    (void)chosen;
    PF_TRY(pf_maps_bind(s, images, n));
    pf_maps_run(s, 0, s->net.exec.g.nodes);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < r->own; j++)
            r->vector[j] = r->class_row ? (j ? 0 : 1) : (j < r->prefix ? 0 : 1 / (double)patches);
        for (int64_t l = r->last; l >= r->first; l--) {
            copy_own(r, &s->net.exec, l, i);
            if (r->sorted) discard(r);
            multiply(r);
        }
        for (int64_t j = 0; j < patches; j++) maps[i * patches + j] = (pk_real)r->vector[r->prefix + j];
    }
    return PEFT_OK;
}

static size_t memory(const peft_maps *s) { return state_bytes(s->state); }
static void release(peft_maps *s) { pf_free(s->ctx, ((rollout *)s->state)->vector); }

const pf_maps_kind pf_maps_rollout = { .name = "rollout",
    .summary = "attention roll-out: attention of the class token or the patches, through all blocks",
    .options = "fuse discard row first last", .of_graph = true, .state_size = sizeof(rollout), .create = create,
    .compute = compute, .memory = memory, .free = release };
