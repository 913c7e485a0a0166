/* SPDX-License-Identifier: Apache-2.0
 * lab.h -- fixture of the tests of graph operations: a small computation graph of leaves with random values that ends
 * in a loss. Tests compile and run it, and compare the gradients of its leaves with numerical ones. Leaf i holds the
 * same numbers in every graph of one seed. */
#ifndef LAB_H
#define LAB_H
#include "suite.h"
#include "differences.h"
#include "core/base/rng.h"
#include "core/graph/exec.h"
#include "core/graph/loss/loss.h"
#include "core/adapt/adapter.h"

/* What an operation gets as its input. PLAIN: the leaf itself. COMPUTED: the leaf times 0.75. OWN_COLUMNS: a view of
 * some columns of a leaf that has LAB_MARGIN columns more. COLUMNS: the same view, of such a leaf times 0.75. */
typedef enum { PLAIN, COMPUTED, COLUMNS, OWN_COLUMNS, LAB_FORMS } lab_form;
enum { LAB_LEAVES = 128, LAB_CLASSES = 3, LAB_ROWS = 64, LAB_MARGIN = 3 };
#define LAB_TRAIN_ALL UINT64_MAX         /* the mask `trained` with a bit for every leaf */

typedef struct lab {
    peft_context *ctx;
    uint64_t seed;
    uint64_t trained;                    /* bit i: leaf i is a trained parameter, else a constant */
    lab_form form;                       /* of the leaves made by lab_leaf */
    double deviation;                    /* standard deviation of the leaves' values */
    pf_graph g;                          /* the graph; lab_bind moves it into e */
    pf_exec e;                           /* the compiled graph with its plan of memory */
    void *memory;                        /* of all values of e */
    pf_params params, frozen;            /* trained leaves; frozen owns the memory of the others */
    uint32_t leaves;
    pf_param *leaf[LAB_LEAVES];          /* NULL: frozen */
    pf_loss loss;
    pf_val loss_val;                     /* the loss as a value of the graph */
    uint32_t forward;                    /* nodes before the first backward one */
    int64_t labels[LAB_ROWS];            /* one for each row of the logits */
    pk_real *targets;                    /* of losses that take targets */
} lab;

#define LAB_OK(l, status) ck_assert_msg((status) == PEFT_OK, "%s", peft_last_error())

/* Begins a graph whose loss is ce; a test may set l->loss to another one before lab_loss. */
static inline void lab_open(lab *l, peft_context *ctx, uint64_t seed, uint64_t trained, lab_form form)
{
    *l = (lab){ .ctx = ctx, .seed = seed, .trained = trained, .form = form, .deviation = 1,
                .loss = { .kind = &pf_loss_ce } };
    pf_graph_init(&l->g, ctx, &(pf_compile_spec){ .batch = 2, .training = true, .threads = 1 });
    const pf_rng r = { .seed = seed, .b = 1 };                /* another stream than those of leaves: .b = 0 */
    for (int i = 0; i < LAB_ROWS; i++) l->labels[i] = pf_rng_below(&r, (uint64_t)i, LAB_CLASSES);
}

static inline void lab_close(lab *l)
{
    for (size_t i = 0; i < l->params.count; i++) pf_free(l->ctx, l->params.item[i]->grad.data);
    pf_params_free(l->ctx, &l->params);
    pf_params_free(l->ctx, &l->frozen);
    pf_free(l->ctx, l->memory);
    if (l->e.g.ctx) pf_exec_free(&l->e);
    else pf_graph_free(&l->g);
}

/* A new leaf of normally distributed numbers; dims end with 0. */
static inline pf_param *lab_tensor(lab *l, bool trained, const int64_t *dims)
{
    char name[16];
    pf_param *p;
    int ndim = 0;
    while (dims[ndim]) ndim++;
    ck_assert_uint_lt(l->leaves, LAB_LEAVES);
    snprintf(name, sizeof name, "leaf%u", l->leaves);
    LAB_OK(l, pf_param_make(l->ctx, trained ? &l->params : &l->frozen, name, "weight", ndim, dims, &p));
    const pf_rng r = { .seed = l->seed, .a = l->leaves };
    pk_real *x = p->value.data;
    int64_t n = peft_tensor_count(&p->value);
    for (int64_t i = 0; i < n; i++) x[i] = (pk_real)(l->deviation * pf_rng_normal(&r, (uint64_t)i));
    if (trained) p->grad.data = pf_alloc_zero(l->ctx, pf_tensor_bytes(&p->value));
    l->leaf[l->leaves++] = trained ? p : NULL;
    return p;
}

static inline pf_param *lab_trained_tensor(lab *l, const int64_t *dims) { return lab_tensor(l, true, dims); }
static inline pf_param *lab_frozen_tensor(lab *l, const int64_t *dims) { return lab_tensor(l, false, dims); }

/* The constant of the graph that reads the leaf p. */
static inline pf_val lab_constant_of(lab *l, const pf_param *p)
{
    pf_shape s = { .ndim = p->value.ndim };
    memcpy(s.dim, p->value.dim, sizeof s.dim);
    pf_val v = pf_value_new(&l->g, PF_CONST, s);
    pf_v(&l->g, v)->data = p->value.data;
    return v;
}
static inline pf_val lab_const(lab *l, const int64_t *dims) { return lab_constant_of(l, lab_frozen_tensor(l, dims)); }

