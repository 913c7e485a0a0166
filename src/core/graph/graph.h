/* SPDX-License-Identifier: Apache-2.0
 * graph.h -- the computation graph of a compiled model: values (tensors) and nodes (operations on them, in the order in
 * which they run). build.c builds the forward graph, the passes (passes/) rewrite it and append the backward nodes,
 * plan.c gives the values memory, exec.c runs the nodes. A value is a dense row-major array of pk_real. As a matrix it
 * has as many columns as the last extent, and as many rows as the product of the others: tokens [batch, tokens, width]
 * are batch * tokens rows of width columns. The first nodes, which depend on no trained value, are the frozen prefix:
 * the feature cache keeps their results by sample id (prefix/). */
#ifndef PF_GRAPH_H
#define PF_GRAPH_H
#include <peft/sys/method.h>
#include "core/graph/spec.h"

typedef peft_val   pf_val;
typedef peft_param pf_param;
#define PF_NONE PEFT_NONE        /* no value; id 0 */
#define PF_MAX_IN 10             /* the most inputs of a node */
#define PF_MAX_OUT 7             /* the most outputs of a node */
#define PF_MAX_RANK 5            /* the most extents of a value */

typedef struct pf_shape { int ndim; int64_t dim[PF_MAX_RANK]; } pf_shape;

/* PF_TEMP: computed by a node. PF_CONST: memory that is not trained. PF_PARAM: a slice of a trained tensor. PF_INPUT:
 * data that the caller binds before each run. */
typedef enum { PF_TEMP, PF_CONST, PF_PARAM, PF_INPUT } pf_val_kind;

typedef struct pf_value {
    pf_shape shape;
    pf_val_kind kind;
    int input_index;             /* INPUT: its index in pf_graph.input */
    pk_dtype type;               /* element type; of a CONST that of data. Not PK_REAL: read it by pf_weight_of
                                  * (exec.h). A TEMP of PK_BF16 holds a value rounded for the backward pass (keep/) */
    pf_val rounded;              /* TEMP of PK_BF16: the value that it holds, rounded */
    const float *scales;         /* CONST of type PK_I8: those of its rows (pk_weight) */
    const char *name;            /* CONST: borrowed from the tensor's owner; NULL: none. A PARAM has its name in param,
                                  * an INPUT in the graph's inputs */
    void *data;                  /* CONST; only batch norm writes to it (running statistics) */
    pf_param *param;             /* PARAM: the value is elements offset .. offset + count - 1 of it */
    int64_t offset;
    pf_val view_of;              /* the value is columns col .. col + cols - 1 of a wider TEMP and shares its memory */
    int64_t col;
    bool buffer;                 /* CONST that a run may change (peft_param.buffer): what is computed from it is not
                                  * cached */
    bool needs_grad;             /* depends on a trained value */
    bool read_after_prefix;      /* a node after the frozen prefix reads it (set by the split pass) */
    bool from_caller;            /* computed by no node: the caller fills it before a run (set by pf_graph_cut) */
    bool keep;                   /* read after the run (logits, loss, values that a session's option "taps" names): its
                                  * memory is not reused */
} pf_value;

/* Attributes of an operation; the comment at each operation's infer says what they mean. */
typedef struct pf_attr { int64_t i[4]; double f[4]; pf_shape shape; const void *ptr; } pf_attr;

typedef struct pf_op pf_op;
typedef struct pf_node {
    const pf_op *op;
    pf_val in[PF_MAX_IN];        /* optional inputs may be PF_NONE */
    pf_val out[PF_MAX_OUT];      /* outputs that are not needed are PF_NONE */
    pf_attr attr;
    bool backward;               /* made by the grad pass, or by the recompute pass, which runs among these */
    bool again;                  /* made by the recompute pass: computes what a node of the forward pass has computed */
} pf_node;

/* Inputs: data that the caller binds before each run: "images", "labels" (int64_t) or "targets", and those that methods
 * declare; all but "labels" are pk_real. */
enum {
    PF_IN_NO_FLAGS = 0,
    PF_IN_BY_ID = 1,             /* a sample id always comes with the same data, so that results can be cached by id */
    PF_IN_METHOD = 2             /* declared by a method (peft_sys_input); the application binds it beside the images */
};
typedef struct pf_input { char name[40]; pf_val value; unsigned flags; } pf_input;
enum { PF_INPUTS_MAX = 8 };

typedef struct pf_constants pf_constants;                  /* constants.h */
/* A value that a method keeps by name between two of its sites (peft_sys_set_value). owner: the adapter's constants,
 * which tell adapters apart. */
