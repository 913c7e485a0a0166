/* SPDX-License-Identifier: Apache-2.0
 * test_pos_embed.c -- resampling of position embeddings by every rule: equal grids, constants, the prefix, mirror
 * symmetry and ramps are preserved; one row against values worked out by hand; refused arguments. */
#include "suite.h"
#include <float.h>
#include <math.h>
#include "core/vit/pos_embed.h"

static const char *const rules[] = { "timm", "hf", "mmcls", "torchvision", "bilinear" };
#define RULES (sizeof rules / sizeof *rules)
enum { WIDTH = 5, PREFIX = 2, MAX_VALUES = (PREFIX + 17 * 17) * WIDTH };
/* Rows and columns of the old grid, then of the new one. */
static const int sizes[][4] = { { 14, 14, 8, 8 }, { 4, 4, 7, 3 }, { 3, 5, 12, 17 }, { 1, 1, 4, 2 }, { 16, 16, 1, 1 } };
#define SIZES (sizeof sizes / sizeof *sizes)

static peft_context *ctx;
static pk_real from[MAX_VALUES], to[MAX_VALUES], again[MAX_VALUES];

/* Resamples the embedding a to b, and asserts that no memory stays allocated. grid: as a row of sizes. */
static void resample(const char *rule, const int *grid, const pk_real *a, pk_real *b)
{
    if (!ctx) ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    const size_t used = peft_context_memory_used(ctx);
    ck_assert_msg(!pf_pos_embed_resample(ctx, rule, a, PREFIX, grid[0], grid[1], b, grid[2], grid[3], WIDTH), "%s",
                  peft_last_error());
    ck_assert_uint_eq(peft_context_memory_used(ctx), used);
}

static void noise(pk_real *x, int n)
{
    uint32_t s = 12345;
    for (int i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (pk_real)((double)(s >> 8) / 16777216.0 - 0.5);
    }
}

START_TEST(an_equal_grid_is_copied)
{
    const int grid[4] = { 14, 14, 14, 14 };
    noise(from, MAX_VALUES);
    for (size_t r = 0; r < RULES; r++) {
        memset(to, 0, sizeof to);
        resample(rules[r], grid, from, to);
        ck_assert_int_eq(memcmp(from, to, (PREFIX + 14 * 14) * WIDTH * sizeof *to), 0);
    }
}
END_TEST

START_TEST(constants_and_prefix_are_kept)
{
    for (size_t r = 0; r < RULES; r++)
        for (size_t k = 0; k < SIZES; k++) {
            noise(from, PREFIX * WIDTH);
            for (int i = PREFIX * WIDTH; i < MAX_VALUES; i++) from[i] = (pk_real)(0.25 * (i % WIDTH) - 0.5);
            resample(rules[r], sizes[k], from, to);
            ck_assert_int_eq(memcmp(from, to, PREFIX * WIDTH * sizeof *to), 0);
            const int n = (PREFIX + sizes[k][2] * sizes[k][3]) * WIDTH;
            for (int i = PREFIX * WIDTH; i < n; i++)
                ck_assert_double_eq_tol((double)to[i], 0.25 * (i % WIDTH) - 0.5, 1e-7);
        }
}
END_TEST

/* Reverses both axes of the grid of an embedding [PREFIX + rows * cols, WIDTH]. */
static void reverse(pk_real *x, int cells)
{
    pk_real *cell = x + PREFIX * WIDTH;
    for (int a = 0, b = cells - 1; a < b; a++, b--)
        for (int i = 0; i < WIDTH; i++) {
            const pk_real t = cell[a * WIDTH + i];
            cell[a * WIDTH + i] = cell[b * WIDTH + i];
            cell[b * WIDTH + i] = t;
        }
}

START_TEST(mirrored_input_gives_mirrored_output)
{
    for (size_t r = 0; r < RULES; r++) {
        if (!strcmp(rules[r], "hf")) continue;       /* its scale, (size + 0.1) / old, is not symmetric */
        for (size_t k = 0; k < SIZES; k++) {
            if (!strcmp(rules[r], "torchvision") && sizes[k][2] == 1) continue;    /* one cell takes the first corner */
            noise(from, MAX_VALUES);
            resample(rules[r], sizes[k], from, to);
            reverse(from, sizes[k][0] * sizes[k][1]);
            resample(rules[r], sizes[k], from, again);
            reverse(again, sizes[k][2] * sizes[k][3]);
            const int n = (PREFIX + sizes[k][2] * sizes[k][3]) * WIDTH;
            for (int i = 0; i < n; i++) ck_assert_double_eq_tol((double)to[i], (double)again[i], 2e-7);
        }
    }
}
END_TEST

