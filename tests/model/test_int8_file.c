/* SPDX-License-Identifier: Apache-2.0
 * test_int8_file.c -- backbones saved with dtype=int8: the file holds what the load option weights=int8 makes of the
 * original, bit for bit, and is used from the map; logits, training and merging have the same bits; fingerprint,
 * adapters and training states go both ways; other values of dtype, refusals, failing allocations. */
#include "backbone_pair.h"
#include "core/bits/weight_reader.h"
#include "failing_alloc.h"

static peft_status try_save(const peft_backbone *b, const char *path, const char *options)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    peft_status s = peft_backbone_save_as(b, path, o);
    peft_options_free(o);
    return s;
}

/* Writes a random backbone in this type to the file "original", and that to "int8" with dtype=int8. */
static peft_context *write_files(const char *isa, const char *shape, int naming, peft_dtype type)
{
    peft_context *ctx = tiny_context(isa, 2);
    peft_backbone *b = tiny_backbone(ctx, shape, "seed=5");
    for (size_t i = 0; i < b->weights; i++) tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.2);
    tiny_save_backbone(b, &(tiny_save){ .naming = naming ? HF : TIMM, .type = type }, tiny_path("original"));
    peft_backbone_free(b);
    b = tiny_load(ctx, tiny_path("original"), "");
    OK(try_save(b, tiny_path("int8"), "dtype=int8"));
    peft_backbone_free(b);
    return ctx;
}

/* backbone[0] from the int8 file; backbone[1] from the original, with the option weights=int8. */
static pair pair_make(const char *isa, const char *shape, int naming, peft_dtype type)
{
    pair p = { write_files(isa, shape, naming, type), { NULL, NULL }, PEFT_I8 };
    p.backbone[0] = tiny_load(p.ctx, tiny_path("int8"), "");
    p.backbone[1] = tiny_load(p.ctx, tiny_path("original"), "weights=int8");
    return p;
}

/* The matrices of both are stored with the same bytes and scales; those of the file are not copied. */
static void check_same_storage(const pair *p)
{
    int matrices = 0;
    for (size_t i = 0; i < p->backbone[0]->weights; i++) {
        const peft_tensor *t = &p->backbone[0]->weight[i].tensor, *u = &p->backbone[1]->weight[i].tensor;
        if (!pf_is_int8_matrix(p->backbone[0]->weight[i].name)) continue;
        const pk_weight w = pf_tensor_weight(t);
        matrices++;
        ck_assert(t->type == PEFT_I8 && t->scales && !t->owned);
        ck_assert_uint_eq(pf_tensor_bytes(t), pf_tensor_bytes(u));
        ck_assert(!memcmp(t->data, u->data, pf_tensor_bytes(t)));
        ck_assert(!memcmp(t->scales, u->scales, (size_t)w.rows * sizeof *t->scales));
    }
    ck_assert_int_eq(matrices, 8);
    tiny_same_backbone(p->backbone[0], p->backbone[1], "int8");
}

START_TEST(the_file_holds_what_the_load_option_makes)
{
    static const struct { int shape, naming; peft_dtype type; } files[] = {
        { 0, 0, PEFT_F32 }, { 1, 0, PEFT_F32 }, { 1, 1, PEFT_F32 }, { 0, 0, PEFT_F16 }, { 1, 1, PEFT_BF16 } };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        pair p = pair_make(NULL, shapes[files[i].shape], files[i].naming, files[i].type);
        check_same_storage(&p);
        peft_backbone *original = tiny_load(p.ctx, tiny_path("original"), "");
        ck_assert_str_eq(peft_backbone_fingerprint(original), peft_backbone_fingerprint(p.backbone[0]));
        peft_backbone_free(original);
        for (int k = 0; k < 2; k++) {
            OK(try_save(p.backbone[k], tiny_path("again"), "dtype=int8"));
            tiny_same_files(tiny_path("int8"), tiny_path("again"));
        }
        peft_backbone_free(p.backbone[0]);
        p.backbone[0] = tiny_load(p.ctx, tiny_path("int8"), "weights=int8");
        check_same_storage(&p);
        pair_free(&p);
    }
}
END_TEST

