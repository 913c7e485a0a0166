/* SPDX-License-Identifier: Apache-2.0
 * test_merge.c -- peft_model_merge: the merged backbone predicts what the model predicts, to rounding, also after it
 * was saved and loaded; other methods are refused with the reason; peft_model_merge_drift against the difference of two
 * sessions. */
#include <math.h>
#include <peft/peft.h>
#include <unistd.h>
#include "core/base/rng.h"
#include "core/adapt/adapter.h"
#include "suite.h"

enum { IMAGES = 2, CLASSES = 4, LOGITS = IMAGES * CLASSES };
#define SUFFIX ".safetensors"
static peft_context *ctx;
static peft_tensor *images;

static peft_options *options(const char *text)
{
    peft_options *o;
    ck_assert_int_eq(peft_options_create(ctx, &o), PEFT_OK);
    ck_assert_int_eq(peft_options_parse(o, text), PEFT_OK);
    return o;
}

static void open_context_and_images(void)
{
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ IMAGES, 3, 16, 16 }, &images), PEFT_OK);
    pf_rng r = { .seed = 5, .a = 1 };
    for (int64_t i = 0; i < peft_tensor_count(images); i++)
        ((float *)peft_tensor_data(images))[i] = (float)pf_rng_normal(&r, (uint64_t)i);
}

/* more: further options, with a comma in front. */
static peft_backbone *backbone(const char *more)
{
    char text[160];
    peft_backbone *b;
    snprintf(text, sizeof text, "image_size=16,patch=4,width=48,depth=3,heads=3%s", more);
    peft_options *o = options(text);
    ck_assert_int_eq(peft_backbone_create(ctx, o, &b), PEFT_OK);
    peft_options_free(o);
    return b;
}

/* A model of b with an adapter, whose parameters are changed at random; opts: options of the method. */
static peft_model *model(peft_backbone *b, const char *method, const char *opts, const char *pool)
{
    char text[40];
    peft_model *m;
    peft_adapter *a;
    snprintf(text, sizeof text, "classes=4,pool=%s", pool);
    peft_options *o = options(text), *method_options = options(opts);
    ck_assert_int_eq(peft_model_create(b, o, &m), PEFT_OK);
    ck_assert_msg(!peft_adapter_create(b, method, method_options, &a), "%s", peft_last_error());
    ck_assert_int_eq(peft_model_attach(m, a), PEFT_OK);
    for (size_t i = 0; i < peft_model_param_count(m); i++) {          /* initial zeros would hide errors */
        peft_tensor *t = peft_param_value(peft_model_param(m, i));
        pf_rng r = { .seed = 3, .a = (uint32_t)i, .b = 7 };
        for (int64_t k = 0; k < peft_tensor_count(t); k++)
            ((float *)peft_tensor_data(t))[k] += (float)(0.1 * pf_rng_normal(&r, (uint64_t)k));
    }
    peft_adapter_free(a);
    peft_options_free(o);
    peft_options_free(method_options);
    return m;
}

/* The logits of `images`. */
static void predict(peft_model *m, float out[LOGITS])
{
    peft_session *s;
    peft_tensor *logits;
    peft_options *o = options("batch=2");
    ck_assert_msg(!peft_session_create(m, o, &s), "%s", peft_last_error());
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_F32, 2, (int64_t[]){ IMAGES, CLASSES }, &logits), PEFT_OK);
    ck_assert_int_eq(peft_session_predict(s, images, logits), PEFT_OK);
    memcpy(out, peft_tensor_data(logits), LOGITS * sizeof *out);
    peft_tensor_free(logits);
    peft_options_free(o);
    peft_session_free(s);
}

/* |a - b| / |a|, Euclidean norms. */
static double distance(const float *a, const float *b)
{
    double d = 0, n = 0;
    for (int i = 0; i < LOGITS; i++) d += (a[i] - b[i]) * (a[i] - b[i]), n += a[i] * a[i];
    return sqrt(d / n);
}

/* Saves with Hugging Face's names, loads, and expects the logits `want`. Returns false if Hugging Face has no such
 * network. */
