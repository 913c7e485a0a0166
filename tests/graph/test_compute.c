/* SPDX-License-Identifier: Apache-2.0
 * test_compute.c -- option compute: results are near those of f32 and not equal to them, do not
 * depend on how memory is planned, and are those of a run without a break after a restore. What was computed in one
 * arithmetic is not continued in the other. */
#include "tested_isas.h"
#include "tiny_states.h"

enum { N = TINY_STEP_SAMPLES, STEPS = 4 };

/* bf16 has 8 bits of significand, so that an operand is off by at most 2^-9 = 0.2 %; int8 has steps of 1/127 of the
 * largest number of a row. */
static const double largest_distance[PK_COMPUTES] = { [PK_COMPUTE_BF16X3] = 1e-4, [PK_COMPUTE_BF16] = 2e-2,
                                                      [PK_COMPUTE_INT8] = 6e-2 };
#define LEAST_DISTANCE 1e-7

static void check_near(const char *what, pk_compute compute, const float *x, const float *y, int64_t n)
{
    const double d = tiny_distance(x, y, n);
    ck_assert_msg(d < largest_distance[compute] && d > LEAST_DISTANCE, "%s: relative distance from f32 is %g", what, d);
}

/* The gradients of all parameters in a row; the caller frees them. *n: their number. */
static float *gradients(const tiny_spec *spec, const char *compute, int64_t *n)
{
    tiny t = tiny_make(spec);
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,compute=%s", N, compute);
    tiny_batch b = tiny_first_batch(t.model, N);
    float *all = NULL;
    OK(peft_trainer_backward(r, b.images, b.labels, NULL));
    *n = 0;
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        const peft_tensor *g = peft_param_grad(peft_model_param(t.model, i));
        const int64_t count = peft_tensor_count(g);
        all = realloc(all, (size_t)(*n + count) * sizeof *all);
        memcpy(all + *n, peft_tensor_cdata(g), (size_t)count * sizeof *all);
        *n += count;
    }
    tiny_batch_free(&b);
    peft_trainer_free(r);
    tiny_free(&t);
    return all;
}

/* Without fpt, which selects the tokens of the largest attention: of two that are nearly equal it may select the
 * other. */
START_TEST(gradients_are_near_those_of_f32)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (size_t i = 0; i < tiny_method_count(); i++) {
            const tiny_spec spec = { .isa = *isa, .backbone = TINY_WIDE, .method = tiny_method_name(i) };
            int64_t n;
            if (!strcmp(spec.method, "fpt")) continue;
            float *f32 = gradients(&spec, "f32", &n);
            for (int c = PK_COMPUTE_F32 + 1; c < PK_COMPUTE_INT8; c++) {
                float *other = gradients(&spec, pk_compute_name((pk_compute)c), &n);
                check_near(spec.method, (pk_compute)c, other, f32, n);
                free(other);
            }
            free(f32);
        }
}
END_TEST

START_TEST(logits_are_near_those_of_f32)
{
    static const char *const arithmetic[] = { "bf16x3", "bf16", "int8", "int8_all" };
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++) {
        tiny t = tiny_make(&(tiny_spec){ .isa = *isa, .backbone = TINY_WIDE, .method = "lora" });
        tiny_bits f32 = { 0 };
        tiny_bits_predict_in(&f32, t.model, N, 1, "f32");
        for (size_t c = 0; c < sizeof arithmetic / sizeof *arithmetic; c++) {
            pf_compile_spec spec;
            tiny_bits other = { 0 };
            OK(pf_compute_parse(arithmetic[c], &spec));
            tiny_bits_predict_in(&other, t.model, N, 1, arithmetic[c]);
            ck_assert_uint_eq(f32.size, other.size);
            const size_t begin = sizeof(tiny_record);            /* in front of the logits */
            check_near(*isa, spec.compute, (const float *)(other.data + begin), (const float *)(f32.data + begin),
                       (int64_t)((f32.size - begin) / sizeof(float)));
            tiny_bits_free(&other);
        }
        tiny_bits_free(&f32);
        tiny_free(&t);
    }
}
END_TEST

static const tiny_spec wide_lora = { .backbone = TINY_WIDE, .method = "lora" };

START_TEST(plans_of_memory_give_the_same_bits)
{
    tiny_bits planned = { 0 }, naive = { 0 };
    tiny_record_training(&wide_lora, "compute=bf16", STEPS, false, &planned);
    tiny_record_training(&wide_lora, "compute=bf16,executor=naive", STEPS, false, &naive);
    tiny_same(&planned, &naive, "executor=naive");
    tiny_bits_free(&planned);
}
END_TEST

/* Logits in int8_all with this executor. */
static void record_int8(peft_model *m, const char *executor, tiny_bits *bits)
{
    tiny_batch b = tiny_first_batch(m, N);
    peft_session *s = tiny_session(m, "batch=%d,compute=int8_all,executor=%s", N, executor);
    peft_tensor *logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, N, (int)m->classes);
    OK(peft_session_predict(s, b.images, logits));
    tiny_bits_tensor(bits, "logits", logits);
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
}

START_TEST(plans_of_memory_give_the_same_bits_in_int8)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        tiny t = tiny_make(&(tiny_spec){ .backbone = TINY_WIDE, .method = tiny_method_name(i) });
        tiny_bits planned = { 0 }, naive = { 0 };
        record_int8(t.model, "planned", &planned);
        record_int8(t.model, "naive", &naive);
        tiny_same(&planned, &naive, tiny_method_name(i));
        tiny_bits_free(&planned);
        tiny_free(&t);
    }
}
END_TEST

