/* SPDX-License-Identifier: Apache-2.0
 * pk.h -- the interface of the kernels, the lowest floor: GEMM, attention, the kernel table and the thread pool. The
 * kernels know pointers, extents and strides only. They allocate nothing, do not check extents and cannot fail. */
#ifndef PK_H
#define PK_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "float_mode.h"

/* The type of values in a graph: float, but double in the test build that checks gradients by finite differences. */
#ifdef PF_REAL_DOUBLE
typedef double pk_real;
#else
typedef float pk_real;
#endif

#define PK_ALIGN 64                 /* bytes: a cache line, and the widest vector */

typedef struct pk_table pk_table;
typedef struct pk_pool pk_pool;

/* Activations. */
typedef enum {
    PK_NONE, PK_GELU, PK_QUICKGELU, PK_RELU, PK_TANH, PK_SIGMOID, PK_SILU, PK_EXP, PK_GELU_TANH
} pk_act;

/* Arithmetic of a product. F32: operands and sums are pk_real. BF16: every element of A and B is rounded to bf16 (8
 * bits of significand; to nearest, ties to even; subnormal numbers become 0), products of two are exact, sums are f32.
 * BF16X3: an element is the sum of two bf16, x rounded and the rest rounded; the products of two elements' first parts,
 * and of either's first with the other's second part, are summed in f32: 16 bits of significand. INT8: K is cut into
 * pieces of at most 768 elements; in a piece every row of A and every column of B is rotated, scaled so that its
 * largest magnitude becomes 127, and rounded to whole numbers (ref/int8.h). Products and sums of a piece are exact, the
 * sums of pieces are f32. */
typedef enum pk_compute {
    PK_COMPUTE_F32, PK_COMPUTE_BF16X3, PK_COMPUTE_BF16, PK_COMPUTE_INT8, PK_COMPUTES
} pk_compute;

const char *pk_compute_name(pk_compute compute);                     /* "f32", "bf16", .. */

/* Types of elements. I8 is that of frozen matrices only (pk_weight). */
typedef enum pk_dtype {
    PK_REAL, PK_F16, PK_BF16,
    PK_ELEMENT_TYPES,               /* the types before this one: an element is converted by itself */
    PK_I8 = PK_ELEMENT_TYPES, PK_DTYPES
} pk_dtype;

static inline int64_t pk_dtype_size(pk_dtype type)
{
    return type == PK_REAL ? (int64_t)sizeof(pk_real) : type == PK_I8 ? 1 : 2;
}

/* A matrix [rows, heads*head_dim] for each sample: element c of row t of head h of sample b is
 * data[b*sample_stride + t*row_stride + h*head_dim + c]. sample_stride 0: all samples share one matrix. Operands of the
 * forward pass and dout are PK_REAL, others of the gradient PK_REAL or PK_BF16. */
typedef struct pk_operand { const void *data; int64_t sample_stride, row_stride; pk_dtype type; } pk_operand;
typedef struct pk_output { pk_real *data; int64_t sample_stride, row_stride; } pk_output;

/* Softmax attention: out_i = sum_k p_ik v_k with p_i = softmax_k(scale * head_scale * q_i . k_k), for every sample and
 * head. The extra rows xk, xv (data NULL: none) are appended to keys and values. sink[i] is one more logit of query row
 * i: it is a term of the softmax's denominator and of lse, and has no value row. */
typedef struct pk_attention {
    int64_t samples, heads, head_dim, queries, keys, extra;     /* extra: rows of xk and xv */
    pk_compute compute;                      /* arithmetic of the products of q and k, of the softmax and v, and of the
                                              * gradient's; the softmax itself is computed in pk_real */
    pk_real scale;                           /* usually 1/sqrt(head_dim) */
    pk_operand q, k, v, xk, xv;
    const pk_real *sink;                     /* [queries]; NULL: none */
    const pk_real *head_scale;               /* [heads]; NULL: 1 */
    void *out; pk_dtype out_type; int64_t out_sample_stride, out_row_stride;   /* type: as that of operands */
    pk_real *lse;                            /* log-sum-exp of the logits [samples, heads, queries]; NULL: not stored */
    int64_t prefetch_heads;                  /* prefetch operands of the head this many heads later; 0: none */
} pk_attention;

