/* SPDX-License-Identifier: Apache-2.0
 * norm.c -- entries of the kernel table: LayerNorm, its gradient, affine, log-sum-exp and sums over rows. A row is read
 * once for each statistic and once for the result, as it is short enough to stay in the level-1 cache. */
#include <math.h>
#include "../names.h"
#include "vmath.h"

#define INLINE static inline __attribute__((always_inline))
#define CHAINS 4                                    /* independent sums, to hide the latency of an addition */
#define COLUMN_VECTORS 8                            /* vectors of columns whose sums col_sums holds in registers */

typedef struct two { pv a, b; } two;                /* two results of a function f_* */
typedef struct four { pv a, b, c, d; } four;        /* constants of a function f_*, named beside it */

/* Selects the first n lanes, or all if n is larger than a vector. */
INLINE pm lanes_mask(int64_t n) { return pm_first(n < PW ? n : PW); }

/* Sums over j < n of the two results of f(x[j], y[j], z[j], k); z NULL reads as 1. A function of x alone gets it twice,
 * the second time as x2. */
INLINE void sum_row(float *sum_a, float *sum_b, const float *x, const float *y, const float *z, pv k, int64_t n,
                    two (*f)(pv x, pv y, pv z, pv k))
{
    pv a[CHAINS], b[CHAINS];
    for (int u = 0; u < CHAINS; u++) a[u] = b[u] = pv_zero();
    int64_t j = 0;
    for (; j + CHAINS * PW <= n; j += CHAINS * PW)
        for (int u = 0; u < CHAINS; u++) {
            const int64_t i = j + u * PW;
            two t = f(pv_load(x + i), pv_load(y + i), z ? pv_load(z + i) : pv_set(1), k);
            a[u] = pv_add(a[u], t.a);
            b[u] = pv_add(b[u], t.b);
        }
    for (; j < n; j += PW) {
        const pm m = lanes_mask(n - j);
        two t = f(pv_load_m(x + j, m), pv_load_m(y + j, m), z ? pv_load_m(z + j, m) : pv_set(1), k);
        a[0] = pv_add(a[0], pv_select(m, t.a, pv_zero()));
        b[0] = pv_add(b[0], pv_select(m, t.b, pv_zero()));
    }
    *sum_a = pv_sum(pv_add(pv_add(a[0], a[1]), pv_add(a[2], a[3])));
    *sum_b = pv_sum(pv_add(pv_add(b[0], b[1]), pv_add(b[2], b[3])));
}

/* to[j] = f(x[j], y[j], z[j], w[j], k) for j < n; z NULL reads as 1, w NULL as 0. */
INLINE void map_row(float *to, const float *x, const float *y, const float *z, const float *w, four k, int64_t n,
                    pv (*f)(pv x, pv y, pv z, pv w, four k))
{
    int64_t j = 0;
    for (; j + PW <= n; j += PW)
        pv_store(to + j, f(pv_load(x + j), pv_load(y + j), z ? pv_load(z + j) : pv_set(1),
                           w ? pv_load(w + j) : pv_zero(), k));
    if (j < n) {
        const pm m = lanes_mask(n - j);
        pv_store_m(to + j, m, f(pv_load_m(x + j, m), pv_load_m(y + j, m), z ? pv_load_m(z + j, m) : pv_set(1),
                                w ? pv_load_m(w + j, m) : pv_zero(), k));
    }
}

INLINE pv f_affine(pv x, pv x2, pv gamma, pv beta, four k) { (void)x2; (void)k; return pv_fma(x, gamma, beta); }

void PK_NAME(affine)(float *y, int64_t ldy, const float *x, int64_t ldx, const float *gamma, const float *beta,
                     int64_t rows, int64_t cols)
{
    const four none = { pv_zero(), pv_zero(), pv_zero(), pv_zero() };
    for (int64_t i = 0; i < rows; i++, x += ldx, y += ldy) map_row(y, x, x, gamma, beta, none, cols, f_affine);
}

