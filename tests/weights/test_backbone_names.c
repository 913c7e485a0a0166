/* SPDX-License-Identifier: Apache-2.0
 * test_backbone_names.c -- finding the backbone in a file: prefixes, several networks, tensors beside it, names of
 * newer versions. Errors name missing tensors as the file would, and other architectures by their names. */
#include "tiny_files.h"

/* A tensor name that starts with `prefix` gets `replacement` instead. */
typedef struct { const char *prefix, *replacement; } renaming;

/* Copies all tensors of `in`, each renamed by the first renaming that fits; a prefix of NULL ends `renamings`. */
static void copy(pf_st_out *out, const pf_st *in, const renaming *renamings)
{
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *t = pf_st_at(in, i);
        char name[200];
        snprintf(name, sizeof name, "%s", t->name);
        for (const renaming *s = renamings; s && s->prefix; s++)
            if (!strncmp(t->name, s->prefix, strlen(s->prefix))) {
                snprintf(name, sizeof name, "%s%s", s->replacement, t->name + strlen(s->prefix));
                break;
            }
        OK(pf_st_out_tensor(out, name, t->type, t->ndim, t->dim, t->data));
    }
}

/* Writes the tensors of file `from` to file `to` with the renamings a and, unless NULL, again with b; extra: more
 * tensors. */
static void compose(peft_context *ctx, const char *from, const char *to, const renaming *a, const renaming *b,
                    const char *const *extra)
{
    static const float zeros[8];
    pf_st *in;
    pf_st_out *out;
    OK(pf_st_open(ctx, from, &in));
    OK(pf_st_out_create(ctx, &out));
    for (size_t i = 0; i < pf_st_meta_count(in); i++) {
        const char *key, *value;
        pf_st_meta_at(in, i, &key, &value);
        OK(pf_st_out_meta(out, key, value));
    }
    copy(out, in, a);
    if (b) copy(out, in, b);
    for (; extra && *extra; extra++) OK(pf_st_out_tensor(out, *extra, PEFT_F32, 1, (const int64_t[]){ 8 }, zeros));
    OK(pf_st_out_write(out, to));
    pf_st_out_free(out);
    pf_st_close(in);
}

/* The status of loading the file "made"; a backbone is freed. */
static peft_status try_load(peft_context *ctx, const char *options)
{
    peft_backbone *b = NULL;
    peft_options *o = tiny_options(ctx, "%s", options);
    peft_status s = peft_backbone_load(ctx, tiny_path("made"), o, &b);
    peft_options_free(o);
    peft_backbone_free(b);
    return s;
}

/* Makes a backbone and writes it to the file "backbone"; tests write their changed copy to "made". */
static tiny start(const char *more, tiny_naming naming)
{
    tiny t = tiny_make(&(tiny_spec){ .more = more });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = naming }, tiny_path("backbone"));
    return t;
}

/* The file "made" gives the backbone of t. */
static void check_loads_the_same(tiny *t, const char *options, const char *name)
{
    peft_backbone *b = tiny_load(t->ctx, tiny_path("made"), options);
    tiny_same_backbone(t->backbone, b, name);
    peft_backbone_free(b);
}

