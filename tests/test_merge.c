/* SPDX-License-Identifier: Apache-2.0
 * test_merge.c -- merged and unmerged models agree to rounding, for every method that can be merged; the others say why
 * not; the merged file loads. */
#include <math.h>
#include <peft/peft.h>
#include <unistd.h>
#include "core/base/rng.h"
#include "core/model/adapter.h"
#include "suite.h"

static peft_context *ctx;
static peft_tensor *images;

static peft_options *options(const char *text)
{
    peft_options *o;
    ck_assert_int_eq(peft_options_create(ctx, &o), PEFT_OK);
    ck_assert_int_eq(peft_options_parse(o, text), PEFT_OK);
    return o;
}

static void open_all(void)
{
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ 2, 3, 16, 16 }, &images), PEFT_OK);
    pf_rng r = { 5, 1, 0 };
    for (int i = 0; i < 2 * 3 * 256; i++) ((float *)peft_tensor_data(images))[i] = (float)pf_rng_normal(&r, (uint64_t)i);
}

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

static peft_model *model(peft_backbone *b, const char *method, const char *opts, uint32_t seed)
{
    peft_model *m;
    peft_adapter *a;
    peft_options *o = options("classes=4"), *mo = options(opts);
    ck_assert_int_eq(peft_model_create(b, o, &m), PEFT_OK);
    ck_assert_msg(!peft_adapter_create(b, method, mo, &a), "%s", peft_last_error());
    ck_assert_int_eq(peft_model_attach(m, a), PEFT_OK);
    for (size_t i = 0; i < peft_model_param_count(m); i++) {          /* values that matter, not identities */
        peft_tensor *t = peft_param_value(peft_model_param(m, i));
        pf_rng r = { seed, (uint32_t)i, 7 };
        for (int64_t k = 0; k < peft_tensor_count(t); k++) ((float *)peft_tensor_data(t))[k] += (float)(0.1 * pf_rng_normal(&r, (uint64_t)k));
    }
    peft_adapter_free(a);
    peft_options_free(o);
    peft_options_free(mo);
    return m;
}

static void predict(peft_model *m, float out[8])
{
    peft_session *s;
    peft_tensor *logits;
    peft_options *o = options("batch=2");
    ck_assert_msg(!peft_session_create(m, o, &s), "%s", peft_last_error());
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_F32, 2, (int64_t[]){ 2, 4 }, &logits), PEFT_OK);
    ck_assert_int_eq(peft_session_predict(s, images, logits), PEFT_OK);
    memcpy(out, peft_tensor_data(logits), 8 * sizeof *out);
    peft_tensor_free(logits);
    peft_options_free(o);
    peft_session_free(s);
}

static double distance(const float *a, const float *b)
{
    double d = 0, n = 0;
    for (int i = 0; i < 8; i++) d += (a[i] - b[i]) * (a[i] - b[i]), n += a[i] * a[i];
    return sqrt(d / n);
}

static const struct { const char *method, *options, *backbone; } mergeable[] = {
    { "linear", "", "" }, { "full", "", "" }, { "partial", "blocks=2", "" }, { "bitfit", "", "" }, { "ln_tune", "", "" },
    { "ln_tune", "", ",pool=mean" }, { "lora", "targets=[attn.q,attn.v,attn.proj]", "" },
    { "lora", "targets=[attn.qkv,mlp.fc1,mlp.fc2,patch_embed.proj],rslora=true", "" },
    { "lora", "targets=[attn.qkv,mlp.fc2],dora=true", "" }, { "lora", "targets=[attn.k],dora=true,r=3", ",qkv_bias=false" },
    { "lora", "targets=[mlp.fc1,mlp.fc2]", ",swiglu=true" }, { "ssf", "", ",swiglu=true" }, { "ia3", "", ",swiglu=true" },
    { "ia3", "", "" }, { "ssf", "", "" }, { "ssf", "", ",pool=mean" }, { "attnscale_dra", "", "" },
    { "attnscale_dra", "offsets=false", ",layer_scale=true,qkv_bias=false" } };

START_TEST(merged_equals_unmerged)
{
    char path[] = "/tmp/peft-merge-XXXXXX";
    open_all();
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof mergeable / sizeof *mergeable; i++) {
        peft_backbone *b = backbone(mergeable[i].backbone), *merged, *loaded;
        peft_model *m = model(b, mergeable[i].method, mergeable[i].options, 3), *plain;
        float before[8], want[8], got[8], again[8];
        predict(m, want);
        ck_assert_msg(!peft_model_merge(m, &merged), "%s: %s", mergeable[i].method, peft_last_error());
        predict(m, before);
        ck_assert_mem_eq(before, want, sizeof want);                  /* merging touched nothing */
        ck_assert_int_eq(peft_model_create(merged, NULL, &plain), PEFT_OK);
        predict(plain, got);
        ck_assert_msg(distance(want, got) < 3e-6, "%s %s: %g", mergeable[i].method, mergeable[i].options, distance(want, got));
        ck_assert_msg(!peft_backbone_save(merged, path), "%s", peft_last_error());
        peft_model_free(plain);
        ck_assert_msg(!peft_backbone_load(ctx, path, NULL, &loaded), "%s", peft_last_error());
        ck_assert_str_eq(peft_backbone_fingerprint(loaded), peft_backbone_fingerprint(merged));
        ck_assert_int_eq(peft_model_create(loaded, NULL, &plain), PEFT_OK);
        predict(plain, again);
        ck_assert_mem_eq(again, got, sizeof got);
        peft_model_free(plain);
        peft_model_free(m);
        peft_backbone_free(b);
        peft_backbone_free(merged);
        peft_backbone_free(loaded);
    }
    unlink(path);
    peft_tensor_free(images);
    peft_context_free(ctx);
}
END_TEST

START_TEST(others_say_why_not)
{
    static const struct { const char *method, *options, *backbone, *word; } refused[] = {
        { "ept", "", "", "ept" }, { "vpt", "", "", "vpt" }, { "adapter", "", "", "adapter" }, { "prefix", "", "", "prefix" },
        { "vp", "width=3", "", "vp" }, { "ssf", "", ",qkv_bias=false", "absent" },
        { "attnscale_dra", "", ",layer_scale=true", "LayerScale" } };
    open_all();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        peft_backbone *b = backbone(refused[i].backbone), *out = NULL;
        peft_model *m = model(b, refused[i].method, refused[i].options, 3);
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

SUITE_MAIN("merge", merged_equals_unmerged, others_say_why_not)