typedef struct pf_named_value { const pf_constants *owner; char name[32]; pf_val value; } pf_named_value;
enum { PF_NAMED_MAX = 32 };
/* What one user of a model, an adaptor, adds to the model's forward pass without changing the model. In a graph with an
 * overlay peft_sys_param makes constants: nothing of the model is trained, only the overlay's own tensors
 * (pf_trained_value). user is passed to all functions, each of which may be NULL. */
typedef struct pf_overlay {
    pf_param *(*find)(const void *user, const char *name);   /* its tensor in place of the backbone's; NULL: none */
    /* At each site of the pass through the backbone, before and after the model's adapters; both may replace values. */
    void (*before)(void *user, struct peft_build *g, peft_site *s);
    void (*after)(void *user, struct peft_build *g, peft_site *s);
    /* Computes each batch norm of the head. in: the inputs of pf_op_batchnorm. NULL: the running statistics do. */
    pf_val (*batch_norm)(void *user, struct peft_build *g, const pf_val *in, double eps, bool relu);
    void (*finish)(void *user, struct peft_build *g, pf_val logits);             /* for losses: pf_loss_add */
    bool trains;                         /* the gradients of its tensors are computed */
    void *user;
} pf_overlay;
struct peft_build {
    peft_context *ctx;
    peft_status status;          /* the first error of building; later calls do nothing */
    pf_value *value; uint32_t values, value_room;          /* used and allocated entries; value[0] stands for PF_NONE */
    pf_node *node; uint32_t nodes, node_room;
    pf_compile_spec spec;        /* settings that the graph is compiled with */
    int64_t batch;               /* samples of the next run: spec.batch or fewer; 1 in a frozen prefix (prefix/) */
    pf_val loss;                 /* set by pf_compile; PF_NONE: no backward nodes */
    int64_t dropouts;            /* dropout nodes so far; dropout node i draws from stream i of the random numbers */
    pf_input input[PF_INPUTS_MAX]; int inputs;
    pf_constants *constants;     /* for peft_sys_constant: those of the adapter whose method's emit runs */
    /* For peft_sys_weight: returns the value of the model's tensor of this name; PF_NONE: no such tensor. */
    pf_val (*weight)(const void *model, struct peft_build *g, const char *name);
    const void *model;           /* first argument of weight */
    /* For peft_sys_final_norm and peft_sys_pre_norm: the norm of x after the last block, or before block 0. Set while
     * the forward pass is built. */
    pf_val (*norm)(const void *pass, pf_val x, bool final);
    const void *pass;            /* first argument of norm */
    bool in_final_norm;          /* peft_sys_final_norm is running */
    pf_named_value named[PF_NAMED_MAX]; int named_count;
    const pf_overlay *overlay;   /* NULL: none */
    pf_val added;                /* losses added so far (pf_loss_add), [1]; PF_NONE: none */
    uint32_t prefix;             /* nodes 0 .. prefix-1, the frozen prefix, depend on no trained value (split pass) */
    /* What the recompute pass chose: indices of nodes, in the graph that it was given, whose outputs the backward pass
     * computes again. Owned; NULL: none. */
    uint32_t *again, agains;
};
typedef struct peft_build pf_graph;

typedef struct pf_run pf_run;
typedef struct pf_grads pf_grads;
enum {
    PF_ROWWISE = 1,              /* row i of the outputs depends only on row i of in[0] and of inputs of its shape */
    PF_STRIDED_OUT = 2,          /* out[] may be a column view of a wider value */
    PF_EFFECT = 4,               /* writes to memory outside the graph: never removed */
    PF_RANDOM = 8,               /* equal inputs do not give equal outputs: never shared, never cached */
    PF_NO_GRADIENT = 16,         /* by definition its outputs count as constants: no gradient flows through it */
    PF_STORES = 32,              /* writes the gradient of the parameter that attr.ptr points to */
    PF_REPEATS = 128,            /* with PF_EFFECT: a repetition (pf_node.again) leaves the effect out */
    PF_MIXES_SAMPLES = 64        /* the outputs depend on all samples of the batch at once: never cached */
};
struct pf_op {
    const char *name;
    unsigned flags;
    unsigned inplace;                                               /* bit i set: out[0] may overwrite in[i] */
    unsigned any_type;                                              /* bit i set: in[i] may have any type
                                                                     * (pf_weight_of); not set: the widen pass
                                                                     * converts it to PK_REAL */
    unsigned rounds;                                                /* bit i set: a backward node may read in[i]
                                                                     * rounded to bf16 (keep/) */
    unsigned reads_bf16;                                            /* the same, and run reads a TEMP of PK_BF16; not
                                                                     * set: the value is converted first */
    unsigned writes_bf16;                                           /* bit i set: run can write out[i] rounded, as
                                                                     * a TEMP of PK_BF16 */
    const char *kernel;                                             /* for reports: what does most of the work, a kernel
                                                                     * of kernels.def or "copy"; NULL: C in ops/ */
    bool    (*infer)(pf_graph *g, pf_node *n);                      /* checks inputs, makes the outputs */
    void    (*grad)(pf_grads *gr, const pf_node *n);                /* emits backward nodes; NULL: no gradient */
    size_t  (*scratch_bytes)(const pf_run *r, const pf_node *n);    /* scratch memory that run needs; NULL: none */
    void    (*run)(const pf_run *r, const pf_node *n);
    void    (*product)(const pf_run *r, const pf_node *n, pk_gemm *p); /* the matrix product that run computes; NULL:
                                                                        * it computes something else */
    int64_t (*flops)(const pf_graph *g, const pf_node *n);          /* two a multiply-add; NULL: counted as 0 */
};
#define PF_OP(name) extern const pf_op pf_op_##name;
#include "core/graph/ops.def"
#undef PF_OP

