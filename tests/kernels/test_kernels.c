/* SPDX-License-Identifier: Apache-2.0
 * test_kernels.c -- the kernels of every instruction set against the reference kernels: lengths around the vector size,
 * rows with gaps, guard pages, in-place calls, special values; the same bits however the elements are split over calls.
 * Each kernel has a row in `cases`; attention has test_attention.c, quantise and dequantise test_int8_weights.c, narrow
 * test_half_weights.c. */
#include <math.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kernels/pk.h"
#include "suite.h"

enum { SLOTS = 7, CAPACITY = 1 << 16 };             /* buffers of a case; bytes of a buffer */

/* rows of cols elements, ld elements apart. */
typedef struct shape { int64_t rows, cols, ld; } shape;
typedef struct kernel_case {
    const char *name;
    const char *buffers;        /* a letter each: c [cols], q [cols] without negative values, r [rows], m [rows, cols]
                                 * with rows ld apart, 2 [2] */
    const char *special;        /* a letter for each buffer: s and t are filled with special values so that all pairs
                                 * occur, . with noise; NULL: the case is not run with special values */
    int variants;               /* run is called with variant 0 .. variants - 1 */
    void (*run)(const pk_table *t, pk_real *const *b, shape s, int variant);
    double tolerance;           /* on |difference| / (1 + |expected|) */
} kernel_case;

/* --- the calls: v selects the variant (in place, without optional buffers) --------------------------------------*/
/* Where v is compared with 1, 2, ... there are as many variants; where v & 1, v & 2, v & 4 are tested it is a set of
 * bits; where it is divided, the quotient is the activation (of layernorm_grad: whether b[2] is added), the remainder
 * chooses the buffer of the result. */
#define RUN(name) static void run_##name(const pk_table *t, pk_real *const *b, shape s, int v)

RUN(add)   { t->add(v == 1 ? b[1] : v == 2 ? b[2] : b[0], b[1], b[2], s.cols); }
RUN(mul)   { t->mul(v == 1 ? b[1] : v == 2 ? b[2] : b[0], b[1], b[2], s.cols); }
RUN(axpy)  { t->axpy(v ? b[1] : b[0], b[1], (pk_real)0.37, s.cols); }
RUN(scale) { t->scale(v ? b[1] : b[0], b[1], (pk_real)-1.3, s.cols); }
RUN(act)   { t->act((pk_act)(v / 2), v % 2 ? b[1] : b[0], b[1], s.cols); }
RUN(act_grad) { t->act_grad((pk_act)(v / 3), b[v % 3], b[1], b[2], s.cols); }

RUN(act_slope) { t->act_slope((pk_act)(v / 2), v % 2 ? b[2] : b[0], b[1], b[2], s.cols); }

RUN(gate) { t->gate((pk_act)v, b[0], s.ld, b[1], b[2], s.ld, s.rows, s.cols); }
RUN(gate_grad)
{
    t->gate_grad((pk_act)v, b[0], b[1], s.ld, b[2], s.ld, b[3], b[4], s.ld, s.rows, s.cols);
}