/* The first two moments of x about the point `origin`. */
INLINE two f_moments(pv x, pv x2, pv one, pv origin)
{
    (void)x2; (void)one;
    pv d = pv_sub(x, origin);
    return (two){ d, pv_mul(d, d) };
}

INLINE pv f_normalise(pv x, pv x2, pv gamma, pv beta, four k)   /* k: origin, rstd, (origin - mean)*rstd */
{
    (void)x2;
    return pv_fma(pv_fma(pv_sub(x, k.a), k.b, k.c), gamma, beta);
}

/* The moments are sums of differences from a point near the mean, so that a large offset of the row costs no digits:
 * the first pass takes the row's first element and finds the mean roughly, the second takes that as origin. mean -
 * origin (offset) is then small. */
void PK_NAME(layernorm)(float *y, int64_t ldy, float *mean, float *rstd, const float *x, int64_t ldx,
                        const float *gamma, const float *beta, float eps, int64_t rows, int64_t cols)
{
    const float n = (float)cols;
    for (int64_t i = 0; i < rows && cols > 0; i++, x += ldx, y += ldy) {
        float sum, squares;
        sum_row(&sum, &squares, x, x, NULL, pv_set(x[0]), cols, f_moments);
        const float origin = x[0] + sum / n;
        sum_row(&sum, &squares, x, x, NULL, pv_set(origin), cols, f_moments);
        const float offset = sum / n, var = squares / n - offset * offset;
        const float r = 1 / sqrtf((var < 0 ? 0 : var) + eps);
        const four k = { pv_set(origin), pv_set(r), pv_set(-offset * r), pv_zero() };
        map_row(y, x, x, gamma, beta, k, cols, f_normalise);
        if (mean) mean[i] = origin + offset;
        if (rstd) rstd[i] = r;
    }
}

/* The results g = dy*gamma and g*(x - mean). */
INLINE two f_gradient_sums(pv dy, pv x, pv gamma, pv mean)
{
    pv g = pv_mul(dy, gamma);
    return (two){ g, pv_mul(g, pv_sub(x, mean)) };
}

/* k: mean, rstd, -rstd*mean(g), -rstd^3*mean(g*(x - mean)) */
INLINE pv f_layernorm_grad(pv dy, pv x, pv gamma, pv add, four k)
{
    pv g = pv_fma(pv_mul(dy, gamma), k.b, k.c);
    return pv_add(pv_fma(pv_sub(x, k.a), k.d, g), add);
}

void PK_NAME(layernorm_grad)(float *dx, int64_t lddx, const float *dy, int64_t lddy, const float *x, int64_t ldx,
                             const float *mean, const float *rstd, const float *gamma, const float *add, int64_t ldadd,
                             int64_t rows, int64_t cols)
{
    const float n = (float)cols;
    for (int64_t i = 0; i < rows; i++, dx += lddx, dy += lddy, x += ldx) {
        const float r = rstd[i];
        float g, gd;                                /* sums of g and of g*(x - mean) */
        sum_row(&g, &gd, dy, x, gamma, pv_set(mean[i]), cols, f_gradient_sums);
        const four k = { pv_set(mean[i]), pv_set(r), pv_set(-r * (g / n)), pv_set(-r * r * (r * (gd / n))) };
        map_row(dx, dy, x, gamma, add ? add + i * ldadd : NULL, k, cols, f_layernorm_grad);
    }
}

/* What col_sums sums over the rows: a, a*b or a*(b - mean)*rstd. */
typedef enum { SUM_A, SUM_AB, SUM_A_NORMALISED } sum_term;
typedef enum { ALL_LANES, MASKED_LANES } sum_lanes;

/* Adds the sums over the rows of `width` vectors of columns to out. MASKED_LANES: width is 1, and only the lanes of m
 * are read and written. */
