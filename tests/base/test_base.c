/* SPDX-License-Identifier: Apache-2.0
 * test_base.c -- error messages, version, contexts and their allocator, the log, and tensors: values and every
 * refusal. */
#include "failing_alloc.h"
#include <peft/status.h>
#include "core/base/tensor.h"
#include <pthread.h>
#include <unistd.h>

static peft_context *new_context(void)
{
    peft_context *ctx = NULL;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    return ctx;
}

/* The call returned this status and its message contains word. */
static void expect_error(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want, "%s, expected %s: %s", peft_status_name(got), peft_status_name(want), peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
}

START_TEST(error_messages_are_shortened_and_kept_printable)
{
    char big[3000];
    ck_assert_str_eq(peft_last_error(), "");
    ck_assert_str_eq(peft_status_name(PEFT_E_SHAPE), "PEFT_E_SHAPE");
    ck_assert_str_eq(peft_status_name(PEFT_E_INTERNAL), "PEFT_E_INTERNAL");
    for (int s = 0; s >= PEFT_E_NONFINITE; s--)
        ck_assert_int_eq(strncmp(peft_status_name((peft_status)s), s ? "PEFT_E_" : "PEFT_OK", 7), 0);
    ck_assert_str_eq(peft_status_name((peft_status)-50), "unknown status");
    ck_assert_int_eq(pf_fail(PEFT_E_SHAPE, "a %d\nb\x7f", 3), PEFT_E_SHAPE);
    ck_assert_str_eq(peft_last_error(), "a 3?b?");
    ck_assert_int_eq(pf_prefix_error(PEFT_E_SHAPE, "file %s", "x"), PEFT_E_SHAPE);
    ck_assert_str_eq(peft_last_error(), "file x: a 3?b?");
    pf_fail(PEFT_E_INVALID, "again: %s", peft_last_error());
    ck_assert_str_eq(peft_last_error(), "again: file x: a 3?b?");
    expect_error(pf_nomem("plan", SIZE_MAX), PEFT_E_NOMEM, "plan: no memory for 18446744073709551615 bytes");
    memset(big, 'x', sizeof big), big[sizeof big - 1] = 0;
    pf_fail(PEFT_E_INVALID, "%s", big);
    ck_assert_uint_eq(strlen(peft_last_error()), 1023);
    /* of a text that is too long its first 400 bytes stay, then "..." and its end */
    ck_assert_int_eq(strncmp(peft_last_error() + 399, "x...x", 5), 0);
    pf_prefix_error(PEFT_E_INVALID, "front");
    ck_assert_int_eq(strncmp(peft_last_error(), "front: xxx", 10), 0);
    ck_assert_uint_eq(strlen(peft_last_error()), 1023);
    pf_fail(PEFT_E_INVALID, "%s%s%s: the reason", big, big, big);           /* longer than the buffer for messages */
    ck_assert_uint_eq(strlen(peft_last_error()), 1023);
    pf_fail(PEFT_E_INVALID, "%s: the reason", big);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "xxx: the reason"));
    ck_assert_uint_eq(strlen(peft_last_error()), 1023);
    for (int shift = 0; shift < 3; shift++) {        /* three-byte characters are not cut in the middle */
        for (size_t i = 0; i < sizeof big - 4; i += 3) memcpy(big + i, "\xE2\x82\xAC", 4);
        pf_fail(PEFT_E_INVALID, "%.*s%s", shift, "ab", big);
        ck_assert_ptr_nonnull(strstr(peft_last_error(), "\xE2\x82\xAC...\xE2\x82\xAC"));
    }
}
END_TEST

/* In a new thread: copies the last error to `text`, then sets another one. */
static void *read_and_set_error(void *text)
{
    snprintf(text, 100, "%s", peft_last_error());
    pf_fail(PEFT_E_IO, "other");
    return NULL;
}

