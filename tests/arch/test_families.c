/* SPDX-License-Identifier: Apache-2.0
 * test_families.c -- the table of model families (how timm, DINO, CLIP, Hugging Face ... name a ViT's tensors): its
 * rows are complete and can be told apart; files of each family are recognised, load, and save and load again to equal
 * bits; and a family that the test adds works like the built-in ones. */
#include "core/arch/names.h"
#include "core/weights/load/load.h"
#include "weights/config_fixture.h"
#include "weights/formats.h"

/* The family as which a file in each format of formats.h and of `more` (below) is recognised. */
static const struct { const char *format, *family; } expected[] = {
    { "timm", "timm" }, { "timm wrapped", "timm" }, { "timm in open_clip", "timm" }, { "SwiGLU", "timm" },
    { "DINOv2", "DINOv2" }, { "DINOv2 in chunks", "DINO" }, { "DeiT-III", "DeiT-III" }, { "MAE", "MAE" },
    { "DINO", "DINO" }, { "MoCo v3", "MoCo" }, { "HF ViT", "Hugging Face ViT" },
    { "HF DINOv2", "Hugging Face DINOv2" }, { "HF 5", "Hugging Face ViT" }, { "CLIP", "CLIP" },
    { "HF CLIP", "Hugging Face CLIP" }, { "torchvision", "torchvision" }, { "torchvision, old names", "torchvision" },
    { "mmcls", "mmcls" }, { "mmpretrain", "mmcls" }, { "timm's CLIP", "timm CLIP" },
    { "DINOv2 with registers", "DINOv2 with registers" }, { "DINOv3", "DINOv3" },
    { "HF DINOv3", "Hugging Face DINOv3" }, { "HF DINOv3, gated", "Hugging Face DINOv3" }, { "EVA-02", "EVA-02" },
    { "timm's EVA-02", "DeiT-III" },
    { "HF DINOv2 with registers", "Hugging Face DINOv2 with registers" }, { "CONCH", "CONCH" },
    { "distilled DeiT", "DeiT" }, { "HF DeiT", "Hugging Face DeiT" }, { "HF SigLIP", "Hugging Face SigLIP" },
    { "HF I-JEPA", "Hugging Face I-JEPA" }, { "HF MAE", "Hugging Face MAE" } };
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* Formats besides those of formats.h, where the columns of a row are explained: families that an additional tensor or
 * option tells from another. */
static const stem registers[] = { { "reg_token", { "register_tokens" } }, { NULL, { NULL } } };
#define UNFUSED { "attn.qkv", { "attn.q_proj", "attn.k_proj", "attn.v_proj" } }
static const stem eva02[] = {
    UNFUSED, { "attn.norm", { "attn.inner_attn_ln" } }, { "mlp.norm", { "mlp.ffn_ln" } },
    { "mlp.fc1", { "mlp.w1", "mlp.w2" } }, { "mlp.fc2", { "mlp.w3" } }, { NULL, { NULL } } };
static const stem timm_eva02[] = {
    UNFUSED, { "mlp.fc1", { "mlp.fc1_g", "mlp.fc1_x" } }, { "ls1.gamma", { "gamma_1" } },
    { "ls2.gamma", { "gamma_2" } }, { NULL, { NULL } } };
