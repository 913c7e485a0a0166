/* SPDX-License-Identifier: Apache-2.0
 * test_backbone_files.c -- loading backbones from files: other naming conventions and element types, missing and
 * unexpected tensors, facts given by options; peft_file on files of every kind. */
#include <math.h>
#include "tiny_files.h"

/* The status of loading the file; a backbone is freed. */
static peft_status try_load(peft_context *ctx, const char *path, const char *options)
{
    peft_backbone *b = NULL;
    peft_options *o = tiny_options(ctx, "%s", options);
    peft_status s = peft_backbone_load(ctx, path, o, &b);
    if (s) ck_assert_ptr_null(b);
    peft_options_free(o);
    peft_backbone_free(b);
    return s;
}

START_TEST(every_naming_gives_the_same_backbone)
{
    static const tiny_save saves[] = { { .naming = TIMM }, { .naming = TIMM, .prefix = "module.backbone." },
        { .naming = HF },
        { .naming = HF, .prefix = "vit." }, { .naming = HF5 }, { .naming = HF5, .prefix = "vit." } };
    static const char *const kinds[] = { "", "eps=1e-12,act=quickgelu", "qkv_bias=0", "layer_scale=1,heads=4",
        "heads=6,depth=2,mlp=80" };
    for (size_t i = 0; i < sizeof saves / sizeof *saves; i++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            tiny t = tiny_make(&(tiny_spec){ .more = kinds[k] });
            char name[96];
            tiny_save_backbone(t.backbone, &saves[i], tiny_path("backbone"));
            peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), "");
            snprintf(name, sizeof name, "naming %d, prefix %s, %s", (int)saves[i].naming, saves[i].prefix, kinds[k]);
            tiny_same_backbone(t.backbone, b, name);
            peft_backbone_free(b);
            tiny_free(&t);
        }
    tiny_clean();
}
END_TEST

/* Options give the facts that the header lacks; other facts give another fingerprint. */
START_TEST(options_give_missing_facts)
{
    static const char *const others[] = { "heads=6,eps=1e-6", "heads=3,eps=1e-5", "heads=3,eps=1e-6,act=quickgelu",
        "heads=3,eps=1e-6,pool=mean" };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF, .no_facts = true }, tiny_path("backbone"));
    peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), "heads=3,eps=1e-6,act=gelu,pool=cls");
    tiny_same_backbone(t.backbone, b, "facts by options");
    peft_backbone_free(b);
    for (int i = 0; i < 4; i++) {
        b = tiny_load(t.ctx, tiny_path("backbone"), others[i]);
        ck_assert_str_ne(peft_backbone_fingerprint(t.backbone), peft_backbone_fingerprint(b));
        peft_backbone_free(b);
    }
    FAILS(PEFT_E_OPTION, "no attention pooling", try_load(t.ctx, tiny_path("backbone"), "pool=attention"));
    FAILS(PEFT_E_OPTION, "no distillation token", try_load(t.ctx, tiny_path("backbone"), "pool=cls_dist"));
    FAILS(PEFT_E_INVALID, "heads 5", try_load(t.ctx, tiny_path("backbone"), "heads=5"));
    FAILS(PEFT_E_OPTION, "act", try_load(t.ctx, tiny_path("backbone"), "heads=3,act=mish"));
    FAILS(PEFT_E_OPTION, "pool", try_load(t.ctx, tiny_path("backbone"), "heads=3,pool=max"));
    FAILS(PEFT_E_OPTION, "naming", try_load(t.ctx, tiny_path("backbone"), "naming=timm"));
    FAILS(PEFT_E_INVALID, "image_size 18", try_load(t.ctx, tiny_path("backbone"), "heads=3,image_size=18"));
    FAILS(PEFT_E_OPTION, "nearest", try_load(t.ctx, tiny_path("backbone"), "heads=3,image_size=24,resample=nearest"));
    FAILS(PEFT_E_OPTION, "image_size", try_load(t.ctx, tiny_path("backbone"), "img_size=24"));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* f16 and bf16 files give the nearest values, f64 files equal ones. */