/* --- graph.c: values and nodes. Once g->status is set these functions do nothing and return PF_NONE --------------- */
void   pf_graph_init(pf_graph *g, peft_context *ctx, const pf_compile_spec *spec);
void   pf_graph_free(pf_graph *g);
pf_val pf_graph_fail(pf_graph *g, peft_status s);                   /* records s, whose message is set already */
pf_val pf_value_new(pf_graph *g, pf_val_kind kind, pf_shape shape);
/* The address of row i (of the first extent) of a CONST. */
void  *pf_const_row(const pf_value *v, int64_t i);
pf_val pf_columns(pf_graph *g, pf_val wide, int64_t col, int64_t cols);        /* a column view of wide */
/* Appends a node, infers its outputs and returns out[0]. Later calls may move nodes: keep no pointer to one. */
pf_val pf_emit(pf_graph *g, const pf_op *op, const pf_attr *attr, int nin, const pf_val *in);
pf_val pf_emit_node(pf_graph *g, pf_node n, pf_node *made);         /* the same; *made: the node with all its outputs */
/* peft_sys_attention; *lse [b,heads,n]: the log-sum-exp of each row of logits, those of sink and extra keys too. */
pf_val pf_attention(pf_graph *g, int64_t heads, const peft_site *s, pf_val *lse);
/* For x [..,2 d], the outputs of a gated MLP's fc1: the activation of the first half, or of the last, times the other
 * half. */
pf_val pf_gated(pf_graph *g, pf_val x, pk_act act, bool last);
/* Batch norm over the rows of in[0], and ReLU after it if `relu` is set. in: x, gamma or PF_NONE, beta or PF_NONE,
 * running mean, running variance; these two are constants that a training run changes. */
pf_val pf_batchnorm(pf_graph *g, const pf_val in[5], double eps, double momentum, bool relu);
/* Convolution of maps x [.., h*w, in], pixels in rows from the top, with weight [out, in, kh, kw] of odd kh and kw, as
 * PyTorch stores it: stride 1, zeros around the map. bias [out] or PF_NONE. Returns [.., h*w, out]. */
pf_val pf_conv2d(pf_graph *g, pf_val x, int64_t h, int64_t w, pf_val weight, pf_val bias);
/* The map x [b, h*w, c] as one of new_h x new_w pixels, [b, new_h*new_w, c]: bilinear, without a wider filter where it
 * becomes smaller, as interpolate(mode="bilinear", align_corners=False) of PyTorch. Returns x for equal sizes. */
pf_val pf_upsample(pf_graph *g, pf_val x, int64_t h, int64_t w, int64_t new_h, int64_t new_w);
void   pf_nodes_compact(pf_graph *g);                               /* drops nodes whose op a pass set to NULL */
pf_node *pf_node_append(pf_graph *g, const pf_node *n);             /* without infer, for passes; NULL: no memory */