START_TEST(each_thread_has_its_own_last_error)
{
    char other[100] = "?";
    pthread_t t;
    pf_fail(PEFT_E_IO, "mine");
    ck_assert_int_eq(pthread_create(&t, NULL, read_and_set_error, other), 0);
    pthread_join(t, NULL);
    ck_assert_str_eq(other, "");
    ck_assert_str_eq(peft_last_error(), "mine");
}
END_TEST

START_TEST(version_macros_and_functions_agree)
{
    unsigned major, minor, patch;
    ck_assert_int_eq(sscanf(peft_version_string(), "%u.%u.%u", &major, &minor, &patch), 3);
    ck_assert_uint_eq(peft_version_number(), major * 10000 + minor * 100 + patch);
    ck_assert_uint_eq(peft_version_number(), PEFT_VERSION_NUMBER);
    ck_assert_str_eq(peft_version_string(), PEFT_VERSION_STRING);
    ck_assert_str_eq(peft_version_string(), PEFT_PROJECT_VERSION);       /* the version of CMake's project */
#if PEFT_VERSION_NUMBER < PEFT_VERSION_MAJOR * 10000
    ck_abort_msg("PEFT_VERSION_NUMBER cannot be compared in #if");
#endif
    ck_assert_ptr_nonnull(strstr(peft_build_info(), "BLAS"));
    ck_assert_ptr_nonnull(strstr(peft_build_info(), peft_version_string()));
}
END_TEST

/* An allocator that returns addresses 16 bytes after an aligned one. */
static void *misaligned_alloc(size_t size, size_t align, void *user)
{
    (void)user;
    return (char *)aligned_alloc(align, (size + 2 * align - 1) / align * align) + 16;
}

static void misaligned_release(void *p, size_t size, void *user) { (void)size, (void)user; free((char *)p - 16); }

/* A log function that keeps the last message. Levels: 0 errors, 1 warnings, 2 information. */
static void collect(int level, const char *message, void *user)
{
    snprintf(user, 100, "%d %s", level, message);
}

