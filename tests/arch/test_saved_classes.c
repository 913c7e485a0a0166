/* SPDX-License-Identifier: Apache-2.0
 * test_saved_classes.c -- the names and the model class that a loaded backbone is saved with: timm's in the form of the
 * loaded file, and Hugging Face's, open_clip's and torchvision's. */
#include <jansson.h>
#include "core/weights/save/save.h"
#include "weights/config_fixture.h"
#include "weights/formats.h"

#define ROPE ",rope=axial,rope_temperature=10000,ref_feat_shape=16"
#define SPLIT { "attn.qkv", { "attn.q_proj", "attn.k_proj", "attn.v_proj" } }
#define HALVES { "mlp.fc1", { "mlp.fc1_g", "mlp.fc1_x" } }
#define GAMMAS { "ls1.gamma", { "gamma_1" } }, { "ls2.gamma", { "gamma_2" } }
static const stem eva[] = { SPLIT, HALVES, GAMMAS, { NULL, { NULL } } };
static const stem eva_packed[] = { GAMMAS, { NULL, { NULL } } };
static const stem halves[] = { HALVES, { NULL, { NULL } } };

/* A file of timm's, and two of the names that it is saved with again: all of its own. */
static const struct { const char *create; const stem *stems; const char *has[2], *has_not; } forms[] = {
    { NO_HEAD ",layer_scale=true,swiglu=true" ROPE, eva,
      { "blocks.1.attn.k_proj.weight", "blocks.0.mlp.fc1_x.bias" }, "blocks.0.ls1.gamma" },
    { NO_HEAD ",layer_scale=true,swiglu=true" ROPE, eva_packed, { "blocks.0.gamma_1", "blocks.0.mlp.fc1.weight" },
      "blocks.0.ls1.gamma" },
    { NO_HEAD ",layer_scale=true,swiglu=true", halves, { "blocks.0.ls1.gamma", "blocks.0.mlp.fc1_g.weight" },
      "blocks.0.gamma_1" },
    { NO_HEAD ",layer_scale=true", NULL, { "blocks.0.ls1.gamma", "blocks.0.attn.qkv.bias" }, "blocks.0.gamma_1" } };
#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool file_has(peft_context *ctx, const char *path, const char *name)
{
    pf_st *f;
    OK(pf_st_open(ctx, path, &f));
    const bool has = pf_st_find(f, name) != NULL;
    pf_st_close(f);
    return has;
}

static void save(peft_backbone *b, const char *path, const char *options)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    ck_assert_msg(!peft_backbone_save_as(b, path, o), "%s: %s", options, peft_last_error());
    peft_options_free(o);
}