/* The result of the forward pass as an operand of the gradient. */
static inline pk_operand pk_attention_out(const pk_attention *a)
{
    return (pk_operand){ a->out, a->out_sample_stride, a->out_row_stride, a->out_type };
}

/* Gradients of attention. Any of dq, dk, dv, dxk, dxv (data NULL), dsink, dhead_scale (NULL) may be absent; then
 * nothing is computed for it. Parameters are shared by samples and heads, and the caller adds their gradients, so
 * that the order of additions is fixed: dxk, dxv [samples, extra, heads*head_dim] and dsink, dhead_scale
 * [samples, heads, queries] hold the part of each sample and head. */
typedef struct pk_attention_grad {
    pk_attention fwd;                        /* the forward pass, with its results out and lse */
    pk_operand dout;
    pk_output dq, dk, dv, dxk, dxv;
    pk_real *dsink, *dhead_scale;
} pk_attention_grad;

/* A frozen matrix, row-major without gaps, in the type in which it is stored. I8: each row is cut into the pieces of
 * int8 arithmetic (pk_int8_pieces), and stored as the whole numbers that this arithmetic makes of a column of B: blocks
 * of 64, rotated, and one scale for each piece (ref/int8.h). A row has pk_int8_whole_blocks(cols) bytes. Scales are
 * [rows][pieces]; NULL for other types. A product converts the matrix to pk_real while it packs it, but one in int8
 * arithmetic copies the bytes of I8; everything else reads it by pk_weight_read. */
typedef struct pk_weight {
    pk_dtype type;
    int64_t rows, cols;
    const float *scales;
    const void *data;
} pk_weight;

/* The n elements from index `first` on, in row-major order, as pk_real. Returns a pointer into the data of w if they
 * are pk_real; otherwise converts them to buffer [n] and returns that. */
const pk_real *pk_weight_read(const pk_table *t, const pk_weight *w, int64_t first, int64_t n, pk_real *buffer);

/* Windows of maps, as a factor of a product: row i has, for each of the kh * kw taps around pixel i, from the top
 * left one on, the `channels` elements of the pixel there, and zeros where that is outside the map. Pixel i is pixel
 * i % (height * width) of its map, counted by rows. kh and kw are odd. The factor's pointer and row stride are those of
 * the pixels, its column stride is 1, and it is not of I8. The result has the bits of the product with the stored
 * matrix. */
typedef struct pk_windows { int64_t height, width, channels, kh, kw; } pk_windows;

/* --- GEMM ---------------------------------------------------------------------------------------------------
 * C[m,n] = epilogue(A[m,k] B[k,n]), with A(i,p) = a[i*a_row + p*a_col], B(p,j) = b[p*b_row + j*b_col] and
 * C(i,j) = c[i*c_row + j]; in A and in B one of the two strides is 1. All strides (*_row, *_col) count elements. The
 * elements of B are of b_type and become pk_real while they are packed: the result has the bits of a product with a
 * pk_real copy of B. B of I8 is a whole weight (pk_weight) or its transpose: the stride that is not 1 is that of the
 * stored rows, and in INT8 arithmetic b_row is 1. A or B may be the windows of the maps at a or b; with those at b the
 * epilogue takes no step. The order of the additions that make an element depends on k and the arithmetic alone.
 * The epilogue takes these steps on each element t of AB, all optional:
 *   t = scale*t; if (accumulate) t += C; t += bias[j]; if (pre) pre = t; t = act(t);
 *   if (gate) t *= act'(gate), act of kind gate_act; t *= gamma[j]; t += residual; C = t
 * With `slopes` the activation's derivative is stored in the forward pass, so that the backward pass need not compute
 * it again: pre receives act'(t) in place of t, and gate holds such derivatives: t *= gate. pre and gate are
 * PK_REAL, or PK_BF16: then pre is rounded (kernel narrow) as it is stored. */
