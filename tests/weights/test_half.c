/* SPDX-License-Identifier: Apache-2.0
 * test_half.c -- backbones saved as f16 and bf16: every value is rounded to nearest, ties to even, as by a rounding
 * written here; config.json names the type; values that would become infinite are refused. */
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include "failing_alloc.h"
#include "tiny_files.h"

static const struct {
    const char *name, *torch, *code;     /* in the option dtype, in config.json, in the header of the file */
    peft_dtype type;
    int exponent, fraction;              /* bits of each */
} halves[] = {
    { "f16", "float16", "F16", PEFT_F16, 5, 10 }, { "bf16", "bfloat16", "BF16", PEFT_BF16, 8, 7 } };
enum { F16, BF16, HALVES };              /* indices of halves */

/* Saves b with these values of the options naming and dtype. */
static peft_status save_as(const peft_backbone *b, const char *path, const char *naming, const char *dtype)
{
    peft_options *o = tiny_options(b->ctx, "naming=%s,dtype=%s", naming, dtype);
    peft_status s = peft_backbone_save_as(b, path, o);
    peft_options_free(o);
    return s;
}

/* x rounded to a multiple of the spacing of halves[h] at x (for small x: of subnormals). nearbyint rounds ties to even;
 * spacings are powers of two, so the scaling is exact. */
static float nearest(float x, int h)
{
    const int min_exponent = 2 - (1 << (halves[h].exponent - 1));
    int e;
    frexpf(x, &e);
    const int spacing_exponent = (e - 1 < min_exponent ? min_exponent : e - 1) - halves[h].fraction;
    return (float)ldexp(nearbyint(ldexp((double)x, -spacing_exponent)), spacing_exponent);
}

/* Values that are hard to round: ties and their neighbours, subnormals, values that round to 0 or to the largest
 * finite number, both zeros. */
static size_t hard_values(int h, float *x)
{
    const int bits = halves[h].fraction, min_exponent = 2 - (1 << (halves[h].exponent - 1));
    const double largest = ldexp(2 - ldexp(1, -bits), 1 - min_exponent), smallest = ldexp(1, min_exponent - bits);
    const double centre[] = { 0, smallest, smallest / 2, smallest * 1.5, smallest * 2.5, smallest / 4,
                              ldexp(1, min_exponent), ldexp(1, min_exponent) - smallest / 2, 1,
                              1 + ldexp(1, -bits - 1), 1 + ldexp(3, -bits - 1), 2 - ldexp(1, -bits - 1), largest,
                              largest - ldexp(1, -min_exponent - bits), 0.1, 3e-4 };
    size_t n = 0;
    for (size_t i = 0; i < sizeof centre / sizeof *centre; i++)
        for (int side = -1; side <= 1; side++)
            for (int sign = -1; sign <= 1; sign += 2) {
                float v = (float)centre[i];
                if (side) v = nextafterf(v, side * INFINITY);
                x[n++] = copysignf(v, (float)sign * copysignf(1, v));
            }
    /* the largest value that does not round to infinity */
    x[n++] = nextafterf((float)(largest + ldexp(1, -min_exponent - bits)), 0);
    x[n] = -x[n - 1];
    return n + 1;
}

/* A random backbone whose tensors begin with the hard values. */
static peft_backbone *backbone_of_hard_values(peft_context *ctx, int h)
{
    float x[128];
    peft_backbone *b = tiny_default_backbone(ctx);
    const size_t n = hard_values(h, x);
    for (size_t i = 0; i < b->weights; i++) {
        tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.3);
        float *to = b->weight[i].tensor.data;
        for (size_t k = 0; k < n && (int64_t)k < peft_tensor_count(&b->weight[i].tensor); k++) to[k] = x[k];
    }
    return b;
}