/* Every tensor of the loaded file is in the saved one, under its name. */
START_TEST(timm_names_are_those_of_the_loaded_file)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < COUNT(forms); i++) {
        const format f = { "timm", "", "blocks.%d.", "head", forms[i].create, "", forms[i].stems, NULL, LIKE_TIMM };
        peft_backbone *b = random_backbone(ctx, f.create);
        write_format(b, &f, f.flags, tiny_path("file.safetensors"));
        peft_backbone *loaded = load(ctx, tiny_path("file.safetensors"), "heads=2");
        save(loaded, tiny_path("saved.safetensors"), "naming=timm");
        for (int k = 0; k < 2; k++)
            ck_assert_msg(file_has(ctx, tiny_path("saved.safetensors"), forms[i].has[k]), "no %s", forms[i].has[k]);
        ck_assert_msg(!file_has(ctx, tiny_path("saved.safetensors"), forms[i].has_not), "%zu", i);
        pf_st *first, *second;
        OK(pf_st_open(ctx, tiny_path("file.safetensors"), &first));
        OK(pf_st_open(ctx, tiny_path("saved.safetensors"), &second));
        ck_assert_uint_eq(pf_st_count(first), pf_st_count(second));
        for (size_t k = 0; k < pf_st_count(first); k++) {
            const pf_st_tensor *x = pf_st_at(first, k), *y = pf_st_find(second, x->name);
            ck_assert_msg(y && x->bytes == y->bytes && !memcmp(x->data, y->data, x->bytes), "%zu: %s", i, x->name);
        }
        pf_st_close(first);
        pf_st_close(second);
        peft_backbone *again = load(ctx, tiny_path("saved.safetensors"), "");
        ck_assert_str_eq(peft_backbone_fingerprint(again), peft_backbone_fingerprint(loaded));
        peft_backbone_free(again);
        peft_backbone_free(loaded);
        peft_backbone_free(b);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

/* The file in a format, what it is saved as, and a tensor that the saved file has. */
static const stem siglip_names[] = {
    { "pos_embed", { "embeddings.position_embedding.weight" } },
    { "patch_embed.proj", { "embeddings.patch_embedding" } }, { "norm", { "post_layernorm" } },
    { "norm1", { "layer_norm1" } },
    { "norm2", { "layer_norm2" } },
    { "attn.proj", { "self_attn.out_proj" } },
    { "attn.qkv", { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj" } }, HF_POOL, { NULL, { NULL } } };
static const format siglip = { "HF SigLIP", "vision_model.", "encoder.layers.%d.", "classifier",
    NO_HEAD ",class_token=false,pool=attention,act=gelu_tanh", "", siglip_names, NULL, LIKE_TIMM };
static const struct { const char *format, *naming, *model, *tensor; } classes[] = {
    { "HF CLIP", "naming=hf", "CLIPVisionModel", "vision_model.embeddings.class_embedding" },
    { "HF SigLIP", "naming=hf5", "SiglipVisionModel", "vision_model.head.attention.in_proj_weight" },
    { "HF ViT", "naming=hf", "ViTForImageClassification", "vit.embeddings.cls_token" },
    { "CLIP", "naming=clip", NULL, "visual.transformer.resblocks.1.attn.in_proj_weight" },
    { "timm in open_clip", "naming=clip", NULL, "visual.trunk.blocks.1.attn.qkv.weight" },
    { "torchvision", "naming=torchvision", NULL, "encoder.layers.encoder_layer_10.mlp.3.weight" } };

START_TEST(the_model_class_is_that_of_the_loaded_file)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < COUNT(classes); i++) {
        const format *f = &siglip;
        for (int k = 0; k < FORMATS; k++) if (!strcmp(formats[k].name, classes[i].format)) f = &formats[k];
        peft_backbone *b = random_backbone(ctx, f->create);
        write_format(b, f, f->flags, tiny_path("file.safetensors"));
        peft_backbone *loaded = load(ctx, tiny_path("file.safetensors"), f->load);
        const bool folder = classes[i].model != NULL;
        save(loaded, tiny_path(folder ? "folder" : "saved.safetensors"), classes[i].naming);
        const char *file = tiny_path(folder ? "folder/model.safetensors" : "saved.safetensors");
        ck_assert_msg(file_has(ctx, file, classes[i].tensor), "%s: no %s", classes[i].format, classes[i].tensor);
        peft_backbone *again = load(ctx, file, "");
        ck_assert_str_eq(peft_backbone_fingerprint(again), peft_backbone_fingerprint(loaded));
        json_t *config = folder ? json_load_file(tiny_path("folder/config.json"), 0, NULL) : NULL;
        if (folder) {
            const json_t *list = json_object_get(config, "architectures");
            ck_assert_str_eq(json_string_value(json_array_get(list, 0)), classes[i].model);
            ck_assert_int_eq(json_integer_value(json_object_get(config, "hidden_size")), 16);
        }
        json_decref(config);
        peft_backbone_free(again);
        peft_backbone_free(loaded);
        peft_backbone_free(b);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

START_TEST(what_a_library_lacks_is_refused_by_name)
{
    static const struct { const char *create, *naming, *word; } refused[] = {
        { VIT, "naming=clip", "classifier=false" }, { NO_HEAD, "naming=clip", "patch embedding with a bias" },
        { NO_HEAD ",registers=2", "naming=torchvision", "registers" },
        { NO_HEAD ",act=relu", "naming=torchvision", "exact GELU" },
        { NO_HEAD ",class_token=false,pool=attention,eps=1e-3,norm_pre=true", "naming=hf5", "norm before" } };
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < COUNT(refused); i++) {
        peft_backbone *b = random_backbone(ctx, refused[i].create);
        peft_options *o = tiny_options(ctx, "%s", refused[i].naming);
        ck_assert_int_eq(peft_backbone_save_as(b, tiny_path("no.safetensors"), o), PEFT_E_UNSUPPORTED);
        ck_assert_msg(strstr(peft_last_error(), refused[i].word), "%s", peft_last_error());
        peft_options_free(o);
        peft_backbone_free(b);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("saved_classes", timm_names_are_those_of_the_loaded_file, the_model_class_is_that_of_the_loaded_file,
           what_a_library_lacks_is_refused_by_name)
