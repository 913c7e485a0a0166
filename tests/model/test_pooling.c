/* SPDX-License-Identifier: Apache-2.0
 * test_pooling.c -- what a head reads: features of every pooling against a calculation from the patch tokens; every
 * method on backbones with each of them; saving, loading and merging such backbones. */
#include <math.h>
#include "tiny.h"

enum { N = 3, WIDTH = 48, PATCHES = 16, HEADS = 3, MLP = 192 };

/* The session's features [N, width] of the model; the caller frees them. */
static peft_tensor *features_of(peft_model *m)
{
    peft_session *s = tiny_session(m, "batch=%d", N);
    tiny_batch b = tiny_first_batch(m, N);
    peft_tensor *f = tiny_tensor(m->backbone->ctx, PF_REAL, 2, N, (int)peft_model_feature_width(m));
    OK(peft_session_features(s, b.images, f));
    peft_session_free(s);
    tiny_batch_free(&b);
    return f;
}

/* The same of a model of this backbone with the options. */
static peft_tensor *features(peft_backbone *b, const char *options)
{
    peft_model *m = tiny_model(b, options);
    peft_tensor *f = features_of(m);
    peft_model_free(m);
    return f;
}

/* The patch tokens after the final norm, [N, PATCHES, WIDTH]. */
static double *patches_of(peft_backbone *b)
{
    peft_model *m = tiny_model(b, "classes=2,head=patch_linear");
    peft_session *s = tiny_session(m, "batch=%d,taps=feature", N);
    tiny_batch x = tiny_first_batch(m, N);
    peft_tensor *logits = tiny_tensor(b->ctx, PF_REAL, 4, N, 4, 4, 2);
    OK(peft_session_predict(s, x.images, logits));
    const pk_real *token = tiny_tap(s, "feature")->data;
    double *out = malloc(sizeof *out * N * PATCHES * WIDTH);
    for (int i = 0; i < N * PATCHES * WIDTH; i++) out[i] = (double)token[i];
    peft_tensor_free(logits);
    tiny_batch_free(&x);
    peft_session_free(s);
    peft_model_free(m);
    return out;
}

static const pk_real *tensor(const peft_backbone *b, const char *name)
{
    const peft_tensor *t = pf_backbone_find(b, name);
    ck_assert_msg(t != NULL, "no tensor %s", name);
    return t->data;
}

/* y [out] = w [out, in] x + bias. */
static void linear(const peft_backbone *b, const char *stem, const double *x, int in, double *y, int out)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", stem);
    const pk_real *w = tensor(b, name);
    snprintf(name, sizeof name, "%s.bias", stem);
    const pk_real *bias = tensor(b, name);
    for (int o = 0; o < out; o++) {
        y[o] = (double)bias[o];
        for (int i = 0; i < in; i++) y[o] += (double)w[o * in + i] * x[i];
    }
}