/* All tensors of the file have the type; loaded, they are the nearest values, with the signs of zeros. */
static void check_file(const peft_backbone *b, int h, const char *path)
{
    pf_st *st;
    OK(pf_st_open(b->ctx, path, &st));
    for (size_t i = 0; i < pf_st_count(st); i++) ck_assert_str_eq(pf_st_at(st, i)->type_name, halves[h].code);
    pf_st_close(st);
    peft_backbone *loaded = tiny_load(b->ctx, path, "");
    ck_assert_uint_eq(loaded->weights, b->weights);
    for (size_t i = 0; i < b->weights; i++) {
        const int64_t n = peft_tensor_count(&b->weight[i].tensor);
        const float *x = b->weight[i].tensor.data;
        float *y = malloc((size_t)n * sizeof *y);
        OK(peft_tensor_to_f32(&loaded->weight[i].tensor, y, n));
        ck_assert_str_eq(b->weight[i].name, loaded->weight[i].name);
        for (int64_t k = 0; k < n; k++) {
            const float want = nearest(x[k], h);
            ck_assert_msg(!memcmp(&want, y + k, sizeof want), "%s %s [%lld]: %a became %a, expected %a", path,
                          b->weight[i].name, (long long)k, (double)x[k], (double)y[k], (double)want);
        }
        free(y);
    }
    peft_backbone_free(loaded);
}

/* The config.json at the path has the type `torch` under `key`, and only one of the two keys of a type. */
static void check_config(const char *path, const char *key, const char *torch)
{
    json_t *o = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(o);
    ck_assert_str_eq(json_string_value(json_object_get(o, key)), torch);
    ck_assert(!json_object_get(o, "dtype") || !json_object_get(o, "torch_dtype"));
    json_decref(o);
}

START_TEST(saved_values_are_the_nearest)
{
    for (int h = 0; h < HALVES; h++) {
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = backbone_of_hard_values(ctx, h);
        OK(save_as(b, tiny_path("timm"), "timm", halves[h].name));
        check_file(b, h, tiny_path("timm"));
        OK(save_as(b, tiny_path("hf"), "hf", halves[h].name));
        check_file(b, h, tiny_path("hf/model.safetensors"));
        check_config(tiny_path("hf/config.json"), "torch_dtype", halves[h].torch);
        OK(save_as(b, tiny_path("hf5"), "hf5", halves[h].name));
        check_file(b, h, tiny_path("hf5/model.safetensors"));
        check_config(tiny_path("hf5/config.json"), "dtype", halves[h].torch);
        OK(save_as(b, tiny_path("whole"), "hf5", "f32"));
        check_config(tiny_path("whole/config.json"), "dtype", "float32");
        peft_backbone_free(b);
        peft_context_free(ctx);
        tiny_clean();
    }
}
END_TEST

/* Rounded values do not change again: loaded and saved as f32 and as half, they give equal values and equal bytes. */
START_TEST(a_second_rounding_changes_nothing)
{
    for (int h = 0; h < HALVES; h++) {
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = backbone_of_hard_values(ctx, h);
        OK(save_as(b, tiny_path("half"), "timm", halves[h].name));
        peft_backbone *rounded = tiny_load(ctx, tiny_path("half"), "");
        OK(save_as(rounded, tiny_path("whole"), "timm", "f32"));
        peft_backbone *whole = tiny_load(ctx, tiny_path("whole"), "");
        ck_assert_str_eq(peft_backbone_fingerprint(rounded), peft_backbone_fingerprint(whole));
        ck_assert_str_ne(peft_backbone_fingerprint(rounded), peft_backbone_fingerprint(b));
        OK(save_as(whole, tiny_path("again"), "timm", halves[h].name));
        tiny_same_files(tiny_path("half"), tiny_path("again"));
        peft_backbone_free(whole);
        peft_backbone_free(rounded);
        peft_backbone_free(b);
        peft_context_free(ctx);
        tiny_clean();
    }
}
END_TEST

/* Tensors longer than the buffer of the conversion give equal files on every instruction set. */
START_TEST(every_instruction_set_saves_the_same_file)
{
    static const char *const sets[] = { "ref", "avx2", "avx512" };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        peft_context *ctx;
        OK(peft_context_create(NULL, NULL, NULL, &ctx));
        if (!peft_context_set_isa(ctx, sets[i])) {
            peft_backbone *b = tiny_backbone(ctx, "image_size=16,patch=4,width=101,depth=1,heads=1,mlp=333", NULL);
            OK(save_as(b, tiny_path(sets[i]), "timm", "f16"));
            check_file(b, F16, tiny_path(sets[i]));
            if (i) tiny_same_files(tiny_path("ref"), tiny_path(sets[i]));
            peft_backbone_free(b);
        }
        peft_context_free(ctx);
    }
    tiny_clean();
}
END_TEST

