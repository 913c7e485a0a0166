/* SPDX-License-Identifier: Apache-2.0
 * test_batchnorm.c -- batch norm of maps, with and without ReLU, and its gradients against plain sums in double; the
 * same bits for any number of threads; the running statistics. Maps have more rows than one piece of them. */
#include "conv/conv_graph.h"

enum { MAPS = 2, ROWS = 401, COLS = 83, N = MAPS * ROWS };      /* not multiples of a piece or of its columns */
enum { Y, DX, DGAMMA, DBETA, MEAN, VAR, RESULTS };
static const char *const names[RESULTS] = { "y", "dx", "dgamma", "dbeta", "running mean", "running variance" };
static const int counts[RESULTS] = { N * COLS, N * COLS, COLS, COLS, COLS, COLS };
typedef struct { double value[RESULTS][N * COLS]; } results;

static const double eps = 1e-5, momentum = 0.1;

/* The numbers of the leaves: x, d, gamma, beta, running mean and variance. */
static float leaf(int array, int64_t i)
{
    const float x = conv_number(array, i);
    return array == 0 ? 3 * x + 20 + (float)(i % COLS) : array == 5 ? 1 + x * x : x;
}

static void run(bool relu, bool training, int threads, unsigned flags, results *out)
{
    peft_context *ctx;
    pf_graph g;
    pf_exec e;
    pf_val v[6], result[4];
    void *data[6];
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    pk_pool *pool = aligned_alloc(PK_ALIGN, (pk_pool_bytes(threads) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    ck_assert_int_eq(pk_pool_start(pool, threads), threads);
    const pf_compile_spec spec = { .batch = MAPS, .training = training, .threads = threads, .pool = pool,
                                   .kernels = pk_find(NULL), .flags = flags };
    pf_graph_init(&g, ctx, &spec);
    for (int i = 0; i < 6; i++) {
        const int64_t columns = COLS;
        const pf_shape shape = i < 2 ? pf_shape_of(3, (int64_t)MAPS, (int64_t)ROWS, columns) : pf_shape_of(1, columns);
        v[i] = conv_constant(&g, shape, i, 0, NULL);
        pk_real *p = data[i] = pf_v(&g, v[i])->data;
        for (int64_t k = 0; k < pf_shape_count(&shape); k++) p[k] = leaf(i, k);
    }
    result[Y] = pf_batchnorm(&g, (pf_val[]){ v[0], v[2], v[3], v[4], v[5] }, eps, momentum, relu);
    const pf_node *forward = &g.node[0];
    pf_node made = { .op = &pf_op_batchnorm_grad, .attr = forward->attr,
                     .in = { v[1], v[0], v[2], forward->out[1], forward->out[2], relu ? v[3] : PF_NONE } };
    pf_emit_node(&g, made, &made);
    ck_assert_msg(!g.status, "%s", peft_last_error());
    for (int k = DX; k <= DBETA; k++) result[k] = made.out[k - DX];
    for (int k = 0; k < 4; k++) pf_v(&g, result[k])->keep = true;
    ck_assert_msg(!pf_exec_create(&e, &g), "%s", peft_last_error());
    ck_assert_int_eq(pf_exec_bind(&e, NULL), PEFT_OK);
    pf_exec_run(&e, 0, e.g.nodes);
    for (int k = 0; k < RESULTS; k++) {
        const pk_real *from = k < MEAN ? pf_exec_data(&e, result[k]) : data[k];
        for (int i = 0; i < counts[k]; i++) out->value[k][i] = from[i];
    }
    pf_exec_free(&e);
    for (int i = 0; i < 6; i++) free(data[i]);
    pk_pool_stop(pool);
    free(pool);
    peft_context_free(ctx);
}

/* The same column by column, as the definition says. */
static void reference(bool relu, bool training, results *out)
{
    for (int c = 0; c < COLS; c++) {
        double mean = leaf(4, c), var = leaf(5, c), sum = 0, dot = 0, gamma = leaf(2, c);
        out->value[MEAN][c] = mean;
        out->value[VAR][c] = var;
        if (training) {
            mean = var = 0;
            for (int i = 0; i < N; i++) mean += (double)leaf(0, i * COLS + c) / N;
            for (int i = 0; i < N; i++) var += pow(leaf(0, i * COLS + c) - mean, 2) / N;
            out->value[MEAN][c] += momentum * (mean - out->value[MEAN][c]);
            out->value[VAR][c] += momentum * (var * N / (N - 1) - out->value[VAR][c]);
        }
        const double rstd = 1 / sqrt(var + eps);
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < N; i++) {
                const int at = i * COLS + c;
                const double xhat = (leaf(0, at) - mean) * rstd, y = xhat * gamma + leaf(3, c);
                const double dy = relu && y <= 0 ? 0 : leaf(1, at);
                if (!pass) sum += dy, dot += dy * xhat;
                out->value[Y][at] = relu && y < 0 ? 0 : y;
                out->value[DX][at] = gamma * rstd * (training ? dy - sum / N - xhat * dot / N : dy);
            }
        out->value[DGAMMA][c] = dot;
        out->value[DBETA][c] = sum;
    }
}

static results got, want;                                /* too large for the stack */

START_TEST(results_are_those_of_the_definition)
{
    for (int k = 0; k < 4; k++) {
        const bool relu = k & 1, training = k & 2;
        run(relu, training, 1, 0, &got);
        reference(relu, training, &want);
        for (int r = 0; r < RESULTS; r++)
            for (int i = 0; i < counts[r]; i++) {
                const double bound = (r == DGAMMA || r == DBETA ? 1e-6 * N : 2e-5) * (1 + fabs(want.value[r][i]));
                ck_assert_msg(fabs(got.value[r][i] - want.value[r][i]) < bound, "relu %d, training %d: %s[%d] is %g, "
                              "expected %g", relu, training, names[r], i, got.value[r][i], want.value[r][i]);
            }
    }
}
END_TEST

START_TEST(threads_and_executors_change_no_bit)
{
    for (int k = 0; k < 4; k++) {
        run(k & 1, k & 2, 1, 0, &want);
        for (int threads = 1; threads <= 3; threads++) {
            run(k & 1, k & 2, threads, threads == 1 ? PF_PLAN_NAIVE : 0, &got);
            for (int r = 0; r < RESULTS; r++)
                ck_assert_msg(!memcmp(got.value[r], want.value[r], (size_t)counts[r] * sizeof(double)),
                              "%d threads: other bits of %s", threads, names[r]);
        }
    }
}
END_TEST

SUITE_MAIN("batch norm of maps", results_are_those_of_the_definition, threads_and_executors_change_no_bit)