/* A file of timm's class Eva has q, k, v and the halves of a gated MLP apart. */
START_TEST(parts_of_matrices)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, "image_size=16,patch=4,width=48,depth=2,heads=3,classes=5,mlp=50,swiglu=true,"
                                     "layer_scale=true,rope=axial", "seed=5");
    b->timm_form = PF_TIMM_KNOWN | PF_TIMM_SPLIT_QKV | PF_TIMM_SPLIT_GATE | PF_TIMM_GAMMA;
    OK(try_save(b, tiny_path("original"), ""));
    OK(try_save(b, tiny_path("int8"), "dtype=int8"));
    pf_st *st;
    OK(pf_st_open(ctx, tiny_path("int8"), &st));
    static const char *const parts[] = { "attn.q_proj.weight", "attn.k_proj.weight_scale", "mlp.fc1_g.weight",
                                         "mlp.fc1_x.weight_scale" };
    for (size_t i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.1.%s", parts[i]);
        ck_assert_msg(pf_st_find(st, name) != NULL, "%s", name);
    }
    pf_st_close(st);
    peft_backbone *loaded = tiny_load(ctx, tiny_path("int8"), "");
    peft_backbone *option = tiny_load(ctx, tiny_path("original"), "weights=int8");
    tiny_same_backbone(loaded, option, "parts");
    OK(try_save(loaded, tiny_path("again"), "dtype=int8"));
    tiny_same_files(tiny_path("int8"), tiny_path("again"));
    peft_backbone_free(option);
    peft_backbone_free(loaded);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Logits of 3 images by a session of this arithmetic and executor. */
static void predict(tiny_bits *bits, peft_backbone *b, const char *compute, const char *executor)
{
    peft_model *m = tiny_model(b, "classes=5");
    tiny_perturb(m);
    peft_session *s = tiny_session(m, "batch=3,compute=%s,executor=%s", compute, executor);
    tiny_batch batch = tiny_batch_make(m, 3, 8);
    peft_tensor *out = tiny_tensor(b->ctx, PEFT_F32, 2, 3, 5);
    OK(peft_session_predict(s, batch.images, out));
    tiny_finite(out, compute);
    tiny_bits_tensor(bits, "logits", out);
    peft_tensor_free(out);
    tiny_batch_free(&batch);
    peft_session_free(s);
    peft_model_free(m);
}

/* Parameters, gradients and moments after two steps in this arithmetic. */
static void train_in(tiny_bits *bits, peft_backbone *b, const char *compute, const char *executor)
{
    peft_model *m = tiny_model(b, "classes=5");
    peft_adapter *a = tiny_adapter(b, "lora", "");
    OK(peft_model_attach(m, a));
    tiny_perturb(m);
    peft_trainer *t = tiny_trainer(m, "batch=4,lr=0.01,compute=%s,executor=%s", compute, executor);
    tiny_step(t, 4, 0);
    tiny_step(t, 3, 4);
    tiny_bits_training(bits, t);
    tiny_bits_grads(bits, m);
    peft_trainer_free(t);
    peft_adapter_free(a);
    peft_model_free(m);
}

START_TEST(every_arithmetic_and_executor_gives_the_bits_of_the_load_option)
{
    static const char *const arithmetics[] = { "f32", "bf16x3", "bf16", "int8" };
    for (const char *const *isa = pk_isas(); *isa; isa++) {
        pair p = pair_make(*isa, shapes[1], 0, PEFT_F32);
        for (int c = 0; c < 4; c++) {
            tiny_bits of_option = { 0 };
            predict(&of_option, p.backbone[1], arithmetics[c], "planned");
            if (c < 3) train_in(&of_option, p.backbone[1], arithmetics[c], "planned");     /* trainers: not int8 */
            for (int naive = 0; naive < 2; naive++) {
                tiny_bits of_file = { 0 };
                predict(&of_file, p.backbone[0], arithmetics[c], naive ? "naive" : "planned");
                if (c < 3) train_in(&of_file, p.backbone[0], arithmetics[c], naive ? "naive" : "planned");
                tiny_same(&of_option, &of_file, arithmetics[c]);
            }
            tiny_bits_free(&of_option);
        }
        pair_free(&p);
    }
}
END_TEST

