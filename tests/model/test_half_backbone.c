/* SPDX-License-Identifier: Apache-2.0
 * test_half_backbone.c -- backbones whose weights stay in f16 or bf16: logits, taps, training with every method,
 * merging, saving, fingerprints and cached features have the bits of an f32 copy of the same values; for every
 * instruction set and with CBLAS. */
#include "backbone_pair.h"
#include "tested_isas.h"

static const peft_dtype halves[] = { PEFT_F16, PEFT_BF16 };
static const tiny_naming namings[] = { TIMM, HF };
/* Saves backbone[0] in f32 and loads the file as backbone[1]. */
static void load_f32_copy(pair *p)
{
    OK(peft_backbone_save(p->backbone[0], tiny_path("whole")));
    p->backbone[1] = tiny_load(p->ctx, tiny_path("whole"), "");
}

/* Saves a random backbone in 16 bits and loads it. shape: its options. */
static pair pair_make(const char *isa, const char *shape, peft_dtype type, tiny_naming naming)
{
    pair p = { tiny_context(isa, 2), { NULL, NULL }, type };
    peft_backbone *b = tiny_backbone(p.ctx, shape, "seed=5");
    for (size_t i = 0; i < b->weights; i++) tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.2);
    tiny_save_backbone(b, &(tiny_save){ .naming = naming, .type = type }, tiny_path("half"));
    p.backbone[0] = tiny_load(p.ctx, tiny_path("half"), "");
    load_f32_copy(&p);
    peft_backbone_free(b);
    return p;
}

/* Matrices keep the type of the file; other weights, and all weights of the copy, are f32. */
START_TEST(matrices_keep_the_type_of_the_file)
{
    for (int h = 0; h < 2; h++)
        for (int n = 0; n < 2; n++) {
            int matrices = 0;
            pair p = pair_make(NULL, shapes[1], halves[h], namings[n]);
            for (size_t i = 0; i < p.backbone[0]->weights; i++) {
                const char *name = p.backbone[0]->weight[i].name;
                const bool matrix = strstr(name, ".weight") && !strstr(name, "norm");
                matrices += matrix;
                ck_assert_msg(p.backbone[0]->weight[i].tensor.type == (matrix ? halves[h] : PEFT_F32), "%s", name);
                ck_assert_int_eq(p.backbone[1]->weight[i].tensor.type, PEFT_F32);
            }
            ck_assert_int_eq(matrices, 10);       /* patch embedding, four matrices in each of two blocks, classifier */
            tiny_same_backbone(p.backbone[0], p.backbone[1], "half");
            char digest[2][65];
            for (int i = 0; i < 2; i++) pf_classifier_digest(p.backbone[i], digest[i]);
            ck_assert_str_eq(digest[0], digest[1]);
            pair_free(&p);
        }
}
END_TEST

START_TEST(every_method_trains_to_the_same_bits)
{
    for (int h = 0; h < 2; h++) {
        pair p = pair_make(NULL, shapes[1], halves[h], namings[h]);
        check_same_training(&p, NULL, "");
        for (size_t i = 0; i < tiny_method_count(); i++) check_same_training(&p, tiny_method_name(i), "");
        check_same_training(&p, "lora", "dora=true");
        pair_free(&p);
    }
}
END_TEST

START_TEST(every_instruction_set_gives_the_same_bits)
{
    static const char *const methods[][2] = {
        { "lora", "dora=true" }, { "full", "" }, { "partial", "" }, { "vpt", "" } };
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (int h = 0; h < 2; h++)
            for (int s = 0; s < 2; s++) {
                pair p = pair_make(*isa, shapes[s], halves[h], TIMM);
                for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
                    check_same_training(&p, methods[i][0], methods[i][1]);
                pair_free(&p);
            }
}
END_TEST

START_TEST(cblas_gives_the_same_bits)
{
    for (int h = 0; h < 2; h++) {
        pair p = pair_make(NULL, shapes[1], halves[h], TIMM);
        OK(peft_context_set_gemm(p.ctx, "cblas"));
        check_same_training(&p, "lora", "");
        check_same_training(&p, "partial", "");
        pair_free(&p);
    }
}
END_TEST