#define DINOV3 ",layer_scale=true,pos_embed=false,eps=1e-5,rope=dinov3,rope_rotate_half=true"
static const format more[] = {
    { "DINOv3", "", "blocks.%d.", "head",
      NO_HEAD DINOV3 ",registers=3,swiglu=true", "image_size=8", dinov3, LIST("rope_embed.periods", "mask_token"), 0 },
    { "HF DINOv3", "", "layer.%d.", "classifier", NO_HEAD DINOV3 ",registers=3", "image_size=8", hf_dinov3,
      LIST("embeddings.mask_token"), 0 },
    { "HF DINOv3, gated", "backbone.", "model.layer.%d.", "classifier", NO_HEAD DINOV3 ",swiglu=true", "image_size=8",
      hf_dinov3_gated, NULL, 0 },
    { "EVA-02", "", "blocks.%d.", "head", NO_HEAD ",attn_norm=true,mlp_norm=true,swiglu=true,rope=axial,"
      "rope_temperature=10000,ref_feat_shape=16", "", eva02,
      LIST("rope.freqs_cos", "rope.freqs_sin", "blocks.0.attn.rope.freqs_cos"), 0 },
    { "timm's EVA-02", "", "blocks.%d.", "head", NO_HEAD ",attn_norm=true,mlp_norm=true,swiglu=true,layer_scale=true,"
      "rope=axial,rope_temperature=10000,ref_feat_shape=16", "", timm_eva02, NULL, 0 },
    { "timm's CLIP", "", "blocks.%d.", "head", NO_HEAD ",norm_pre=true,eps=1e-5", "", NULL, NULL, NO_PATCH_BIAS },
    { "DINOv2 with registers", "", "blocks.%d.", "head", NO_HEAD ",registers=3,layer_scale=true", "", registers,
      LIST("mask_token"), 0 },
    { "HF DINOv2 with registers", "", "encoder.layer.%d.", "classifier",
      NO_HEAD ",registers=3,layer_scale=true,swiglu=true", "", hf_dino, NULL, 0 },
    { "CONCH", "", "blocks.%d.", "head", NO_HEAD ",pool=attention", "pool_heads=2", conch,
      LIST("proj_contrast", "attn_pool_caption.query", "text.ln_final.weight"), 0 },
    { "distilled DeiT", "", "blocks.%d.", "head", NO_HEAD ",registers=1,pool=cls_dist", "", deit, NULL, 0 },
    { "HF DeiT", "deit.", "encoder.layer.%d.", "classifier", VIT ",registers=1", "eps=1e-6", hf_deit, NULL, 0 },
    { "HF SigLIP", "vision_model.", "encoder.layers.%d.", "classifier",
      NO_HEAD ",class_token=false,pool=attention,act=gelu_tanh", "", hf_siglip, LIST("logit_scale", "logit_bias"),
      0 },
    { "HF I-JEPA", "ijepa.", "encoder.layer.%d.", "classifier", VIT ",class_token=false,pool=mean,final_norm=before",
      "eps=1e-6", hf, NULL, 0 },
    { "HF MAE", "vit.", "encoder.layer.%d.", "classifier", NO_HEAD, "eps=1e-6", hf,
      LIST("decoder.decoder_embed.weight", "decoder.mask_token"), 0 } };

static const format *format_at(int i) { return i < FORMATS ? &formats[i] : &more[i - FORMATS]; }
enum { ALL = FORMATS + COUNT(more) };

/* The name of the family as which a file in this format is recognised. */
static const char *family_of_format(const char *format)
{
    for (int i = 0; i < COUNT(expected); i++) if (!strcmp(expected[i].format, format)) return expected[i].family;
    ck_abort_msg("no family is expected for format '%s'", format);
    return NULL;
}

/* A family has all that loading and saving read. */
static void check_row(const pf_family *f)
{
    char name[PF_NAME_MAX];
    ck_assert_msg(f->name && *f->name && f->naming[0], "a family without a name or naming");
    ck_assert_msg(!pf_pos_embed_check_rule(f->rule), "%s: unknown resampling rule '%s'", f->name, f->rule);
    ck_assert_msg(f->eps > 0 && pf_act_name(f->act), "%s: eps is not positive or the activation is unknown", f->name);
    ck_assert_msg(!f->skipped == !f->loaded, "%s: only one of skipped and loaded", f->name);
    for (int i = 0; i < 2 && f->naming[i]; i++) {
        pf_naming_patch(f->naming[i], name);
        ck_assert_msg(strstr(name, "weight") != NULL, "%s: no name for the patch embedding", f->name);
        ck_assert_msg(pf_naming_attention(f->naming[i], 0, name) && strchr(name, '#') && strstr(name, "weight"),
                      "%s: '%s' is no name of an attention weight", f->name, name);
        const bool written = f->naming[i]->written || f->naming[i] == pf_naming_hf.other;
        if (f->saved) ck_assert_msg(written, "%s is saved in a naming that cannot be written", f->name);
    }
    for (const pf_arch_row *r = f->model_types; r && r->glob; r++)
        if (r->rule)
            ck_assert_msg(!pf_pos_embed_check_rule(r->rule), "%s: unknown resampling rule of %s", f->name, r->glob);
}

