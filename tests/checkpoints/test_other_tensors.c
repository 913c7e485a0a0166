/* SPDX-License-Identifier: Apache-2.0
 * test_other_tensors.c -- files that hold more than a ViT: the option "ignore", a classifier of several layers, several
 * ViTs, networks that are refused with advice; and tensors that loading splits although they are transposed. */
#include "pickles.h"

static void keep_warning(int level, const char *message, void *user)
{
    char *text = user;
    if (level == 1) strncat(text, message, 3999 - strlen(text));
}

/* Loads the file with these options; text: gets the warnings, for 4000 bytes. */
static peft_status try_load(peft_context *ctx, const char *path, const char *options, char *text, peft_backbone **out)
{
    peft_options *o = tiny_options(ctx, "%s", options);
    *text = 0;
    *out = NULL;
    OK(peft_context_set_log(ctx, keep_warning, text, 3));
    peft_status s = peft_backbone_load(ctx, path, o, out);
    OK(peft_context_set_log(ctx, NULL, NULL, 0));
    peft_options_free(o);
    return s;
}

/* Writes b under timm's names with these further tensors, which end with NULL, to the file "other". */
static const char *write_with(const peft_backbone *b, const char *prefix, const char *const *names)
{
    static const float zeros[2];
    const char *path = tiny_path("other");
    pf_st_out *o;
    OK(pf_st_out_create(b->ctx, &o));
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        char name[200];
        snprintf(name, sizeof name, "%s%s", prefix, b->weight[i].name);
        OK(pf_st_out_tensor(o, name, t->type, t->ndim, t->dim, t->data));
    }
    for (; *names; names++) OK(pf_st_out_tensor(o, *names, PF_REAL, 1, (int64_t[]){ 2 }, zeros));
    OK(pf_st_out_write(o, path));
    pf_st_out_free(o);
    return path;
}
#define LIST(...) (const char *const[]){ __VA_ARGS__, NULL }
#define FACTS "heads=3,eps=1e-6,act=gelu,pool=cls"

