/* SPDX-License-Identifier: Apache-2.0
 * prefix_key.c -- computes a SHA-256 that identifies what the frozen prefix computes: its operations in order, their
 * attributes and wiring, the shapes of its values, and checksums or addresses of its constants. Values are numbered in
 * the order in which the prefix uses them, so that the rest of the graph has no influence. */
#include "core/bits/sha256.h"
#include "core/bits/sum.h"
#include "core/bits/weight_reader.h"
#include "core/graph/op.h"

typedef struct {
    pf_sha256 sha;
    const pf_graph *g;
    const uint8_t *sampled;              /* [v]: value v has a part for each sample (graph.h) */
    pf_key_constants constants;          /* what stands for a constant */
    uint32_t *number;                    /* [v]: the number of value v; 0: none yet */
    uint32_t numbered;                   /* values that have a number */
} key_state;

static void add_number(key_state *p, int64_t n) { pf_sha256_add(&p->sha, &n, sizeof n); }

/* Adds rank and extents. batch_first: the first extent is the batch, for which 1 is added whatever it is. */
static void add_shape(key_state *p, const pf_shape *s, bool batch_first)
{
    add_number(p, s->ndim);
    for (int i = 0; i < s->ndim; i++) add_number(p, batch_first && i == 0 ? 1 : s->dim[i]);
}

/* A checksum of a constant's elements as pk_real, equal for an f16 weight and its f32 copy. */
static int64_t sum_of(const pf_graph *g, pf_val v)
{
    const pf_run run = { .g = g };       /* pf_weight_of reads no more of it for a constant */
    const pk_weight w = pf_weight_of(&run, v);
    pf_checksum_state s = pf_checksum_begin(PF_CHECKSUM_START);
    pf_reader r;
    pf_reader_start(&r, g->ctx->kernels, &w);
    while (pf_reader_next(&r)) pf_checksum_add(&s, r.x, (size_t)r.n * sizeof *r.x);
    return (int64_t)pf_checksum_end(&s);
}

/* Adds the number of v; the first time also its kind, shape and content, and the value that it is a view of. */
static void add_value(key_state *p, pf_val v)
{
    const pf_value *value = pf_v(p->g, v);
    if (!pf_exists(v) || p->number[v.id]) {
        add_number(p, p->number[v.id]);
        return;
    }
    add_number(p, p->number[v.id] = ++p->numbered);
    add_number(p, value->kind);
    add_shape(p, &value->shape, p->sampled && p->sampled[v.id]);
    if (value->kind == PF_INPUT) add_number(p, value->input_index);
    if (value->kind == PF_CONST)
        add_number(p, p->constants == PF_CONSTANTS_BY_CONTENT ? sum_of(p->g, v) : (int64_t)(intptr_t)value->data);
    for (; pf_exists(value->view_of); value = pf_v(p->g, value->view_of)) add_number(p, value->col);
    pf_val root = pf_root(p->g, v);
    if (!pf_eq(root, v)) add_value(p, root);
}

/* Adds operation, inputs, outputs and attributes, and which outputs nodes after the prefix read. */
static void add_node(key_state *p, const pf_node *n)
{
    pf_sha256_add(&p->sha, n->op->name, strlen(n->op->name) + 1);
    for (int k = 0; k < PF_MAX_IN; k++) add_value(p, n->in[k]);
    for (int k = 0; k < PF_MAX_OUT; k++) add_value(p, n->out[k]);
    bool sampled = p->sampled && pf_exists(n->out[0]) && p->sampled[n->out[0].id];
    const bool copies_per_sample = sampled && n->op == &pf_op_repeat;        /* attr.i[0] of repeat is the batch */
    for (size_t k = 0; k < sizeof n->attr.i / sizeof *n->attr.i; k++)
        add_number(p, copies_per_sample && k == 0 ? 1 : n->attr.i[k]);
    pf_sha256_add(&p->sha, n->attr.f, sizeof n->attr.f);
    add_shape(p, &n->attr.shape, sampled && n->attr.shape.ndim && n->attr.shape.dim[0] == p->g->batch);
    for (int k = 0; k < PF_MAX_OUT; k++)
        add_number(p, pf_exists(n->out[k]) && pf_v(p->g, pf_root(p->g, n->out[k]))->read_after_prefix);
}

peft_status pf_prefix_key(const pf_graph *g, const uint8_t *sampled, pf_key_constants constants,
                          char key[PF_PREFIX_KEY_SIZE])
{
    key_state p = { .g = g, .sampled = sampled, .constants = constants,
                    .number = pf_alloc_zero(g->ctx, g->values * sizeof *p.number) };
    if (!p.number) return pf_nomem("graph pass", g->values * sizeof *p.number);
    pf_sha256_init(&p.sha);
    add_number(&p, sizeof(pk_real));     /* a float and a double build have different keys */
    for (uint32_t i = 0; i < g->prefix; i++) add_node(&p, &g->node[i]);
    pf_sha256_hex(&p.sha, key);
    pf_free(g->ctx, p.number);
    return PEFT_OK;
}
