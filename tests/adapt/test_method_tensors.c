/* SPDX-License-Identifier: Apache-2.0
 * test_method_tensors.c -- functions by which a method reads untrained tensors: peft_sys_constant, peft_sys_weight (a
 * tensor of the backbone by name) and peft_sys_declare_buffer. */
#include "tiny_bits.h"

enum { BATCH = 3, CLASSES = 3, TOKENS = 5, WIDTH = 24 };   /* TOKENS: prompts in a layer; WIDTH: of BACKBONE */
#define BACKBONE "image_size=16,patch=4,width=24,mlp=40,depth=2,heads=3"

/* --- a method that reads a constant and a weight; each test sets these variables ---------------------------------- */
static int fills;                                        /* calls of fill_constant */
static int by_name;                                      /* read the weight by its name, not from the site */
static int64_t rows = 1, more_per_layer = 0;             /* the constant has rows + more_per_layer * layer rows */
static const char *weight = "blocks.%d.attn.proj.weight";

/* user: a factor of all values. */
static void fill_constant(void *user, peft_real *data, int64_t count)
{
    fills++;
    for (int64_t i = 0; i < count; i++) data[i] = (peft_real)(*(const double *)user * (double)(i % 7));
}

/* The method declares no parameters. */
static peft_status init(peft_adapter *a, const peft_vit *v) { (void)v; return peft_sys_init_status(a); }

/* Adds attn.proj of (input + row 0 of the constant) to the output of attn.proj. */
static void emit(const void *state, peft_build *b, peft_site *s)
{
    double factor = 0.25;
    (void)state;
    if (s->role != PEFT_PROJ) return;
    const int64_t extent = rows + more_per_layer * s->layer;
    peft_val shift = peft_sys_constant(b, PEFT_DIMS(extent, WIDTH), fill_constant, &factor, "shift");
    peft_val w = by_name ? peft_sys_weight(b, weight, (int)s->layer) : s->w;
    s->out = peft_sys_add(b, s->out, peft_sys_linear(b, peft_sys_add(b, s->in, peft_sys_select(b, shift, 0)), w,
                                                     PEFT_NONE));
    factor = 1e9;                                        /* the constant was filled: this must have no effect */
}
static const peft_method twice = { .name = "twice", .summary = "adds attn.proj of the shifted input", .paper = "",
                                   .sites = PEFT_AT(PEFT_LINEAR), .init = init, .emit = emit };

/* A model with the method "twice" and, where it is not NULL, a second method. */
static tiny make(const char *second)
{
    tiny t = { .ctx = tiny_plain_context() };
    OK(peft_sys_register_method(t.ctx, &twice, PEFT_METHOD_ABI));
    t.backbone = tiny_backbone(t.ctx, BACKBONE, NULL);
    t.model = tiny_model(t.backbone, "classes=3");
    OK(peft_adapter_create(t.backbone, "twice", NULL, &t.adapter));
    OK(peft_model_attach(t.model, t.adapter));
    if (second) {
        peft_adapter *a;
        OK(peft_adapter_create(t.backbone, second, NULL, &a));
        OK(peft_model_attach(t.model, a));
        peft_adapter_free(a);
    }
    tiny_perturb(t.model);
    return t;
}

/* The logits of one batch. */
static void predict(const tiny *t, float logits[BATCH * CLASSES])
{
    tiny_batch b = tiny_first_batch(t->model, BATCH);
    peft_session *s = tiny_session(t->model, "batch=%d", BATCH);
    peft_tensor *out = tiny_tensor(t->ctx, PEFT_F32, 2, BATCH, CLASSES);
    OK(peft_session_predict(s, b.images, out));
    memcpy(logits, peft_tensor_cdata(out), BATCH * CLASSES * sizeof(float));
    peft_tensor_free(out);
    peft_session_free(s);
    tiny_batch_free(&b);
}

/* Trains on batches of 3, 2 and 1 images and records the state. */
static void train(const tiny *t, const char *options, tiny_bits *bits)
{
    peft_trainer *r = tiny_trainer(t->model, "batch=%d%s", BATCH, options);
    for (int n = BATCH; n >= 1; n--) {
        tiny_batch b = tiny_first_batch(t->model, n);
        OK(peft_trainer_step(r, b.images, b.labels, b.ids));
        tiny_batch_free(&b);
    }
    tiny_bits_training(bits, r);
    peft_trainer_free(r);
}

