/* SPDX-License-Identifier: Apache-2.0
 * test_shapes.c -- networks that differ from a plain ViT (no class token, norms of q and k, norms inside attention and
 * MLP, kinds of gated MLP, final norms): they come back from a file as they were, the executors agree, features are
 * those of a computation by hand where that is short, and what cannot be is refused. */
#include "tiny_files.h"

#define MANY_NORMS "qk_norm=true,attn_norm=true,mlp_norm=true"
static const char *const shapes[] = {
    "class_token=false,pool=mean", "class_token=false,pool=mean,registers=2,final_norm=before",
    MANY_NORMS ",gate=first,act=gelu", MANY_NORMS ",heads=1,no_embed_class=true,registers=1",
    "final_norm=both,pool=mean,proj_bias=false", "final_norm=both", "final_norm=none,act=relu", "final_norm=after",
    "gate=last,act=gelu_tanh,mlp_norm=true", "act=silu,qkv_bias=false", "act=sigmoid,final_norm=before,pool=mean" };
enum { SHAPES = sizeof shapes / sizeof *shapes, IMAGES = 3 };

/* A backbone of this shape with random values in all its tensors. */
static peft_backbone *random_backbone(peft_context *ctx, const char *shape)
{
    peft_backbone *b = tiny_backbone(ctx, NULL, shape);
    for (size_t i = 0; i < b->weights; i++) tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.2);
    return b;
}

/* Writes the feature of the images to out [IMAGES, width]. */
static void feature_of(peft_backbone *b, const char *session, float *out)
{
    peft_model *m = tiny_model(b, "head=none");
    peft_session *s = tiny_session(m, "batch=%d%s", IMAGES, session);
    tiny_batch batch = tiny_first_batch(m, IMAGES);
    peft_tensor *feature = tiny_tensor(b->ctx, PEFT_F32, 2, IMAGES, (int)b->shape.width);
    OK(peft_session_features(s, batch.images, feature));
    memcpy(out, peft_tensor_cdata(feature), pf_tensor_bytes(feature));
    peft_tensor_free(feature);
    tiny_batch_free(&batch);
    peft_session_free(s);
    peft_model_free(m);
}

START_TEST(files_and_executors_keep_every_bit)
{
    peft_context *ctx = tiny_plain_context();
    for (int i = 0; i < SHAPES; i++) {
        peft_backbone *b = random_backbone(ctx, shapes[i]), *loaded;
        static float want[IMAGES * 64], got[IMAGES * 64], naive[IMAGES * 64];
        const size_t bytes = IMAGES * (size_t)b->shape.width * sizeof(float);
        ck_assert_int_le(b->shape.width, 64);
        OK(peft_backbone_save(b, tiny_path("b.safetensors")));
        loaded = tiny_load(ctx, tiny_path("b.safetensors"), "");
        tiny_same_backbone(b, loaded, shapes[i]);
        ck_assert_str_eq(peft_backbone_fingerprint(b), peft_backbone_fingerprint(loaded));
        feature_of(b, "", want);
        feature_of(loaded, "", got);
        feature_of(b, ",executor=naive", naive);
        ck_assert_msg(!memcmp(got, want, bytes), "%s: another feature after saving and loading", shapes[i]);
        ck_assert_msg(!memcmp(naive, want, bytes), "%s: another feature by the naive executor", shapes[i]);
        peft_backbone_free(b);
        peft_backbone_free(loaded);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

/* Each fact has an effect: the same weights under another fact give another feature and another fingerprint. */
START_TEST(facts_that_no_tensor_shows_count)
{
    static const char *const pairs[][3] = {             /* the shape, and the same tensors with two values of a fact */
        { "gate=last,act=gelu", "gate=first", "gate=last" }, { "gate=first,act=gelu", "act=silu", "act=relu" },
        { "act=gelu", "act=gelu_tanh", "act=gelu" }, { "final_norm=after", "pool=mean", "pool=cls" } };
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        peft_backbone *b = random_backbone(ctx, pairs[i][0]), *x[2];
        static float feature[2][IMAGES * 64];
        OK(peft_backbone_save(b, tiny_path("b.safetensors")));
        for (int k = 0; k < 2; k++) {
            x[k] = tiny_load(ctx, tiny_path("b.safetensors"), pairs[i][1 + k]);
            feature_of(x[k], "", feature[k]);
        }
        ck_assert_msg(memcmp(feature[0], feature[1], sizeof feature[0]), "%s: equal features", pairs[i][1]);
        ck_assert_str_ne(peft_backbone_fingerprint(x[0]), peft_backbone_fingerprint(x[1]));
        for (int k = 0; k < 2; k++) peft_backbone_free(x[k]);
        peft_backbone_free(b);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    static const struct { const char *options, *text; } bad[] = {
        { "class_token=false", "no class token: expected mean" }, { "gate=both", "gate: given 'both'" },
        { "swiglu=true,gate=last", "gate: given 'last' with swiglu=true" }, { "act=mish", "gelu_tanh" },
        { "final_norm=yes", "final_norm: given 'yes'" } };
    static const struct { const char *options, *text; } not_hf[] = {
        { "class_token=false,pool=mean,final_norm=before", "norm after mean pooling" }, { "qk_norm=true", "norms inside" },
        { "proj_bias=false", "without biases" }, { "gate=last,layer_scale=true,classes=0", "other than SwiGLU" },
        { "final_norm=none", "without a final norm" } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = NULL;
    peft_model *m = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        peft_options *o = tiny_options(ctx, "%s", bad[i].options);
        FAILS(PEFT_E_OPTION, bad[i].text, peft_backbone_create(ctx, o, &b));
        peft_options_free(o);
    }
    peft_options *hf = tiny_options(ctx, "naming=hf");
    for (size_t i = 0; i < sizeof not_hf / sizeof *not_hf; i++) {
        b = tiny_backbone(ctx, NULL, not_hf[i].options);
        FAILS(PEFT_E_UNSUPPORTED, not_hf[i].text, peft_backbone_save_as(b, tiny_path("hf"), hf));
        peft_backbone_free(b);
    }
    b = tiny_backbone(ctx, NULL, "class_token=false,pool=mean");
    peft_options *o = tiny_options(ctx, "classes=3,pool=cls");
    FAILS(PEFT_E_OPTION, "pool: given 'cls', but the backbone has no class token", peft_model_create(b, o, &m));
    peft_adapter *a = NULL;
    FAILS(PEFT_E_OPTION, "this backbone has no class token", peft_adapter_create(b, "cls_tune", NULL, &a));
    peft_options_free(o);
    o = tiny_options(ctx, "importance=class_token,reduction=2");
    FAILS(PEFT_E_OPTION, "this backbone has no class token", peft_adapter_create(b, "fpt", o, &a));
    peft_options_free(o);
    peft_options_free(hf);
    peft_backbone_free(b);
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("shapes", files_and_executors_keep_every_bit, facts_that_no_tensor_shows_count, what_cannot_be_is_refused)
