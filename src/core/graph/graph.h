/* SPDX-License-Identifier: Apache-2.0
 * graph.h -- the static graph: values, nodes, operations. Built forward by the words of build.c, rewritten by the
 * passes (passes/), laid out by plan.c, walked by exec.c. A value is a dense row-major array of pk_real, looked at as
 * a matrix: cols is the last extent, rows the product of the others; token values are [batch, tokens, width]. */
#ifndef PF_GRAPH_H
#define PF_GRAPH_H
#include <peft/sys/method.h>
#include "core/graph/spec.h"

typedef peft_val   pf_val;
typedef peft_param pf_param;
#define PF_NONE PEFT_NONE
#define PF_MAX_IN 10
#define PF_MAX_OUT 7
#define PF_MAX_RANK 5

typedef struct pf_shape { int ndim; int64_t dim[PF_MAX_RANK]; } pf_shape;

/* PF_TEMP is computed by a node; PF_CONST is frozen memory; PF_PARAM a slice of a trained tensor; PF_INPUT is given at
 * each run. */
typedef enum { PF_TEMP, PF_CONST, PF_PARAM, PF_INPUT } pf_kind;

typedef struct pf_value {
    pf_shape shape;
    pf_kind kind;
    int slot;                    /* INPUT: its index in the graph's inputs */
    pk_dtype type;               /* CONST; of data. What is not PK_REAL is read by pf_weight_of (exec.h) alone */
    void *data;                  /* CONST; written to only by batch norm's running statistics */
    pf_param *param;             /* PARAM: elements offset .. offset + count of it */
    int64_t offset;
    pf_val view_of;              /* columns col .. col + cols of a wider TEMP with the same rows; shares its memory */
    int64_t col;
    bool buffer;                 /* CONST; a buffer: what depends on it may change between runs and is not cached */
    bool needs_grad;             /* depends on a trained value */
    bool crosses;                /* read behind the frozen prefix (after the split pass) */
    bool given;                  /* made by no node: whoever runs the graph fills it first (after a cut) */
    bool keep;                   /* outlives the run (logits, loss, taps): its memory is never reused */
} pf_value;

/* What an operation needs beside its inputs; every operation documents which it uses. */
typedef struct pf_attr { int64_t i[4]; double f[4]; pf_shape shape; const void *ptr; } pf_attr;

typedef struct pf_op pf_op;
typedef struct pf_node {
    const pf_op *op;
    pf_val in[PF_MAX_IN];        /* optional inputs may be PF_NONE */
    pf_val out[PF_MAX_OUT];      /* outputs nobody wants are PF_NONE */
    pf_attr attr;
    bool backward;               /* made by the grad pass */
} pf_node;

/* Inputs: data that the caller binds before each run: "images", "labels" (int64_t) or "targets", and those that methods
 * declare; all but "labels" are pk_real. */
enum {
    PF_IN_BY_ID = 1,             /* a sample id stands for the same data each time, so results of it can be cached */
    PF_IN_GIVEN = 2              /* declared by a method (peft_sys_input); the application gives it beside the images */
};
typedef struct pf_input { char name[40]; pf_val value; unsigned flags; } pf_input;
enum { PF_INPUTS_MAX = 8 };

typedef struct pf_constants pf_constants;                  /* constants.h */
struct peft_build {
    peft_context *ctx;
    peft_status status;          /* the first error of building; sticks */
    pf_value *value; uint32_t values, value_room;          /* value[0] is unused */
    pf_node *node; uint32_t nodes, node_room;
    pf_compile_spec spec;        /* settings that the graph is compiled with */
    int64_t batch;               /* samples of the next run: spec.batch or fewer; 1 in a frozen prefix (prefix/) */
    pf_val loss;                 /* set by pf_compile; PF_NONE: no gradients */
    int64_t dropouts;            /* made so far: each draws from a stream of its own */
    pf_input input[PF_INPUTS_MAX]; int inputs;
    /* For words of methods, while the forward pass is built: constants of the method's adapter; a tensor by name. */
    pf_constants *constants;
    pf_val (*weight)(const void *model, struct peft_build *g, const char *name);           /* PF_NONE: no such tensor */
    const void *model;
    uint32_t prefix;             /* nodes 0 .. prefix-1 depend on no trained value (after the split pass) */
};
typedef struct peft_build pf_graph;

typedef struct pf_run pf_run;
typedef struct pf_grads pf_grads;
enum {
    PF_ROWWISE = 1,              /* row i of the outputs depends on row i of in[0] (and of same-shaped inputs) only */
    PF_STRIDED_OUT = 2,          /* out[] may be columns of a wider value */
    PF_EFFECT = 4,               /* writes to memory outside the graph: never removed */
    PF_RANDOM = 8,               /* equal inputs do not make equal outputs: never shared, never cached */
    PF_STOP = 16                 /* no gradient flows through it, by definition */
};
struct pf_op {
    const char *name;
    unsigned flags;
    unsigned inplace;                                               /* bit i: out[0] may take in[i]'s memory */
    unsigned typed;                                                 /* bit i: in[i] is read by pf_weight_of; else the
                                                                     * widen pass makes it PK_REAL where it is not */
    bool    (*infer)(pf_graph *g, pf_node *n);                      /* checks inputs, makes the outputs */
    void    (*grad)(pf_grads *gr, const pf_node *n);                /* emits backward nodes; NULL: no gradient */
    size_t  (*work)(const pf_run *r, const pf_node *n);             /* scratch bytes; NULL: none */
    void    (*run)(const pf_run *r, const pf_node *n);
    int64_t (*flops)(const pf_graph *g, const pf_node *n);          /* multiply-adds x 2; NULL: counted as none */
};
#define PF_OP(name) extern const pf_op pf_op_##name;
#include "core/graph/ops.def"
#undef PF_OP