START_TEST(f16_bf16_and_f64_files_are_read)
{
    static const peft_dtype types[] = { PEFT_F16, PEFT_BF16, PEFT_F64 };
    static const double unit[] = { 1.0 / 2048, 1.0 / 256, 0 };                /* largest relative error of rounding */
    for (int naming = TIMM; naming <= HF; naming++)
        for (int i = 0; i < 3; i++) {
            tiny t = tiny_make(&(tiny_spec){ 0 });
            tiny_save_backbone(t.backbone, &(tiny_save){ .naming = (tiny_naming)naming, .type = types[i] },
                tiny_path("backbone"));
            peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), "");
            for (size_t k = 0; k < b->weights; k++) {
                const peft_tensor *x = peft_backbone_tensor(b, k), *y = peft_backbone_tensor(t.backbone, k);
                float *p = malloc((size_t)peft_tensor_count(x) * sizeof *p);
                const float *q = peft_tensor_cdata(y);
                OK(peft_tensor_to_f32(x, p, peft_tensor_count(x)));
                /* + 1 / 4096: for numbers that are subnormal in f16, whose error is not relative to them */
                for (int64_t n = 0; n < peft_tensor_count(x); n++)
                    ck_assert_msg(fabs(p[n] - q[n]) <= unit[i] * (fabs(q[n]) + 1.0 / 4096),
                                  "%s[%d]: %.9g is %.9g in type %d", b->weight[k].name, (int)n, q[n], p[n],
                                  (int)types[i]);
                free(p);
            }
            if (types[i] == PEFT_F64) tiny_same_backbone(t.backbone, b, "f64");
            peft_backbone_free(b);
            tiny_free(&t);
        }
    tiny_clean();
}
END_TEST

/* peft_backbone_load_memory gives the same backbone as the file. */
START_TEST(a_file_in_memory_is_read)
{
    static char bytes[1 << 21];
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_backbone *b;
    tiny_save_backbone(t.backbone, &(tiny_save){ 0 }, tiny_path("backbone"));
    FILE *f = fopen(tiny_path("backbone"), "rb");
    ck_assert_ptr_nonnull(f);
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    OK(peft_backbone_load_memory(t.ctx, bytes, size, NULL, &b));
    tiny_same_backbone(t.backbone, b, "memory");
    peft_backbone_free(b);
    FAILS(PEFT_E_FORMAT, "", peft_backbone_load_memory(t.ctx, bytes, size - 1, NULL, &b));
    FAILS(PEFT_E_INVALID, "data", peft_backbone_load_memory(t.ctx, NULL, 0, NULL, &b));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* With registers, Hugging Face stores the class token and a position for it; timm stores the sum of these two as the
 * class token. Both files load alike. */
START_TEST(class_token_positions_of_registers_are_added)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "registers=2" });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF }, tiny_path("hf"));
    for (size_t i = 0; i < t.backbone->weights; i++) {
        peft_tensor *x = &t.backbone->weight[i].tensor;
        if (strcmp(t.backbone->weight[i].name, "pos_embed")) continue;
        float *pos = x->data, *cls = (float *)(uintptr_t)pf_backbone_find(t.backbone, "cls_token")->data;
        const int64_t width = x->dim[2];
        for (int64_t c = 0; c < width; c++) cls[c] += pos[c];
        x->dim[1]--;
        memmove(pos, pos + width, pf_tensor_bytes(x));
    }
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM }, tiny_path("timm"));
    peft_backbone *hf = tiny_load(t.ctx, tiny_path("hf"), ""), *timm = tiny_load(t.ctx, tiny_path("timm"), "");
    ck_assert_int_eq(peft_backbone_get(hf, "registers"), 2);
    ck_assert_int_eq(peft_backbone_get(hf, "prefix"), 3);
    tiny_same_backbone(timm, hf, "class token's position");
    peft_backbone_free(hf);
    peft_backbone_free(timm);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* --- damaged files ---------------------------------------------------------------------------- */
