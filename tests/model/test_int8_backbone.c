/* SPDX-License-Identifier: Apache-2.0
 * test_int8_backbone.c -- backbones loaded with weights=int8: training with every method, merging and logits in every
 * arithmetic have the bits of an f32 backbone that holds the stored values; in int8 arithmetic those of the backbone
 * without the option. Threads and the memory plan change no bit. Fingerprint, adapters, exact resume, refusals. */
#include "backbone_pair.h"
#include "failing_alloc.h"
#include "core/bits/weight_reader.h"

/* Saves a random backbone in this type, loads it with weights=int8, and an f32 copy of the stored values. */
static pair pair_make(const char *isa, const char *shape, int naming, peft_dtype type)
{
    pair p = { tiny_context(isa, 2), { NULL, NULL }, PEFT_I8 };
    peft_backbone *b = tiny_backbone(p.ctx, shape, "seed=5");
    for (size_t i = 0; i < b->weights; i++) tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.2);
    tiny_save_backbone(b, &(tiny_save){ .naming = naming ? HF : TIMM, .type = type }, tiny_path("original"));
    p.backbone[0] = tiny_load(p.ctx, tiny_path("original"), "weights=int8");
    for (size_t i = 0; i < b->weights; i++) {
        ck_assert_str_eq(b->weight[i].name, p.backbone[0]->weight[i].name);
        pf_tensor_read(b->weight[i].tensor.data, &p.backbone[0]->weight[i].tensor);
    }
    tiny_save_backbone(b, &(tiny_save){ .naming = TIMM }, tiny_path("values"));
    p.backbone[1] = tiny_load(p.ctx, tiny_path("values"), "");
    peft_backbone_free(b);
    return p;
}

START_TEST(matrices_of_the_blocks_are_stored_as_int8)
{
    for (int n = 0; n < 2; n++)
        for (int s = 0; s < 2; s++) {
            pair p = pair_make(NULL, shapes[s], n && !s ? 0 : n, n ? PEFT_BF16 : PEFT_F32);
            int matrices = 0;
            for (size_t i = 0; i < p.backbone[0]->weights; i++) {
                const peft_tensor *t = &p.backbone[0]->weight[i].tensor, *same = &p.backbone[1]->weight[i].tensor;
                const bool stored = pf_is_int8_matrix(p.backbone[0]->weight[i].name);
                matrices += stored;
                ck_assert_msg((t->type == PEFT_I8) == stored && !t->scales == !stored, "%s",
                              p.backbone[0]->weight[i].name);
                float *x = malloc((size_t)peft_tensor_count(t) * sizeof *x);
                OK(peft_tensor_to_f32(t, x, peft_tensor_count(t)));
                ck_assert(!memcmp(x, same->data, (size_t)peft_tensor_count(t) * sizeof *x));
                free(x);
            }
            ck_assert_int_eq(matrices, 8);
            peft_backbone *original = tiny_load(p.ctx, tiny_path("original"), "weights=file");
            ck_assert_str_eq(peft_backbone_fingerprint(original), peft_backbone_fingerprint(p.backbone[0]));
            ck_assert_str_ne(peft_backbone_fingerprint(original), peft_backbone_fingerprint(p.backbone[1]));
            peft_backbone_free(original);
            pair_free(&p);
        }
}
END_TEST

START_TEST(every_method_trains_to_the_bits_of_the_stored_values)
{
    pair p = pair_make(NULL, shapes[1], 1, PEFT_F32);
    check_same_training(&p, NULL, "");
    for (size_t i = 0; i < tiny_method_count(); i++) check_same_training(&p, tiny_method_name(i), "");
    check_same_training(&p, "lora", "dora=true");
    pair_free(&p);
}
END_TEST

START_TEST(every_instruction_set_gives_the_bits_of_the_stored_values)
{
    static const char *const methods[][2] = { { "lora", "dora=true" }, { "full", "" }, { "vpt", "" }, { "ept", "" } };
    for (const char *const *isa = pk_isas(); *isa; isa++)
        for (int s = 0; s < 2; s++) {
            pair p = pair_make(*isa, shapes[s], 0, PEFT_F16);
            for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
                check_same_training(&p, methods[i][0], methods[i][1]);
            OK(peft_context_set_gemm(p.ctx, "cblas"));
            check_same_training(&p, "lora", "");
            pair_free(&p);
        }
}
END_TEST

/* Logits of 3 images by a session of this arithmetic. */
static void predict(peft_backbone *b, const char *compute, float logits[15])
{
    peft_model *m = tiny_model(b, "classes=5");
    tiny_perturb(m);
    peft_session *s = tiny_session(m, "batch=3,compute=%s", compute);
    tiny_batch batch = tiny_batch_make(m, 3, 8);
    peft_tensor *out = tiny_tensor(b->ctx, PEFT_F32, 2, 3, 5);
    OK(peft_session_predict(s, batch.images, out));
    memcpy(logits, out->data, 15 * sizeof *logits);
    peft_tensor_free(out);
    tiny_batch_free(&batch);
    peft_session_free(s);
    peft_model_free(m);
}