/* What is expected of the lines of peft_session_describe for products with matrices of blocks. wide, narrow: the
 * kernels of wide and of narrow matrices; narrow_attn, narrow_mlp: those of attention, of the MLP, are narrow. */
typedef struct expected { char wide[32], narrow[32]; bool narrow_attn, narrow_mlp; int products; } expected;

static void check_line(const char *line, void *user)
{
    expected *e = user;
    if (!strstr(line, "linear") || !strstr(line, "blocks.")) return;
    const bool narrow = strstr(line, ".mlp.") ? e->narrow_mlp : e->narrow_attn;
    ck_assert_msg(strstr(line, narrow ? e->narrow : e->wide) != NULL, "%s", line);
    ck_assert_msg((strstr(line, "of 384 rows and columns or more") != NULL) == narrow, "%s", line);
    e->products++;
}

/* int8 leaves matrices of fewer than 384 rows or columns to bf16 on a CPU that has instructions for it, else to f32;
 * int8_all does not. */
START_TEST(int8_is_for_wide_matrices)
{
    static const struct { const char *options; bool narrow_attn, narrow_mlp; } networks[] = {
        { "width=383,heads=1,mlp=400", true, true }, { "width=384,heads=6,mlp=383", false, true },
        { "width=384,heads=6,mlp=384", false, false } };
    for (const char *const *isa = pk_isas(); *isa; isa++)
        for (int i = 0; i < 2 * 3; i++) {
            const bool all = i % 2;
            char backbone[96];
            snprintf(backbone, sizeof backbone, "image_size=32,patch=8,depth=2,classes=5,%s", networks[i / 2].options);
            tiny t = tiny_make(&(tiny_spec){ .isa = *isa, .backbone = backbone, .method = "linear" });
            const pk_product *product = pk_permitted(t.ctx->kernels, PK_COMPUTE_INT8)->product;
            const bool fast_bf16 = product[PK_COMPUTE_BF16].per_lane > 1;
            expected e = { .narrow_attn = !all && networks[i / 2].narrow_attn,
                           .narrow_mlp = !all && networks[i / 2].narrow_mlp };
            snprintf(e.wide, sizeof e.wide, "gemm:%s ", product[PK_COMPUTE_INT8].name);
            snprintf(e.narrow, sizeof e.narrow, "gemm:%s ", product[fast_bf16 ? PK_COMPUTE_BF16 : PK_COMPUTE_F32].name);
            peft_session *s = tiny_session(t.model, "batch=%d,compute=%s", N, all ? "int8_all" : "int8");
            peft_session_describe(s, check_line, &e);
            ck_assert_int_eq(e.products, 4 + 5);       /* the last block computes q of one token, k and v of all */
            peft_session_free(s);
            tiny_free(&t);
        }
}
END_TEST

START_TEST(trainers_refuse_int8)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_options *o = tiny_options(t.ctx, "batch=%d,compute=int8", N);
    peft_trainer *r;
    FAILS(PEFT_E_OPTION, "a trainer computes in f32, bf16x3 or bf16", peft_trainer_create(t.model, o, &r));
    OK(peft_options_set_string(o, "compute", "int4"));
    FAILS(PEFT_E_OPTION, "given 'int4', expected f32, bf16x3, bf16, int8 or int8_all",
          peft_trainer_create(t.model, o, &r));
    peft_options_free(o);
    tiny_free(&t);
}
END_TEST

START_TEST(a_restored_run_continues_exactly) { tiny_check_continued(&wide_lora, "compute=bf16", STEPS); }
END_TEST

/* A state of version 1.0, which had no other arithmetic than f32, has no entry for it. */
START_TEST(a_state_is_continued_in_its_own_arithmetic)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    tiny_save_state(t.model, "compute=f32", "f32");
    tiny_save_state(t.model, "compute=bf16", "bf16");
    tiny_edit(tiny_path("f32"), tiny_path("old"), &(tiny_change){ DROP_META, "libpeft.trainer.option.compute", NULL });
    tiny_check_restore(t.model, "compute=f32", "f32", NULL);
    tiny_check_restore(t.model, "compute=f32", "old", NULL);
    tiny_check_restore(t.model, "compute=bf16", "bf16", NULL);
    tiny_check_restore(t.model, "compute=bf16", "f32", "compute=f32, the trainer has compute=bf16");
    tiny_check_restore(t.model, "compute=bf16", "old", "compute=f32, the trainer has compute=bf16");
    tiny_check_restore(t.model, "compute=f32", "bf16", "compute=bf16, the trainer has compute=f32");
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(cached_features_of_the_other_arithmetic_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    peft_options *o = tiny_options(t.ctx, "batch=%d,cache_features=1000000", N);
    peft_trainer *r;
    OK(peft_options_set_string(o, "cache_file", tiny_path("cache")));
    OK(peft_trainer_create(t.model, o, &r));
    tiny_batch b = tiny_first_batch(t.model, N);
    const int64_t ids[N] = { 0, 1, 2 };
    OK(peft_trainer_step(r, b.images, b.labels, ids));
    peft_trainer_free(r);
    OK(peft_options_set_string(o, "compute", "bf16"));
    FAILS(PEFT_E_MISMATCH, "bf16", peft_trainer_create(t.model, o, &r));
    tiny_batch_free(&b);
    peft_options_free(o);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("compute", gradients_are_near_those_of_f32, logits_are_near_those_of_f32, plans_of_memory_give_the_same_bits,
           plans_of_memory_give_the_same_bits_in_int8, int8_is_for_wide_matrices, trainers_refuse_int8,
           a_restored_run_continues_exactly, a_state_is_continued_in_its_own_arithmetic,
           cached_features_of_the_other_arithmetic_are_refused)