/* A ramp along the columns stays a ramp away from the borders: column c takes the value at (c + 1/2) * step - 1/2, or
 * c * step for torchvision, which aligns corners. Bicubic weights with a = -0.75 reproduce a ramp exactly only at the
 * middle between two columns, so other positions have a wider tolerance. */
START_TEST(ramps_are_kept)
{
    const int grid[4] = { 2, 16, 2, 8 };
    for (size_t r = 0; r < RULES; r++) {
        const bool corners = !strcmp(rules[r], "torchvision"), inexact = corners || !strcmp(rules[r], "hf");
        const double step = corners ? 15 / 7.0 : inexact ? 16 / 8.1 : 2, tolerance = inexact ? 0.05 : 2e-6;
        for (int i = 0; i < MAX_VALUES; i++) from[i] = (pk_real)((i / WIDTH - PREFIX) % 16);
        resample(rules[r], grid, from, to);
        for (int c = 2; c < 6; c++)
            ck_assert_double_eq_tol((double)to[(PREFIX + c) * WIDTH], corners ? c * step : (c + 0.5) * step - 0.5,
                                    tolerance);
    }
}
END_TEST

START_TEST(one_row_worked_out_by_hand)
{
    /* 1x2 -> 1x3: source positions -1/6, 1/2, 7/6; beyond the border the last value repeats */
    const int grid[4] = { 1, 2, 1, 3 };
    memset(from, 0, sizeof from);
    for (int i = 0; i < WIDTH; i++) from[(PREFIX + 1) * WIDTH + i] = 1;
    resample("bilinear", grid, from, to);
    ck_assert_double_eq_tol((double)to[PREFIX * WIDTH], 0, 1e-7);
    ck_assert_double_eq_tol((double)to[(PREFIX + 1) * WIDTH], 0.5, 1e-7);
    ck_assert_double_eq_tol((double)to[(PREFIX + 2) * WIDTH], 1, 1e-7);
    resample("mmcls", grid, from, to);
    const double t = 7.0 / 6, a = -0.75, edge = a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a;
    ck_assert_double_eq_tol((double)to[PREFIX * WIDTH], edge, 1e-7);        /* only the weight at distance 7/6 counts */
    ck_assert_double_eq_tol((double)to[(PREFIX + 1) * WIDTH], 0.5, 1e-7);
    ck_assert_double_eq_tol((double)to[(PREFIX + 2) * WIDTH], 1 - edge, 1e-7);
    resample("torchvision", grid, from, to);
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol((double)to[(PREFIX + i) * WIDTH], 0.5 * i, 1e-7);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    const int grid[4] = { 1, 1, 1, 1 };
    resample("timm", grid, from, to);
    /* arguments: rule; embedding, rows of the prefix, old grid; result, new grid, width */
    ck_assert_int_eq(pf_pos_embed_resample(ctx, "timn", from, 0, 2, 2, to, 3, 3, 1), PEFT_E_OPTION);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "'timn'"));
    ck_assert_int_eq(pf_pos_embed_resample(ctx, NULL, from, 0, 2, 2, to, 3, 3, 1), PEFT_E_INVALID);
    ck_assert_int_eq(pf_pos_embed_resample(ctx, "timm", from, 0, 0, 2, to, 3, 3, 1), PEFT_E_SHAPE);
    ck_assert_int_eq(pf_pos_embed_resample(ctx, "timm", from, 0, 2, 2, to, 3, 3, INT64_MAX), PEFT_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "2x2 -> 3x3"));
    peft_context_free(ctx);
    ctx = NULL;
}
END_TEST

SUITE_MAIN("pos_embed", an_equal_grid_is_copied, constants_and_prefix_are_kept, mirrored_input_gives_mirrored_output,
           ramps_are_kept, one_row_worked_out_by_hand, wrong_arguments_are_refused)