/* Families have different names, and none matches every file that a later one matches: of two with one naming, the
 * first requires a tensor (has) that the second does not. */
START_TEST(families_are_complete_and_can_be_told_apart)
{
    for (pf_families a = pf_all_families; *a; a++) {
        check_row(*a);
        for (pf_families b = pf_all_families; b != a; b++) {
            ck_assert_str_ne((*a)->name, (*b)->name);
            const bool same = pf_family_uses(*b, (*a)->naming[0]);
            ck_assert_msg(!same || (*b)->has_tensor[0], "%s matches all files of %s", (*b)->name, (*a)->name);
            ck_assert_msg(!same || !(*a)->has_tensor[0] || strcmp((*a)->has_tensor[0], (*b)->has_tensor[0]),
                          "%s matches all files of %s", (*b)->name, (*a)->name);
        }
    }
    const pf_naming *naming[PF_NAMINGS_MAX];
    const size_t n = pf_namings(pf_all_families, naming);
    ck_assert_uint_lt(n, PF_NAMINGS_MAX);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) ck_assert_str_ne(naming[i]->name, naming[k]->name);
}
END_TEST

/* The name that a naming gives a tensor translates back to that tensor, for networks without and with every optional
 * part. */
START_TEST(names_translate_back_to_the_same_tensor)
{
    const pf_naming *naming[PF_NAMINGS_MAX];
    const size_t n = pf_namings(pf_all_families, naming);
    for (size_t k = 0; k < 2 * n; k++) {                     /* naming k / 2; odd k: a network with optional parts */
        pf_vit_shape s = { .image = { 8, 8 }, .patch = 4, .width = 8, .depth = 2, .heads = 2, .mlp = 8, .classes = 3,
                                 .registers = k % 2, .layer_scale = k % 2, .act = PK_SILU,
                                 .gate = k % 2 ? PF_GATE_FIRST : PF_GATE_NONE, PF_PLAIN_VIT };
        s.pos_embed = naming[k / 2] != &pf_naming_hf_dinov3;            /* which has no name for it */
        pf_tensor_spec t;
        int named = 0, tensors = 0;
        for (size_t i = 0; pf_vit_tensor(&s, i, &t); i++, tensors++)
            for (int part = 0; part <= 3; part++) {
                char in_file[PF_NAME_MAX];
                if (!pf_naming_from_timm(pf_all_families, naming[k / 2], &s, t.name, part, in_file)) continue;
                const pf_timm_name back = pf_naming_to_timm(pf_all_families, naming[k / 2], "", in_file);
                const bool lone_half = naming[k / 2]->lone_half && !part && back.part == 2;       /* joined later */
                ck_assert_msg(back.kind == PF_NAME_OURS && !strcmp(back.name, t.name)
                              && (back.part == part || lone_half),
                              "%s: %s is read as %s", naming[k / 2]->name, in_file, back.name);
                named += part <= 1;                          /* a tensor in three parts counts once */
            }
        const pf_hf_model *m = pf_saved_as(pf_all_families, naming[k / 2], &s, "", true).model;
        const int head = m && !m->classifier ? 2 : 0;        /* tensors of a classifier that the library lacks */
        const bool timm = naming[k / 2] == &pf_naming_timm;
        const bool plain_only = !timm && !naming[k / 2]->dtype;      /* CLIP, torchvision: no registers, no gated MLP */
        if (naming[k / 2]->written && !(plain_only && k % 2))
            ck_assert_msg(named >= tensors - head, "%s names %d of %d tensors", naming[k / 2]->name, named, tensors);
        else if (k % 2 == 0) ck_assert_int_ge(named, tensors - 2);              /* the head may have another naming */
    }
}
END_TEST

