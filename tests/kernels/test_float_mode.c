/* SPDX-License-Identifier: Apache-2.0
 * test_float_mode.c -- a program that sets its own floating-point mode (flush to zero, rounding upward) before or after
 * any call gets the same bits as in the default mode, with one and several threads, and its mode stays as it was. */
#include "suite.h"
#include <peft/peft.h>
#include <unistd.h>
#include "kernels/pk.h"

#if defined(__x86_64__)
#include <fenv.h>
#include <immintrin.h>

enum { IMAGES = 4, SIDE = 16, CLASSES = 3, STEPS = 5 };
/* Values of MXCSR, the register of the floating-point mode. FLUSH: subnormal results and operands become 0 (bits FTZ
 * and DAZ). UPWARD: rounding towards +infinity. */
enum { DEFAULT_MODE = 0x1f80, FLUSH = DEFAULT_MODE | 0x8040, UPWARD = DEFAULT_MODE | 0x4000, EXCEPTION_FLAGS = 0x3f };

/* Results of initialisation, training, prediction, merging and saving. */
typedef struct results {
    float state[4096], logits[2][IMAGES * CLASSES], probabilities[IMAGES * CLASSES];
    double drift;                                               /* of the merged model's logits */
    char merged[17], resized[17];                               /* first digits of these backbones' fingerprints */
    char saved[65];                                             /* SHA-256 of the saved backbone's file */
} results;

static void must(peft_status s) { ck_assert_msg(s == PEFT_OK, "%s", peft_last_error()); }

static unsigned mode;                       /* as the program set it last */
static int rounding(unsigned m) { return m == UPWARD ? FE_UPWARD : FE_TONEAREST; }
static unsigned current_mode(void)
{
    ck_assert_int_eq(fegetround(), rounding(mode));         /* of the x87, by which strtod rounds */
    return _mm_getcsr() & ~(unsigned)EXCEPTION_FLAGS;
}
/* The call succeeds and leaves the mode as the program set it. */
#define CALL(...) do { must(__VA_ARGS__); ck_assert_uint_eq(current_mode(), mode); } while (0)

static void set_mode(unsigned m)
{
    mode = m;
    fesetround(rounding(m));
    _mm_setcsr(m);
}

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    CALL(peft_options_create(ctx, &o));
    CALL(peft_options_parse(o, text));
    return o;
}

static void sha256_of_file(const char *path, char hex[65])
{
    static char bytes[1 << 20];
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    ck_assert_uint_lt(n, sizeof bytes);
    fclose(f);
    peft_sha256(bytes, n, hex);
}