START_TEST(settings_of_a_context_and_their_refusals)
{
    peft_context *ctx = NULL;
    failing_alloc f = { .fail_at = 0 };
    char log[100] = "";
    expect_error(peft_context_create(NULL, NULL, NULL, NULL), PEFT_E_INVALID, "out is NULL");
    expect_error(peft_context_create(failing_alloc_take, NULL, NULL, &ctx), PEFT_E_INVALID, "release is NULL");
    expect_error(peft_context_create(NULL, failing_alloc_give, NULL, &ctx), PEFT_E_INVALID, "alloc is NULL");
    expect_error(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx), PEFT_E_NOMEM, "context");
    expect_error(peft_context_create(misaligned_alloc, misaligned_release, NULL, &ctx), PEFT_E_NOMEM, "context");
    ck_assert_ptr_null(ctx);
    ck_assert_int_eq(setenv("PEFT_ISA", "abacus", 1), 0);
    expect_error(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_E_UNSUPPORTED, "abacus");
    setenv("PEFT_ISA", "ref", 1);
    ctx = new_context();
    ck_assert_str_eq(peft_context_isa(ctx), "ref");
    unsetenv("PEFT_ISA");
    expect_error(peft_context_set_isa(ctx, "abacus"), PEFT_E_UNSUPPORTED, "auto");
    ck_assert_str_eq(peft_context_isa(ctx), "ref");
    for (const char *const *isa = pk_isas(); *isa; isa++) {
        ck_assert_int_eq(peft_context_set_isa(ctx, *isa), PEFT_OK);
        ck_assert_str_eq(peft_context_isa(ctx), *isa);
    }
    ck_assert_int_eq(ctx->threads, 0);
    ck_assert_int_ge(pf_context_threads(ctx), 1);
    ck_assert_int_eq(peft_context_set_threads(ctx, 3), PEFT_OK);
    ck_assert_int_eq(pf_context_threads(ctx), 3);
    ck_assert_int_eq(ctx->threads, 3);
    expect_error(peft_context_set_threads(ctx, -1), PEFT_E_INVALID, "-1");
    expect_error(peft_context_set_threads(ctx, 100000), PEFT_E_INVALID, "1024");
    ck_assert_int_eq(ctx->threads, 3);
    ck_assert_int_eq(peft_context_set_threads(ctx, 0), PEFT_OK);
    ck_assert_int_ge(pf_context_threads(ctx), 1);
    ck_assert_uint_eq(ctx->seed, 0);
    ck_assert_int_eq(peft_context_set_seed(ctx, 42), PEFT_OK);
    ck_assert_uint_eq(ctx->seed, 42);
    ck_assert_int_eq(peft_context_set_gemm(ctx, "cblas"), PEFT_OK);
    ck_assert_int_eq(ctx->gemm, PK_GEMM_CBLAS);
    expect_error(peft_context_set_gemm(ctx, "mkl"), PEFT_E_INVALID, "own");
    expect_error(peft_context_set_log(ctx, collect, log, 4), PEFT_E_INVALID, "4");
    ck_assert_int_eq(peft_context_set_log(ctx, collect, log, 1), PEFT_OK);
    pf_warn(ctx, "%d things", 2);
    pf_log(ctx, PF_LOG_INFO, "too much");
    ck_assert_str_eq(log, "1 2 things");
    expect_error(peft_context_set_seed(NULL, 1), PEFT_E_INVALID, "ctx");
    expect_error(peft_context_set_threads(NULL, 1), PEFT_E_INVALID, "ctx");
    expect_error(peft_context_set_isa(ctx, NULL), PEFT_E_INVALID, "isa");
    expect_error(peft_context_set_gemm(ctx, NULL), PEFT_E_INVALID, "kind");
    expect_error(peft_context_set_log(NULL, NULL, NULL, 0), PEFT_E_INVALID, "ctx");
    ck_assert_uint_eq(peft_context_memory_used(NULL) + peft_context_memory_peak(NULL), 0);
    ck_assert_str_eq(peft_context_isa(NULL), "");
    peft_context_free(ctx);
    peft_context_free(NULL);
}
END_TEST

START_TEST(memory_is_aligned_counted_and_given_back)
{
    failing_alloc f = { .fail_at = -1 };
    peft_context *ctx;
    size_t product;
    ck_assert_int_eq(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx), PEFT_OK);
    size_t base = peft_context_memory_used(ctx);
    ck_assert_uint_eq(base, f.bytes);
    for (size_t n = 0; n < 200; n++) {
        unsigned char *p = pf_alloc_zero(ctx, n);
        ck_assert_uint_eq((uintptr_t)p % PK_ALIGN, 0);
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(p[i], 0);
            p[i] = (unsigned char)i;
        }
        p = pf_realloc(ctx, p, 100);
        for (size_t i = 0; i < n && i < 100; i++) ck_assert_uint_eq(p[i], i);
        ck_assert_uint_eq(peft_context_memory_used(ctx), f.bytes);
        pf_free(ctx, p);
    }
    void *a = pf_alloc(ctx, 5000), *b = pf_realloc(ctx, NULL, 7);
    ck_assert_uint_eq(peft_context_memory_peak(ctx), f.bytes);
    pf_free(ctx, a), pf_free(ctx, b), pf_free(ctx, NULL);
    ck_assert_uint_ge(peft_context_memory_peak(ctx), base + 5007);
    ck_assert_uint_eq(peft_context_memory_used(ctx), base);
    ck_assert_ptr_null(pf_alloc(ctx, SIZE_MAX));
    ck_assert_ptr_null(pf_alloc(ctx, SIZE_MAX - 63));
    ck_assert(!pf_mul_size(SIZE_MAX / 2, 3, &product) && !pf_add_size(SIZE_MAX, 1, &product));
    ck_assert(pf_mul_size(0, SIZE_MAX, &product) && product == 0);
    ck_assert(pf_mul_size(SIZE_MAX / 3, 3, &product) && pf_add_size(SIZE_MAX - 1, 1, &product) && product == SIZE_MAX);
    peft_context_free(ctx);
    ck_assert_int_eq(f.blocks, 0);
}
END_TEST