RUN(affine)
{
    t->affine(v & 1 ? b[1] : b[0], s.ld, b[1], s.ld, v & 2 ? NULL : b[2], v & 4 ? NULL : b[3], s.rows, s.cols);
}
RUN(layernorm)
{
    t->layernorm(v & 1 ? b[1] : b[0], s.ld, v & 2 ? NULL : b[4], v & 4 ? NULL : b[5], b[1], s.ld, v & 2 ? NULL : b[2],
                 v & 4 ? NULL : b[3], (pk_real)1e-5, s.rows, s.cols);
}
RUN(layernorm_grad)
{
    t->layernorm_grad(b[v % 3], s.ld, b[1], s.ld, b[3], s.ld, b[4], b[5], v & 1 ? NULL : b[6], v / 3 == 1 ? NULL : b[2],
                      s.ld, s.rows, s.cols);
}
RUN(col_sums)
{
    t->col_sums(b[0], b[1], s.ld, v > 0 ? b[2] : NULL, s.ld, v > 1 ? b[3] : NULL, v > 1 ? b[4] : NULL, s.rows, s.cols);
}
/* v: bit 0: in place, bit 1: halves, bit 2: inverse */
RUN(rotate)
{
    t->rotate(v & 1 ? b[1] : b[0], s.ld, b[1], s.ld, b[2], b[3], s.ld, s.rows, s.cols / 2 * 2, v >> 1 & 1,
              v & 4 ? -1 : 1);
}
RUN(logsumexp) { t->logsumexp(b[0], v ? b[1] : NULL, s.ld, b[2], s.ld, s.rows, s.cols); }
RUN(sums)
{
    double sum = 0, sum_sq = 0;
    t->sums(v == 1 ? NULL : &sum, v == 2 ? NULL : &sum_sq, b[1], s.cols);
    b[0][0] = (pk_real)sum, b[0][1] = (pk_real)sum_sq;
}
RUN(adamw)
{
    int nonfinite = 0;
    const double gradient_scale = 0.7, lr = 1e-2, beta1 = 0.9, beta2 = v ? 0.95 : 0.999, eps = 1e-8, decay = 0.05;
    const double correction1 = 0.1, correction2 = v ? 0.05 : 0.001;      /* 1 - beta1 and 1 - beta2, of step 1 */
    t->adamw(b[0], b[1], b[2], b[3], s.cols, gradient_scale, lr, beta1, beta2, eps, decay, correction1, correction2,
             &nonfinite);
}
RUN(sgd)
{
    int nonfinite = 0;
    const double gradient_scale = 0.7, lr = 0.1, momentum = 0.9, decay = 1e-2;
    const int nesterov = v & 1, first = v >> 1;
    t->sgd(b[0], b[1], b[2], s.cols, gradient_scale, lr, momentum, decay, nesterov, first, &nonfinite);
}

static const kernel_case cases[] = {
    { "add",            "ccc",     ".st",  3,  run_add,            1e-7 },
    { "mul",            "ccc",     ".st",  3,  run_mul,            1e-7 },
    { "axpy",           "cc",      "st",   2,  run_axpy,           1e-6 },
    { "scale",          "cc",      ".s",   2,  run_scale,          1e-7 },
    { "act",            "cc",      ".s",   18, run_act,            5e-7 },
    { "act_grad",       "ccc",     "..s",  27, run_act_grad,       1e-6 },
    { "act_slope",      "ccc",     "..s",  18, run_act_slope,      1e-6 },
    { "gate",           "mmm",     ".s.",  9,  run_gate,           1e-6 },
    { "gate_grad",      "mmmmm",   "...s.", 9, run_gate_grad,      1e-6 },
    { "affine",         "mmcc",    NULL,   8,  run_affine,         5e-7 },
    { "layernorm",      "mmccrr",  NULL,   8,  run_layernorm,      4e-6 },
    { "layernorm_grad", "mmmmrrc", NULL,   6,  run_layernorm_grad, 4e-6 },
    { "col_sums",       "cmmrr",   NULL,   3,  run_col_sums,       2e-6 },
    { "rotate",         "mmmm",    NULL,   8,  run_rotate,         1e-6 },
    { "logsumexp",      "rmm",     NULL,   2,  run_logsumexp,      1e-6 },
    { "sums",           "2c",      NULL,   3,  run_sums,           1e-6 },
    { "adamw",          "ccqc",    NULL,   2,  run_adamw,          5e-6 },
    { "sgd",            "ccc",     NULL,   4,  run_sgd,            1e-6 },
};
enum { CASES = sizeof cases / sizeof *cases };

/* --- buffers between guard pages ----------------------------------------------------------------------------*/
/* The buffers of a case; each slot has CAPACITY bytes between two inaccessible pages. */
typedef struct arena { char *slot[SLOTS]; } arena;
typedef enum { AT_START, AT_END, PLACES } place_in_slot;