START_TEST(methods_train_to_the_bits_of_the_load_option)
{
    static const char *const methods[] = { "lora", "full", "ept", "adapter" };
    for (int s = 0; s < 2; s++) {
        pair p = pair_make(NULL, shapes[s], 0, PEFT_F32);
        for (int i = 0; i < 4; i++) check_same_training(&p, methods[i], "");
        pair_free(&p);
    }
}
END_TEST

/* Adapters of the original load on the file, and the reverse; a training state of weights=int8 goes on with the
 * file. */
START_TEST(adapters_and_states_go_both_ways)
{
    pair p = pair_make(NULL, shapes[1], 0, PEFT_F32);
    peft_backbone *original = tiny_load(p.ctx, tiny_path("original"), "");
    for (int from = 0; from < 2; from++) {
        peft_backbone *first = from ? original : p.backbone[0], *second = from ? p.backbone[0] : original;
        peft_adapter *a = tiny_adapter(first, "lora", ""), *loaded;
        OK(peft_adapter_save(a, tiny_path("adapter")));
        OK(peft_adapter_load(second, tiny_path("adapter"), &loaded));
        peft_adapter_free(loaded);
        peft_adapter_free(a);
    }
    peft_model *m[2];
    peft_trainer *t[2];
    for (int i = 0; i < 2; i++) {
        m[i] = tiny_model(p.backbone[!i], "classes=5");                  /* the load option's first */
        t[i] = tiny_trainer(m[i], "batch=4");
        tiny_step(t[i], 4, 4 * i);
        if (!i) OK(peft_trainer_save(t[0], tiny_path("state")));
        else OK(peft_trainer_restore(t[1], tiny_path("state")));
    }
    tiny_bits bits[2] = { { 0 } };
    for (int i = 0; i < 2; i++) {
        tiny_step(t[i], 4, 8);
        tiny_bits_training(&bits[i], t[i]);
        peft_trainer_free(t[i]);
        peft_model_free(m[i]);
    }
    tiny_same(&bits[0], &bits[1], "resumed");
    tiny_bits_free(&bits[0]);
    peft_backbone_free(original);
    pair_free(&p);
}
END_TEST

static char warned[1024];
static void keep_warning(int level, const char *message, void *user)
{
    (void)user;
    if (level == PF_LOG_WARNING) snprintf(warned, sizeof warned, "%s", message);
}

/* The fingerprint of the original holds for the network that was saved alone: with another setting, or a changed
 * tensor, it is another one, with a warning. The image size is no part of it. */
START_TEST(the_stated_fingerprint_is_bound_to_the_content)
{
    pair p = pair_make(NULL, shapes[1], 0, PEFT_F32);
    char stated[65];
    memcpy(stated, peft_backbone_fingerprint(p.backbone[0]), sizeof stated);
    OK(peft_context_set_log(p.ctx, keep_warning, NULL, 1));
    static const char *const options[] = { "image_size=48", "eps=1e-3", "heads=2", "pool=mean" };
    for (int i = 0; i < 4; i++) {
        *warned = 0;
        peft_backbone *b = tiny_load(p.ctx, tiny_path("int8"), options[i]);
        ck_assert_msg(!strcmp(stated, peft_backbone_fingerprint(b)) == !i, "%s", options[i]);
        ck_assert_msg(!strstr(warned, stated) == !i, "%s: %s", options[i], warned);
        peft_backbone_free(b);
    }
    static const char *const changed[] = { "blocks.1.mlp.fc1.weight", "blocks.0.attn.proj.weight_scale", "cls_token" };
    for (int i = 0; i < 3; i++) {
        pf_map *map;
        pf_st *st;
        peft_backbone *b;
        OK(pf_map_read(p.ctx, tiny_path("int8"), PF_WHOLE_FILE, &map));
        OK(pf_st_open_memory(p.ctx, pf_map_data(map), pf_map_size(map), &st));
        ++*(unsigned char *)(uintptr_t)pf_st_find(st, changed[i])->data;
        OK(peft_backbone_load_memory(p.ctx, pf_map_data(map), pf_map_size(map), NULL, &b));
        ck_assert_str_ne(stated, peft_backbone_fingerprint(b));
        peft_backbone_free(b);
        pf_st_close(st);
        pf_map_close(map);
    }
    OK(peft_context_set_log(p.ctx, NULL, NULL, 0));
    pair_free(&p);
}
END_TEST

