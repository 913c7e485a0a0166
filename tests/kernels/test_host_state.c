/* SPDX-License-Identifier: Apache-2.0
 * test_host_state.c -- a program that sets its own floating-point mode, exception flags, alternate signal stack and
 * tile registers finds them as they were after it has trained and predicted in every arithmetic, with one and several
 * threads, and in the threads that it lends. Compiled a second time with emulated tiles (emulated/tiles.h), because
 * only CPUs with AMX have the registers. */
#include <pthread.h>
#include <signal.h>
#include "tiny.h"

#if defined(PK_TILES)                       /* x86-64, with an assembler that knows the instructions */
#include <immintrin.h>
#include "kernels/tiles/tile_ops.h"

enum { N = 3, STACK_BYTES = 1 << 16 };
/* MXCSR: FTZ, DAZ, rounding upward, all traps masked, and the flags of an inexact and of an underflowed result. */
enum { PROGRAMS_MODE = 0x1f80 | 0x8040 | 0x4000 | 0x30 };

/* A configuration of the program: three tiles of different shapes. */
static const tile_config programs_config = { .palette = 1, .row_bytes = { 64, 20, 0, 0, 0, 0, 0, 8 },
                                             .rows = { 16, 3, 0, 0, 0, 0, 0, 5 } };

static int has_tiles(void)
{
    return !strcmp(pk_isas()[0], "avx512_amx") && pk_permitted(pk_find(pk_isas()[0]), PK_COMPUTE_BF16) ==
           pk_find(pk_isas()[0]);
}

/* A thread's state of the program; stack: its alternate signal stack. */
static void set_state(void *stack)
{
    static char data[TILE_BYTES];
    for (int i = 0; i < TILE_BYTES; i++) data[i] = (char)(i * 7 + 1);
    if (has_tiles()) {
        tile_configure(&programs_config);
        tile_load(0, data, 64);
        tile_load(1, data, 32);
        tile_load(7, data, 16);
    }
    ck_assert(!sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = STACK_BYTES }, NULL));
    _mm_setcsr(PROGRAMS_MODE);
}

static void check_state(const void *stack)
{
    const unsigned mode = _mm_getcsr();
    stack_t now;
    _mm_setcsr(0x1f80);
    ck_assert_uint_eq(mode, PROGRAMS_MODE);
    ck_assert(!sigaltstack(NULL, &now) && now.ss_sp == stack && now.ss_size == STACK_BYTES && !now.ss_flags);
    if (has_tiles()) {
        tile_config config;
        char got[3][TILE_BYTES] = { { 0 } };
        tile_configuration(&config);
        ck_assert_mem_eq(&config, &programs_config, sizeof config);
        tile_store(0, got[0], 64);
        tile_store(1, got[1], 32);
        tile_store(7, got[2], 16);
        for (int i = 0; i < TILE_BYTES; i++) ck_assert_int_eq(got[0][i], (char)(i * 7 + 1));
        for (int row = 0; row < 3; row++)
            for (int i = 0; i < 20; i++) ck_assert_int_eq(got[1][row * 32 + i], (char)((row * 32 + i) * 7 + 1));
        for (int row = 0; row < 5; row++)
            for (int i = 0; i < 8; i++) ck_assert_int_eq(got[2][row * 16 + i], (char)((row * 16 + i) * 7 + 1));
    }
    _mm_setcsr(PROGRAMS_MODE);
}

/* Tile registers that the program does not use are in their initial state, so that a switch of threads saves none. */
static void check_tiles_released(void)
{
    tile_config config = { .palette = 0 };
    if (has_tiles()) tile_configuration(&config);
    ck_assert_int_eq(config.palette, 0);
}

/* After the checks: this thread as it was. */
static void clear_state(void)
{
    if (has_tiles()) tile_release();
    ck_assert(!sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL));
    _mm_setcsr(0x1f80);
}

/* A job that a lent thread runs, with the state of the program around it. */
typedef struct lent { void (*job)(void *arg, int i); void *arg; int i; } lent;
static void *run_lent(void *arg)
{
    const lent *l = arg;
    char *stack = malloc(STACK_BYTES);
    set_state(stack);
    l->job(l->arg, l->i);
    check_state(stack);
    clear_state();
    free(stack);
    return NULL;
}