static bool saved_for_hf_predicts_the_same(const peft_backbone *merged, const float want[LOGITS])
{
    char path[] = "/tmp/peft-merge-XXXXXX" SUFFIX;
    peft_options *o = options("naming=hf");
    peft_backbone *loaded;
    peft_model *plain;
    float got[LOGITS];
    close(mkstemps(path, sizeof SUFFIX - 1));
    const peft_status s = peft_backbone_save_as(merged, path, o);
    if (!s) {
        ck_assert_msg(!peft_backbone_load(ctx, path, o, &loaded), "%s", peft_last_error());
        ck_assert_int_eq(peft_model_create(loaded, NULL, &plain), PEFT_OK);
        predict(plain, got);
        ck_assert_mem_eq(got, want, sizeof got);
        peft_model_free(plain);
        peft_backbone_free(loaded);
    } else ck_assert_int_eq(s, PEFT_E_UNSUPPORTED);
    unlink(path);
    peft_options_free(o);
    return !s;
}

/* options: of the method; backbone: further options of the backbone; pool: option of the model. */
static const struct { const char *method, *options, *backbone, *pool; } mergeable[] = {
    { "linear", "", "", "auto" }, { "full", "", "", "auto" }, { "partial", "blocks=2", "", "auto" },
    { "bitfit", "", "", "auto" }, { "ln_tune", "", "", "auto" }, { "ln_tune", "", ",pool=mean", "auto" },
    { "lora", "targets=[attn.q,attn.v,attn.proj]", "", "auto" },
    { "lora", "targets=[attn.qkv,mlp.fc1,mlp.fc2,patch_embed.proj],rslora=true", "", "auto" },
    { "lora", "targets=[attn.qkv,mlp.fc2],dora=true", "", "auto" },
    { "lora", "targets=[attn.k],dora=true,r=3", ",qkv_bias=false", "auto" },
    { "lora", "targets=[mlp.fc1,mlp.fc2]", ",swiglu=true", "auto" }, { "ssf", "", ",swiglu=true", "auto" },
    { "lora", "targets=[attn.q,mlp.fc1],bias=lora_only", "", "auto" }, { "lora", "bias=all,dora=true", "", "auto" },
    { "lora", "targets=[mlp.fc1_g,mlp.fc1_x,mlp.fc2],dora=true,bias=lora_only", ",swiglu=true", "auto" },
    { "ia3", "targets=[attn.qkv,attn.proj,mlp.fc1,patch_embed.proj],feedforward=[attn.proj,mlp.fc1]", "", "auto" },
    { "ia3", "targets=[attn.q,mlp.fc1_g,mlp.fc1_x],feedforward=[attn.q,mlp.fc1_x]", ",swiglu=true", "auto" },
    { "vera", "", "", "auto" }, { "vera", "targets=[attn.qkv,mlp.fc1_x,mlp.fc2]", ",swiglu=true", "auto" },
    { "oft", "", "", "auto" }, { "oft", "terms=0,targets=[attn.qkv,attn.proj,mlp.fc1,mlp.fc2]", "", "auto" },
    { "ia3", "", ",qkv_bias=false", "auto" }, { "ln_tune", "targets=norm2,layers=1", "", "auto" },
    { "ia3", "", ",swiglu=true", "auto" }, { "ia3", "", "", "auto" }, { "ssf", "", "", "auto" },
    { "ssf", "", ",pool=mean", "auto" }, { "attnscale_dra", "", "", "auto" },
    { "attnscale_dra", "offsets=false", ",layer_scale=true,qkv_bias=false", "auto" },
    { "lora", "targets=[attn.q,attn.k,mlp.fc1,mlp.fc2]", ",qk_norm=true,mlp_norm=true,gate=last", "auto" },
    { "ssf", "", ",qk_norm=true,attn_norm=true,mlp_norm=true,final_norm=both,pool=mean", "auto" },
    { "ssf", "", ",class_token=false,pool=mean,final_norm=before", "auto" },
    { "ia3", "", ",qk_norm=true,mlp_norm=true,swiglu=true", "auto" }, { "ln_tune", "", ",final_norm=both", "mean" },
    { "lora", "targets=[attn.q,attn.k]", ",rope=axial", "auto" }, { "full", "", ",rope=mixed", "auto" },
    { "attnscale_dra", "", ",rope=dinov3", "auto" }, { "attnscale_dra", "scale=false", ",qk_norm=true", "auto" },
    { "bitfit", "", ",final_norm=after", "mean" },
    { "lora", "preset=med_peft", "", "mean" }, { "ln_tune", "", "", "mean" }, { "ssf", "", "", "mean" } };