/* The description of value v; of PF_NONE an empty one. Later calls that make values may move it: keep no pointer. */
static inline pf_value *pf_v(const pf_graph *g, pf_val v) { return &g->value[v.id]; }
static inline bool pf_exists(pf_val v) { return v.id != 0; }        /* false for PF_NONE */
static inline bool pf_eq(pf_val a, pf_val b) { return a.id == b.id; }
/* bytes rounded up to a multiple of PK_ALIGN, so that what follows in memory begins aligned. */
static inline size_t pf_align_up(size_t bytes) { return (bytes + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN; }
pf_shape pf_shape_of(int ndim, ...);                                /* ndim arguments of type int64_t: the extents */
bool    pf_shape_equal(const pf_shape *a, const pf_shape *b);
int64_t pf_shape_count(const pf_shape *s);
int64_t pf_value_bytes(const pf_value *v);                          /* of a value that is no CONST: its elements */
int64_t pf_cols(const pf_graph *g, pf_val v);                       /* last extent */
int64_t pf_rows(const pf_graph *g, pf_val v);                       /* product of the other extents */
pf_val  pf_root(const pf_graph *g, pf_val v);                       /* the value that owns the memory v is a view of */
/* true: b, without leading extents of 1, equals the last extents of a: [1, 5, 8] and [2, 5, 8]. */
bool    pf_is_suffix(const pf_shape *b, const pf_shape *a);
/* Sets uses[id] for all values: how many inputs of nodes are value id. Inputs that are views of it are not counted. */
void    pf_count_uses(const pf_graph *g, uint32_t *uses);

/* --- build.c ------------------------------------------------------------------------------------------------------ */
pf_val pf_trained_value(pf_graph *g, pf_param *p);                  /* of a tensor that is trained */

/* --- input.c ------------------------------------------------------------------------------------------------------ */
/* Declares an input. A second call with the same name, shape and flags returns the same input. */
pf_val pf_input_add(pf_graph *g, const char *name, pf_shape shape, unsigned flags);
int    pf_input_find(const pf_graph *g, const char *name);          /* its index; -1: no input has this name */
bool   pf_input_is_read(const pf_graph *g, int input);              /* does a node read it? */

/* --- gradients, for pf_op.grad ------------------------------------------------------------------------------------ */
/* The state of the grad pass. gradient[id]: the gradient accumulated so far of value id. add_op adds two gradients;
 * sum_to_op sums one over leading extents. */
struct pf_grads { pf_graph *g; pf_val *gradient; const pf_op *add_op, *sum_to_op; };
static inline pf_val pf_grad_of(const pf_grads *gr, pf_val v) { return gr->gradient[v.id]; }
static inline bool pf_grad_wanted(const pf_grads *gr, pf_val v) { return pf_exists(v) && pf_v(gr->g, v)->needs_grad; }
void pf_grad_add(pf_grads *gr, pf_val v, pf_val d);                 /* adds d to the gradient of v */
/* The same, for a v that was broadcast: sums d over its leading extents down to v's shape first. */
void pf_grad_add_reduced(pf_grads *gr, pf_val v, pf_val d);

/* --- prefix/: a compiled graph cut in two for the feature cache --------------------------------------------------- */
/* PF_PREFIX_PART: the frozen prefix; PF_AFTER_PREFIX: all nodes after it. */
typedef enum pf_part { PF_WHOLE_GRAPH, PF_PREFIX_PART, PF_AFTER_PREFIX } pf_part;
/* A crossing value: a node of the prefix computes it and a node after the prefix reads it. count: its elements for one
 * sample. */
typedef struct pf_crossing { pf_val value; int64_t count; } pf_crossing;
enum { PF_PREFIX_KEY_SIZE = 65 };        /* the hexadecimal digits of a SHA-256, then a zero byte */
/* Call after pf_compile. Reduces g to one part: PF_PREFIX_PART for one sample, with the crossing values kept;
 * PF_AFTER_PREFIX for the batch, with the crossing values filled by the caller (pf_value.from_caller). *list, which the
 * caller frees, names the crossing values, in the same order for both parts. If there are none, or if the prefix cannot
 * be computed sample by sample, *count is 0 and g unchanged. key: equal for equal prefixes within a process, whatever
 * the batch. */
peft_status pf_graph_cut(pf_graph *g, pf_part part, pf_crossing **list, uint32_t *count, char key[PF_PREFIX_KEY_SIZE]);
/* What stands for a constant in a key: its address, which is cheap and holds within this process, or a checksum of its
 * elements, which holds in any process. */
typedef enum pf_key_constants { PF_CONSTANTS_BY_ADDRESS, PF_CONSTANTS_BY_CONTENT } pf_key_constants;
/* Sets key to the SHA-256 of the operations, attributes, shapes and wiring of nodes 0 .. prefix - 1 and of the
 * constants that they read. sampled[v]: value v has a part for each sample, so that its first extent, the batch, is
 * left out; sampled NULL: no value has. */
peft_status pf_prefix_key(const pf_graph *g, const uint8_t *sampled, pf_key_constants constants,
                          char key[PF_PREFIX_KEY_SIZE]);
#endif