START_TEST(sessions_of_every_arithmetic)
{
    static const char *const arithmetics[] = { "f32", "bf16x3", "bf16", "int8_all" };
    for (const char *const *isa = pk_isas(); *isa; isa++)
        for (int s = 0; s < 2; s++) {
            pair p = pair_make(*isa, shapes[s], 0, PEFT_F32);
            peft_backbone *original = tiny_load(p.ctx, tiny_path("original"), "");
            for (int c = 0; c < 4; c++) {
                float logits[2][15];
                const bool int8 = !strcmp(arithmetics[c], "int8_all");
                predict(p.backbone[0], arithmetics[c], logits[0]);
                predict(int8 ? original : p.backbone[1], arithmetics[c], logits[1]);
                ck_assert_msg(!memcmp(logits[0], logits[1], sizeof logits[0]), "%s, %s", *isa, arithmetics[c]);
            }
            peft_backbone_free(original);
            pair_free(&p);
        }
}
END_TEST

START_TEST(threads_change_no_bit)
{
    pair p = pair_make(NULL, shapes[1], 0, PEFT_F32);
    tiny_bits one = { 0 };
    for (int threads = 1; threads <= 3; threads++) {
        peft_context *ctx = tiny_context(NULL, threads);
        peft_backbone *b = tiny_load(ctx, tiny_path("original"), "weights=int8");
        tiny_bits bits = { 0 };
        train(&bits, b, "ept", "");
        if (threads == 1) one = bits;
        else tiny_same(&one, &bits, "threads");
        peft_backbone_free(b);
        peft_context_free(ctx);
    }
    tiny_bits_free(&one);
    pair_free(&p);
}
END_TEST

/* An adapter of the backbone without the option loads; a training state is continued with the same option alone. */
START_TEST(adapters_load_and_an_exact_resume_needs_the_same_storage)
{
    pair p = pair_make(NULL, shapes[1], 0, PEFT_F32);
    peft_backbone *b[2] = { tiny_load(p.ctx, tiny_path("original"), ""), p.backbone[0] };
    for (int from = 0; from < 2; from++) {
        peft_model *m = tiny_model(b[from], "classes=5");
        peft_adapter *a = tiny_adapter(b[from], "lora", ""), *loaded;
        OK(peft_model_attach(m, a));
        peft_trainer *t = tiny_trainer(m, "batch=4");
        tiny_step(t, 4, 0);
        OK(peft_adapter_save(a, tiny_path("adapter")));
        OK(peft_trainer_save(t, tiny_path("state")));
        OK(peft_adapter_load(b[!from], tiny_path("adapter"), &loaded));
        peft_model *other = tiny_model(b[!from], "classes=5");
        OK(peft_model_attach(other, loaded));
        peft_trainer *u = tiny_trainer(other, "batch=4");
        FAILS(PEFT_E_MISMATCH, from ? "weights=int8, this one's has weights=file" : "weights=file, this one's has "
              "weights=int8", peft_trainer_restore(u, tiny_path("state")));
        OK(peft_trainer_restore(t, tiny_path("state")));
        peft_trainer_free(u);
        peft_model_free(other);
        peft_trainer_free(t);
        peft_adapter_free(loaded);
        peft_adapter_free(a);
        peft_model_free(m);
    }
    peft_backbone_free(b[0]);
    pair_free(&p);
}
END_TEST

START_TEST(refusals)
{
    pair p = pair_make(NULL, shapes[1], 0, PEFT_F32);
    peft_options *o = tiny_options(p.ctx, "weights=int4");
    peft_backbone *b;
    FAILS(PEFT_E_OPTION, "expected file or int8", peft_backbone_load(p.ctx, tiny_path("original"), o, &b));
    peft_options_free(o);
    o = tiny_options(p.ctx, "weights=int8");
    const float bad[] = { NAN, INFINITY, -INFINITY };
    for (int i = 0; i < 3; i++) {
        pf_map *map;
        pf_st *st;
        OK(pf_map_read(p.ctx, tiny_path("original"), PF_WHOLE_FILE, &map));
        OK(pf_st_open_memory(p.ctx, pf_map_data(map), pf_map_size(map), &st));
        const pf_st_tensor *t = pf_st_find(st, "blocks.1.mlp.fc2.weight");
        memcpy((void *)((uintptr_t)t->data + t->bytes - sizeof bad[i]), &bad[i], sizeof bad[i]);
        pf_st_close(st);
        FAILS(PEFT_E_NONFINITE, "blocks.1.mlp.fc2.weight",
              peft_backbone_load_memory(p.ctx, pf_map_data(map), pf_map_size(map), o, &b));
        pf_map_close(map);
    }
    peft_options_free(o);
    pair_free(&p);
}
END_TEST

static peft_status load_once(peft_context *ctx, void *path)
{
    peft_options *o;
    peft_backbone *b = NULL;
    peft_status s = peft_options_create(ctx, &o);
    if (s) return s;
    s = peft_options_parse(o, "weights=int8");
    if (!s) s = peft_backbone_load(ctx, path, o, &b);
    peft_options_free(o);
    peft_backbone_free(b);
    return s;
}

START_TEST(failing_allocations_leave_nothing)
{
    char path[128];
    pair p = pair_make(NULL, shapes[1], 1, PEFT_BF16);
    snprintf(path, sizeof path, "%s", tiny_path("original"));
    ck_assert(failing_alloc_loop(load_once, path) > 30);
    pair_free(&p);
}
END_TEST

SUITE_MAIN("int8_backbone", matrices_of_the_blocks_are_stored_as_int8,
           every_method_trains_to_the_bits_of_the_stored_values,
           every_instruction_set_gives_the_bits_of_the_stored_values, sessions_of_every_arithmetic,
           threads_change_no_bit, adapters_load_and_an_exact_resume_needs_the_same_storage,
           refusals, failing_allocations_leave_nothing)
