/* SPDX-License-Identifier: Apache-2.0
 * test_shapes.c -- networks that differ from a plain ViT (no class token, norms of q and k, norms inside attention and
 * MLP, kinds of gated MLP, final norms, rotary positions): they come back from a file as they were, the executors
 * agree, rotary positions follow their definitions, and what cannot be is refused. */
#include <math.h>
#include "tiny_files.h"

#define MANY_NORMS "qk_norm=true,attn_norm=true,mlp_norm=true"
static const char *const shapes[] = {
    "class_token=false,pool=mean", "class_token=false,pool=mean,registers=2,final_norm=before",
    MANY_NORMS ",gate=first,act=gelu", MANY_NORMS ",heads=1,no_embed_class=true,registers=1",
    "final_norm=both,pool=mean,proj_bias=false", "final_norm=both", "final_norm=none,act=relu", "final_norm=after",
    "gate=last,act=gelu_tanh,mlp_norm=true", "act=silu,qkv_bias=false", "act=sigmoid,final_norm=before,pool=mean",
    "rope=axial,ref_feat_shape=7,rope_grid_indexing=xy",
    "rope=axial,rope_rotate_half=true,rope_grid_offset=1,qk_norm=true",
    "rope=dinov3,rope_rotate_half=true,pos_embed=false,registers=2",
    "rope=mixed,no_embed_class=true,rope_grid_indexing=xy",
    "rope=mixed,pos_embed=false,class_token=false,pool=mean" };
enum { SHAPES = sizeof shapes / sizeof *shapes, IMAGES = 3 };

/* A backbone of this shape with random values in all its tensors. */
static peft_backbone *random_backbone(peft_context *ctx, const char *shape)
{
    peft_backbone *b = tiny_backbone(ctx, NULL, shape);
    for (size_t i = 0; i < b->weights; i++) tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.2);
    OK(pf_backbone_make_rope(b));
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
        { "rope=axial", "rope=axial", "rope=none" }, { "rope=axial", "rope_grid_indexing=xy", "rope_grid_indexing=ij" },
        { "rope=axial", "rope_rotate_half=true", "rope_temperature=10" }, { "rope=axial", "rope=dinov3", "rope=axial" },
        { "rope=axial", "rope_grid_offset=0.5", "ref_feat_shape=3" }, { "act=gelu", "act=gelu_tanh", "act=gelu" },
        { "final_norm=after", "pool=mean", "pool=cls" } };
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

/* The rotation by hand: of one block, whose attention sees q and k as they are when nothing is rotated. With one patch
 * each angle is that of coordinate 0, so that rope=axial changes nothing, and an offset turns q and k alike, which
 * leaves their products as they are. */
START_TEST(rotations_change_products_of_different_patches_only)
{
    peft_context *ctx = tiny_plain_context();
    static const char *const same[] = { "rope=axial", "rope=axial,rope_grid_offset=1.5" };
    static float plain[IMAGES * 64], got[IMAGES * 64];
    for (int i = 0; i < 2; i++) {
        char options[200];
        const char *shape = "image_size=4,depth=1,class_token=false,pool=mean";
        snprintf(options, sizeof options, "%s,%s", shape, same[i]);
        peft_backbone *a = random_backbone(ctx, shape), *b = random_backbone(ctx, options);
        feature_of(a, "", plain);
        feature_of(b, "", got);
        for (int64_t k = 0; k < IMAGES * a->shape.width; k++) ck_assert_float_le(fabsf(plain[k] - got[k]), 1e-5f);
        peft_backbone_free(a);
        peft_backbone_free(b);
    }
    peft_context_free(ctx);
}
END_TEST

/* Angles of rotary positions, computed from the definitions in double: element j of the table of a patch. */
START_TEST(tables_of_rotary_positions_follow_their_definitions)
{
    /* angle: of pairs 0, 1 and 2, of the patch at row 1 and column 2 of 4 x 4 */
    static const struct { pf_rope rope; double angle[3]; } rows[] = {
        { { PF_ROPE_AXIAL, 100, 0, 0, false, false }, { 1, 0.1, 2 } },
        { { PF_ROPE_AXIAL, 100, 0.5, 0, true, false }, { 2.5, 0.25, 1.5 } },
        { { PF_ROPE_AXIAL, 16, 0, 8, false, true }, { 2, 0.5, 4 } },
        { { PF_ROPE_CENTRED, 4, 0, 0, false, true }, { -0.25 * 2 * M_PI, -0.25 * M_PI, 0.25 * 2 * M_PI } } };
    enum { HEAD = 8, POSITION = 6 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const pf_vit_shape s = { .image = { 16, 16 }, .patch = 4, .width = 2 * HEAD, .heads = 2, .depth = 1,
                                 PF_PLAIN_VIT, .rope = rows[i].rope };
        pk_real table[16 * 2 * HEAD];
        ck_assert_int_eq(pf_rope_tables(&s), 1);
        pf_rope_fill(&s, NULL, table);
        for (int pair = 0; pair < 3; pair++) {
            const bool halves = s.rope.halves;
            const int first = halves ? pair : 2 * pair, second = halves ? pair + HEAD / 2 : first + 1;
            const pk_real *row = table + POSITION * 2 * HEAD;
            const double cosine = cos(rows[i].angle[pair]), sine = sin(rows[i].angle[pair]);
            const double got[] = { row[first], row[second], row[HEAD + first], row[HEAD + second] };
            const double want[] = { cosine, cosine, -sine, sine };
            for (int k = 0; k < 4; k++)
                ck_assert_msg(fabs(got[k] - want[k]) < 1e-6, "row %zu, pair %d, %d: %g, expected %g", i, pair, k,
                              got[k], want[k]);
        }
    }
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    static const struct { const char *options, *text; } bad[] = {
        { "class_token=false", "no class token: expected mean" }, { "gate=both", "gate: given 'both'" },
        { "swiglu=true,gate=last", "gate: given 'last' with swiglu=true" }, { "act=mish", "gelu_tanh" },
        { "final_norm=yes", "final_norm: given 'yes'" }, { "rope=2d", "rope: given '2d'" },
        { "rope=axial,rope_grid_indexing=yx", "rope_grid_indexing: given 'yx'" },
        { "rope=mixed,rope_rotate_half=true", "rope_rotate_half" } };
    static const struct { const char *options, *text; } not_hf[] = {
        { "class_token=false,pool=mean", "norm after mean pooling" }, { "qk_norm=true", "norms inside" },
        { "pool=mean,final_norm=before", "norm after mean pooling" }, { "pool=attention", "attention pooling" },
        { "proj_bias=false", "without biases" }, { "gate=last,layer_scale=true,classes=0", "other than SwiGLU" },
        { "final_norm=none", "without a final norm" }, { "rope=axial", "rotary positions" } };
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
    o = tiny_options(ctx, "kind=foa");
    peft_adaptor *adaptor = NULL;
    m = tiny_model(b, NULL);
    FAILS(PEFT_E_UNSUPPORTED, "kind foa compares class tokens", peft_adaptor_create(m, o, &adaptor));
    peft_model_free(m);
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

SUITE_MAIN("shapes", rotations_change_products_of_different_patches_only,
           tables_of_rotary_positions_follow_their_definitions, files_and_executors_keep_every_bit,
           facts_that_no_tensor_shows_count, what_cannot_be_is_refused)