/* A resampled backbone is saved with its positions, as from f32: an adapter of one loads on the other. */
START_TEST(another_image_size)
{
    pair p = pair_make(NULL, shapes[1], 0, PEFT_F32);
    peft_backbone *original = tiny_load(p.ctx, tiny_path("original"), "image_size=48"), *b[2];
    OK(try_save(original, tiny_path("from_f32"), "dtype=int8"));
    peft_adapter *a = tiny_adapter(original, "lora", ""), *loaded;
    OK(peft_adapter_save(a, tiny_path("adapter")));
    b[0] = tiny_load(p.ctx, tiny_path("from_f32"), "");
    b[1] = tiny_load(p.ctx, tiny_path("int8"), "image_size=48");
    for (int i = 0; i < 2; i++) {
        OK(peft_adapter_load(b[i], tiny_path("adapter"), &loaded));
        peft_adapter_free(loaded);
    }
    tiny_bits bits[2] = { { 0 } };
    for (int i = 0; i < 2; i++) predict(&bits[i], b[i], "int8", "planned");
    tiny_same(&bits[0], &bits[1], "image_size");
    tiny_bits_free(&bits[0]);
    OK(try_save(b[1], tiny_path("again"), "dtype=int8"));
    peft_backbone *again = tiny_load(p.ctx, tiny_path("again"), "");
    ck_assert_int_eq(peft_backbone_get(again, "image_size"), 48);
    ck_assert_str_eq(peft_backbone_fingerprint(again), pf_backbone_effective(b[1]));
    peft_backbone_free(again);
    for (int i = 0; i < 2; i++) peft_backbone_free(b[i]);
    peft_adapter_free(a);
    peft_backbone_free(original);
    pair_free(&p);
}
END_TEST

/* With another dtype the file has the rounded values, which is said. */
START_TEST(other_types_hold_the_rounded_values)
{
    pair p = pair_make(NULL, shapes[0], 0, PEFT_F32);
    OK(peft_context_set_log(p.ctx, keep_warning, NULL, 1));
    for (int k = 0; k < 2; k++) {
        *warned = 0;
        OK(peft_backbone_save(p.backbone[k], tiny_path("values")));
        ck_assert_msg(strstr(warned, "rounded values") != NULL, "%s", warned);
        peft_backbone *values = tiny_load(p.ctx, tiny_path("values"), "");
        tiny_bits bits[2] = { { 0 } };
        for (int i = 0; i < 2; i++) {
            peft_backbone *b = i ? values : p.backbone[k];
            for (size_t n = 0; n < b->weights; n++) tiny_bits_values(&bits[i], b->weight[n].name, &b->weight[n].tensor);
            predict(&bits[i], b, "f32", "planned");
        }
        tiny_same(&bits[0], &bits[1], "values");
        tiny_bits_free(&bits[0]);
        ck_assert_str_ne(peft_backbone_fingerprint(values), peft_backbone_fingerprint(p.backbone[k]));
        peft_backbone_free(values);
        OK(try_save(p.backbone[k], tiny_path("hf.safetensors"), "dtype=f16,naming=timm"));
    }
    OK(peft_context_set_log(p.ctx, NULL, NULL, 0));
    pair_free(&p);
}
END_TEST