/* A new leaf with these dims in this form, as the input of an operation; trained if its bit in l->trained is set. (Leaf
 * 64 uses bit 0 again.) */
static inline pf_val lab_leaf_as(lab *l, lab_form form, const int64_t *dims)
{
    int64_t full[PF_MAX_RANK + 1] = { 0 }, cols = 0;
    const bool trained = l->trained >> l->leaves % 64 & 1, columns = form == COLUMNS || form == OWN_COLUMNS;
    const int64_t first_column = 1;
    int n = 0;
    for (; dims[n]; n++) cols = full[n] = dims[n];
    if (columns) full[n - 1] += LAB_MARGIN;
    pf_param *p = lab_tensor(l, trained, full);
    pf_val v = trained ? peft_sys_param(&l->g, p) : lab_constant_of(l, p);
    if (form == COMPUTED || form == COLUMNS) v = peft_sys_scale(&l->g, v, 0.75);
    return columns ? pf_columns(&l->g, v, first_column, cols) : v;
}
static inline pf_val lab_leaf(lab *l, const int64_t *dims) { return lab_leaf_as(l, l->form, dims); }
#define LEAF(l, ...) lab_leaf(l, PEFT_DIMS(__VA_ARGS__))      /* LEAF(l, 2, 5): a leaf [2, 5] */

/* Ends the graph with the loss l->loss of logits [.., classes] and the losses added to the graph. */
static inline void lab_loss(lab *l, pf_val logits)
{
    const int64_t rows = pf_rows(&l->g, logits), classes = pf_cols(&l->g, logits);
    if (l->loss.kind->labels == PF_LABEL_TARGETS) {
        pf_param *p = lab_frozen_tensor(l, PEFT_DIMS(rows, classes));
        l->targets = p->value.data;
        for (int64_t i = 0; i < rows * classes; i++) l->targets[i] = 1 / (1 + exp(-l->targets[i]));   /* in 0..1 */
    }
    ck_assert_int_le(rows, LAB_ROWS);
    l->loss_val = pf_loss_total(&l->g, pf_loss_build(&l->g, &l->loss, logits));
    LAB_OK(l, l->g.status);
    pf_v(&l->g, l->loss_val)->keep = true;                    /* to be read after the run */
}

/* Ends the graph with a loss of any value y: every element of y has its own random weight in the logits. */
static inline void lab_weighted_loss(lab *l, pf_val y)
{
    LAB_OK(l, l->g.status);
    const pf_shape s = pf_v(&l->g, y)->shape;
    int64_t dims[PF_MAX_RANK + 1] = { 0 };
    memcpy(dims, s.dim, sizeof(int64_t) * (size_t)s.ndim);
    y = peft_sys_mul(&l->g, y, lab_const(l, dims));
    lab_loss(l, peft_sys_linear(&l->g, y, lab_const(l, PEFT_DIMS(LAB_CLASSES, dims[s.ndim - 1])), PF_NONE));
}

/* Binds the compiled graph to memory that is filled with NaN (bytes 0xff), so that a result that depends on unwritten
 * elements is NaN. flags: LAB_USUAL_PLAN, or PF_PLAN_NAIVE: no two values share memory, and a run overwrites each with
 * NaN after its last use. */
enum { LAB_USUAL_PLAN = 0 };
static inline void lab_bind(lab *l, unsigned flags)
{
    l->g.spec.flags = flags;
    LAB_OK(l, pf_exec_create(&l->e, &l->g));
    size_t bytes = pf_exec_bytes(&l->e);
    l->memory = pf_alloc(l->ctx, bytes);
    memset(l->memory, 0xff, bytes);
    LAB_OK(l, pf_exec_bind(&l->e, l->memory));
    pf_exec_bind_input(&l->e, pf_input_find(&l->e.g, "labels"), l->labels);
    pf_exec_bind_input(&l->e, pf_input_find(&l->e.g, "targets"), l->targets);
    l->forward = forward_nodes(&l->e);
}

/* Appends the backward nodes of the loss and binds the graph; flags: those of lab_bind. */
static inline void lab_compile(lab *l, unsigned flags)
{
    LAB_OK(l, pf_compile(&l->g, l->loss_val));
    lab_bind(l, flags);
}

/* The loss for the current values of the leaves (a loss_fn of differences.h). Runs the nodes after the prefix, that is
 * those that depend on a trained leaf. The plan must be PF_PLAN_NAIVE. */
static inline double lab_loss_again(void *user)
{
    lab *l = user;
    forward_again(&l->e, l->e.g.prefix, l->forward);
    return pf_exec_data(&l->e, l->loss_val)[0];
}

/* Runs the whole graph; returns the loss, 0 where the graph has none. */
static inline double lab_run(lab *l)
{
    pf_exec_run(&l->e, 0, l->e.g.nodes);
    return pf_exists(l->loss_val) ? pf_exec_data(&l->e, l->loss_val)[0] : 0;
}

/* The largest magnitude in all gradients. */
static inline double lab_largest_gradient(const lab *l)
{
    double maximum = 0;
    for (size_t i = 0; i < l->params.count; i++)
        maximum = fmax(maximum, largest(l->params.item[i]->grad.data, peft_tensor_count(&l->params.item[i]->value)));
    return maximum;
}
#endif