/* The family as which a file is recognised. */
static const pf_family *recognise(peft_context *ctx, const char *path)
{
    pf_detected found[PF_DETECTED_MAX];
    pf_st *file;
    OK(pf_st_open(ctx, path, &file));
    const size_t n = pf_naming_detect(pf_all_families, file, NULL, found);
    ck_assert_msg(n == 1, "%zu networks found", n);
    const pf_family *f = pf_family_of(pf_all_families, found[0].naming, file);
    pf_st_close(file);
    return f;
}

/* Saved in a naming and loaded, a backbone has the same fingerprint, and the same head where the naming keeps it. */
static void check_save_and_load(peft_backbone *b, const pf_naming *naming, const char *who)
{
    peft_context *ctx = b->ctx;
    const pf_hf_model *m = pf_saved_as(pf_all_families, naming, &b->shape, b->model_type, b->shape.classes > 0).model;
    const bool keeps_head = !m || (m->classifier && m->feature == b->shape.pool);
    peft_options *o = tiny_options(ctx, "naming=%s,classifier=%s", naming->name, keeps_head ? "true" : "false");
    ck_assert_msg(!peft_backbone_save_as(b, tiny_path("saved.safetensors"), o), "%s as %s: %s", who, naming->name,
                  peft_last_error());
    peft_options_free(o);
    peft_backbone *again;
    OK(peft_backbone_load(ctx, tiny_path("saved.safetensors"), NULL, &again));
    ck_assert_msg(!strcmp(peft_backbone_fingerprint(again), peft_backbone_fingerprint(b)),
                  "%s as %s: another fingerprint", who, naming->name);
    char saved[65], loaded[65];
    pf_classifier_digest(b, saved);
    pf_classifier_digest(again, loaded);
    if (keeps_head) ck_assert_msg(!strcmp(saved, loaded), "%s as %s: another classifier", who, naming->name);
    peft_backbone_free(again);
}

/* All tensors of the blocks are equal to the bit. Others may differ: some formats add the class token and its
 * position. */
static void same_blocks(const peft_backbone *a, const peft_backbone *b, const char *who)
{
    for (size_t i = 0; i < a->weights; i++) {
        const peft_tensor *x = &a->weight[i].tensor, *y = pf_backbone_find(b, a->weight[i].name);
        if (strncmp(a->weight[i].name, "blocks.", 7)) continue;
        ck_assert_msg(y && pf_tensor_bytes(x) == pf_tensor_bytes(y)
                      && !memcmp(peft_tensor_cdata(x), peft_tensor_cdata(y), pf_tensor_bytes(x)), "%s: %s differs",
                      who, a->weight[i].name);
    }
}