typedef struct pk_gemm {
    int64_t m, n, k;
    pk_compute compute;
    const pk_real *a; int64_t a_row, a_col;
    const void *b; pk_dtype b_type; int64_t b_row, b_col;
    const float *b_scales;                            /* of a B of I8 */
    pk_windows a_windows, b_windows;                  /* channels 0: A (B) is stored as it is */
    pk_real *c; int64_t c_row;
    pk_real scale;
    int accumulate;
    const pk_real *bias;                              /* [n] */
    pk_act act; void *pre; pk_dtype pre_type; int64_t pre_row;   /* pre [m,n]: the value before act; NULL: not
                                                                  * stored */
    int slopes;
    pk_act gate_act; const void *gate; pk_dtype gate_type; int64_t gate_row;
    const pk_real *gamma;                             /* [n], factors of LayerScale */
    const pk_real *residual; int64_t residual_row;    /* [m,n]; may be c itself */
} pk_gemm;

/* Cursor of a prefetch over a matrix that is read later, cache line by cache line. `line` is the next one to prefetch.
 * Every row has lines_per_row lines; from the end of a row to the start of the next it is row_gap bytes. lines_left are
 * left in this row, and rows_left rows including this one. At each turn (below) lines_per_turn lines are prefetched. */
typedef struct pk_prefetch {
    const char *line;
    int64_t lines_left, lines_per_row, row_gap, rows_left;
    int lines_per_turn;
} pk_prefetch;
/* What a micro-kernel prefetches beside its own work: `blocks` blocks of mr x nr elements, of which it takes some rows
 * at each turn, and two cursors. A turn comes once every PK_TURN values of k: prefetches all at once would fill the
 * queue of memory accesses and delay the loads of the product itself. */
enum { PK_TURN = 16, PK_MOST_BLOCKS = 3 };
typedef struct pk_micro_prefetch {
    struct { const char *data; int64_t row_bytes; } block[PK_MOST_BLOCKS];     /* rows are row_bytes apart */
    int blocks;
    pk_prefetch cursor[2];
} pk_micro_prefetch;
/* OWN: the GEMM of this library. CBLAS: that of the system's BLAS. */
typedef enum { PK_GEMM_AUTO, PK_GEMM_OWN, PK_GEMM_CBLAS } pk_gemm_kind;
/* The implementation that `kind` stands for, OWN or CBLAS. AUTO is OWN for a vector table and in the double build, else
 * CBLAS; without a BLAS, and for another arithmetic than F32, it is always OWN. */
pk_gemm_kind pk_gemm_chosen(const pk_table *t, pk_gemm_kind kind, pk_compute compute);
/* Loads the system's BLAS at the first call. Returns NULL, or the reason why there is none. */
const char *pk_blas_load(void);

/* Bytes of scratch of one product, for all threads together. */
size_t pk_gemm_work(const pk_table *t, pk_compute compute, int64_t m, int64_t n, int64_t k, int threads);
/* Bytes that a product needs in addition when B is of type b_type: CBLAS multiplies with a pk_real copy of B, and the
 * own product converts the part of an I8 B that it packs. */
size_t pk_gemm_widen_work(const pk_table *t, pk_gemm_kind kind, pk_compute compute, pk_dtype b_type, int64_t n,
                          int64_t k, int threads);
/* Bytes that a product with windows needs in addition, in place of pk_gemm_widen_work: for copies of parts of them. It
 * reads the extents, the windows and the type of B of g, which is PK_REAL beside windows of A. */
size_t pk_gemm_windows_work(const pk_table *t, pk_gemm_kind kind, const pk_gemm *g, int threads);
void   pk_gemm_run(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g, void *work);
/* What about the extents of g keeps the library's own product from its best speed: one thread because it is small, or
 * tiles of which a quarter or more is padding. "" where there is nothing; returns text. */
const char *pk_gemm_limits(const pk_table *t, const pk_pool *pool, const pk_gemm *g, char *text, size_t room);
/* Bytes of scratch of one call of the kernel of attention, or of its gradient: each thread needs one such piece. */
typedef enum { PK_FORWARD, PK_GRADIENT } pk_direction;
size_t pk_attention_work(const pk_table *t, const pk_attention *a, pk_direction direction);