START_TEST(merged_and_unmerged_models_predict_the_same)
{
    char path[] = "/tmp/peft-merge-XXXXXX";
    int in_hf = 0;
    open_context_and_images();
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof mergeable / sizeof *mergeable; i++) {
        peft_backbone *b = backbone(mergeable[i].backbone), *merged, *loaded;
        peft_model *m = model(b, mergeable[i].method, mergeable[i].options, mergeable[i].pool), *plain;
        float after[LOGITS], want[LOGITS], got[LOGITS], again[LOGITS];
        predict(m, want);
        ck_assert_msg(!peft_model_merge(m, &merged), "%s: %s", mergeable[i].method, peft_last_error());
        predict(m, after);
        ck_assert_mem_eq(after, want, sizeof want);                   /* merging leaves the model as it was */
        ck_assert_int_eq(peft_model_create(merged, NULL, &plain), PEFT_OK);
        predict(plain, got);
        ck_assert_msg(distance(want, got) < 3e-6, "%s %s: relative distance %g", mergeable[i].method,
                      mergeable[i].options, distance(want, got));
        ck_assert_msg(!peft_backbone_save(merged, path), "%s", peft_last_error());
        peft_model_free(plain);
        ck_assert_msg(!peft_backbone_load(ctx, path, NULL, &loaded), "%s", peft_last_error());
        ck_assert_str_eq(peft_backbone_fingerprint(loaded), peft_backbone_fingerprint(merged));
        ck_assert_int_eq(peft_model_create(loaded, NULL, &plain), PEFT_OK);
        predict(plain, again);
        ck_assert_mem_eq(again, got, sizeof got);
        in_hf += saved_for_hf_predicts_the_same(merged, got);
        peft_model_free(plain);
        peft_model_free(m);
        peft_backbone_free(b);
        peft_backbone_free(merged);
        peft_backbone_free(loaded);
    }
    /* the others have a gated MLP, LayerScale or pooling by the mean, for which transformers lacks this classifier */
    ck_assert_int_eq(in_hf, 21);                          /* one is an I-JEPA */
    unlink(path);
    peft_tensor_free(images);
    peft_context_free(ctx);
}
END_TEST

START_TEST(drift_is_the_difference_of_two_sessions)
{
    open_context_and_images();
    peft_backbone *b = backbone(""), *other = backbone(",classes=3"), *small_images, *merged;
    peft_model *m = model(b, "lora", "targets=[attn.q,mlp.fc1]", "auto"), *plain;
    float want[LOGITS], got[LOGITS];
    double absolute = -1, relative = -1, difference = 0, largest = 0, drift_of_random_images;
    peft_options *o = options("image_size=8,patch=4,width=48,depth=3,heads=3,classes=4");
    ck_assert_int_eq(peft_backbone_create(ctx, o, &small_images), PEFT_OK);
    ck_assert_int_eq(peft_model_merge(m, &merged), PEFT_OK);
    ck_assert_int_eq(peft_model_create(merged, NULL, &plain), PEFT_OK);
    predict(m, want);
    predict(plain, got);
    for (int i = 0; i < LOGITS; i++) {
        difference = fmax(difference, fabs((double)want[i] - (double)got[i]));
        largest = fmax(largest, fabs((double)want[i]));
    }
    ck_assert_msg(!peft_model_merge_drift(m, merged, images, &absolute, &relative), "%s", peft_last_error());
    ck_assert_msg(absolute == difference && relative == difference / largest,
                  "drift %g, relative %g, expected %g and %g", absolute, relative, difference, difference / largest);
    ck_assert_double_lt(relative, 3e-6);
    peft_tensor *const random_images = NULL;
    ck_assert_msg(!peft_model_merge_drift(m, merged, random_images, NULL, &drift_of_random_images), "%s",
                  peft_last_error());
    ck_assert(drift_of_random_images > 0 && drift_of_random_images < 3e-6);
    ((float *)(uintptr_t)peft_tensor_cdata(peft_backbone_tensor(merged, 5)))[0] += 1;       /* a wrong weight */
    ck_assert_msg(!peft_model_merge_drift(m, merged, random_images, &absolute, &relative), "%s", peft_last_error());
    ck_assert_double_gt(relative, 1e-4);
    absolute = 7;                                                     /* a refused call leaves the value */
    ck_assert_int_eq(peft_model_merge_drift(m, other, images, &absolute, NULL), PEFT_E_MISMATCH);
    ck_assert_int_eq(peft_model_merge_drift(m, small_images, images, &absolute, NULL), PEFT_E_MISMATCH);
    ck_assert_int_eq(peft_model_merge_drift(m, NULL, images, &absolute, NULL), PEFT_E_INVALID);
    ck_assert_int_eq(peft_model_merge_drift(NULL, merged, images, &absolute, NULL), PEFT_E_INVALID);
    ck_assert(absolute == 7);
    peft_options_free(o);
    peft_model_free(plain);
    peft_model_free(m);
    peft_backbone_free(merged);
    peft_backbone_free(small_images);
    peft_backbone_free(other);
    peft_backbone_free(b);
    peft_tensor_free(images);
    peft_context_free(ctx);
}
END_TEST