/* Computes all results. before, after: the mode until the trainer is created, and from then on. */
static void compute_results(unsigned before, unsigned after, int threads, results *r)
{
    static float pixels[IMAGES * 3 * SIDE * SIDE];
    static const int64_t truth[IMAGES] = { 0, 1, 2, 1 };
    const int64_t image_dims[] = { IMAGES, 3, SIDE, SIDE }, label_dims[] = { IMAGES };
    const int64_t out_dims[] = { IMAGES, CLASSES };
    char path[40] = "/tmp/peft-mode-XXXXXX";
    peft_context *ctx;
    peft_backbone *vit, *merged, *resized;
    peft_adapter *a;
    peft_model *m;
    peft_trainer *t;
    peft_session *s;
    peft_tensor *images, *labels, *out;
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++) {
        random = random * 1664525u + 1013904223u;
        pixels[i] = (float)(random >> 8) / 8388608.0f - 1;
    }
    close(mkstemp(path));
    memset(r, 0, sizeof *r);
    set_mode(before);
    CALL(peft_context_create(NULL, NULL, NULL, &ctx));
    CALL(peft_context_set_threads(ctx, threads));
    CALL(peft_context_set_seed(ctx, 3));
    CALL(peft_context_set_log(ctx, NULL, NULL, 0));
    peft_options *o = options(ctx, "image_size=16,patch=8,width=32,depth=2,heads=2,mlp=64,classes=3,seed=5");
    CALL(peft_backbone_create(ctx, o, &vit));
    peft_options_free(o);
    CALL(peft_adapter_create(vit, "lora", NULL, &a));
    CALL(peft_model_create(vit, NULL, &m));
    CALL(peft_model_attach(m, a));
    o = options(ctx, "batch=4,lr=0.01,clip_norm=0.5");
    CALL(peft_trainer_create(m, o, &t));
    set_mode(after);
    CALL(peft_tensor_wrap(ctx, PEFT_F32, 4, image_dims, pixels, &images));
    CALL(peft_tensor_wrap(ctx, PEFT_I64, 1, label_dims, (void *)(uintptr_t)truth, &labels));
    for (int i = 0; i < STEPS; i++) CALL(peft_trainer_step(t, images, labels, NULL));
    CALL(peft_tensor_wrap(ctx, PEFT_F32, 2, out_dims, r->logits[0], &out));
    CALL(peft_trainer_evaluate(t, images, out));
    peft_tensor_free(out);
    CALL(peft_trainer_save(t, path));
    CALL(peft_trainer_restore(t, path));
    size_t count = 0;
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        const peft_tensor *v = peft_param_value(peft_model_param(m, i));
        size_t n = (size_t)peft_tensor_count(v);
        ck_assert_uint_le(count + n, sizeof r->state / sizeof *r->state);
        memcpy(r->state + count, peft_tensor_cdata(v), n * sizeof(float));
        count += n;
    }
    CALL(peft_session_create(m, NULL, &s));
    const int64_t one_dims[] = { 1, 3, SIDE, SIDE }, one_out[] = { 1, CLASSES };
    for (int i = 0; i < IMAGES; i++) {
        peft_tensor *one;
        CALL(peft_tensor_wrap(ctx, PEFT_F32, 4, one_dims, pixels + i * 3 * SIDE * SIDE, &one));
        CALL(peft_tensor_wrap(ctx, PEFT_F32, 2, one_out, r->logits[1] + i * CLASSES, &out));
        CALL(peft_session_predict(s, one, out));
        peft_tensor_free(out);
        CALL(peft_tensor_wrap(ctx, PEFT_F32, 2, one_out, r->probabilities + i * CLASSES, &out));
        const int multi_label = 0;
        CALL(peft_session_probabilities(s, one, multi_label, out));
        peft_tensor_free(out), peft_tensor_free(one);
    }
    CALL(peft_model_merge(m, &merged));
    CALL(peft_model_merge_drift(m, merged, images, &r->drift, NULL));
    snprintf(r->merged, sizeof r->merged, "%.16s", peft_backbone_fingerprint(merged));
    peft_options_free(o);
    o = options(ctx, "dtype=bf16");
    strcat(path, ".safetensors");
    CALL(peft_backbone_save_as(merged, path, o));
    peft_options_free(o);
    sha256_of_file(path, r->saved);
    o = options(ctx, "image_size=24");
    CALL(peft_backbone_load(ctx, path, o, &resized));
    peft_options_free(o);
    snprintf(r->resized, sizeof r->resized, "%.16s", peft_backbone_fingerprint(resized));
    unlink(path);
    path[strlen(path) - strlen(".safetensors")] = 0;
    unlink(path);
    set_mode(DEFAULT_MODE);
    peft_session_free(s), peft_trainer_free(t), peft_model_free(m), peft_adapter_free(a);
    peft_tensor_free(images), peft_tensor_free(labels);
    peft_backbone_free(resized), peft_backbone_free(merged), peft_backbone_free(vit), peft_context_free(ctx);
}

START_TEST(every_mode_gives_the_same_bits)
{
    enum { ALWAYS, AFTER_CREATION, UNTIL_CREATION, TIMES };     /* creation of the trainer */
    static results plain, other;
    compute_results(DEFAULT_MODE, DEFAULT_MODE, 1, &plain);
    for (int threads = 1; threads < 4; threads += 2)
        for (int when = ALWAYS; when < TIMES; when++)
            for (int k = 0; k < 2; k++) {
                const unsigned m = k == 0 ? FLUSH : UPWARD;
                compute_results(when == AFTER_CREATION ? DEFAULT_MODE : m, when == UNTIL_CREATION ? DEFAULT_MODE : m,
                                threads, &other);
                const char *differs = memcmp(plain.state, other.state, sizeof plain.state) ? "the trained values"
                                    : memcmp(plain.logits, other.logits, sizeof plain.logits) ? "the logits"
                                    : memcmp(plain.probabilities, other.probabilities,
                                             sizeof plain.probabilities) ? "the probabilities"
                                    : memcmp(&plain.drift, &other.drift, sizeof plain.drift) ? "the merge drifts"
                                    : strcmp(plain.merged, other.merged) ? "the merged backbones"
                                    : strcmp(plain.saved, other.saved) ? "the saved backbones"
                                    : strcmp(plain.resized, other.resized) ? "the resized backbones" : NULL;
                ck_assert_msg(!differs, "%s differ: mode 0x%x, set %s, %d threads", differs, m,
                              when == ALWAYS ? "always"
                              : when == AFTER_CREATION ? "after the trainer was created"
                                                       : "until the trainer was created", threads);
            }
}
END_TEST