START_TEST(changed_files_are_refused)
{
    static const struct { tiny_change change; peft_status status; const char *text; } table[] = {
        { { DROP, "blocks.1.mlp.fc2.bias", NULL }, PEFT_E_FORMAT,
            "1 tensors missing (blocks.1.mlp.fc2.bias) and 0 unexpected" },
        { { DROP, "norm.weight", NULL }, PEFT_E_FORMAT, "norm.weight" },
        { { DROP, "pos_embed", NULL }, PEFT_E_FORMAT, "pos_embed" },
        { { DROP, "cls_token", NULL }, PEFT_E_FORMAT, "cls_token" },
        { { DROP, "patch_embed.proj.weight", NULL }, PEFT_E_FORMAT, "patch_embed.proj.weight" },
        { { DROP, "blocks.0.attn.qkv.weight", NULL }, PEFT_E_FORMAT, "" },
        { { ADD, "stranger.weight", NULL }, PEFT_E_FORMAT, "no tensor missing, but 1 unexpected (stranger.weight)" },
        { { ADD, "blocks.9.norm2.weight", NULL }, PEFT_E_FORMAT, "blocks.9.norm2.weight" },
        { { CUT, "blocks.2.attn.proj.weight", NULL }, PEFT_E_FORMAT, "'blocks.2.attn.proj.weight': given [1, 48]" },
        { { CUT, "norm.bias", NULL }, PEFT_E_FORMAT, "'norm.bias': given [1]" },
        { { FLATTEN, "blocks.0.mlp.fc2.weight", NULL }, PEFT_E_FORMAT, "'blocks.0.mlp.fc2.weight'" },
        { { RETYPE, "blocks.0.norm1.weight", NULL }, PEFT_E_DTYPE, "'blocks.0.norm1.weight': given I32" },
        { { SET_META, "heads", "5" }, PEFT_E_INVALID, "heads 5" }, { { SET_META, "heads", "nan" }, PEFT_E_INVALID,
            "heads" },
        { { SET_META, "heads", "1e300" }, PEFT_E_INVALID, "heads" }, { { SET_META, "act", "swish" }, PEFT_E_OPTION,
            "act" },
        { { SET_META, "pool", "max" }, PEFT_E_OPTION, "pool" }, { { SET_META, "eps", "nan" }, PEFT_E_INVALID, "eps" },
        { { SET_META, "eps", "-1" }, PEFT_E_INVALID, "eps" } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    tiny_save_backbone(t.backbone, &(tiny_save){ 0 }, tiny_path("backbone"));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        tiny_edit(tiny_path("backbone"), tiny_path("edited"), &table[i].change);
        peft_status s = try_load(t.ctx, tiny_path("edited"), "");
        ck_assert_msg(s == table[i].status && strstr(peft_last_error(), table[i].text), "%s changed: %s: %s",
                      table[i].change.what, peft_status_name(s), s ? peft_last_error() : "");
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(missing_and_unexpected_tensors_are_listed)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    const char *a = tiny_path("a"), *b = tiny_path("b");
    tiny_save_backbone(t.backbone, &(tiny_save){ 0 }, a);
    tiny_edit(a, b, &(tiny_change){ DROP, "norm.bias", NULL });
    tiny_edit(b, a, &(tiny_change){ DROP, "blocks.2.norm2.bias", NULL });
    tiny_edit(a, b, &(tiny_change){ ADD, "blocks.1.extra", NULL });
    tiny_edit(b, a, &(tiny_change){ ADD, "second.extra", NULL });
    FAILS(PEFT_E_FORMAT, "2 tensors missing (blocks.2.norm2.bias, norm.bias) and 2 unexpected", try_load(t.ctx, a, ""));
    ck_assert(strstr(peft_last_error(), "blocks.1.extra") && strstr(peft_last_error(), "second.extra"));
    FAILS(PEFT_E_IO, "nowhere", try_load(t.ctx, tiny_path("nowhere"), ""));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* --- peft_file ---------------------------------------------------------------------------- */
/* Opens a file and checks every getter; tensor, meta: a name and a key that the file has. */
static void check_file(peft_context *ctx, const char *name, const char *kind, const char *tensor, const char *meta)
{
    peft_file *f;
    bool found = false;
    OK(peft_file_open(ctx, tiny_path(name), &f));
    ck_assert_str_eq(peft_file_kind(f), kind);
    for (size_t i = 0; i < peft_file_tensor_count(f); i++) {
        const int ndim = peft_file_tensor_ndim(f, i);
        ck_assert_str_eq(peft_file_tensor_type(f, i), "F32");
        for (int k = 0; k < ndim; k++) ck_assert_int_gt(peft_file_tensor_dim(f, i, k), 0);
        ck_assert_int_eq(peft_file_tensor_dim(f, i, ndim), -1);
        ck_assert_int_eq(peft_file_tensor_dim(f, i, -1), -1);
        found |= !strcmp(peft_file_tensor_name(f, i), tensor);
    }
    ck_assert_msg(found, "%s: no tensor %s", name, tensor);
    size_t entries = peft_file_meta_count(f), tensors = peft_file_tensor_count(f);
    for (size_t i = 0; i < entries; i++)
        ck_assert_str_eq(peft_file_meta(f, peft_file_meta_key(f, i)), peft_file_meta_value(f, i));
    if (meta) ck_assert_ptr_nonnull(peft_file_meta(f, meta));
    ck_assert_ptr_null(peft_file_meta(f, "no such key"));
    ck_assert(!peft_file_tensor_name(f, tensors) && !peft_file_tensor_type(f, tensors));
    ck_assert(peft_file_tensor_ndim(f, tensors) == -1 && peft_file_tensor_dim(f, tensors, 0) == -1);
    ck_assert(!peft_file_meta_key(f, entries) && !peft_file_meta_value(f, entries));
    ck_assert(!peft_file_tensor_name(NULL, 0) && !peft_file_meta_key(NULL, 0));
    peft_file_free(f);
}

START_TEST(peft_file_shows_files_of_every_kind)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_trainer *r = tiny_trainer(t.model, "batch=2");
    peft_file *f = NULL;
    tiny_step(r, 2, 0);
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF5 }, tiny_path("backbone"));
    /* The q_proj of a layer identifies the naming. Of three layers "one" has two of them left, "two" one, and "unknown"
     * none. */
    tiny_edit(tiny_path("backbone"), tiny_path("one"), &(tiny_change){ DROP, "layers.0.attention.q_proj.weight",
        NULL });
    tiny_edit(tiny_path("one"), tiny_path("two"), &(tiny_change){ DROP, "layers.1.attention.q_proj.weight", NULL });
    tiny_edit(tiny_path("two"), tiny_path("unknown"), &(tiny_change){ DROP, "layers.2.attention.q_proj.weight", NULL });
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    OK(peft_model_set_note(t.model, "class_names", "a,b"));
    OK(peft_model_save(t.model, tiny_path("model")));
    OK(peft_trainer_save(r, tiny_path("trainer")));
    check_file(t.ctx, "backbone", "backbone", "embeddings.cls_token", "heads");
    check_file(t.ctx, "two", "backbone", "embeddings.cls_token", "heads");
    check_file(t.ctx, "unknown", "unknown", "embeddings.cls_token", "heads");
    check_file(t.ctx, "adapter", "adapter", "prompt", "libpeft.adapter.0.method");
    check_file(t.ctx, "model", "model", "head.weight", "class_names");
    check_file(t.ctx, "trainer", "trainer", "moment1.prompt", "libpeft.step");
    FAILS(PEFT_E_IO, "nowhere", peft_file_open(t.ctx, tiny_path("nowhere"), &f));
    FAILS(PEFT_E_INVALID, "path", peft_file_open(t.ctx, NULL, &f));
    ck_assert_ptr_null(f);
    peft_trainer_free(r);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("backbone_files", every_naming_gives_the_same_backbone, options_give_missing_facts,
           f16_bf16_and_f64_files_are_read, a_file_in_memory_is_read, class_token_positions_of_registers_are_added,
           changed_files_are_refused, missing_and_unexpected_tensors_are_listed, peft_file_shows_files_of_every_kind)
