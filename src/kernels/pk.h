/* SPDX-License-Identifier: Apache-2.0
 * pk.h -- floor 0: everything the floors above may use of the kernels. This floor knows pointers, extents and
 * strides; it allocates nothing, fails never (bad extents are the caller's bug) and includes no other floor. */
#ifndef PK_H
#define PK_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "float_mode.h"

#ifdef PF_REAL_DOUBLE               /* the build that checks gradients by finite differences */
typedef double pk_real;
#else
typedef float pk_real;
#endif

#define PK_ALIGN 64

typedef struct pk_table pk_table;
typedef struct pk_pool pk_pool;

typedef enum { PK_NONE, PK_GELU, PK_QUICKGELU, PK_RELU, PK_TANH, PK_SIGMOID, PK_SILU } pk_act;

/* Softmax attention, out_i = sum_k p_ik v_k over all samples and heads. Element c of row t of head h of sample b
 * stands at base[b*batch + t*row + h*head_dim + c]. Extra rows xk, xv (NULL: none) join keys and values of every
 * sample (x_batch 0) or of each sample; sink [queries] (NULL: none) is one more logit per query row that takes
 * part in the softmax's denominator and has no value. lse' includes it. */
typedef struct pk_operand { const pk_real *data; int64_t batch, row; } pk_operand;
typedef struct pk_attention {
    int64_t samples, heads, head_dim, queries, keys, extra;
    pk_real scale;                           /* on q.k, usually 1/sqrt(head_dim) */
    pk_operand q, k, v, xk, xv;
    const pk_real *sink;                     /* [queries] */
    const pk_real *head_scale;               /* [heads]: multiplies scale per head; NULL: 1 */
    pk_real *out; int64_t out_batch, out_row;
    pk_real *lse;                            /* [samples, heads, queries]; NULL: not kept */
    int64_t next;                            /* so many heads later comes the thread's next one; 0: not known */
} pk_attention;

/* Gradients; any of dq, dk, dv, dxk, dxv, dsink may have a NULL base and is then skipped with its work.
 * dq, dk, dv are laid out like q, k, v (own strides). The reductions over samples and heads are left to the
 * caller, so that their order is fixed: dxk, dxv [samples, extra, heads*head_dim], dsink and dhead_scale
 * [samples, heads, queries] hold one part a (sample, head). */
typedef struct pk_output { pk_real *data; int64_t batch, row; } pk_output;
typedef struct pk_attention_grad {
    pk_attention fwd;                        /* with out and lse of the forward pass */
    pk_operand dout;
    pk_output dq, dk, dv, dxk, dxv;
    pk_real *dsink, *dhead_scale;
} pk_attention_grad;

/* A frozen matrix as it lies in memory, row after row without gaps: element (i, j) is data[i * cols + j], times
 * scales[i] (scales [rows]; NULL: no scales, as all weights that are loaded so far). A product converts it to pk_real
 * while it packs it; everything else reads it by pk_weight_read. */
typedef enum pk_dtype { PK_REAL, PK_F16, PK_BF16, PK_DTYPES } pk_dtype;
typedef struct pk_weight {
    pk_dtype type;
    int64_t rows, cols;
    const pk_real *scales;
    const void *data;
} pk_weight;

static inline int64_t pk_dtype_size(pk_dtype type) { return type == PK_REAL ? (int64_t)sizeof(pk_real) : 2; }
/* Elements at .. at + n - 1 in row-major order as pk_real. Returns a pointer into w's own data where that is pk_real
 * without scales, else room [n], to which they are converted. */
const pk_real *pk_weight_read(const pk_table *t, const pk_weight *w, int64_t at, int64_t n, pk_real *room);

/* --- GEMM ---------------------------------------------------------------------------------------------------
 * C[m,n] = epilogue(scale * A[m,k] B[k,n] (+ C)). A(i,p) = a[i*a_row + p*a_col], B(p,j) = b[p*b_row + j*b_col];
 * in each of them one of the two strides is 1. Strides count elements; those of b are of b_type, and become pk_real
 * while they are packed, so that the result has the bits of a product with a pk_real copy of B. Per element the order
 * of additions depends on k alone.
 * Epilogue, in this order, each part optional:
 *   t = scale*AB; if (accumulate) t += C; t += bias[j]; if (pre) pre = t; t = act(t); if (gate) t *= act'(gate) of
 *   gate_act; t *= gamma[j]; t += residual; C = t
 * slopes: pre = act'(t) and t *= gate, so that a gradient need not work out again what the forward pass had at hand. */
typedef struct pk_gemm {
    int64_t m, n, k;
    const pk_real *a; int64_t a_row, a_col;
    const void *b; pk_dtype b_type; int64_t b_row, b_col;
    pk_real *c; int64_t c_row;
    pk_real scale;
    int accumulate;
    const pk_real *bias;                              /* [n] */
    pk_act act; pk_real *pre; int64_t pre_row;        /* pre [m,n]: the value before act, NULL: not kept */
    int slopes;
    pk_act gate_act; const pk_real *gate; int64_t gate_row;
    const pk_real *gamma;                             /* [n], LayerScale */
    const pk_real *residual; int64_t residual_row;    /* [m,n]; may be c itself */
} pk_gemm;