/* The tile registers of AMX of a thread: their configuration (64 bytes, as STTILECFG stores it) and the tiles. */
typedef struct pk_tiles { _Alignas(PK_ALIGN) uint8_t config[64]; uint8_t data[8][1024]; } pk_tiles;

/* Most rows of a tile of a product; the epilogue has room for them. */
enum { PK_MOST_MR = 32 };

/* The parts of GEMM for one arithmetic, in the terms of BLIS. A is packed into panels of mr rows [lanes][mr], B into
 * panels of nr columns [lanes][nr], both padded with zeros (A for tiles: tiles/pack.c); a lane is one pk_real, or the
 * 32 bits of two bf16 or of four bytes that follow one another along k, the first in the lowest bits. `header` lanes of
 * other values precede those of k (bytes/bytes.h). row_stride, col_stride: elements between two rows, and between two
 * columns, of the matrix that is packed, k its extent in elements. The micro-kernel `micro` computes the register tile
 * initial[mr][nr] + (A panel)(B panel) and stores its m x n corner in c. initial is contiguous (NULL: zeros; may be c).
 * It prefetches the mr x nr elements behind initial and what `prefetch` names (NULL: nothing). */
typedef struct pk_product {
    const char *name;                                 /* of the kernel, for reports: "avx512" */
    int mr;                                           /* rows of a tile, at most PK_MOST_MR */
    int per_lane;                                     /* elements of k in a lane: 1, 2, 4 */
    int block, block_lanes;                           /* elements of k that are packed together (1, 2, 64), and their
                                                       * lanes; a panel has whole blocks */
    int header;                                       /* lanes of a panel before those of k */
    int64_t kc;                                       /* most lanes of k in a panel: an A panel, a B panel and a tile
                                                       * should leave a fifth of the level-1 cache free */
    int64_t step;                                     /* the lanes of k in a panel, but the last one, are a multiple
                                                       * of this, which is one of block_lanes */
    pk_compute attention_compute;                     /* arithmetic of attention beside products in this one */
    pk_compute rest;                                  /* arithmetic of the other products for which this one is not
                                                       * meant: of values that are computed or trained, and gradients */
    void (*pack_a)(pk_real *panels, const pk_real *a, int64_t row_stride, int64_t col_stride, int64_t m, int64_t k);
    void (*pack_b[PK_ELEMENT_TYPES])(pk_real *panels, const void *b, int64_t row_stride, int64_t col_stride, int64_t k,
                                     int64_t n);
    /* Packs n columns of B, rows of an I8 weight that are `stride` bytes apart, by copying k bytes and a scale of each;
     * scales are scale_stride apart. Gives the panels that pack_b gives of the weight before it was stored as I8. NULL:
     * B of I8 is converted to pk_real before it is packed. */
    void (*pack_int8)(pk_real *panels, const int8_t *b, int64_t stride, const float *scales, int64_t scale_stride,
                      int64_t k, int64_t n);
    void (*micro)(int64_t lanes, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, int n,
                  const pk_real *initial, pk_micro_prefetch *prefetch);
    /* A thread calls enter before its first and leave after its last call of micro in a product: they give it the tile
     * registers that the kernels use, and what `host` keeps meanwhile back. NULL: the kernels use none. */
    void (*enter)(pk_tiles *host);
    void (*leave)(const pk_tiles *host);
    double (*fmas)(int64_t rounds);                   /* computes independent multiply-adds of this arithmetic; returns
                                                       * the number of operations */
    /* Attention of one head of one sample, and its gradient, for this pk_attention.compute, which is f32 or bf16; NULL
     * for others. work is scratch of pk_attention_work() bytes, 64-byte aligned. */
    void (*attention)(const pk_attention *a, int64_t sample, int64_t head, void *work);
    void (*attention_grad)(const pk_attention_grad *g, int64_t sample, int64_t head, void *work);
} pk_product;