/* Attention pooling of one image's patch tokens, in double. */
static void attend(const peft_backbone *b, const double *token, double *out)
{
    double latent[WIDTH], q[WIDTH], kv[PATCHES][2 * WIDTH], pooled[WIDTH] = { 0 }, y[WIDTH], hidden[MLP], branch[WIDTH];
    for (int i = 0; i < WIDTH; i++) latent[i] = (double)tensor(b, "attn_pool.latent")[i];
    linear(b, "attn_pool.q", latent, WIDTH, q, WIDTH);
    for (int t = 0; t < PATCHES; t++) linear(b, "attn_pool.kv", token + t * WIDTH, WIDTH, kv[t], 2 * WIDTH);
    const int d = WIDTH / HEADS;
    for (int h = 0; h < HEADS; h++) {
        double score[PATCHES], sum = 0;
        for (int t = 0; t < PATCHES; t++) {
            score[t] = 0;
            for (int i = h * d; i < (h + 1) * d; i++) score[t] += q[i] * kv[t][i] / sqrt(d);
            sum += exp(score[t]);
        }
        for (int t = 0; t < PATCHES; t++)
            for (int i = h * d; i < (h + 1) * d; i++) pooled[i] += exp(score[t]) / sum * kv[t][WIDTH + i];
    }
    linear(b, "attn_pool.proj", pooled, WIDTH, out, WIDTH);
    double mean = 0, square = 0;
    for (int i = 0; i < WIDTH; i++) mean += out[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++) square += (out[i] - mean) * (out[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        y[i] = (out[i] - mean) / sqrt(square + 1e-6) * (double)tensor(b, "attn_pool.norm.weight")[i]
             + (double)tensor(b, "attn_pool.norm.bias")[i];
    linear(b, "attn_pool.mlp.fc1", y, WIDTH, hidden, MLP);
    for (int i = 0; i < MLP; i++) hidden[i] *= 0.5 * (1 + erf(hidden[i] / sqrt(2.0)));
    linear(b, "attn_pool.mlp.fc2", hidden, MLP, branch, WIDTH);
    for (int i = 0; i < WIDTH; i++) out[i] += branch[i];
}

static void check_near(const peft_tensor *f, int row, int col, const double *want, int n, const char *what)
{
    const int64_t width = f->dim[1];
    for (int i = 0; i < n; i++) {
        const double got = (double)((const pk_real *)f->data)[row * width + col + i];
        ck_assert_msg(fabs(got - want[i]) < 2e-5 * (1 + fabs(want[i])), "%s, row %d, column %d: %.9g, expected %.9g",
                      what, row, col + i, got, want[i]);
    }
}

/* Random values in all tensors, also those that begin as 0 or 1. */
static void perturb(peft_backbone *b)
{
    for (size_t i = 0; i < b->weights; i++) tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.2);
}

START_TEST(features_are_those_of_the_tokens)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, NULL, "pool=cls_mean,registers=1"),
                  *attention = tiny_backbone(ctx, NULL, "pool=attention,registers=2");
    perturb(b);
    perturb(attention);
    peft_tensor *both = features(b, "head=none"), *cls = features(b, "head=none,pool=cls"),
                *mean = features(b, "head=none,pool=mean"), *pair = features(b, "head=none,pool=cls_dist"),
                *pooled = features(attention, "head=none");
    double *token = patches_of(b), *token_of_attention = patches_of(attention), want[WIDTH];
    ck_assert_int_eq(both->dim[1], 2 * WIDTH);
    for (int n = 0; n < N; n++) {
        const pk_real *row = (const pk_real *)both->data + n * 2 * WIDTH;
        ck_assert(!memcmp(row, (const pk_real *)cls->data + n * WIDTH, WIDTH * sizeof *row));
        ck_assert(!memcmp(row, (const pk_real *)pair->data + n * 2 * WIDTH, WIDTH * sizeof *row));
        ck_assert(memcmp(row + WIDTH, (const pk_real *)pair->data + n * 2 * WIDTH + WIDTH, WIDTH * sizeof *row));
        memset(want, 0, sizeof want);
        for (int t = 0; t < PATCHES; t++)
            for (int i = 0; i < WIDTH; i++) want[i] += token[(n * PATCHES + t) * WIDTH + i] / PATCHES;
        check_near(both, n, WIDTH, want, WIDTH, "cls_mean");
        check_near(mean, n, 0, want, WIDTH, "mean");
        attend(attention, token_of_attention + n * PATCHES * WIDTH, want);
        check_near(pooled, n, 0, want, WIDTH, "attention");
    }
    peft_tensor *const all[] = { both, cls, mean, pair, pooled };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) peft_tensor_free(all[i]);
    free(token);
    free(token_of_attention);
    peft_backbone_free(b);
    peft_backbone_free(attention);
    peft_context_free(ctx);
}
END_TEST

static const char *const poolings[] = { "pool=cls_mean", "pool=cls_dist,registers=1", "pool=attention" };
enum { POOLINGS = sizeof poolings / sizeof *poolings };

/* Trains two steps, with and without a feature cache: the parameters must be equal. */
static void train(const tiny_spec *spec, const char *what)
{
    tiny t[2];
    for (int k = 0; k < 2; k++) {
        t[k] = tiny_make(spec);
        peft_trainer *trainer = tiny_trainer(t[k].model, "batch=%d,lr=0.01%s", N, k ? ",cache_features=1000000" : "");
        for (int i = 0; i < 2; i++) tiny_step(trainer, N, 0);
        peft_trainer_free(trainer);
    }
    for (size_t i = 0; i < peft_model_param_count(t[0].model); i++) {
        const peft_tensor *a = &peft_model_param(t[0].model, i)->value, *b = &peft_model_param(t[1].model, i)->value;
        tiny_finite(a, what);
        ck_assert_msg(!memcmp(a->data, b->data, pf_tensor_bytes(a)), "%s: cache changes a parameter", what);
    }
    for (int k = 0; k < 2; k++) tiny_free(&t[k]);
}