static int lent_jobs;
static void lend(void (*job)(void *arg, int i), void *arg, int n, void *user)
{
    pthread_t thread[8];
    lent l[8];
    (void)user;
    ck_assert_int_le(n, 8);
    for (int i = 0; i < n; i++) {
        l[i] = (lent){ job, arg, i };
        ck_assert(!pthread_create(&thread[i], NULL, run_lent, &l[i]));
    }
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
    lent_jobs += n;
}

/* Trains a step (not in int8) and predicts. */
static void use_library(const char *compute, int threads, int lends)
{
    char *stack = malloc(STACK_BYTES);
    tiny t = tiny_make(&(tiny_spec){ .backbone = TINY_WIDE, .method = "lora" });
    tiny_batch b = tiny_first_batch(t.model, N);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, N, (int)t.model->classes);
    peft_trainer *r = NULL;
    if (lends) OK(peft_context_set_pool(t.ctx, lend, NULL));
    if (strcmp(compute, "int8")) r = tiny_trainer(t.model, "batch=%d,threads=%d,compute=%s", N, threads, compute);
    peft_session *s = tiny_session(t.model, "batch=%d,threads=%d,compute=%s", N, threads, compute);
    OK(peft_session_predict(s, b.images, logits));
    check_tiles_released();
    set_state(stack);
    const peft_status trained = r ? peft_trainer_step(r, b.images, b.labels, NULL) : PEFT_OK;
    check_state(stack);
    const peft_status predicted = peft_session_predict(s, b.images, logits);
    check_state(stack);
    clear_state();
    OK(trained);
    OK(predicted);
    peft_session_free(s);
    peft_trainer_free(r);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    OK(peft_context_set_pool(t.ctx, NULL, NULL));       /* the fixture keeps contexts */
    tiny_free(&t);
    free(stack);
}

START_TEST(state_of_the_program_is_kept)
{
    if (!has_tiles()) printf("no AMX: tile registers were not tested\n");
    for (int c = 0; c < PK_COMPUTES; c++)
        for (int threads = 1; threads <= 3; threads += 2)
            for (int lends = 0; lends < (threads > 1 ? 2 : 1); lends++) {
                const int before = lent_jobs;
                use_library(pk_compute_name((pk_compute)c), threads, lends);
                ck_assert_int_eq(lent_jobs > before, lends);
            }
}
END_TEST

/* Where the CPU has no tiles, the system's answer is a reason. */
START_TEST(the_system_is_asked_for_tiles)
{
    const char *why = pk_tiles_refusal();
    if (has_tiles()) ck_assert_ptr_null(why);
    else ck_assert(why && *why);
}
END_TEST

#if defined(PK_EMULATED_TILES)
static void see_product(const char *line, void *user)
{
    if (strstr(line, " linear") && strstr(line, "attn.qkv.weight")) snprintf(user, 300, "%s", line);
}

/* The row of a product in the table of a session of this arithmetic. */
static void product_row(const char *compute, char row[300])
{
    tiny t = tiny_make(&(tiny_spec){ .backbone = TINY_WIDE, .method = "lora" });
    peft_session *s = tiny_session(t.model, "compute=%s", compute);
    *row = 0;
    peft_session_describe(s, see_product, row);
    peft_session_free(s);
    tiny_free(&t);
}

START_TEST(tiles_are_used_and_a_refusal_is_reported)
{
    static const char *const computes[] = { "bf16x3", "bf16", "int8" };
    char row[300];
    for (int i = 0; i < 3; i++) {
        const int64_t before = emulated_dots();
        use_library(computes[i], 1, 0);
        ck_assert_int_gt(emulated_dots(), before);
        product_row(computes[i], row);
        ck_assert_msg(strstr(row, "gemm:avx512_amx") != NULL, "%s", row);
    }
    product_row("f32", row);
    ck_assert_msg(strstr(row, "gemm:avx512 ") != NULL, "%s", row);
    emulated_refuse("no tiles today");
    const int64_t before = emulated_dots();
    use_library("bf16", 3, 0);
    ck_assert_int_eq(emulated_dots(), before);
    product_row("bf16", row);
    ck_assert_msg(strstr(row, "gemm:avx512_bf16") && strstr(row, "avx512_bf16: no tiles today"), "%s", row);
    emulated_refuse(NULL);
}
END_TEST

SUITE_MAIN("host_state", state_of_the_program_is_kept, the_system_is_asked_for_tiles,
           tiles_are_used_and_a_refusal_is_reported)
#else
SUITE_MAIN("host_state", state_of_the_program_is_kept, the_system_is_asked_for_tiles)
#endif
#else
int main(void) { return 77; }               /* ctest's code for a skipped test */
#endif