/* Both backbones save equal files, and the second trainer finds the features that the first cached in a file. */
START_TEST(saved_files_and_cached_features_are_equal)
{
    for (int h = 0; h < 2; h++) {
        pair p = pair_make(NULL, shapes[1], halves[h], namings[h]);
        static const char *const dtypes[] = { "f32", "f16", "bf16" };
        for (int d = 0; d < 3; d++) {
            pf_map *map[2];
            peft_options *o = tiny_options(p.ctx, "dtype=%s", dtypes[d]);
            for (int i = 0; i < 2; i++) {
                OK(peft_backbone_save_as(p.backbone[i], tiny_path(i == 0 ? "from-half" : "from-f32"), o));
                OK(pf_map_open(p.ctx, tiny_path(i == 0 ? "from-half" : "from-f32"), &map[i]));
            }
            ck_assert_uint_eq(pf_map_size(map[0]), pf_map_size(map[1]));
            ck_assert(!memcmp(pf_map_data(map[0]), pf_map_data(map[1]), pf_map_size(map[0])));
            for (int i = 0; i < 2; i++) pf_map_close(map[i]);
            peft_options_free(o);
        }
        for (int i = 0; i < 2; i++) {
            peft_model *m = tiny_model(p.backbone[i], NULL);
            peft_trainer *t = tiny_trainer(m, "batch=4,cache_features=1000000,cache_file=%s", tiny_path("cache"));
            tiny_step(t, 4, 0);
            ck_assert_double_eq(peft_trainer_get(t, "cache_hits"), i ? 4 : 0);
            peft_trainer_free(t);
            peft_model_free(m);
        }
        pair_free(&p);
    }
}
END_TEST

/* At an odd address 16-bit numbers are not aligned, so matrices are copied; they stay in 16 bits. */
START_TEST(unaligned_matrices_are_copied)
{
    pair p = pair_make(NULL, shapes[1], PEFT_BF16, TIMM);
    pf_map *map;
    OK(pf_map_open(p.ctx, tiny_path("half"), &map));
    char *bytes = malloc(pf_map_size(map) + 1);
    memcpy(bytes + 1, pf_map_data(map), pf_map_size(map));
    peft_backbone_free(p.backbone[0]);
    OK(peft_backbone_load_memory(p.ctx, bytes + 1, pf_map_size(map), NULL, &p.backbone[0]));
    const peft_tensor *w = pf_backbone_find(p.backbone[0], "blocks.0.mlp.fc1.weight");
    const bool is_aligned = (uintptr_t)w->data % 2 == 0;
    ck_assert(w->type == PEFT_BF16 && is_aligned && w->owned);
    tiny_same_backbone(p.backbone[0], p.backbone[1], "at an odd address");
    pf_map_close(map);
    pair_free(&p);
    free(bytes);
}
END_TEST

/* A file that stores q, k and v of one block in different types: their joint matrix is f32. */
START_TEST(qkv_of_mixed_types_become_f32)
{
    pair p = pair_make(NULL, shapes[1], PEFT_F16, HF);
    static const char key[] = "encoder.layer.1.attention.attention.key.weight";
    float *f32_key = NULL;
    pf_st *in;
    pf_st_out *out;
    OK(pf_st_open(p.ctx, tiny_path("half"), &in));
    OK(pf_st_out_create(p.ctx, &out));
    tiny_edit_meta(in, out, &(tiny_change){ .how = DROP });
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *t = pf_st_at(in, i);
        const bool is_key = !strcmp(t->name, key);
        if (is_key) {
            f32_key = malloc(2 * t->bytes);
            pf_to_real(f32_key, t->data, t->type, (int64_t)(t->bytes / 2));
        }
        OK(pf_st_out_tensor(out, t->name, is_key ? PEFT_F32 : t->type, t->ndim, t->dim, is_key ? f32_key : t->data));
    }
    ck_assert_ptr_nonnull(f32_key);
    OK(pf_st_out_write(out, tiny_path("mixed")));
    pf_st_out_free(out);
    pf_st_close(in);
    free(f32_key);
    peft_backbone_free(p.backbone[0]);
    p.backbone[0] = tiny_load(p.ctx, tiny_path("mixed"), "");
    ck_assert_int_eq(pf_backbone_find(p.backbone[0], "blocks.0.attn.qkv.weight")->type, PEFT_F16);
    ck_assert_int_eq(pf_backbone_find(p.backbone[0], "blocks.1.attn.qkv.weight")->type, PEFT_F32);
    tiny_same_backbone(p.backbone[0], p.backbone[1], "of two types");
    pair_free(&p);
}
END_TEST