/* Every method trains on every pooling, or is refused because it pools itself. */
START_TEST(every_method_works_on_every_pooling)
{
    char what[96];
    for (size_t k = 0; k < tiny_method_count(); k++)
        for (size_t i = 0; i < POOLINGS; i++) {
            const tiny_spec spec = { .more = poolings[i], .method = tiny_method_name(k) };
            snprintf(what, sizeof what, "%s on %s", spec.method, poolings[i]);
            if (!strcmp(spec.method, "dvpt") && strcmp(poolings[i], "pool=attention")) {
                tiny t = tiny_make(&spec);
                peft_trainer *trainer = NULL;
                FAILS(PEFT_E_UNSUPPORTED, "pools the tokens itself", peft_trainer_create(t.model, NULL, &trainer));
                tiny_free(&t);
            } else train(&spec, what);
        }
}
END_TEST

/* A saved and loaded backbone has the same facts and fingerprint; a merged model computes the same features. */
/* The MLP of attention pooling may have another activation than those of the blocks, as in timm's class Eva. */
START_TEST(activation_of_the_pooling_is_saved)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *gelu = tiny_backbone(ctx, NULL, "pool=attention,act=silu"), *loaded;
    peft_backbone *silu = tiny_backbone(ctx, NULL, "pool=attention,act=silu");
    gelu->shape.attn_pool.act = PK_GELU;
    OK(peft_backbone_save(gelu, tiny_path("backbone.safetensors")));
    OK(peft_backbone_load(ctx, tiny_path("backbone.safetensors"), NULL, &loaded));
    ck_assert_int_eq(loaded->shape.act, PK_SILU);
    ck_assert_int_eq(loaded->shape.attn_pool.act, PK_GELU);
    ck_assert_str_eq(peft_backbone_fingerprint(loaded), peft_backbone_fingerprint(gelu));
    ck_assert_str_ne(peft_backbone_fingerprint(loaded), peft_backbone_fingerprint(silu));
    peft_backbone_free(loaded);
    peft_backbone_free(gelu);
    peft_backbone_free(silu);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(saved_and_merged_backbones_are_the_same)
{
    for (size_t i = 0; i < POOLINGS; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = poolings[i], .method = "lora", .model = "classes=4" });
        peft_backbone *loaded, *merged;
        OK(peft_backbone_save(t.backbone, tiny_path("backbone.safetensors")));
        OK(peft_backbone_load(t.ctx, tiny_path("backbone.safetensors"), NULL, &loaded));
        ck_assert_str_eq(peft_backbone_fingerprint(t.backbone), peft_backbone_fingerprint(loaded));
        ck_assert_int_eq(peft_backbone_get(loaded, "feature_width"), peft_model_feature_width(t.model));
        OK(peft_model_merge(t.model, &merged));
        OK(peft_backbone_save(merged, tiny_path("merged.safetensors")));
        peft_backbone_free(loaded);
        OK(peft_backbone_load(t.ctx, tiny_path("merged.safetensors"), NULL, &loaded));
        peft_tensor *a = features_of(t.model), *b = features(loaded, "classes=0");
        double want[2 * WIDTH];
        for (int n = 0; n < N; n++) {
            for (int c = 0; c < a->dim[1]; c++) want[c] = (double)((const pk_real *)a->data)[n * a->dim[1] + c];
            check_near(b, n, 0, want, (int)a->dim[1], poolings[i]);
        }
        peft_tensor_free(a);
        peft_tensor_free(b);
        peft_backbone_free(merged);
        peft_backbone_free(loaded);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

SUITE_MAIN("pooling", features_are_those_of_the_tokens, every_method_works_on_every_pooling,
           activation_of_the_pooling_is_saved, saved_and_merged_backbones_are_the_same)