/* Numbers in error messages have a decimal point also in a locale with a decimal comma. */
START_TEST(values_that_overflow_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "seed=11" });
    const size_t w = 7;                      /* any weight */
    float *x = (float *)t.backbone->weight[w].tensor.data + 1;
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) printf("SKIP: the locale de_DE.UTF-8 is not installed\n");
    const float before = *x;
    static const struct { float value; const char *dtype, *text[2]; } bad[] = {
        { 65520, "f16", { "65520", "f16" } }, { -1e30f, "f16", { "-1.00000002e+30", "f16" } },
        { 0x1.FFp127f, "bf16", { "3.39617753e+38", "bf16" } }, { NAN, "f16", { "NaN", "not saved" } },
        { -INFINITY, "bf16", { "Inf", "not saved" } } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        *x = bad[i].value;
        FAILS(PEFT_E_NONFINITE, t.backbone->weight[w].name, save_as(t.backbone, tiny_path("no"), "timm", bad[i].dtype));
        for (int k = 0; k < 2; k++)
            FAILS(PEFT_E_NONFINITE, bad[i].text[k], save_as(t.backbone, tiny_path("no"), "hf", bad[i].dtype));
        ck_assert(access(tiny_path("no"), F_OK) != 0);
    }
    *x = before;
    FAILS(PEFT_E_OPTION, "dtype: given 'f64', expected f32, f16, bf16 or int8",
          save_as(t.backbone, tiny_path("no"), "hf", "f64"));
    ck_assert(access(tiny_path("no"), F_OK) != 0);
    const int64_t one = 1;
    pf_st_out *o;
    OK(pf_st_out_create(t.ctx, &o));
    FAILS(PEFT_E_DTYPE, "I32", pf_st_out_floats(o, "x", PEFT_I32, 1, &one, PF_REAL, (pk_real[]){ 1 }));
    setlocale(LC_ALL, "C");
    pf_st_out_free(o);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* For failing_alloc_loop. h: index in halves. */
static peft_status save_and_load(peft_context *ctx, void *h)
{
    peft_options *o = NULL;
    peft_backbone *b = NULL, *loaded = NULL;
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "image_size=8,patch=4,width=16,depth=1,heads=2,mlp=16,classes=2");
    if (!s) s = peft_backbone_create(ctx, o, &b);
    peft_options_free(o);
    o = NULL;
    if (!s) s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "naming=hf5");
    if (!s) s = peft_options_set_string(o, "dtype", halves[*(int *)h].name);
    if (!s) s = peft_backbone_save_as(b, tiny_path("memory"), o);
    if (!s) s = peft_backbone_load(ctx, tiny_path("memory/model.safetensors"), NULL, &loaded);
    peft_backbone_free(loaded);
    peft_backbone_free(b);
    peft_options_free(o);
    return s;
}

START_TEST(saving_survives_failing_allocations)
{
    for (int h = 0; h < HALVES; h++) ck_assert_int_gt(failing_alloc_loop(save_and_load, &h), 100);
    tiny_clean();
}
END_TEST

/* Saving needs less than 64 KiB: no copy of the backbone or of a tensor. */
START_TEST(saving_needs_little_memory)
{
    failing_alloc hooks = { .fail_at = -1 };
    peft_context *ctx;
    OK(peft_context_create(failing_alloc_take, failing_alloc_give, &hooks, &ctx));
    peft_backbone *b = tiny_backbone(ctx, "image_size=16,patch=4,width=512,depth=1,heads=8,classes=5", NULL);
    const size_t before = peft_context_memory_used(ctx);
    OK(save_as(b, tiny_path("half"), "timm", "f16"));
    ck_assert_uint_lt(peft_context_memory_peak(ctx) - before, 64 << 10);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("half", saved_values_are_the_nearest, a_second_rounding_changes_nothing,
           every_instruction_set_saves_the_same_file, values_that_overflow_are_refused,
           saving_survives_failing_allocations, saving_needs_little_memory)