/* --- graph.c: making values and nodes; all return PF_NONE and do nothing once g->status is set ---------------------- */
void   pf_graph_init(pf_graph *g, peft_context *ctx, const pf_compile_spec *spec);
void   pf_graph_free(pf_graph *g);
pf_val pf_graph_fail(pf_graph *g, peft_status s);                   /* records s (message already set) */
pf_val pf_value_new(pf_graph *g, pf_kind kind, pf_shape shape);
/* The address of element i of a CONST. */
static inline void *pf_const_at(const pf_value *v, int64_t i)
{
    return (char *)v->data + i * pk_dtype_size(v->type);
}
pf_val pf_columns(pf_graph *g, pf_val wide, int64_t col, int64_t cols);        /* a view */
/* Appends a node, infers its outputs; returns out[0]. The node may be moved by later calls: keep no pointer. */
pf_val pf_emit(pf_graph *g, const pf_op *op, const pf_attr *attr, int nin, const pf_val *in);
pf_val pf_emit_node(pf_graph *g, pf_node n, pf_node *made);         /* the same, with access to all outputs */
void   pf_nodes_compact(pf_graph *g);                               /* drops nodes whose op a pass set to NULL */
pf_node *pf_node_append(pf_graph *g, const pf_node *n);             /* no inference: for passes; NULL: no memory */

static inline pf_value *pf_v(const pf_graph *g, pf_val v) { return &g->value[v.id]; }
static inline bool pf_is(pf_val v) { return v.id != 0; }
static inline bool pf_eq(pf_val a, pf_val b) { return a.id == b.id; }
pf_shape pf_shape_of(int ndim, ...);                                /* int64_t extents */
bool    pf_shape_equal(const pf_shape *a, const pf_shape *b);
int64_t pf_shape_count(const pf_shape *s);
int64_t pf_cols(const pf_graph *g, pf_val v);                       /* last extent */
int64_t pf_rows(const pf_graph *g, pf_val v);                       /* count / cols */
pf_val  pf_root(const pf_graph *g, pf_val v);                       /* the value whose memory v uses */
/* b, leading ones dropped, equals the trailing extents of a. */
bool    pf_is_suffix(const pf_shape *b, const pf_shape *a);
/* Number of node inputs that read v (views of v not counted). */
void    pf_count_uses(const pf_graph *g, uint32_t *uses);           /* uses[values] */

/* --- input.c ------------------------------------------------------------------------------------------------------ */
/* Declares an input; the same name with the same shape and flags again is the same input. */
pf_val pf_input_add(pf_graph *g, const char *name, pf_shape shape, unsigned flags);
int    pf_input_find(const pf_graph *g, const char *name);          /* its index; -1: none so named */
bool   pf_input_read(const pf_graph *g, int input);                 /* does a node read it? */

/* --- the grad pass as seen by operations ----------------------------------------------------------------------------- */
/* of[id]: the gradient of a value so far; add, sum_to: the operations that add two gradients and that sum a gradient
 * over its leading extents. */
struct pf_grads { pf_graph *g; pf_val *of; const pf_op *add, *sum_to; };
static inline pf_val pf_grad_of(const pf_grads *gr, pf_val v) { return gr->of[v.id]; }
static inline bool pf_grad_wanted(const pf_grads *gr, pf_val v) { return pf_is(v) && pf_v(gr->g, v)->needs_grad; }
void pf_grad_add(pf_grads *gr, pf_val v, pf_val d);                 /* d joins the gradient of v */
/* d summed over its leading extents down to v's shape, then pf_grad_add. */
void pf_grad_add_reduced(pf_grads *gr, pf_val v, pf_val d);

/* --- prefix/: the frozen prefix and what is behind it as graphs of their own ------------------------------------------ */
typedef enum pf_part { PF_WHOLE, PF_FRONT, PF_BACK } pf_part;
typedef struct pf_crossing { pf_val value; int64_t count; } pf_crossing;       /* count: elements a sample */
/* After pf_compile. PF_FRONT leaves the prefix, for one sample, and keeps what crosses; PF_BACK the rest, to which it
 * is given. *list (the caller's) tells what crosses, in an order that is the same on both sides. *count is 0, and
 * nothing is changed, where nothing crosses or not everything that does belongs to a sample of its own. key is equal
 * for equal prefixes in one process, whatever the batch. */
peft_status pf_graph_cut(pf_graph *g, pf_part part, pf_crossing **list, uint32_t *count, char key[65]);
/* SHA-256 of the operations, attributes, shapes and wiring of nodes 0 .. prefix - 1, and of their constants: sums of
 * their contents, or where they stand. sampled[values], or NULL: values whose first extent is left out. */
peft_status pf_prefix_key(const pf_graph *g, const uint8_t *sampled, bool content, char key[65]);
#endif
