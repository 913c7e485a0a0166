/* SPDX-License-Identifier: Apache-2.0
 * pos_embed.c -- resamples a position embedding: rows, then columns, each by a matrix of weights [new, old], most of
 * which are 0. Computed in double. */
#include "core/vit/pos_embed.h"
#include <math.h>
#include <string.h>
#include "core/options/options.h"

typedef struct rule {
    const char *name;
    bool cubic;                         /* else linear */
    bool antialias;                     /* the kernel is widened when the grid shrinks */
    bool corners;                       /* the corners of both grids coincide */
    double a;                           /* parameter of the cubic kernel (Keys) */
    double offset;                      /* step = old / (new + offset), unless corners is set */
} rule;

static const rule rules[] = {
    { "timm",        true,  true,  false, -0.5,  0.0 },
    { "hf",          true,  false, false, -0.75, 0.1 },
    { "mmcls",       true,  false, false, -0.75, 0.0 },
    { "torchvision", true,  false, true,  -0.75, 0.0 },
    { "bilinear",    false, false, false,  0.0,  0.0 },
};
#define RULE_COUNT (sizeof rules / sizeof *rules)

/* The weight of an old element at distance x from the new position, in steps of the old grid: a triangle, or Keys'
 * piecewise cubic with the parameter a. */
static double kernel(const rule *r, double x)
{
    x = fabs(x);
    if (!r->cubic) return x < 1 ? 1 - x : 0;
    if (x < 1) return ((r->a + 2) * x - (r->a + 3)) * x * x + 1;
    if (x < 2) return ((x - 5) * x + 8) * x * r->a - 4 * r->a;
    return 0;
}

/* Adds to w [to, from], which is 0, the weights of a kernel that is not widened. A position outside the grid takes the
 * border's element. */
static void fill_clamped(const rule *r, double *w, int from, int to)
{
    const double step = r->corners ? (to > 1 ? (from - 1.0) / (to - 1) : 0) : from / (to + r->offset);
    const int reach = r->cubic ? 2 : 1;
    for (int i = 0; i < to; i++) {
        const double centre = r->corners ? i * step : (i + 0.5) * step - 0.5, base = floor(centre);
        for (int k = 1 - reach; k <= reach; k++) {
            const double j = fmin(fmax(base + k, 0), from - 1);
            w[(int64_t)i * from + (int64_t)j] += kernel(r, centre - (base + k));
        }
    }
}

/* Writes to w [to, from] the weights of a kernel that is widened when the grid shrinks. Positions outside the grid are
 * left out, and the weights of each row are scaled to the sum 1. */
static void fill_antialiased(const rule *r, double *w, int from, int to)
{
    const double step = (double)from / to, wide = fmax(step, 1), support = (r->cubic ? 2 : 1) * wide;
    for (int i = 0; i < to; i++) {
        double *row = w + (int64_t)i * from;
        const double centre = (i + 0.5) * step;
        const int first = (int)fmax(trunc(centre - support + 0.5), 0), end = (int)fmin(centre + support + 0.5, from);
        double sum = 0;
        for (int j = first; j < end; j++) sum += row[j] = kernel(r, (j + 0.5 - centre) / wide);
        for (int j = first; j < end; j++) row[j] /= sum;
    }
}

/* Fills w [to, from] by the rule. */
static void fill_weights(const rule *r, double *w, int from, int to)
{
    if (r->antialias) fill_antialiased(r, w, from, to);
    else fill_clamped(r, w, from, to);
}

/* The old grid has rows0 x cols0 patches, the new one rows1 x cols1. */
typedef struct grid {
    int rows0, cols0, rows1, cols1;
    int64_t width;
    const double *row_weights;          /* [rows1, rows0] */
    const double *col_weights;          /* [cols1, cols0] */
} grid;

/* Writes one new row of patches. line [cols0, width]: memory for the weighted sum of the old rows. sum [width]: memory
 * for one new patch, the weighted sum of the columns of line. */