START_TEST(tensor_functions_and_their_refusals)
{
    peft_context *ctx = new_context();
    peft_tensor *t = NULL, *w = NULL;
    int64_t dims[9] = { 2, 3, 4, 1, 1, 1, 1, 1, 1 };
    int64_t bad[] = { 2, -1 }, huge[] = { INT64_MAX / 2, 5 }, none[] = { 0, 7 };
    float values[24];
    char text[64];
    for (int i = 0; i < 24; i++) values[i] = (float)i;
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_F32, 3, dims, &t), PEFT_OK);
    ck_assert_int_eq(peft_tensor_dtype(t), PEFT_F32);
    ck_assert_int_eq(peft_tensor_ndim(t), 3);
    ck_assert_int_eq(peft_tensor_dim(t, 2), 4);
    ck_assert_int_eq(peft_tensor_dim(t, 3), -1);
    ck_assert_int_eq(peft_tensor_dim(t, -1), -1);
    ck_assert_int_eq(peft_tensor_count(t), 24);
    for (int i = 0; i < 24; i++) ck_assert(((float *)peft_tensor_data(t))[i] == 0);
    ck_assert_int_eq(peft_tensor_copy_from(t, values, sizeof values), PEFT_OK);
    ck_assert_mem_eq(peft_tensor_cdata(t), values, sizeof values);
    float back[24];
    ck_assert_int_eq(peft_tensor_to_f32(t, back, 24), PEFT_OK);
    ck_assert(!memcmp(back, values, sizeof values));
    expect_error(peft_tensor_to_f32(t, back, 23), PEFT_E_SHAPE, "count is 23, expected the number of elements, 24");
    expect_error(peft_tensor_to_f32(NULL, back, 24), PEFT_E_INVALID, "t is NULL");
    expect_error(peft_tensor_to_f32(t, NULL, 24), PEFT_E_INVALID, "to is NULL");
    expect_error(peft_tensor_copy_from(t, values, 95), PEFT_E_SHAPE, "expected 96 for f32 [2, 3, 4]");
    expect_error(peft_tensor_copy_from(t, NULL, 96), PEFT_E_INVALID, "src");
    expect_error(peft_tensor_copy_from(NULL, values, 96), PEFT_E_INVALID, "t is NULL");
    expect_error(peft_tensor_create(NULL, PEFT_F32, 3, dims, &w), PEFT_E_INVALID, "ctx");
    expect_error(peft_tensor_create(ctx, PEFT_F32, 3, dims, NULL), PEFT_E_INVALID, "out");
    expect_error(peft_tensor_create(ctx, PEFT_F32, 3, NULL, &w), PEFT_E_INVALID, "dims");
    expect_error(peft_tensor_create(ctx, (peft_dtype)11, 3, dims, &w), PEFT_E_DTYPE, "11; expected a peft_dtype");
    expect_error(peft_tensor_create(ctx, (peft_dtype)0, 3, dims, &w), PEFT_E_DTYPE, "0");
    expect_error(peft_tensor_create(ctx, PEFT_F32, 9, dims, &w), PEFT_E_SHAPE, "ndim is 9");
    expect_error(peft_tensor_create(ctx, PEFT_F32, -1, dims, &w), PEFT_E_SHAPE, "ndim is -1");
    expect_error(peft_tensor_create(ctx, PEFT_F32, 2, bad, &w), PEFT_E_SHAPE, "[2, -1]");
    expect_error(peft_tensor_create(ctx, PEFT_U8, 2, huge, &w), PEFT_E_SHAPE, "overflow");
    expect_error(peft_tensor_wrap(ctx, PEFT_F32, 3, dims, NULL, &w), PEFT_E_INVALID, "data");
    ck_assert_ptr_null(w);
    ck_assert_int_eq(peft_tensor_wrap(ctx, PEFT_F32, 3, dims, values, &w), PEFT_OK);
    ck_assert_ptr_eq(peft_tensor_data(w), values);
    peft_tensor_free(w);
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_I64, 0, NULL, &w), PEFT_OK);
    ck_assert_int_eq(peft_tensor_count(w), 1);
    peft_tensor_free(w);
    ck_assert_int_eq(peft_tensor_wrap(ctx, PEFT_U8, 2, none, NULL, &w), PEFT_OK);
    ck_assert_int_eq(peft_tensor_count(w), 0);
    ck_assert_int_eq(peft_tensor_copy_from(w, NULL, 0), PEFT_OK);
    ck_assert_str_eq(pf_dims_text(text, sizeof text, 0, NULL), "[]");
    ck_assert_str_eq(pf_dims_text(text, 8, 9, dims), "[2, 3, ");
    ck_assert_str_eq(pf_dtype_name(PEFT_BF16), "bf16");
    peft_context_free(ctx);                        /* the tensors keep the context alive */
    ck_assert(((float *)peft_tensor_data(t))[23] == 23);
    peft_tensor_free(t), peft_tensor_free(w), peft_tensor_free(NULL);
    ck_assert_int_eq(peft_tensor_ndim(NULL) + peft_tensor_count(NULL) + (int)peft_tensor_dtype(NULL), 0);
    ck_assert(!peft_tensor_data(NULL) && !peft_tensor_cdata(NULL));
}
END_TEST