START_TEST(refusals)
{
    peft_context *ctx = write_files(NULL, shapes[1], 0, PEFT_F32);
    peft_backbone *b = tiny_load(ctx, tiny_path("original"), ""), *c;
    FAILS(PEFT_E_OPTION, "naming: given 'hf5', but only this library reads files with dtype=int8: expected timm",
          try_save(b, tiny_path("no"), "dtype=int8,naming=hf5"));
    FAILS(PEFT_E_OPTION, "expected f32, f16, bf16 or int8", try_save(b, tiny_path("no"), "dtype=int4"));
    peft_options *o = tiny_options(ctx, "weights=int8");
    const float bad[] = { NAN, INFINITY, 3e38f };
    static const char *const said[] = { "holds NaN or Inf", "holds NaN or Inf", "too large to be stored as int8" };
    for (int i = 0; i < 3; i++) {
        pf_map *map;
        pf_st *st;
        OK(pf_map_read(ctx, tiny_path("original"), PF_WHOLE_FILE, &map));
        OK(pf_st_open_memory(ctx, pf_map_data(map), pf_map_size(map), &st));
        const pf_st_tensor *t = pf_st_find(st, "blocks.1.mlp.fc2.weight");
        memcpy((void *)((uintptr_t)t->data + t->bytes - sizeof bad[i]), &bad[i], sizeof bad[i]);
        FAILS(PEFT_E_NONFINITE, said[i], peft_backbone_load_memory(ctx, pf_map_data(map), pf_map_size(map), o, &c));
        ck_assert(strstr(peft_last_error(), t->name) != NULL);
        if (i == 2) {                                   /* an f32 backbone can hold it, but not be saved as int8 */
            OK(peft_backbone_load_memory(ctx, pf_map_data(map), pf_map_size(map), NULL, &c));
            FAILS(PEFT_E_NONFINITE, said[i], try_save(c, tiny_path("no"), "dtype=int8"));
            peft_backbone_free(c);
        }
        pf_st_close(st);
        pf_map_close(map);
    }
    ck_assert(access(tiny_path("no"), F_OK) != 0);
    peft_options_free(o);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Saves the file at path as int8, and loads and saves that. */
static peft_status save_and_load(peft_context *ctx, void *path)
{
    peft_options *o = NULL;
    peft_backbone *b = NULL, *c = NULL;
    OK(peft_context_set_log(ctx, keep_warning, NULL, 1));
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "dtype=int8");
    if (!s) s = peft_backbone_load(ctx, path, NULL, &b);
    if (!s) s = peft_backbone_save_as(b, tiny_path("saved"), o);
    if (!s) s = peft_backbone_load(ctx, tiny_path("saved"), NULL, &c);
    if (!s) s = peft_backbone_save_as(c, tiny_path("saved"), o);
    if (!s) s = peft_backbone_save(c, tiny_path("values"));
    peft_backbone_free(b);
    peft_backbone_free(c);
    peft_options_free(o);
    return s;
}

START_TEST(failing_allocations_leave_nothing)
{
    static const char small[] = "image_size=8,patch=4,width=16,depth=1,heads=2,mlp=16,classes=2";
    char path[128];
    peft_context *ctx = write_files(NULL, small, 0, PEFT_F32);
    snprintf(path, sizeof path, "%s", tiny_path("original"));
    ck_assert_int_gt(failing_alloc_loop(save_and_load, path), 100);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("int8_file", the_file_holds_what_the_load_option_makes, parts_of_matrices,
           every_arithmetic_and_executor_gives_the_bits_of_the_load_option,
           methods_train_to_the_bits_of_the_load_option, adapters_and_states_go_both_ways,
           the_stated_fingerprint_is_bound_to_the_content, another_image_size, other_types_hold_the_rounded_values,
           refusals, failing_allocations_leave_nothing)