INLINE void col_block(float *out, const float *a, int64_t lda, const float *b, int64_t ldb, const float *mean,
                      const float *rstd, int64_t rows, sum_term term, int width, sum_lanes lanes, pm m)
{
    const int masked = lanes == MASKED_LANES;
    pv s[COLUMN_VECTORS];
    for (int u = 0; u < width; u++) s[u] = pv_zero();
    for (int64_t i = 0; i < rows; i++, a += lda, b = b ? b + ldb : b)
        for (int u = 0; u < width; u++) {
            pv v = masked ? pv_load_m(a, m) : pv_load(a + u * PW);
            if (term == SUM_A) { s[u] = pv_add(s[u], v); continue; }
            pv h = masked ? pv_load_m(b, m) : pv_load(b + u * PW);
            if (term == SUM_A_NORMALISED) h = pv_mul(pv_sub(h, pv_set(mean[i])), pv_set(rstd[i]));
            s[u] = pv_fma(v, h, s[u]);
        }
    if (masked) { pv_store_m(out, m, pv_add(pv_load_m(out, m), s[0])); return; }
    for (int u = 0; u < width; u++) pv_store(out + u * PW, pv_add(pv_load(out + u * PW), s[u]));
}

/* Adds the sums over the rows of all columns to out. */
INLINE void columns(float *out, const float *a, int64_t lda, const float *b, int64_t ldb, const float *mean,
                    const float *rstd, int64_t rows, int64_t cols, sum_term term)
{
    const pm no_mask = pm_first(0);
    int64_t j = 0;
    for (; j + COLUMN_VECTORS * PW <= cols; j += COLUMN_VECTORS * PW)
        col_block(out + j, a + j, lda, b ? b + j : b, ldb, mean, rstd, rows, term, COLUMN_VECTORS, ALL_LANES, no_mask);
    for (; j < cols; j += PW)
        col_block(out + j, a + j, lda, b ? b + j : b, ldb, mean, rstd, rows, term, 1, MASKED_LANES,
                  lanes_mask(cols - j));
}

void PK_NAME(col_sums)(float *out, const float *a, int64_t lda, const float *b, int64_t ldb, const float *mean,
                       const float *rstd, int64_t rows, int64_t cols)
{
    if (!b) columns(out, a, lda, NULL, 0, NULL, NULL, rows, cols, SUM_A);
    else if (!mean) columns(out, a, lda, b, ldb, NULL, NULL, rows, cols, SUM_AB);
    else columns(out, a, lda, b, ldb, mean, rstd, rows, cols, SUM_A_NORMALISED);
}

INLINE float row_max(const float *x, int64_t n)     /* the largest element; -inf for n = 0 */
{
    pv max = pv_set(-INFINITY);
    for (int64_t j = 0; j < n; j += PW) {
        const pm m = lanes_mask(n - j);
        max = pv_max(pv_select(m, pv_load_m(x + j, m), max), max);    /* ignores NaN; the sum will be NaN */
    }
    return pv_max_lane(max);
}

/* exp(x - max), and no second result. */
INLINE two f_exp(pv x, pv x2, pv one, pv max)
{
    (void)x2; (void)one;
    return (two){ pv_exp(pv_sub(x, max)), pv_zero() };
}

INLINE pv f_soft(pv x, pv x2, pv one, pv zero, four k)          /* k: max, 1/sum */
{
    (void)x2; (void)one; (void)zero;
    return pv_mul(pv_exp(pv_sub(x, k.a)), k.b);
}

void PK_NAME(logsumexp)(float *lse, float *soft, int64_t ldsoft, const float *x, int64_t ldx, int64_t rows,
                        int64_t cols)
{
    for (int64_t i = 0; i < rows; i++, x += ldx) {
        float max = row_max(x, cols), sum, unused;
        if (isinf(max)) max = 0;                    /* -inf: the sum is 0; inf: the sum is inf */
        sum_row(&sum, &unused, x, x, NULL, pv_set(max), cols, f_exp);
        const four k = { pv_set(max), pv_set(sum == 0 ? 0 : 1 / sum), pv_zero(), pv_zero() };
        if (soft) map_row(soft + i * ldsoft, x, x, NULL, NULL, k, cols, f_soft);
        lse[i] = max + logf(sum);
    }
}