static unsigned modes_seen[2];              /* in the loss function, in the reducer */

static int see_mode_in_loss(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                            void *user)
{
    (void)logits, (void)labels, (void)gradient, (void)user;
    modes_seen[0] = current_mode();
    *loss = 0;
    return 0;
}

static int see_mode_in_reducer(float *gradients, int64_t count, int64_t *passes, void *user)
{
    (void)gradients, (void)count, (void)passes, (void)user;
    modes_seen[1] = current_mode();
    return 0;
}

START_TEST(functions_of_the_program_run_in_its_mode)
{
    static float pixels[3 * SIDE * SIDE];
    static int64_t truth[1];
    const int64_t image_dims[] = { 1, 3, SIDE, SIDE }, label_dims[] = { 1 };
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *m;
    peft_trainer *t;
    peft_tensor *images, *labels;
    mode = current_mode();
    CALL(peft_context_create(NULL, NULL, NULL, &ctx));
    peft_options *o = options(ctx, "image_size=16,patch=8,width=32,depth=1,heads=2,mlp=64,classes=3,seed=5");
    CALL(peft_backbone_create(ctx, o, &vit));
    peft_options_free(o);
    o = options(ctx, "classes=3");
    CALL(peft_model_create(vit, o, &m));
    peft_options_free(o);
    CALL(peft_trainer_create(m, NULL, &t));
    CALL(peft_trainer_set_loss(t, see_mode_in_loss, NULL));
    CALL(peft_trainer_set_reduce(t, 0, 1, see_mode_in_reducer, NULL));
    CALL(peft_tensor_wrap(ctx, PEFT_F32, 4, image_dims, pixels, &images));
    CALL(peft_tensor_wrap(ctx, PEFT_I64, 1, label_dims, truth, &labels));
    set_mode(FLUSH);
    CALL(peft_trainer_step(t, images, labels, NULL));
    ck_assert_uint_eq(modes_seen[0], FLUSH);
    ck_assert_uint_eq(modes_seen[1], FLUSH);
    set_mode(DEFAULT_MODE);
    peft_tensor_free(images), peft_tensor_free(labels);
    peft_trainer_free(t), peft_model_free(m), peft_backbone_free(vit), peft_context_free(ctx);
}
END_TEST

/* The square of the gradient is subnormal; flushed to zero, it would change the update. */
START_TEST(adamw_keeps_subnormal_moments)
{
    float p[2][1] = { { 1 }, { 1 } }, m[2][1] = { { 0 } }, v[2][1] = { { 1e-39f } , { 1e-39f } }, g[1] = { 1e-20f };
    const pk_table *k = pk_find("auto");
    const double gradient_scale = 1, lr = 0.1, beta1 = 0.9, beta2 = 0.5, eps = 1e-30, decay = 0;
    const double correction1 = 0.1, correction2 = 0.5;               /* 1 - beta1 and 1 - beta2, of step 1 */
    int nonfinite = 0;
    for (int i = 0; i < 2; i++) {
        if (i) _mm_setcsr(FLUSH);
        {
            PK_FLOAT_SCOPE;
            k->adamw(p[i], m[i], v[i], g, 1, gradient_scale, lr, beta1, beta2, eps, decay, correction1,
                     correction2, &nonfinite);
        }
        if (i) ck_assert_uint_eq(current_mode(), FLUSH);
        _mm_setcsr(DEFAULT_MODE);
    }
    ck_assert_int_eq(nonfinite, 0);
    ck_assert(v[0][0] > 0);
    ck_assert_mem_eq(p[0], p[1], sizeof p[0]);
    ck_assert_mem_eq(v[0], v[1], sizeof v[0]);
}
END_TEST

SUITE_MAIN("float_mode", every_mode_gives_the_same_bits, functions_of_the_program_run_in_its_mode,
           adamw_keeps_subnormal_moments)
#else
int main(void) { return 77; }               /* ctest's code for a skipped test */
#endif