/* NaN or infinity in a 16-bit weight is refused, as in f32. */
START_TEST(nonfinite_weights_are_refused)
{
    /* +Inf, -Inf and NaN in f16, and in bf16 */
    static const uint16_t bad[2][3] = { { 0x7C00, 0xFC00, 0x7E01 }, { 0x7F80, 0xFF80, 0x7FC1 } };
    for (int h = 0; h < 2; h++)
        for (int i = 0; i < 3; i++) {
            pair p = pair_make(NULL, shapes[1], halves[h], TIMM);
            pf_map *map;
            pf_st *st;
            peft_backbone *b;
            OK(pf_map_read(p.ctx, tiny_path("half"), PF_WHOLE_FILE, &map));
            OK(pf_st_open_memory(p.ctx, pf_map_data(map), pf_map_size(map), &st));
            const pf_st_tensor *t = pf_st_find(st, "blocks.1.mlp.fc2.weight");
            uint16_t *last = (uint16_t *)((uintptr_t)t->data + t->bytes - sizeof *last);
            *last = bad[h][i];
            pf_st_close(st);
            FAILS(PEFT_E_NONFINITE, "blocks.1.mlp.fc2.weight",
                  peft_backbone_load_memory(p.ctx, pf_map_data(map), pf_map_size(map), NULL, &b));
            pf_map_close(map);
            pair_free(&p);
        }
}
END_TEST

/* DeiT-Ti with its published weights, rounded to 16 bits. */
START_TEST(deit_tiny_in_16_bits_trains_to_the_same_bits)
{
    const char *shared = shared_folder();
    char path[1024];
    if (!shared) return;
    snprintf(path, sizeof path, "%s/data/vit/deit_tiny_patch16_224.safetensors", shared);
    if (access(path, R_OK)) {
        printf("SKIP: %s is not there\n", path);
        return;
    }
    for (int h = 0; h < 2; h++) {
        pair p = { tiny_context(NULL, 2), { NULL, NULL }, halves[h] };
        peft_backbone *real = tiny_load(p.ctx, path, "");
        peft_options *o = tiny_options(p.ctx, "naming=%s,dtype=%s", h ? "hf" : "timm", h ? "bf16" : "f16");
        OK(peft_backbone_save_as(real, tiny_path("half.safetensors"), o));
        peft_options_free(o);
        peft_backbone_free(real);
        p.backbone[0] = tiny_load(p.ctx, tiny_path("half.safetensors"), "");
        load_f32_copy(&p);
        tiny_same_backbone(p.backbone[0], p.backbone[1], "DeiT-Ti");
        check_same_training(&p, "lora", "dora=true");
        pair_free(&p);
    }
}
END_TEST

SUITE_MAIN("half_backbone", matrices_keep_the_type_of_the_file, every_method_trains_to_the_same_bits,
           every_instruction_set_gives_the_same_bits, cblas_gives_the_same_bits,
           saved_files_and_cached_features_are_equal, unaligned_matrices_are_copied, qkv_of_mixed_types_become_f32,
           nonfinite_weights_are_refused, deit_tiny_in_16_bits_trains_to_the_same_bits)