static arena arena_make(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    arena a;
    for (int i = 0; i < SLOTS; i++) {
        char *p = mmap(NULL, CAPACITY + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(p, MAP_FAILED);
        ck_assert_int_eq(mprotect(p + page, CAPACITY, PROT_READ | PROT_WRITE), 0);
        a.slot[i] = p + page;
    }
    return a;
}

/* The number of elements of a buffer, by its letter in kernel_case.buffers. */
static int64_t elements(char kind, shape s)
{
    switch (kind) {
    case 'r': return s.rows;
    case 'm': return s.rows && s.cols ? (s.rows - 1) * s.ld + s.cols : 0;
    case '2': return 2;
    default:  return s.cols;
    }
}

/* The address of buffer i of n elements: at the end of its slot (before a guard page) or at the start (behind one). */
static pk_real *place(const arena *a, int i, int64_t n, place_in_slot where)
{
    if (n * (int64_t)sizeof(pk_real) > CAPACITY) ck_abort_msg("a test buffer of %d elements is too long", (int)n);
    return (pk_real *)(a->slot[i] + (where == AT_END ? CAPACITY - n * (int64_t)sizeof(pk_real) : 0));
}

static uint32_t noise_state = 1;
static pk_real noise(void)                          /* -2..2 */
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return (pk_real)((double)(noise_state >> 8) / (1 << 22) - 2);
}

/* Fills all buffers of a case with noise. */
static void fill(const kernel_case *k, pk_real *const *b, shape s)
{
    for (int i = 0; k->buffers[i]; i++)
        for (int64_t j = 0, n = elements(k->buffers[i], s); j < n; j++)
            b[i][j] = k->buffers[i] == 'q' ? (pk_real)fabs((double)noise()) : noise();
}

/* Equal within the tolerance, NaN with NaN, and infinities of one sign. */
static int near(pk_real got, pk_real want, double tolerance)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got)) return want == got;
    return fabs((double)got - (double)want) <= tolerance * (1 + fabs((double)want));
}

/* Runs the case with equal buffers on the reference kernels and on t, and compares all buffers, with inputs and
 * gaps. */
static void compare(const kernel_case *k, const pk_table *t, int variant, shape s, const arena mem[2],
                    place_in_slot where, void (*fill_in)(const kernel_case *, pk_real *const *, shape))
{
    pk_real *b[2][SLOTS] = {{0}};
    for (int i = 0; k->buffers[i]; i++)
        for (int table = 0; table < 2; table++)
            b[table][i] = place(&mem[table], i, elements(k->buffers[i], s), where);
    fill_in(k, b[0], s);
    for (int i = 0; k->buffers[i]; i++)
        memcpy(b[1][i], b[0][i], (size_t)elements(k->buffers[i], s) * sizeof(pk_real));
    k->run(pk_find("ref"), b[0], s, variant);
    k->run(t, b[1], s, variant);
    for (int i = 0; k->buffers[i]; i++)
        for (int64_t j = 0, n = elements(k->buffers[i], s); j < n; j++)
            if (!near(b[1][i][j], b[0][i][j], k->tolerance))
                ck_abort_msg("%s %s variant %d, %d x %d (ld %d): buffer %d[%d] is %.9g, expected %.9g", t->name,
                             k->name, variant, (int)s.rows, (int)s.cols, (int)s.ld, i, (int)j, (double)b[1][i][j],
                             (double)b[0][i][j]);
}

/* --- the tests ----------------------------------------------------------------------------------------------*/
START_TEST(every_kernel_has_a_case)
{
    static const char *const rows[] = {
#define PK_KERNEL(name, args) #name,
#include "kernels/kernels.def"
#undef PK_KERNEL
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int found = !strncmp(rows[i], "attention", 9) || strstr(rows[i], "quantise")
                 || !strcmp(rows[i], "narrow");
        for (int k = 0; k < CASES; k++) found |= !strcmp(cases[k].name, rows[i]);
        ck_assert_msg(found, "no case for %s", rows[i]);
    }
}
END_TEST

/* Compares one variant on shapes with 0 to 49 columns and seven larger numbers, 0 to 3 rows; three rows have gaps. */
static void compare_all_shapes(const kernel_case *k, const pk_table *t, int variant, const arena mem[2])
{
    static const int64_t large[] = { 64, 100, 127, 197, 257, 768, 1001 };
    const int by_row = strpbrk(k->buffers, "mr") != NULL;       /* the kernel works on rows, not on one vector */
    for (int64_t c = 0; c < 50 + 7; c++) {
        const int64_t cols = c < 50 ? c : large[c - 50];
        for (int64_t rows = by_row ? 0 : 1; rows <= (by_row ? 3 : 1); rows++)
            for (int where = AT_START; where < PLACES; where++)
                compare(k, t, variant, (shape){ rows, cols, rows == 3 ? cols + 5 : cols }, mem, (place_in_slot)where,
                        fill);
    }
}