/* peft_sys_weight gives the same tensor as the site's w, also where another method trains it. */
START_TEST(a_weight_by_name_is_the_weight_of_the_site)
{
    for (int unfrozen = 0; unfrozen < 2; unfrozen++) {
        tiny_bits bits[2] = { { 0 } };
        for (by_name = 0; by_name < 2; by_name++) {
            tiny t = make(unfrozen ? "full" : NULL);
            float logits[BATCH * CLASSES];
            predict(&t, logits);
            tiny_bits_add(&bits[by_name], "logits", logits, sizeof logits);
            train(&t, "", &bits[by_name]);
            tiny_free(&t);
        }
        tiny_same(&bits[0], &bits[1], unfrozen ? "unfrozen" : "frozen");
        tiny_bits_free(&bits[0]);
        tiny_bits_free(&bits[1]);
    }
    peft_session *s = NULL;
    tiny t = make(NULL);
    by_name = 1;
    weight = "blocks.%d.attn.proj.weigth";
    FAILS(PEFT_E_NOTFOUND, "peft_sys_weight: the backbone has no tensor 'blocks.0.attn.proj.weigth'",
          peft_session_create(t.model, NULL, &s));
    weight = "blocks.%d.attn.proj.weight";
    by_name = 0;
    tiny_free(&t);
}
END_TEST

/* All layers, the session and every graph of the trainer share one copy, which is filled once. */
START_TEST(a_constant_is_filled_once)
{
    float logits[2][BATCH * CLASSES];
    tiny_bits bits = { 0 };
    fills = 0;
    tiny t = make(NULL);
    predict(&t, logits[0]);
    ck_assert_int_eq(fills, 1);
    train(&t, ",cache_features=100000", &bits);
    predict(&t, logits[1]);
    ck_assert_int_eq(fills, 1);
    tiny_bits_free(&bits);
    more_per_layer = 1;
    peft_session *s = NULL;
    tiny other = make(NULL);
    FAILS(PEFT_E_SHAPE, "peft_sys_constant 'shift': made before with other extents",
          peft_session_create(other.model, NULL, &s));
    rows = -1, more_per_layer = 0;                       /* an extent below 1 */
    FAILS(PEFT_E_SHAPE, "peft_sys_constant 'shift': expected 1 to 5 extents",
          peft_session_create(other.model, NULL, &s));
    rows = 1;
    tiny_free(&other);
    tiny_free(&t);
}
END_TEST

/* 1000 more rows of a constant are 96,000 more bytes in the memory that session, trainer and context report. */
START_TEST(a_constant_counts_in_the_reported_memory)
{
    const size_t bytes = (size_t)1000 * WIDTH * sizeof(float);
    size_t session[2], used[2];
    double trainer[2];
    for (int i = 0; i < 2; i++) {
        rows = i ? 1001 : 1;
        tiny t = make(NULL);
        peft_session *s = tiny_session(t.model, "batch=%d", BATCH);
        peft_trainer *r = tiny_trainer(t.model, "batch=%d", BATCH);
        session[i] = peft_session_memory(s);
        trainer[i] = peft_trainer_get(r, "planned_bytes");
        used[i] = peft_context_memory_used(t.ctx);
        peft_trainer_free(r);
        peft_session_free(s);
        tiny_free(&t);
    }
    rows = 1;
    ck_assert_uint_eq(session[1] - session[0], bytes);
    ck_assert_double_eq(trainer[1] - trainer[0], (double)bytes);
    ck_assert_uint_eq(used[1] - used[0], bytes);
}
END_TEST

/* --- buffers ------------------------------------------------------------------------------------------------------ */
/* A model with masked prompts: 5 prompts and a buffer "mask" in each layer. */
static peft_model *prompted(const tiny *t, peft_adapter **a)
{
    peft_model *m = tiny_model(t->backbone, "classes=3");
    peft_options *o = tiny_options(t->ctx, "tokens=%d", TOKENS);
    OK(peft_adapter_create(t->backbone, "masked_prompt", o, a));
    OK(peft_model_attach(m, *a));
    peft_options_free(o);
    tiny_perturb(m);
    return m;
}