START_TEST(files_of_every_family_are_recognised_and_save_and_load)
{
    peft_context *ctx = tiny_plain_context();
    bool tested[64] = { false };
    for (int i = 0; i < ALL; i++) {
        const format *f = format_at(i);
        peft_backbone *b = random_backbone(ctx, f->create), *loaded;
        write_format(b, f, f->flags, tiny_path("file.safetensors"));
        const pf_family *family = recognise(ctx, tiny_path("file.safetensors"));
        ck_assert_msg(family && !strcmp(family->name, family_of_format(f->name)), "'%s' is recognised as '%s'", f->name,
                      family ? family->name : "none");
        for (int k = 0; pf_all_families[k]; k++) tested[k] |= pf_all_families[k] == family;
        loaded = load(ctx, tiny_path("file.safetensors"), f->load);
        same_blocks(b, loaded, f->name);
        ck_assert_msg(!memcmp(&b->shape.rope, &loaded->shape.rope, sizeof b->shape.rope), "%s: other rotary positions",
                      f->name);
        for (int k = 0; k < 2 && family->naming[k]; k++) {
            /* a naming with `dtype` (config.json's key for the element type) is saved with a config.json, which cannot
             * describe a norm before the blocks or a distillation token */
            const bool odd = loaded->shape.norm_pre || (loaded->shape.registers && !loaded->shape.layer_scale);
            const bool describable = !(family->naming[k]->dtype && odd);
            if (family->naming[k]->written && describable)
                check_save_and_load(loaded, family->naming[k], f->name);
        }
        check_save_and_load(loaded, &pf_naming_timm, f->name);
        peft_backbone_free(loaded);
        peft_backbone_free(b);
    }
    /* a file with two classifiers, which no format has */
    peft_backbone *pair = random_backbone(ctx, NO_HEAD ",classes=5,registers=1,no_embed_class=true,pool=cls_dist");
    check_save_and_load(pair, &pf_naming_hf, "two classifiers");
    const pf_family *with_teacher = recognise(ctx, tiny_path("saved.safetensors"));
    ck_assert_str_eq(with_teacher->name, "Hugging Face DeiT with teacher");
    check_save_and_load(pair, &pf_naming_timm, "two classifiers");
    ck_assert_str_eq(recognise(ctx, tiny_path("saved.safetensors"))->name, "DeiT");
    peft_backbone_free(pair);
    for (int k = 0; pf_all_families[k]; k++) tested[k] |= pf_all_families[k] == with_teacher;
    for (int k = 0; pf_all_families[k]; k++)
        ck_assert_msg(tested[k], "no file of the family '%s'", pf_all_families[k]->name);
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

/* --- two families that the test adds: "own", and "own, marked" for files that also hold a tensor "flag" ----------- */
/* A row: the family's name of a tensor, timm's, the part of it (1, 2, 3: q, k, v; 0: all), and 0: in every network. */
static const pf_name_row own_top[] = {
    { "stem.summary", "cls_token", 0, 0 }, { "stem.places", "pos_embed", 0, 0 },
    { "stem.pixels.@", "patch_embed.proj.@", 0, 0 }, { "tail.@", "norm.@", 0, 0 }, { 0 } };
static const pf_name_row own_block[] = {
    { "first.@", "norm1.@", 0, 0 }, { "second.@", "norm2.@", 0, 0 }, { "look.q.@", "attn.qkv.@", 1, 0 },
    { "look.k.@", "attn.qkv.@", 2, 0 }, { "look.v.@", "attn.qkv.@", 3, 0 }, { "look.out.@", "attn.proj.@", 0, 0 },
    { "think.up.@", "mlp.fc1.@", 0, 0 }, { "think.down.@", "mlp.fc2.@", 0, 0 }, { 0 } };
static const pf_naming own_naming = { .name = "own", .front = { { "floor.#.", 0 } }, .top = own_top,
                                      .block = own_block };
static const pf_arch_row own_types[] = { { .glob = "own_*", .rule = "hf", .heads = 4, .eps = 1e-4 }, { 0 } };
static const pf_pixels own_pixels = { { 0.25, 0.5, 0.75 }, { 0.5, 0.5, 0.5 } };
static const pf_family own = {
    .name = "own", .naming = { &own_naming }, .classifiers = (const char *const[]){ "verdict.@", NULL },
    .ignored = (const char *const[]){ "scaffold.*", NULL }, .eps = 1e-3, .act = PK_QUICKGELU, .rule = "bilinear",
    .pixels = &own_pixels, .model_types = own_types };
static const pf_family own_marked = {
    .name = "own, marked", .naming = { &own_naming }, .has_tensor = { "flag" },
    .ignored = (const char *const[]){ "flag", NULL }, .eps = 1e-2, .act = PK_GELU, .rule = "bilinear" };

/* The same names in the form of formats.h, which writes the file. */
static const stem own_stems[] = {
    { "cls_token", { "stem.summary" } }, { "pos_embed", { "stem.places" } }, { "patch_embed.proj", { "stem.pixels" } },
    { "norm", { "tail" } }, { "norm1", { "first" } }, { "norm2", { "second" } },
    { "attn.qkv", { "look.q", "look.k", "look.v" } }, { "attn.proj", { "look.out" } }, { "mlp.fc1", { "think.up" } },
    { "mlp.fc2", { "think.down" } }, { NULL, { NULL } } };

/* Loads the fixture's file by a table of families. */
static peft_backbone *load_own(fixture *b, pf_families families, const char *options)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    peft_backbone *loaded = NULL;
    ck_assert_msg(!pf_backbone_load(b->ctx, b->weights, o, families, &loaded), "%s", peft_last_error());
    peft_options_free(o);
    return loaded;
}