/* --- kernel table -------------------------------------------------------------------------------------------*/
struct pk_table {
    const char *name;                                 /* "ref", "avx2", "avx512", "avx512_vnni", .. */
    int vector;                                       /* pk_real elements in a vector register; 1 for ref */
#define PK_KERNEL(name, args) void (*name) args;
#include "kernels.def"
#undef PK_KERNEL
    int mr, nr;                                       /* rows and columns of a tile of products in f32 and in
                                                       * attention; nr is that of all products */
    pk_product product[PK_COMPUTES];
    /* Applies the epilogue of g to a tile[m][nr] of AB whose element (0, 0) is element (i, j) of C, and stores its
     * m x n corner in g->c. The tile is overwritten. */
    void (*epilogue)(const pk_table *t, const pk_gemm *g, pk_real *tile, int64_t i, int64_t j, int m, int n);
    /* Converts n contiguous elements of a type to pk_real, exactly. */
    void (*widen[PK_ELEMENT_TYPES])(pk_real *to, const void *from, int64_t n);
};

/* The kernel table of that name; for "auto" or NULL the one that the environment variable PEFT_ISA names, else the best
 * for this CPU. NULL when this CPU or build has no such table. Thread-safe. */
const pk_table *pk_find(const char *isa);
/* The table that computes in this arithmetic where t was chosen: t, or the next one if t computes it in tile registers
 * and the system refuses those. The first call for such an arithmetic asks Linux for the permission, for the whole
 * process. Graphs and tests call it before they use product[compute] of a table. Thread-safe. */
const pk_table *pk_permitted(const pk_table *t, pk_compute compute);
/* Asks for the permission, if that was not done yet. Returns why it is refused, or NULL. */
const char *pk_tiles_refusal(void);
/* The names of the tables that this CPU can run, best first, NULL-terminated. */
const char *const *pk_isas(void);

/* --- thread pool --------------------------------------------------------------------------------------------
 * pk_pool_run calls fn once for each task 0 .. tasks-1, on the calling thread and the pool's workers. Which thread runs
 * which task is not defined, so a result must not depend on it. Tasks start in the order of their numbers. Workers
 * sleep between calls. Calls from several threads take turns. The caller runs all tasks alone when the pool is NULL or
 * has one thread, when the call comes from a task, and in the child after a fork. */
typedef void (*pk_task)(void *arg, int64_t task, int worker);        /* worker in 0..threads-1, for scratch */
/* Bytes of the memory for a pool, which the caller allocates, aligned to PK_ALIGN, and frees. */
size_t pk_pool_bytes(int threads);
/* Starts the workers. Returns the number of threads including the caller's: fewer than asked for when the system
 * refuses to start more (1: no worker). Every pool that was started must be stopped. */
int    pk_pool_start(pk_pool *p, int threads);
/* Makes a pool that borrows the program's threads and has none of its own: run_jobs(job, arg, n, user) calls
 * job(arg, i) for each i of 0 .. n-1, in any threads, up to n calls at once, and returns when all have returned. */
typedef void (*pk_borrow)(void (*job)(void *arg, int i), void *arg, int n, void *user);
void   pk_pool_borrow(pk_pool *p, int threads, pk_borrow run_jobs, void *user);
void   pk_pool_stop(pk_pool *p);
int    pk_pool_alive(const pk_pool *p);                              /* 0: this process was forked from the pool's */
int    pk_pool_threads(const pk_pool *p);                            /* NULL: 1 */
void   pk_pool_run(pk_pool *p, int64_t tasks, pk_task fn, void *arg);
/* Seconds on a clock that never goes back (CLOCK_MONOTONIC). */
double pk_seconds(void);
/* Peak floating-point operations per second of all threads of the pool together, measured for about that many seconds
 * with independent multiply-adds of this arithmetic. */
double pk_pool_peak(const pk_table *t, pk_compute compute, pk_pool *pool, double seconds);
/* Waits until *count >= minimum. A task may so wait for what a task of a smaller number does: that task has always been
 * started. */
void   pk_await(const atomic_int *count, int minimum);
#endif