/* Without a log function, warnings and errors go to standard error, one line each. */
START_TEST(the_default_log_is_standard_error)
{
    char text[300] = "", long_name[2000];
    peft_context *ctx = new_context();
    FILE *f = tmpfile();
    int original = dup(2);
    memset(long_name, 'n', sizeof long_name), long_name[sizeof long_name - 1] = 0;
    fflush(stderr);
    ck_assert_int_eq(dup2(fileno(f), 2), 2);
    pf_warn(ctx, "the rate is %d", 2);
    pf_log(ctx, PF_LOG_ERROR, "no\nluck");
    pf_log(ctx, PF_LOG_INFO, "not worth a line");
    ck_assert_int_eq(peft_context_set_log(ctx, NULL, NULL, 3), PEFT_OK);
    pf_log(ctx, PF_LOG_ERROR, "silenced");
    ck_assert_int_eq(dup2(original, 2), 2);
    rewind(f);
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, f), 0);
    ck_assert_str_eq(text, "libpeft: warning: the rate is 2\nlibpeft: error: no?luck\n");
    fclose(f);
    close(original);
    peft_context_free(ctx);
    ctx = new_context();
    ck_assert_int_eq(peft_context_set_log(ctx, collect, text, 1), PEFT_OK);
    pf_warn(ctx, "%s: the reason", long_name);
    ck_assert_int_eq(strncmp(text, "1 nnn", 5), 0);
    peft_context_free(ctx);
}
END_TEST

/* Creates and frees a tensor; for failing_alloc_loop. */
static peft_status make_tensor(peft_context *ctx, void *arg)
{
    peft_tensor *t;
    int64_t dims[] = { 3, 5 };
    (void)arg;
    PF_TRY(peft_tensor_create(ctx, PEFT_F32, 2, dims, &t));
    peft_tensor_free(t);
    return PEFT_OK;
}

START_TEST(failed_allocations_of_a_tensor_leak_nothing)
{
    const long allocations = 2;
    ck_assert_int_eq(failing_alloc_loop(make_tensor, NULL), allocations);
}
END_TEST

SUITE_MAIN("base", error_messages_are_shortened_and_kept_printable, each_thread_has_its_own_last_error,
           version_macros_and_functions_agree, settings_of_a_context_and_their_refusals,
           the_default_log_is_standard_error, memory_is_aligned_counted_and_given_back,
           tensor_functions_and_their_refusals, failed_allocations_of_a_tensor_leak_nothing)