static tiny context_and_backbone(void)
{
    tiny t = { .ctx = tiny_plain_context() };
    t.backbone = tiny_backbone(t.ctx, BACKBONE, NULL);
    return t;
}

/* The logits of one batch by m, in place of t's own model. */
static void logits_of(const tiny *t, peft_model *m, float logits[BATCH * CLASSES])
{
    tiny other = *t;
    other.model = m;
    predict(&other, logits);
}

/* Sets all values of the masks of both layers. */
static void set_mask(peft_model *m, float value)
{
    for (int l = 0; l < 2; l++) {
        char name[16];
        snprintf(name, sizeof name, "mask.%d", l);
        peft_tensor *mask = peft_model_find_buffer(m, name);
        ck_assert_ptr_nonnull(mask);
        for (int i = 0; i < TOKENS * WIDTH; i++) ((float *)peft_tensor_data(mask))[i] = value;
    }
}

/* With a mask of zeros the prompts have no effect: the model predicts as one without the adapter. */
START_TEST(a_buffer_takes_part_in_the_prediction)
{
    tiny t = context_and_backbone();
    float masked[BATCH * CLASSES], zeroed[BATCH * CLASSES], without[BATCH * CLASSES];
    peft_adapter *a;
    peft_model *m = prompted(&t, &a), *plain = tiny_model(t.backbone, "classes=3");
    tiny_perturb(plain);
    ck_assert_uint_eq(peft_adapter_param_count(a), 2);
    ck_assert_uint_eq(peft_adapter_buffer_count(a), 2);
    ck_assert_str_eq(peft_adapter_buffer_name(a, 1), "mask.1");
    ck_assert_ptr_null(peft_adapter_buffer_name(a, 2));
    ck_assert_ptr_null(peft_adapter_find_buffer(a, "prompt.0"));
    ck_assert_ptr_nonnull(peft_adapter_find_buffer(a, "mask.0"));
    ck_assert_ptr_eq(peft_adapter_find_buffer(a, "mask.0"), peft_model_find_buffer(m, "mask.0"));
    logits_of(&t, m, masked);
    set_mask(m, 0);
    logits_of(&t, m, zeroed);
    logits_of(&t, plain, without);
    ck_assert_mem_ne(masked, zeroed, sizeof masked);
    ck_assert_mem_eq(zeroed, without, sizeof zeroed);
    peft_model_free(m);
    peft_model_free(plain);
    peft_adapter_free(a);
    peft_backbone_free(t.backbone);
    peft_context_free(t.ctx);
}
END_TEST

/* Files of adapters, models and training states hold the buffer, and training does not change it. */
START_TEST(a_buffer_is_saved_and_loaded)
{
    tiny t = context_and_backbone();
    peft_adapter *a, *loaded;
    peft_model *m = prompted(&t, &a), *copy;
    tiny_bits bits = { 0 }, before = { 0 };
    peft_trainer *r;
    set_mask(m, 0.5);
    tiny prompted_tiny = t;
    prompted_tiny.model = m;
    train(&prompted_tiny, ",cache_features=100000", &bits);              /* bits: not compared, only the mask is */
    ck_assert_float_eq(((const float *)peft_tensor_cdata(peft_model_find_buffer(m, "mask.1")))[23], 0.5f);
    OK(peft_adapter_save(a, tiny_path("adapter")));
    OK(peft_adapter_load(t.backbone, tiny_path("adapter"), &loaded));
    ck_assert_float_eq(((const float *)peft_tensor_cdata(peft_adapter_find_buffer(loaded, "mask.0")))[3], 0.5f);
    OK(peft_model_save(m, tiny_path("model")));
    OK(peft_model_load(t.backbone, tiny_path("model"), &copy));
    ck_assert_float_eq(((const float *)peft_tensor_cdata(peft_model_find_buffer(copy, "mask.0")))[3], 0.5f);
    r = tiny_trainer(m, "batch=%d", BATCH);
    OK(peft_trainer_save(r, tiny_path("state")));
    tiny_bits_training(&before, r);
    set_mask(m, 2);
    OK(peft_trainer_restore(r, tiny_path("state")));
    tiny_bits_free(&bits);
    bits = (tiny_bits){ 0 };
    tiny_bits_training(&bits, r);
    tiny_same(&before, &bits, "restored");
    set_mask(m, NAN);
    FAILS(PEFT_E_NONFINITE, "mask.0", peft_adapter_save(a, tiny_path("adapter")));
    tiny_bits_free(&before);
    tiny_bits_free(&bits);
    peft_trainer_free(r);
    peft_adapter_free(a);
    peft_adapter_free(loaded);
    peft_model_free(m);
    peft_model_free(copy);
    peft_backbone_free(t.backbone);
    peft_context_free(t.ctx);
}
END_TEST