/* Memory that will be read later, line by line: `at` is the next line, one of `left` in its row; rows are `gap` bytes
 * apart from the end of one to the next, of `lines` lines each, and `rows` are left with this one. */
typedef struct pk_stream { const char *at; int64_t left, lines, gap, rows; int some; } pk_stream;
/* What a micro-kernel asks for beside a tile, a little every PK_TURN k, as all at once it would keep the product's own
 * loads waiting: `blocks` blocks of mr x nr, and each time `some` lines of each stream. */
enum { PK_TURN = 16, PK_MOST_BLOCKS = 3 };
typedef struct pk_ahead {
    struct { const pk_real *at; int64_t row; } block[PK_MOST_BLOCKS];
    int blocks;
    pk_stream stream[2];
} pk_ahead;
typedef enum { PK_GEMM_AUTO, PK_GEMM_OWN, PK_GEMM_CBLAS } pk_gemm_kind;
/* Who multiplies, OWN or CBLAS: AUTO is OWN where the table has kernels for it, and without a BLAS all is OWN. */
pk_gemm_kind pk_gemm_chosen(const pk_table *t, pk_gemm_kind kind);
/* Opens the system's BLAS, once; NULL, or why there is none. */
const char *pk_blas_load(void);

size_t pk_gemm_work(const pk_table *t, int64_t m, int64_t n, int64_t k, int threads);     /* bytes for all threads */
/* Bytes that a product with a B of this type needs beside those: CBLAS is given a pk_real copy of B. */
size_t pk_gemm_widen_work(const pk_table *t, pk_gemm_kind kind, pk_dtype b_type, int64_t n, int64_t k);
void   pk_gemm_run(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g, void *work);
size_t pk_attention_work(const pk_table *t, const pk_attention *a, int gradient);         /* bytes for one thread */

/* --- the table ----------------------------------------------------------------------------------------------*/
struct pk_table {
    const char *name;                                 /* "ref", "avx2", "avx512" */
    int vector;                                       /* elements in a register, 1 for ref */
#define PK_KERNEL(name, args) void (*name) args;
#include "kernels.def"
#undef PK_KERNEL
    /* GEMM parts: packing into panels of mr rows of A / nr columns of B (padded with zeros), and the micro-kernel
     * acc[mr][nr] = plus + A panel x B panel over k, whose m x n corner goes to C. plus is a tile (rows nr apart; NULL:
     * zeros) and may be C; the next tile behind it is asked for, and what `ahead` says (NULL: nothing). */
    int mr, nr;
    int64_t kc;                                       /* longest piece of K: two panels of it and a tile should leave
                                                       * a fifth of the first cache free */
    void (*pack_a)(pk_real *to, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k);
    void (*pack_b[PK_DTYPES])(pk_real *to, const void *b, int64_t row, int64_t col, int64_t k, int64_t n);
    void (*micro)(int64_t k, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, int n,
                  const pk_real *plus, pk_ahead *ahead);
    /* The epilogue of one tile[mr][nr] = AB of rows i.. and columns j..: its m x n corner goes to g->c; the tile is
     * scratch. */
    void (*finish)(const pk_table *t, const pk_gemm *g, pk_real *tile, int64_t i, int64_t j, int m, int n);
    /* n contiguous elements of a type as pk_real; exact. */
    void (*widen[PK_DTYPES])(pk_real *to, const void *from, int64_t n);
    double (*fmas)(int64_t rounds);                   /* does independent FMAs only; how many operations they were */
};

/* The best table of this CPU for "auto", else the named one; NULL when this CPU or build has none. Thread-safe. */
const pk_table *pk_find(const char *isa);
/* Names this CPU can run, best first, NULL-terminated. */
const char *const *pk_isas(void);
/* Floating-point operations per second of one core by dependent-free FMAs of this table (for benchmarks). */
double pk_fma_peak(const pk_table *t, double seconds);

/* --- the pool -----------------------------------------------------------------------------------------------
 * Tasks 0..tasks-1 are run once each, by the caller and the workers; which thread runs which is not defined, so a
 * task's result must not depend on it. Workers sleep between calls. After fork the child runs alone. The caller
 * gives the memory. pool NULL or of one thread: runs in the caller. */
typedef void (*pk_task)(void *arg, int64_t task, int worker);        /* worker in 0..threads-1, for scratch */
size_t pk_pool_bytes(int threads);
/* The threads there are, the caller's among them: fewer than asked for where the system refuses more (1: none). Every
 * pool that is started is stopped. */
int    pk_pool_start(pk_pool *p, int threads);
void   pk_pool_stop(pk_pool *p);
int    pk_pool_threads(const pk_pool *p);                            /* NULL: 1 */
void   pk_pool_run(pk_pool *p, int64_t tasks, pk_task fn, void *arg);
/* Waits until *count is at least this. Tasks are begun in the order of their numbers, so one may wait for what another
 * of a smaller number does. */
void   pk_await(const atomic_int *count, int least);
#endif
