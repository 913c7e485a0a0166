/* SPDX-License-Identifier: Apache-2.0
 * test_blas.c -- the BLAS library is loaded when CBLAS products are chosen and not before; the library's own products
 * give the same results within 1e-4. */
#include "tiny.h"
#include <sys/resource.h>
#include <unistd.h>
#include "kernels/pk.h"

/* Whether any BLAS is mapped into this process. */
static bool blas_is_mapped(void)
{
    static const char *const names[] = { "/libblas", "/libcblas", "/libopenblas", "/libblis", "/libflexiblas" };
    char line[1000];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) found |= strstr(line, names[i]) != NULL;
    fclose(f);
    return found;
}

/* Writes the logits of two images, three classes each. */
static void predict(const char *isa, const char *gemm, float logits[6])
{
    tiny t = tiny_make(&(tiny_spec){ .isa = isa, .method = "lora" });
    OK(peft_context_set_gemm(t.ctx, gemm));
    peft_session *s = tiny_session(t.model, "batch=2");
    tiny_batch b = tiny_first_batch(t.model, 2);
    peft_tensor *out = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    OK(peft_session_predict(s, b.images, out));
    memcpy(logits, peft_tensor_cdata(out), 6 * sizeof(float));
    peft_tensor_free(out);
    tiny_batch_free(&b);
    peft_session_free(s);
    tiny_free(&t);
}

START_TEST(blas_is_loaded_when_it_is_chosen)
{
    float own[6], blas[6], reference[6];
    if (!strstr(peft_build_info(), "opened on demand")) return;          /* the build links the BLAS */
    ck_assert(!blas_is_mapped());
    predict("auto", "auto", own);
    predict("ref", "own", reference);
    const bool has_vector_kernels = strcmp(pk_isas()[0], "ref") != 0;    /* otherwise "auto" chooses the BLAS */
    if (has_vector_kernels) ck_assert(!blas_is_mapped());
    predict("auto", "cblas", blas);
    ck_assert(blas_is_mapped());
    for (int i = 0; i < 6; i++) {
        ck_assert_float_eq_tol(own[i], blas[i], 1e-4);
        ck_assert_float_eq_tol(reference[i], blas[i], 1e-4);
    }
}
END_TEST

static char last_message[400];              /* of the log, as "level 1: text" */
static void keep_message(int level, const char *message, void *user)
{
    (void)user;
    snprintf(last_message, sizeof last_message, "level %d: %s", level, message);
}

/* A limit of the address space, 8 MiB more than in use, makes dlopen of every BLAS fail. */
START_TEST(without_blas_products_are_computed_in_plain_c)
{
    long pages = 0;
    struct rlimit limit;
    if (!strstr(peft_build_info(), "opened on demand") || strstr(peft_build_info(), "sanitizer")) return;
    tiny t = tiny_make(&(tiny_spec){ .isa = "ref", .method = "lora" });
    OK(peft_context_set_log(t.ctx, keep_message, NULL, 1));
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%ld", &pages), 1);
    fclose(f);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)(pages * sysconf(_SC_PAGESIZE)) + (8 << 20);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_int_eq(peft_context_set_gemm(t.ctx, "cblas"), PEFT_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "no BLAS can be opened"));
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "own"));
    OK(peft_context_set_gemm(t.ctx, "auto"));
    peft_session *s = tiny_session(t.model, "batch=2");
    ck_assert_ptr_nonnull(strstr(last_message, "level 1: matrices are multiplied by plain C"));
    tiny_batch b = tiny_first_batch(t.model, 2);
    peft_tensor *out = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    OK(peft_session_predict(s, b.images, out));
    peft_tensor_free(out);
    tiny_batch_free(&b);
    peft_session_free(s);
    limit.rlim_cur = before;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    OK(peft_context_set_gemm(t.ctx, "cblas"));       /* a later attempt succeeds */
    tiny_free(&t);
}
END_TEST

START_TEST(the_kernel_table_decides_between_own_and_cblas)
{
    const pk_table *ref = pk_find("ref"), *best = pk_find("auto");
    ck_assert_int_eq(pk_gemm_chosen(ref, PK_GEMM_OWN, PK_COMPUTE_F32), PK_GEMM_OWN);
    ck_assert_int_eq(pk_gemm_chosen(ref, PK_GEMM_AUTO, PK_COMPUTE_F32), PK_GEMM_CBLAS);
    if (best->vector > 1) ck_assert_int_eq(pk_gemm_chosen(best, PK_GEMM_AUTO, PK_COMPUTE_F32), PK_GEMM_OWN);
    ck_assert_int_eq(pk_gemm_chosen(best, PK_GEMM_CBLAS, PK_COMPUTE_F32), PK_GEMM_CBLAS);
    ck_assert_int_eq(pk_gemm_chosen(best, PK_GEMM_CBLAS, PK_COMPUTE_BF16), PK_GEMM_OWN);
    ck_assert_ptr_null(pk_blas_load());                      /* NULL: a BLAS is loaded; else the reason why not */
}
END_TEST

SUITE_MAIN("blas", blas_is_loaded_when_it_is_chosen, without_blas_products_are_computed_in_plain_c,
           the_kernel_table_decides_between_own_and_cblas)