START_TEST(a_family_added_to_the_table_loads)
{
    const pf_family *families[32] = { &own_marked, &own };
    for (int i = 0; pf_all_families[i]; i++) families[i + 2] = pf_all_families[i];
    format f = { "own", "net.", "floor.%d.", "verdict", "", "", own_stems, LIST("scaffold.weight"), 0 };
    fixture b;
    peft_backbone *loaded, *none = NULL;
    fixture_start(&b, VIT ",eps=1e-3,act=quickgelu");
    write_format(b.created, &f, LIKE_TIMM, b.weights);
    FAILS(PEFT_E_FORMAT, "no ViT found", peft_backbone_load(b.ctx, b.weights, NULL, &none));
    loaded = load_own(&b, families, "heads=2");
    ck_assert_str_eq(peft_backbone_fingerprint(loaded), peft_backbone_fingerprint(b.created));
    ck_assert_int_eq(peft_backbone_get(loaded, "classes"), 5);
    fixture_check_note(loaded, "mean", "0.25:0.5:0.75", "own");
    ck_assert_ptr_nonnull(strstr(peft_backbone_note(loaded, "assumed"), "eps=0.001: usual for own files"));
    ck_assert_str_eq(loaded->rule, "bilinear");
    check_save_and_load(loaded, &pf_naming_timm, "own");
    peft_backbone_free(loaded);

    fixture_write("config.json", "{\"model_type\": \"own_base\"}");
    loaded = load_own(&b, families, "");
    ck_assert_int_eq(peft_backbone_get(loaded, "heads"), 4);
    ck_assert(loaded->shape.eps == 1e-4 && !strcmp(loaded->rule, "hf"));
    peft_backbone_free(loaded);

    f.extra = LIST("scaffold.weight", "flag");                            /* now the marked family */
    write_format(b.created, &f, LIKE_TIMM, b.weights);
    loaded = load_own(&b, families, "heads=2,config=none");
    ck_assert(loaded->shape.eps == 1e-2 && loaded->shape.act == PK_GELU);
    peft_backbone_free(loaded);

    write_format(b.created, &formats[0], LIKE_TIMM, b.weights);                     /* built-in families still load */
    loaded = load_own(&b, families, "heads=2,config=none,eps=1e-3,act=quickgelu");
    ck_assert_str_eq(peft_backbone_fingerprint(loaded), peft_backbone_fingerprint(b.created));
    peft_backbone_free(loaded);
    fixture_end(&b);
}
END_TEST

/* Attention pooling of SigLIP's tower is the only one that its class has; QuickGELU of CLIP is one of two. */
START_TEST(what_is_assumed_of_siglip_and_clip)
{
    peft_context *ctx = tiny_plain_context();
    for (int i = 0; i < ALL; i++) {
        const format *f = format_at(i);
        const bool siglip = !strcmp(f->name, "HF SigLIP"), clip = !strcmp(f->name, "CLIP");
        if (!siglip && !clip) continue;
        peft_backbone *b = random_backbone(ctx, f->create);
        write_format(b, f, f->flags, tiny_path("backbone"));
        peft_backbone *loaded = load(ctx, tiny_path("backbone"), f->load);
        const char *assumed = peft_backbone_note(loaded, "assumed");
        const char *quickgelu = "act=quickgelu: OpenAI's networks have it; those of open_clip have gelu";
        ck_assert_msg(siglip ? !strstr(assumed, "pool=") : strstr(assumed, quickgelu) != NULL, "%s", assumed);
        peft_backbone_free(b);
        peft_backbone_free(loaded);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("families", families_are_complete_and_can_be_told_apart, names_translate_back_to_the_same_tensor,
           files_of_every_family_are_recognised_and_save_and_load, a_family_added_to_the_table_loads,
           what_is_assumed_of_siglip_and_clip)