/* A method that multiplies the tokens with a buffer. An application may change the buffer between steps, so the feature
 * cache must not store features that depend on it. */
typedef struct factor { peft_param *p; } factor;
static peft_status factor_init(peft_adapter *a, const peft_vit *v)
{
    ((factor *)peft_sys_state(a))->p = peft_sys_declare_buffer(a, PEFT_DIMS(v->width), "one", "factor");
    return peft_sys_init_status(a);
}
static void factor_emit(const void *state, peft_build *b, peft_site *s)
{
    s->out = peft_sys_mul(b, s->out, peft_sys_param(b, ((const factor *)state)->p));
}
static const peft_method buffer_factor = { .name = "buffer_factor", .summary = "tokens times a buffer", .paper = "",
    .sites = PEFT_AT(PEFT_BLOCK_IN), .state_size = sizeof(factor), .init = factor_init, .emit = factor_emit };

START_TEST(features_that_depend_on_a_buffer_are_not_cached)
{
    double loss[2][2];
    for (int cached = 0; cached < 2; cached++) {
        tiny t = { .ctx = tiny_plain_context() };
        OK(peft_sys_register_method(t.ctx, &buffer_factor, PEFT_METHOD_ABI));
        t.backbone = tiny_backbone(t.ctx, BACKBONE, NULL);
        t.model = tiny_model(t.backbone, "classes=3");
        OK(peft_adapter_create(t.backbone, "buffer_factor", NULL, &t.adapter));
        OK(peft_model_attach(t.model, t.adapter));
        tiny_perturb(t.model);
        peft_trainer *r = tiny_trainer(t.model, "batch=%d%s", BATCH, cached ? ",cache_features=1000000" : "");
        tiny_batch b = tiny_first_batch(t.model, BATCH);
        for (int i = 0; i < 2; i++) {
            OK(peft_trainer_step(r, b.images, b.labels, b.ids));
            loss[cached][i] = peft_trainer_get(r, "loss");
            ((float *)peft_tensor_data(peft_model_find_buffer(t.model, "factor")))[5] = 9;
        }
        tiny_batch_free(&b);
        peft_trainer_free(r);
        tiny_free(&t);
    }
    ck_assert_mem_eq(loss[0], loss[1], sizeof loss[0]);
}
END_TEST

START_TEST(more_blocks_than_depth_max_are_refused)
{
    pf_vit_shape s = { .image = { 16, 16 }, .patch = 4, .width = 24, .depth = PEFT_DEPTH_MAX, .heads = 3, .mlp = 40,
                       PF_PLAIN_VIT };
    OK(pf_shape_check(&s));
    s.depth++;
    FAILS(PEFT_E_INVALID, "depth 65: expected 1 to 64 blocks (PEFT_DEPTH_MAX)", pf_shape_check(&s));
}
END_TEST

SUITE_MAIN("method_tensors", a_weight_by_name_is_the_weight_of_the_site, a_constant_is_filled_once,
           a_constant_counts_in_the_reported_memory, a_buffer_takes_part_in_the_prediction,
           a_buffer_is_saved_and_loaded, features_that_depend_on_a_buffer_are_not_cached,
           more_blocks_than_depth_max_are_refused)