START_TEST(the_option_ignore_leaves_tensors_out)
{
    static const struct { const char *option, *error; } rows[] = {
        { "", "no tensor missing, but 3 unexpected (criterion.bias, criterion.weight, extra) for a timm ViT" },
        { "", "the option ignore=criterion.* leaves them out (--backbone-options" },
        { ",ignore=criterion.*", "the option ignore=extra leaves them out" },
        { ",ignore=[criterion.*,extra]", NULL }, { ",ignore=\"extra, criterion.weight, criterion.?ias\"", NULL },
        { ",ignore=[*tra,criterion.*,head.*]", NULL },
        { ",ignore=nothing.*", "ignore: no tensor of the file has a name that matches 'nothing.*'" },
        { ",ignore=*_token", "ignore: '*_token' matches tensor 'cls_token', which is a part of the ViT" },
        { ",ignore=blocks.1.more", "ignore: no tensor of the file" } };
    tiny t = tiny_make(&(tiny_spec){ .more = "classes=5" });
    const char *path = write_with(t.backbone, "", LIST("criterion.weight", "criterion.bias", "extra"));
    char text[4000];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char options[200];
        peft_backbone *b;
        snprintf(options, sizeof options, FACTS "%s", rows[i].option);
        peft_status s = try_load(t.ctx, path, options, text, &b);
        ck_assert_msg(!s == !rows[i].error, "%s: %s", options, s ? peft_last_error() : "");
        if (s) ck_assert_msg(strstr(peft_last_error(), rows[i].error) != NULL, "%s: %s", options, peft_last_error());
        else ck_assert_int_eq(peft_backbone_get(b, "classes"), strstr(options, "head.*") ? 0 : 5);
        if (!s && !strstr(options, "head.*")) tiny_same_backbone(t.backbone, b, options);
        peft_backbone_free(b);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A tensor inside a block changes what the network computes: there is no advice to leave it out, and no way to. */
START_TEST(tensors_of_blocks_are_never_left_out)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    const char *path = write_with(t.backbone, "model.", LIST("model.blocks.0.attn.scale", "more"));
    char text[4000];
    peft_backbone *b;
    FAILS(PEFT_E_FORMAT, "2 unexpected (model.blocks.0.attn.scale, more)", try_load(t.ctx, path, FACTS, text, &b));
    ck_assert_ptr_null(strstr(peft_last_error(), "ignore="));
    FAILS(PEFT_E_OPTION, "ignore: '*.scale' matches tensor 'model.blocks.0.attn.scale', which is a part of the ViT",
          try_load(t.ctx, path, FACTS ",ignore=*.scale", text, &b));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(a_classifier_of_several_layers_is_warned_of)
{
    static const struct { const char *prefix, *names[3], *options, *warning; } rows[] = {
        { "", { "head.0.weight", "head.2.bias" }, "", "'head.0.weight' belongs to a classifier or projection head" },
        { "model.", { "model.head.0.weight", "model.head.2.weight" }, "", "(the option ignore=model.head.* leaves" },
        { "", { "head.0.weight", "head.2.bias" }, ",ignore=head.*", NULL },
        { "module.base_encoder.", { "module.base_encoder.head.0.weight", "module.momentum_encoder.head.0.weight" }, "",
          NULL } };
    tiny t = tiny_make(&(tiny_spec){ .more = "classes=0" });
    char text[4000], options[100];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = write_with(t.backbone, rows[i].prefix, rows[i].names);
        peft_backbone *b;
        snprintf(options, sizeof options, FACTS "%s", rows[i].options);
        OK(try_load(t.ctx, path, options, text, &b));
        ck_assert_int_eq(peft_backbone_get(b, "classes"), 0);
        ck_assert_msg(rows[i].warning ? strstr(text, rows[i].warning) != NULL : !*text, "row %zu: %s", i, text);
        peft_backbone_free(b);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(refused_networks_are_named_with_what_helps)
{
    static const struct { const char *name, *error; } rows[] = {
        { "patch_embedding.patch_embeddings.weight", "MONAI's ViT" },
        { "blocks.0.attn.rel_pos.mlp.fc1.weight", "relative positions (timm's vit_relpos)" },
        { "base_model.model.blocks.0.attn.qkv.base_layer.weight", "merge them in Python (model.merge_and_unload())" } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    char text[4000];
    peft_backbone *b;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = write_with(t.backbone, "", LIST(rows[i].name));
        FAILS(PEFT_E_UNSUPPORTED, rows[i].error, try_load(t.ctx, path, FACTS, text, &b));
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(prefixes_that_exist_are_listed)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    char text[4000];
    peft_backbone *b;
    const char *path = write_with(t.backbone, "net.", LIST("ema.blocks.0.attn.qkv.weight",
                                                           "ema.patch_embed.proj.weight"));
    FAILS(PEFT_E_UNSUPPORTED, "chooses one (--backbone-options prefix=", try_load(t.ctx, path, FACTS, text, &b));
    FAILS(PEFT_E_OPTION, "prefix: given 'student', but no ViT of the file has it: those of the file have 'ema.' and "
          "'net.'", try_load(t.ctx, path, FACTS ",prefix=student", text, &b));
    FAILS(PEFT_E_FORMAT, "the option ignore=ema.* leaves them out",
          try_load(t.ctx, path, FACTS ",prefix=net", text, &b));
    OK(try_load(t.ctx, path, FACTS ",prefix=net,ignore=ema.*", text, &b));
    peft_backbone_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A classifier of attention pooling whose width is not that of the tokens is left out with pool=cls. */
START_TEST(the_warning_says_what_the_classifier_reads)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "pool=attention" });
    char text[4000];
    peft_backbone *b;
    const float head[2 * 8] = { 0 };
    pf_st_out *o;
    OK(pf_st_out_create(t.ctx, &o));
    for (size_t i = 0; i < t.backbone->weights; i++) {
        const peft_tensor *x = &t.backbone->weight[i].tensor;
        if (!pf_is_classifier(t.backbone->weight[i].name))
            OK(pf_st_out_tensor(o, t.backbone->weight[i].name, x->type, x->ndim, x->dim, x->data));
    }
    OK(pf_st_out_tensor(o, "head.weight", PF_REAL, 2, (int64_t[]){ 2, 8 }, head));
    OK(pf_st_out_tensor(o, "head.bias", PF_REAL, 1, (int64_t[]){ 2 }, head));
    OK(pf_st_out_write(o, tiny_path("other")));
    pf_st_out_free(o);
    OK(try_load(t.ctx, tiny_path("other"), "heads=3,eps=1e-6,act=gelu,pool=cls", text, &b));
    ck_assert_msg(strstr(text, "because it reads the result of attention pooling") != NULL, "%s", text);
    peft_backbone_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Appends a tensor of the pickle, and its storage, to the archive. transposed: its data are columns one after the
 * other. */
static void add_tensor(zip_builder *z, bytes *pickle, const char *name, const peft_tensor *t, bool transposed)
{
    char key[24], entry[48];
    snprintf(key, sizeof key, "%u", z->entries);
    snprintf(entry, sizeof entry, "net/data/%s", key);
    saved_tensor s = { .type = "Float", .key = key, .elements = peft_tensor_count(t), .ndim = t->ndim };
    int64_t step = 1;
    for (int k = t->ndim; k-- > 0; step *= t->dim[k]) {
        s.dim[k] = t->dim[k];
        s.stride[k] = step;
    }
    float *x = malloc(pf_tensor_bytes(t));
    memcpy(x, t->data, pf_tensor_bytes(t));
    if (transposed) {
        s.stride[0] = 1;
        s.stride[1] = t->dim[0];
        for (int64_t r = 0; r < t->dim[0]; r++)
            for (int64_t c = 0; c < t->dim[1]; c++)
                x[c * t->dim[0] + r] = ((const float *)t->data)[r * t->dim[1] + c];
    }
    pickle_text(pickle, name);
    pickle_tensor(pickle, &s, false);
    zip_add(z, entry, x, pf_tensor_bytes(t), 64);
    free(x);
}

/* Writes b, which has attention pooling, as a file of torch.save in which q and kv of the pooling are one tensor. */
static void save_pooling(const peft_backbone *b, const char *path, bool transposed)
{
    static const char front[] = "attn_pool.q.";
    zip_builder z = { .entries = 0 };
    bytes pickle = { 0 };
    PUT(&pickle, "\x80\2}(");
    for (size_t i = 0; i < b->weights; i++) {
        peft_tensor t = b->weight[i].tensor;
        const char *name = b->weight[i].name;
        if (!strncmp(name, "attn_pool.kv.", 13)) continue;
        if (strncmp(name, front, sizeof front - 1)) {
            add_tensor(&z, &pickle, name, &t, false);
            continue;
        }
        char kv[64], joined[80];
        const char *word = name + sizeof front - 1;
        snprintf(kv, sizeof kv, "attn_pool.kv.%s", word);
        snprintf(joined, sizeof joined, "attn_pool_contrast.attn.in_proj_%s", word);
        const size_t bytes = pf_tensor_bytes(&t);
        t.dim[0] *= 3;
        t.data = malloc(3 * bytes);
        memcpy(t.data, b->weight[i].tensor.data, bytes);
        memcpy((char *)t.data + bytes, pf_backbone_find(b, kv)->data, 2 * bytes);
        add_tensor(&z, &pickle, joined, &t, transposed && t.ndim == 2);
        free(t.data);
    }
    PUT(&pickle, "u.");
    zip_add(&z, "net/data.pkl", pickle.data, pickle.size, 64);
    bytes file = zip_end(&z, true);
    OK(peft_write_file(path, file.data, file.size));
    bytes_free(&file);
    bytes_free(&pickle);
}

/* q, k and v of attention pooling in one tensor, which is stored transposed: loading splits its rows, not its bytes. */
START_TEST(a_transposed_tensor_is_split_by_its_rows)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "pool=attention" });
    for (size_t i = 0; i < t.backbone->weights; i++)
        tiny_perturb_tensor(&t.backbone->weight[i].tensor, t.backbone->weight[i].name, 0.3);
    for (int transposed = 0; transposed < 2; transposed++) {
        save_pooling(t.backbone, tiny_path("net.pth"), transposed);
        peft_backbone *b = tiny_load(t.ctx, tiny_path("net.pth"), "heads=3,eps=1e-6,act=gelu,pool=attention");
        tiny_same_backbone(t.backbone, b, transposed ? "transposed" : "row-major");
        peft_backbone_free(b);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("other_tensors", the_option_ignore_leaves_tensors_out, tensors_of_blocks_are_never_left_out,
           a_classifier_of_several_layers_is_warned_of, refused_networks_are_named_with_what_helps,
           prefixes_that_exist_are_listed, the_warning_says_what_the_classifier_reads,
           a_transposed_tensor_is_split_by_its_rows)