/* The file's element type rounds the weights; lo..hi bounds the relative drift. */
START_TEST(drift_of_a_rounded_file_is_the_difference_of_two_sessions)
{
    static const struct { const char *type, *naming; double lo, hi; } rows[] = {
        { "f32", "timm", 0, 3e-6 }, { "f16", "timm", 1e-5, 1e-2 }, { "bf16", "timm", 1e-4, 5e-2 },
        { "bf16", "hf5", 1e-4, 5e-2 } };
    char path[] = "/tmp/peft-merge-XXXXXX" SUFFIX;
    open_context_and_images();
    close(mkstemps(path, sizeof SUFFIX - 1));
    peft_backbone *b = backbone(""), *merged, *loaded;
    peft_model *m = model(b, "lora", "targets=[attn.q,mlp.fc1]", "auto"), *plain;
    ck_assert_int_eq(peft_model_merge(m, &merged), PEFT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        float want[LOGITS], got[LOGITS];
        double absolute, relative, difference = 0, largest = 0;
        snprintf(text, sizeof text, "dtype=%s,naming=%s", rows[i].type, rows[i].naming);
        peft_options *o = options(text);
        ck_assert_msg(!peft_backbone_save_as(merged, path, o), "%s", peft_last_error());
        peft_options_free(o);
        o = options("eps=1e-6,heads=3,act=gelu,pool=cls");
        ck_assert_msg(!peft_backbone_load(ctx, path, o, &loaded), "%s", peft_last_error());
        peft_options_free(o);
        ck_assert_int_eq(peft_model_create(loaded, NULL, &plain), PEFT_OK);
        predict(m, want);
        predict(plain, got);
        for (int k = 0; k < LOGITS; k++) {
            difference = fmax(difference, fabs((double)want[k] - (double)got[k]));
            largest = fmax(largest, fabs((double)want[k]));
        }
        ck_assert_msg(!peft_model_merge_drift(m, loaded, images, &absolute, &relative), "%s", peft_last_error());
        ck_assert_msg(absolute == difference && relative == difference / largest,
                      "%s: relative drift %g, expected %g", text, relative, difference / largest);
        ck_assert_msg(relative >= rows[i].lo && relative <= rows[i].hi, "%s: relative drift %g", text, relative);
        peft_model_free(plain);
        peft_backbone_free(loaded);
    }
    unlink(path);
    peft_model_free(m);
    peft_backbone_free(merged);
    peft_backbone_free(b);
    peft_tensor_free(images);
    peft_context_free(ctx);
}
END_TEST

START_TEST(methods_that_cannot_be_merged_are_refused_with_the_reason)
{
    static const struct { const char *method, *options, *backbone, *word; } refused[] = {
        { "ept", "", "", "ept" }, { "vpt", "", "", "vpt" }, { "adapter", "", "", "adapter" },
        { "prefix", "", "", "prefix" }, { "vfpt", "", "", "vfpt" }, { "cvpt", "", "", "cvpt" },
        { "dvpt", "", "", "dvpt" }, { "apt", "", "", "apt" },
        { "vp", "width=3", "", "vp" }, { "ssf", "", ",qkv_bias=false", "lacks a tensor" },
        { "attnscale_dra", "", ",layer_scale=true", "LayerScale" } };
    open_context_and_images();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        peft_backbone *b = backbone(refused[i].backbone), *out = NULL;
        peft_model *m = model(b, refused[i].method, refused[i].options, "auto");
        ck_assert_int_eq(peft_model_merge(m, &out), PEFT_E_UNSUPPORTED);
        ck_assert_msg(strstr(peft_last_error(), refused[i].word) != NULL, "%s", peft_last_error());
        ck_assert_ptr_null(out);
        peft_model_free(m);
        peft_backbone_free(b);
    }
    peft_tensor_free(images);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("merge", merged_and_unmerged_models_predict_the_same, drift_is_the_difference_of_two_sessions,
           drift_of_a_rounded_file_is_the_difference_of_two_sessions,
           methods_that_cannot_be_merged_are_refused_with_the_reason)