START_TEST(kernels_equal_the_reference)
{
    const arena mem[2] = { arena_make(), arena_make() };
    for (const char *const *isa = pk_isas(); *isa; isa++)
        for (int k = 0; k < CASES; k++)
            for (int v = 0; v < cases[k].variants; v++) compare_all_shapes(&cases[k], pk_find(*isa), v, mem);
}
END_TEST

/* Zeros, ones, infinities, NaN, subnormal and huge floats, and arguments at which exp or erf reach the limits of a
 * float (13.2: erf is 1; 88: exp is about FLT_MAX; 104: exp(-x) is 0). */
static const double specials[] = { 0.0, -0.0, 1, -1, 0.5, -0.75, INFINITY, -INFINITY, NAN, 1e-45, -1e-45, 1e-39,
    1.2e-38, -1.2e-38, 3.4e38, -3.4e38, 1e30, -1e30, 13.2, -13.2, -13.25, -13.3, 40, -40, 87.3, -87.3, 88, -88,
    88.8, -88.8, 104, -104 };
enum { SPECIALS = sizeof specials / sizeof *specials };

/* Element j of a buffer s is special value j / SPECIALS, of a buffer t special value j % SPECIALS: all pairs occur. */
static void fill_special(const kernel_case *k, pk_real *const *b, shape s)
{
    fill(k, b, s);
    for (int i = 0; k->buffers[i]; i++)
        for (int64_t j = 0; j < s.cols && k->special[i] != '.'; j++)
            b[i][j] = (pk_real)specials[k->special[i] == 's' ? j / SPECIALS : j % SPECIALS];
}

START_TEST(special_values_equal_the_reference)
{
    const arena mem[2] = { arena_make(), arena_make() };
    const shape s = { 1, (int64_t)SPECIALS * SPECIALS, 0 };
    for (const char *const *isa = pk_isas(); *isa; isa++)
        for (int k = 0; k < CASES; k++)
            for (int v = 0; cases[k].special && v < cases[k].variants; v++)
                compare(&cases[k], pk_find(*isa), v, s, mem, AT_END, fill_special);
}
END_TEST

/* One call on all s.cols elements against two calls, on the first `split` elements and on the others. */
static void check_split(const kernel_case *k, const pk_table *t, int variant, int64_t split, shape s,
                        const arena mem[2])
{
    pk_real *whole[SLOTS] = {0}, *parts[SLOTS] = {0}, *second[SLOTS] = {0};
    const size_t bytes = (size_t)s.cols * sizeof(pk_real);
    for (int i = 0; k->buffers[i]; i++) {
        whole[i] = place(&mem[0], i, s.cols, AT_END);
        parts[i] = place(&mem[1], i, s.cols, AT_END);
        second[i] = parts[i] + split;
    }
    fill(k, whole, s);
    for (int i = 0; k->buffers[i]; i++) memcpy(parts[i], whole[i], bytes);
    k->run(t, whole, s, variant);
    k->run(t, parts, (shape){ 1, split, 0 }, variant);
    k->run(t, second, (shape){ 1, s.cols - split, 0 }, variant);
    for (int i = 0; k->buffers[i]; i++)
        if (memcmp(whole[i], parts[i], bytes))
            ck_abort_msg("%s %s variant %d: split at %d, the calls give other bits", t->name, k->name, variant,
                         (int)split);
}

/* An element's bits do not depend on the first or last element of the call it is in. */
START_TEST(splitting_a_call_changes_no_bit)
{
    const shape s = { 1, 77, 0 };
    const arena mem[2] = { arena_make(), arena_make() };
    for (const char *const *isa = pk_isas(); *isa; isa++)
        for (int k = 0; k < CASES; k++)
            for (int v = 0; v < cases[k].variants && !strpbrk(cases[k].buffers, "mr2"); v++)
                for (int64_t split = 0; split <= s.cols; split++) check_split(&cases[k], pk_find(*isa), v, split, s,
                                                                              mem);
}
END_TEST

SUITE_MAIN("kernels", every_kernel_has_a_case, kernels_equal_the_reference, special_values_equal_the_reference,
           splitting_a_call_changes_no_bit)