static void resample_row(const grid *g, const pk_real *from, pk_real *to, int row, double *line, double *sum)
{
    const int64_t n = g->cols0 * g->width;
    memset(line, 0, (size_t)n * sizeof *line);
    for (int r = 0; r < g->rows0; r++) {
        const double w = g->row_weights[(int64_t)row * g->rows0 + r];
        if (w != 0) for (int64_t i = 0; i < n; i++) line[i] += w * (double)from[r * n + i];
    }
    for (int c1 = 0; c1 < g->cols1; c1++, to += g->width) {
        memset(sum, 0, (size_t)g->width * sizeof *sum);
        for (int c = 0; c < g->cols0; c++) {
            const double w = g->col_weights[(int64_t)c1 * g->cols0 + c];
            if (w != 0) for (int64_t i = 0; i < g->width; i++) sum[i] += w * line[c * g->width + i];
        }
        for (int64_t i = 0; i < g->width; i++) to[i] = (pk_real)sum[i];
    }
}

/* PEFT_E_OPTION: no such rule; the message proposes one of a similar name. */
static peft_status find_rule(const char *name, const rule **out)
{
    if (!name) return pf_fail(PEFT_E_INVALID, "position embedding: the rule is NULL");
    const char *known[RULE_COUNT];
    for (size_t i = 0; i < RULE_COUNT; i++) {
        known[i] = rules[i].name;
        if (!strcmp(name, rules[i].name)) { *out = &rules[i]; return PEFT_OK; }
    }
    const char *near = pf_nearest(name, known, RULE_COUNT);
    return pf_fail(PEFT_E_OPTION, "position embedding rule is '%s', expected timm, hf, mmcls, torchvision or "
                   "bilinear%s%s%s", name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

peft_status pf_pos_embed_check_rule(const char *name)
{
    const rule *r;
    return find_rule(name, &r);
}

/* Sets *n to the number of doubles of both weight matrices, line and sum; false: that overflows. */
static bool scratch_size(const grid *g, size_t *n)
{
    size_t a, b, c;
    return pf_mul_size((size_t)g->rows0, (size_t)g->rows1, &a) && pf_mul_size((size_t)g->cols0, (size_t)g->cols1, &b)
        && pf_mul_size((size_t)g->cols0 + 1, (size_t)g->width, &c) && pf_add_size(a, b, n) && pf_add_size(*n, c, n)
        && *n <= INT64_MAX / sizeof(double);
}

peft_status pf_pos_embed_resample(peft_context *ctx, const char *rule_name, const pk_real *from, int prefix,
                                  int rows0, int cols0, pk_real *to, int rows1, int cols1, int64_t width)
{
    const rule *r = NULL;
    PF_TRY(find_rule(rule_name, &r));
    if (prefix < 0 || rows0 < 1 || cols0 < 1 || rows1 < 1 || cols1 < 1 || width < 1)
        return pf_fail(PEFT_E_SHAPE, "position embedding: %d prefix rows, grid %dx%d -> %dx%d, width %lld; "
                       "expected grids and width of at least 1", prefix, rows0, cols0, rows1, cols1, (long long)width);
    grid g = { .rows0 = rows0, .cols0 = cols0, .rows1 = rows1, .cols1 = cols1, .width = width };
    size_t n;
    if (!scratch_size(&g, &n))
        return pf_fail(PEFT_E_SHAPE, "position embedding: grid %dx%d -> %dx%d of width %lld is too large",
                       rows0, cols0, rows1, cols1, (long long)width);
    const bool same_grid = rows0 == rows1 && cols0 == cols1;
    const int64_t copied = prefix + (same_grid ? (int64_t)rows0 * cols0 : 0);
    double *row_weights = NULL;
    if (!same_grid && !(row_weights = pf_alloc_zero(ctx, n * sizeof(double))))
        return pf_nomem("resampling the position embedding", n * sizeof(double));
    memcpy(to, from, (size_t)(copied * width) * sizeof *to);
    if (same_grid) return PEFT_OK;

    double *col_weights = row_weights + (int64_t)rows0 * rows1, *line = col_weights + (int64_t)cols0 * cols1,
           *sum = line + cols0 * width;               /* parts of one block, of the sizes that scratch_size adds */
    fill_weights(r, row_weights, rows0, rows1);
    fill_weights(r, col_weights, cols0, cols1);
    g.row_weights = row_weights;
    g.col_weights = col_weights;
    for (int i = 0; i < rows1; i++)
        resample_row(&g, from + prefix * width, to + (prefix + (int64_t)i * cols1) * width, i, line,
                     sum);
    pf_free(ctx, row_weights);
    return PEFT_OK;
}