START_TEST(the_teacher_is_chosen_among_two_networks)
{
    static const struct { const char *first, *second, *options, *refused; } rows[] = {
        { "teacher.", "student.", "", NULL }, { "student.", "teacher.", "", NULL },
        { "student.module.backbone.", "teacher.backbone.", "", NULL },
        { "module.base_encoder.", "module.momentum_encoder.", "", NULL },
        { "teacher.", "ema.", "", "with the prefixes 'ema.' and 'teacher.'" },
        { "ema.", "teacher.", "", "several ViTs" }, { "teacher.", "decoder.", "", "several ViTs" },
        { "", "ema.", "", "several ViTs" },
        { "teacher.", "ema.", "prefix=teacher.", "unexpected (ema." },
        { "teacher.", "ema.", "prefix=other.", "prefix: given 'other.'" },
        { "teacher.backbone.", "student.backbone.", "prefix=teacher", NULL },
        { "teacher.backbone.", "student.backbone.", "prefix=teach", "prefix: given 'teach'" },
        { "ema.backbone.", "ema.net.", "prefix=ema.", "with the prefixes 'ema.backbone.' and 'ema.net.'" } };
    tiny t = start("", TIMM);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        compose(t.ctx, tiny_path("backbone"), tiny_path("made"), (renaming[]){ { "", rows[i].first }, { 0 } },
                (renaming[]){ { "", rows[i].second }, { 0 } }, NULL);
        if (!rows[i].refused) check_loads_the_same(&t, rows[i].options, rows[i].first);
        else {
            ck_assert_msg(try_load(t.ctx, rows[i].options) != PEFT_OK, "row %zu", i);
            ck_assert_msg(strstr(peft_last_error(), rows[i].refused) != NULL, "row %zu: %s", i, peft_last_error());
        }
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* The option prefix chooses the student instead of the teacher. */
START_TEST(the_option_prefix_chooses_a_network)
{
    tiny t = start("", TIMM), u = tiny_make(&(tiny_spec){ .more = "seed=9" });
    tiny_save_backbone(u.backbone, &(tiny_save){ .naming = TIMM }, tiny_path("other"));
    pf_st *a, *b;
    pf_st_out *out;
    OK(pf_st_open(t.ctx, tiny_path("backbone"), &a));
    OK(pf_st_open(t.ctx, tiny_path("other"), &b));
    OK(pf_st_out_create(t.ctx, &out));
    OK(pf_st_out_meta(out, "heads", "3"));
    copy(out, a, (renaming[]){ { "", "teacher." }, { 0 } });
    copy(out, b, (renaming[]){ { "", "student." }, { 0 } });
    OK(pf_st_out_write(out, tiny_path("made")));
    check_loads_the_same(&t, "", "teacher");
    check_loads_the_same(&t, "prefix=teacher", "teacher by name");
    check_loads_the_same(&u, "prefix=student.", "student by name");
    pf_st_out_free(out);
    pf_st_close(a);
    pf_st_close(b);
    tiny_free(&u);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Tensors used in pretraining only are left out beside the network, with any prefix, but not inside a block. */
START_TEST(tensors_beside_the_network_are_left_out)
{
    static const struct { const char *prefix, *extra; bool left_out; } rows[] = {
        { "visual.trunk.", "visual.head.proj.weight", true }, { "visual.trunk.", "text.transformer.x.weight", true },
        { "model.visual.trunk.", "model.visual.head.proj.weight", true },
        { "model.visual.trunk.", "model.text.transformer.x.weight", true },
        { "model.visual.trunk.", "model.logit_scale", true },
        { "", "decoder_blocks.0.attn.qkv.weight", true }, { "", "mask_token", true },
        { "vit.", "decoder.mask_token", true },
        { "", "pooler.dense.weight", true }, { "vit.", "vit.pooler.dense.bias", true },
        { "", "blocks.0.attn.decoder_x", false }, { "", "blocks.1.pooler.weight", false },
        { "module.", "module.blocks.0.mlp.mask_token", false }, { "", "blocks.0.teacher.weight", false },
        { "", "my_mask_token", false }, { "", "context.weight", false } };
    tiny t = start("classes=0", TIMM);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        compose(t.ctx, tiny_path("backbone"), tiny_path("made"), (renaming[]){ { "", rows[i].prefix }, { 0 } }, NULL,
                (const char *const[]){ rows[i].extra, NULL });
        if (rows[i].left_out) check_loads_the_same(&t, "", rows[i].extra);
        else FAILS(PEFT_E_FORMAT, rows[i].extra, try_load(t.ctx, ""));
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Names of transformers 5.24: blocks of DINOv2, and a prefix before all names except those of blocks. */
START_TEST(names_of_newer_transformers_are_read)
{
    tiny t = start("layer_scale=1,classes=0", HF5);
    compose(t.ctx, tiny_path("backbone"), tiny_path("made"), (renaming[]){ { "layers.", "encoder.layer." }, { 0 } },
            NULL, NULL);
    check_loads_the_same(&t, "", "encoder.layer.N.attention.q_proj");
    tiny_free(&t);
    t = start("", HF);
    compose(t.ctx, tiny_path("backbone"), tiny_path("made"), (renaming[]){ { "embeddings.", "vit.embeddings." },
            { "layernorm.", "vit.layernorm." }, { 0 } }, NULL, NULL);
    check_loads_the_same(&t, "", "vit. in front of all but the blocks");
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A gated MLP with separate tensors for gate and value: the gate is the first half of fc1. */
START_TEST(separate_gate_and_value_are_joined)
{
    static const char *const names[] = { "mlp.fc1_g.", "mlp.fc1_x." };       /* gate and value */
    tiny t = start("swiglu=1,mlp=64", TIMM);
    pf_st *in;
    pf_st_out *out;
    OK(pf_st_open(t.ctx, tiny_path("backbone"), &in));
    OK(pf_st_out_create(t.ctx, &out));
    OK(pf_st_out_meta(out, "heads", "3"));
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *x = pf_st_at(in, i);
        const char *fc1 = strstr(x->name, "mlp.fc1.");
        int64_t dim[PEFT_MAX_DIMS];
        memcpy(dim, x->dim, sizeof dim);
        if (fc1) dim[0] /= 2;
        for (int half = 0; half < (fc1 ? 2 : 1); half++) {
            char name[128];
            snprintf(name, sizeof name, "%s", x->name);
            if (fc1) snprintf(name, sizeof name, "%.*s%s%s", (int)(fc1 - x->name), x->name, names[half],
                              fc1 + strlen("mlp.fc1."));
            OK(pf_st_out_tensor(out, name, x->type, x->ndim, dim, (const char *)x->data + (size_t)half * x->bytes / 2));
        }
    }
    OK(pf_st_out_write(out, tiny_path("made")));
    check_loads_the_same(&t, "", "fc1_g and fc1_x");
    pf_st_out_free(out);
    pf_st_close(in);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* timm's Eva has biases of q and v, and none of k, which counts as 0. */
START_TEST(biases_of_q_and_v_are_joined_with_zeros)
{
    tiny t = start("rope=axial,rope_temperature=50", TIMM);
    pf_st *in;
    pf_st_out *out;
    for (int64_t l = 0; l < t.backbone->shape.depth; l++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.attn.qkv.bias", (int)l);
        pk_real *bias = ((peft_tensor *)(uintptr_t)pf_backbone_find(t.backbone, name))->data;
        memset(bias + t.backbone->shape.width, 0, (size_t)t.backbone->shape.width * sizeof *bias);
    }
    OK(peft_backbone_save(t.backbone, tiny_path("backbone")));
    OK(pf_st_open(t.ctx, tiny_path("backbone"), &in));
    OK(pf_st_out_create(t.ctx, &out));
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *x = pf_st_at(in, i);
        const char *qkv = strstr(x->name, "qkv.bias");
        for (int part = 0; part < (qkv ? 3 : 1); part += 2) {
            char name[128];
            const int64_t third = x->dim[0] / 3;
            snprintf(name, sizeof name, "%.*s%s", qkv ? (int)(qkv - x->name) : (int)strlen(x->name), x->name,
                     !qkv ? "" : part ? "v_bias" : "q_bias");
            OK(pf_st_out_tensor(out, name, x->type, x->ndim, qkv ? &third : x->dim,
                                (const char *)x->data + (qkv ? (size_t)part * x->bytes / 3 : 0)));
        }
    }
    OK(pf_st_out_write(out, tiny_path("made")));
    check_loads_the_same(&t, "heads=3,eps=1e-6,act=gelu,pool=cls,rope=axial,rope_temperature=50", "q_bias and v_bias");
    pf_st_out_free(out);
    pf_st_close(in);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(missing_tensors_are_named_as_in_the_file)
{
    static const struct { tiny_naming naming; const char *prefix, *drop, *text; } rows[] = {
        { TIMM, "", "blocks.0.attn.qkv.weight", "1 tensors missing (blocks.0.attn.qkv.weight)" },
        { TIMM, "module.", "module.blocks.0.mlp.fc1.weight", "1 tensors missing (module.blocks.0.mlp.fc1.weight)" },
        { TIMM, "", "blocks.0.mlp.fc2.weight", "1 tensors missing (blocks.0.mlp.fc2.weight)" },
        { TIMM, "", "blocks.0.norm1.weight", "1 tensors missing (blocks.0.norm1.weight)" },
        { TIMM, "", "norm.bias", "1 tensors missing (norm.bias)" },
        { HF, "vit.", "vit.encoder.layer.0.intermediate.dense.weight",
          "1 tensors missing (vit.encoder.layer.0.intermediate.dense.weight)" },
        { HF, "", "encoder.layer.1.attention.attention.key.bias",
          "1 tensors missing (encoder.layer.1.attention.attention.key.bias)" },
        { HF5, "", "layers.0.attention.q_proj.weight", "1 tensors missing (layers.0.attention.q_proj.weight)" },
        { HF, "vit.", "classifier.bias", "1 tensors missing (classifier.bias)" },
        { HF, "", "embeddings.cls_token", "'embeddings.cls_token' is missing: pos_embed has a row for it" },
        { HF, "a.", "a.embeddings.position_embeddings",
          "'a.embeddings.position_embeddings' is missing: networks without a learned position embedding" },
        { HF, "", "embeddings.patch_embeddings.projection.weight",
          "'embeddings.patch_embeddings.projection.weight' is missing" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ 0 });
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = rows[i].naming, .prefix = rows[i].prefix },
                           tiny_path("backbone"));
        tiny_edit(tiny_path("backbone"), tiny_path("made"), &(tiny_change){ DROP, rows[i].drop, NULL });
        FAILS(PEFT_E_FORMAT, rows[i].text, try_load(t.ctx, ""));
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

START_TEST(other_architectures_are_refused_by_name)
{
    static const struct { const char *tensor, *text; } rows[] = {
        { "encoder.stages.0.layers.0.dwconv.weight", "ConvNeXt" },
        { "encoder.layer.0.lambda_1", "BEiT" },
        { "blocks.0.attn.relative_position_bias_table", "BEiT" },
        { "visual.attn_pool_contrastive.ln_k.bias", "two stages" }, { "blocks.0.attn.rel_pos_h", "SAM" },
        { "embeddings.detection_tokens", "YOLOS" },
        { "heads.pre_logits.weight", "representation_size" }, { "head.layers.pre_logits.weight", "mmpretrain" },
        { "stages.0.blocks.0.conv_dw.weight", "ConvNeXt" }, { "patch_embed.norm.weight", "patch embedding" } };
    tiny t = start("", TIMM);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny_edit(tiny_path("backbone"), tiny_path("made"), &(tiny_change){ ADD, rows[i].tensor, NULL });
        FAILS(PEFT_E_UNSUPPORTED, rows[i].text, try_load(t.ctx, ""));
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Writes the backbone with tensor `name` replaced by zeros of another shape. */
static void reshape(peft_context *ctx, const char *name, int ndim, const int64_t *dim)
{
    pf_st *in;
    pf_st_out *out;
    OK(pf_st_open(ctx, tiny_path("backbone"), &in));
    OK(pf_st_out_create(ctx, &out));
    OK(pf_st_out_meta(out, "heads", "3"));
    float *zeros = calloc((size_t)pf_dims_count(ndim, dim), sizeof *zeros);
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *t = pf_st_at(in, i);
        const bool replaced = !strcmp(t->name, name);
        OK(pf_st_out_tensor(out, t->name, t->type, replaced ? ndim : t->ndim, replaced ? dim : t->dim,
                            replaced ? zeros : t->data));
    }
    OK(pf_st_out_write(out, tiny_path("made")));
    free(zeros);
    pf_st_out_free(out);
    pf_st_close(in);
}

START_TEST(other_patch_shapes_are_refused)
{
    tiny t = start("", TIMM);
    reshape(t.ctx, "patch_embed.proj.weight", 4, (const int64_t[]){ 48, 1, 4, 4 });
    FAILS(PEFT_E_UNSUPPORTED, "images of 1 channels: expected 3", try_load(t.ctx, ""));
    reshape(t.ctx, "patch_embed.proj.weight", 4, (const int64_t[]){ 48, 3, 2, 4 });
    FAILS(PEFT_E_UNSUPPORTED, "patches of 2 x 4", try_load(t.ctx, ""));
    reshape(t.ctx, "patch_embed.proj.weight", 5, (const int64_t[]){ 48, 3, 2, 4, 4 });
    FAILS(PEFT_E_UNSUPPORTED, "videos", try_load(t.ctx, ""));
    reshape(t.ctx, "pos_embed", 3, (const int64_t[]){ 1, 19, 48 });
    FAILS(PEFT_E_FORMAT, "19 rows", try_load(t.ctx, ""));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* 25 rows can be 5 x 5 patches, or 4 x 4 patches after a class token and 8 registers: config.json decides. */
START_TEST(config_decides_between_two_grids_of_positions)
{
    tiny t = start("registers=8,classes=0", TIMM);
    char options[200];
    reshape(t.ctx, "pos_embed", 3, (const int64_t[]){ 1, 25, 48 });
    FAILS(PEFT_E_UNSUPPORTED, "5 x 5 after 0 rows, or of 4 x 4 after 9", try_load(t.ctx, ""));
    for (int side = 4; side <= 6; side++) {
        FILE *f = fopen(tiny_path("config.json"), "w");
        fprintf(f, "{\"image_size\": %d}", 4 * side);
        fclose(f);
        snprintf(options, sizeof options, "config=%s", tiny_path("config.json"));
        if (side == 6) {
            FAILS(PEFT_E_UNSUPPORTED, "25 rows", try_load(t.ctx, options));
            continue;
        }
        peft_backbone *b = tiny_load(t.ctx, tiny_path("made"), options);
        ck_assert_int_eq(peft_backbone_get(b, "image_size"), 4 * side);
        ck_assert_int_eq(peft_backbone_get(b, "registers"), 8);
        peft_backbone_free(b);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* The error of one shard of several, recognised by its name, names the index. */
START_TEST(one_shard_of_several_is_refused)
{
    static const char *const plain[] = { "model-1-of-2.safetensors", "one-of-ours.safetensors",
        "m-00001-of-00001.safetensors" };
    peft_backbone *b = NULL;
    tiny t = start("", TIMM);
    const char *part = tiny_path("model-00002-of-00003.safetensors");
    tiny_edit(tiny_path("backbone"), part, &(tiny_change){ DROP, "norm.bias", NULL });
    FAILS(PEFT_E_FORMAT, "shard 2 of 3 of a model (load its index", peft_backbone_load(t.ctx, part, NULL, &b));
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "norm.bias"));
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        tiny_edit(tiny_path("backbone"), tiny_path(plain[i]), &(tiny_change){ DROP, "norm.bias", NULL });
        FAILS(PEFT_E_FORMAT, "norm.bias", peft_backbone_load(t.ctx, tiny_path(plain[i]), NULL, &b));
        ck_assert_ptr_null(strstr(peft_last_error(), "shard"));
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("backbone_names", the_teacher_is_chosen_among_two_networks, the_option_prefix_chooses_a_network,
           tensors_beside_the_network_are_left_out, names_of_newer_transformers_are_read,
           separate_gate_and_value_are_joined, biases_of_q_and_v_are_joined_with_zeros,
           missing_tensors_are_named_as_in_the_file, other_architectures_are_refused_by_name,
           other_patch_shapes_are_refused, config_decides_between_two_grids_of_positions,
           one_shard_of_several_is_refused)
