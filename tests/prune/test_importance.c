/* SPDX-License-Identifier: Apache-2.0
 * test_importance.c -- importance of the masks of e2vpt: gathering changes nothing, scores are means of gradients, what
 * a pruned adapter begins with, wrong calls, and no memory. */
#include <math.h>
#include "failing_alloc.h"
#include "tiny_bits.h"

enum { TOKENS = 4, PIECES = 6, ELEMENTS = TOKENS * PIECES };
#define TOKEN_MASK "prompt_soft_tokens_mask_cls_token"
#define MASKED "tokens=4,pieces=6,kv_tokens=2,mask_tokens=trained,mask_pieces=trained"

/* Training with and without importance in between ends with the same bits; the figures of the trainer stay. */
START_TEST(gathering_changes_nothing)
{
    static const char *const figures[] = { "loss", "lr", "grad_norm", "step", "epoch", "batch_in_epoch", "samples" };
    tiny_bits bits[2] = { { 0 } };
    for (int gathers = 0; gathers < 2; gathers++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = MASKED ",dropout=0.3",
                                         .model = "classes=3,head=bn_linear" });
        peft_trainer *r = tiny_trainer(t.model, "batch=4,lr=0.01");
        peft_importance *i;
        OK(peft_importance_create(t.adapter, &i));
        for (int k = 0; k < 3; k++) {
            tiny_step(r, 4, 4 * k);
            if (!gathers) continue;
            double before[7];
            tiny_bits model[2] = { { 0 } };
            for (int f = 0; f < 7; f++) before[f] = peft_trainer_get(r, figures[f]);
            tiny_bits_training(&model[0], r);
            tiny_batch b = tiny_batch_make(t.model, 3, 20 + k);
            OK(peft_importance_add(i, r, b.images, b.labels, b.ids));
            ck_assert(peft_param_grad(peft_model_find_param(t.model, TOKEN_MASK)) != NULL);
            tiny_batch_free(&b);
            tiny_bits_training(&model[1], r);
            tiny_same(&model[0], &model[1], "gathering");
            tiny_bits_free(&model[0]);
            for (int f = 0; f < 7; f++) ck_assert_msg(peft_trainer_get(r, figures[f]) == before[f], "%s", figures[f]);
        }
        ck_assert_int_eq(peft_importance_batches(i), gathers ? 3 : 0);
        tiny_bits_training(&bits[gathers], r);
        peft_importance_free(i);
        peft_trainer_free(r);
        tiny_free(&t);
    }
    tiny_same(&bits[0], &bits[1], "training");
    tiny_bits_free(&bits[0]);
}
END_TEST

/* The scores are the means of the gradients that peft_trainer_backward gives. */
START_TEST(scores_are_means_of_gradients)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = MASKED });
    peft_trainer *r = tiny_trainer(t.model, "batch=4");
    peft_importance *i;
    double sum[ELEMENTS] = { 0 }, magnitude_sum[ELEMENTS] = { 0 };
    const char *const mask = "prompt_soft_tokens_pieces_mask_cls_token";
    OK(peft_importance_create(t.adapter, &i));
    for (int k = 0; k < 3; k++) {
        tiny_batch b = tiny_batch_make(t.model, 4 - k, 4 * k);
        OK(peft_importance_add(i, r, b.images, b.labels, b.ids));
        peft_trainer *other;                             /* a new one for each batch, so that gradients do not add up */
        tiny same = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = MASKED });
        other = tiny_trainer(same.model, "batch=4");
        OK(peft_trainer_backward(other, b.images, b.labels, b.ids));
        const float *g = peft_tensor_cdata(peft_param_grad(peft_model_find_param(same.model, mask)));
        for (int e = 0; e < ELEMENTS; e++) {
            sum[e] += (double)g[e];
            magnitude_sum[e] += fabs((double)g[e]);
        }
        peft_trainer_free(other);
        tiny_free(&same);
        tiny_batch_free(&b);
    }
    peft_tensor *scores = tiny_tensor(t.ctx, PEFT_F32, 2, TOKENS, PIECES);
    int64_t dims[PEFT_MAX_DIMS];
    ck_assert_int_eq(peft_importance_shape(i, "mask_pieces", dims), 2);
    ck_assert(dims[0] == TOKENS && dims[1] == PIECES);
    peft_options *o = tiny_options(t.ctx, "score=absolute");
    OK(peft_importance_scores(i, "mask_pieces", NULL, scores));
    for (int e = 0; e < ELEMENTS; e++) ck_assert(((float *)scores->data)[e] == (float)(sum[e] / 3));
    OK(peft_importance_scores(i, "mask_pieces", o, scores));
    for (int e = 0; e < ELEMENTS; e++) ck_assert(((float *)scores->data)[e] == (float)(magnitude_sum[e] / 3));
    peft_options_free(o);
    peft_tensor_free(scores);
    peft_importance_free(i);
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

/* One batch twice: the second time dropout draws other numbers. */
START_TEST(dropout_differs_between_batches)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = MASKED ",dropout=0.5" });
    peft_trainer *r = tiny_trainer(t.model, "batch=4");
    tiny_batch b = tiny_batch_make(t.model, 4, 0);
    peft_importance *i;
    float g[2][ELEMENTS];
    OK(peft_importance_create(t.adapter, &i));
    for (int k = 0; k < 2; k++) {
        OK(peft_importance_add(i, r, b.images, b.labels, b.ids));
        memcpy(g[k], peft_tensor_cdata(peft_param_grad(peft_adapter_param(t.adapter,
               peft_adapter_param_count(t.adapter) - 1))), sizeof g[k]);
    }
    ck_assert(memcmp(g[0], g[1], sizeof g[0]));
    tiny_batch_free(&b);
    peft_importance_free(i);
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

static void prompts_of(peft_adapter *a, tiny_bits *bits)
{
    for (size_t k = 0; k < peft_adapter_param_count(a); k++) {
        peft_param *p = peft_adapter_param(a, k);
        if (!strstr(peft_param_name(p), "_mask_")) tiny_bits_tensor(bits, peft_param_name(p), peft_param_value(p));
    }
}

/* The new adapter has the initial values of the first one, or other ones with another seed; it can be trained, saved
 * and loaded, after the objects it was made from are gone. */
START_TEST(a_pruned_adapter_begins_anew)
{
    tiny t = tiny_make(&(tiny_spec){ .backbone = TINY_BACKBONE ",seed=3" });
    peft_adapter *first = tiny_adapter(t.backbone, "e2vpt", MASKED), *pruned[2];
    tiny_bits begin = { 0 }, now = { 0 };
    prompts_of(first, &begin);
    OK(peft_model_attach(t.model, first));
    peft_trainer *r = tiny_trainer(t.model, "batch=4,lr=0.01");
    for (int k = 0; k < 2; k++) tiny_step(r, 4, 4 * k);
    peft_importance *i;
    OK(peft_importance_create(first, &i));
    tiny_batch b = tiny_batch_make(t.model, 4, 0);
    OK(peft_importance_add(i, r, b.images, b.labels, b.ids));
    tiny_batch_free(&b);
    peft_trainer_free(r);
    OK(peft_model_detach(t.model, first));
    peft_adapter_free(first);
    peft_options *o = tiny_options(t.ctx, "mask_tokens=50,mask_pieces=90");
    OK(peft_adapter_prune(i, o, &pruned[0]));
    OK(peft_context_set_seed(t.ctx, 8));
    OK(peft_adapter_prune(i, o, &pruned[1]));
    OK(peft_context_set_seed(t.ctx, 7));
    peft_options_free(o);
    peft_importance_free(i);
    prompts_of(pruned[0], &now);
    tiny_same(&begin, &now, "the same seed");
    ck_assert_str_eq(peft_adapter_option_value(pruned[0], "mask_tokens"),
                     peft_adapter_option_value(pruned[1], "mask_tokens"));
    ck_assert_ptr_null(strstr(peft_adapter_option_value(pruned[0], "mask_pieces"), "trained"));
    ck_assert_str_eq(peft_adapter_option_value(pruned[0], "kv_tokens"), "2");
    prompts_of(pruned[1], &now);
    ck_assert(begin.size == now.size && memcmp(begin.data, now.data, now.size));
    int ones = 0, ones_of_token = 0;
    for (int e = 0; e < TOKENS; e++)
        ones += ((float *)peft_tensor_data(peft_adapter_find_buffer(pruned[0], TOKEN_MASK)))[e] != 0;
    for (int e = 0; e < PIECES; e++)
        ones_of_token += ((float *)peft_tensor_data(peft_adapter_find_buffer(pruned[0],
                          "prompt_soft_tokens_pieces_mask_cls_token")))[e] != 0;
    ck_assert_int_eq(ones, 2);
    ck_assert_int_eq(ones_of_token, 4);
    OK(peft_model_attach(t.model, pruned[0]));
    r = tiny_trainer(t.model, "batch=4,lr=0.01");
    tiny_step(r, 4, 0);
    peft_trainer_free(r);
    OK(peft_adapter_save(pruned[0], tiny_path("pruned")));
    peft_adapter *loaded;
    tiny_bits want = { 0 }, got = { 0 };
    OK(peft_adapter_load(t.backbone, tiny_path("pruned"), &loaded));
    prompts_of(pruned[0], &want);
    prompts_of(loaded, &got);
    tiny_same(&want, &got, "loaded");
    FAILS(PEFT_E_STATE, "the adapter of method 'e2vpt' has no trained mask; expected one of a method with masks",
          peft_importance_create(loaded, &i));
    tiny_bits_free(&want);
    tiny_bits_free(&begin);
    tiny_bits_free(&now);
    peft_adapter_free(loaded);
    for (int k = 0; k < 2; k++) peft_adapter_free(pruned[k]);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(wrong_calls_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = MASKED }), other = tiny_make(&(tiny_spec){ 0 });
    peft_trainer *r = tiny_trainer(t.model, "batch=4"), *without = tiny_trainer(other.model, "batch=4");
    tiny_batch b = tiny_batch_make(t.model, 4, 0);
    peft_tensor *scores = tiny_tensor(t.ctx, PEFT_F32, 1, 4), *small = tiny_tensor(t.ctx, PEFT_F32, 1, 3),
                *whole = tiny_tensor(t.ctx, PEFT_I64, 1, 4);
    peft_importance *i = NULL;
    peft_adapter *pruned = NULL;
    FAILS(PEFT_E_INVALID, "adapter is NULL", peft_importance_create(NULL, &i));
    FAILS(PEFT_E_INVALID, "out is NULL", peft_importance_create(t.adapter, NULL));
    OK(peft_importance_create(t.adapter, &i));
    FAILS(PEFT_E_INVALID, "importance is NULL", peft_importance_add(NULL, r, b.images, b.labels, b.ids));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_importance_add(i, NULL, b.images, b.labels, b.ids));
    FAILS(PEFT_E_STATE, "no batch yet", peft_adapter_prune(i, NULL, &pruned));
    FAILS(PEFT_E_STATE, "no batch yet", peft_importance_scores(i, "mask_tokens", NULL, scores));
    FAILS(PEFT_E_STATE, "its model does not have the adapter 'e2vpt'",
          peft_importance_add(i, without, b.images, b.labels, b.ids));
    OK(peft_trainer_backward(r, b.images, b.labels, b.ids));
    FAILS(PEFT_E_STATE, "1 backward passes since its last update",
          peft_importance_add(i, r, b.images, b.labels, b.ids));
    OK(peft_trainer_update(r));
    const double loss = peft_trainer_get(r, "loss");
    float *x = peft_tensor_data(b.images);
    const float pixel = x[0];
    x[0] = NAN;
    FAILS(PEFT_E_NONFINITE, "", peft_importance_add(i, r, b.images, b.labels, b.ids));
    x[0] = pixel;
    ((int64_t *)peft_tensor_data(b.labels))[0] = 99;
    FAILS(PEFT_E_INVALID, "99", peft_importance_add(i, r, b.images, b.labels, b.ids));
    ((int64_t *)peft_tensor_data(b.labels))[0] = 0;
    ck_assert_int_eq(peft_importance_batches(i), 0);
    ck_assert(peft_trainer_get(r, "loss") == loss);
    ck_assert(peft_trainer_get(r, "samples") == 4);
    OK(peft_importance_add(i, r, b.images, b.labels, b.ids));
    FAILS(PEFT_E_NOTFOUND, "given 'tokens', expected the option of a trained mask of method 'e2vpt', such as "
          "'mask_tokens'", peft_importance_scores(i, "tokens", NULL, scores));
    int64_t dims[PEFT_MAX_DIMS] = { 0 };
    ck_assert_int_eq(peft_importance_shape(i, "mask_tokens", dims), 1);
    ck_assert_int_eq(dims[0], TOKENS);
    ck_assert_int_eq(peft_importance_shape(i, "tokens", dims), 0);
    ck_assert_int_eq(peft_importance_shape(NULL, "mask_tokens", dims), 0);
    FAILS(PEFT_E_SHAPE, "scores: given [3], expected [4]", peft_importance_scores(i, "mask_tokens", NULL, small));
    FAILS(PEFT_E_DTYPE, "f32", peft_importance_scores(i, "mask_tokens", NULL, whole));
    static const char *const bad[][2] = { { "mask_tokens=101", "mask_tokens" }, { "mask_tokens=-1", "mask_tokens" },
        { "mask_token=5", "did you mean 'mask_tokens'" }, { "norm=true", "across=true" },
        { "score=largest", "given 'largest', expected signed or absolute" } };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        peft_options *o = tiny_options(t.ctx, "%s", bad[k][0]);
        FAILS(PEFT_E_OPTION, bad[k][1], peft_adapter_prune(i, o, &pruned));
        peft_options_free(o);
    }
    ck_assert_ptr_null(pruned);
    ck_assert_int_eq(peft_importance_batches(NULL), -1);
    peft_importance_free(NULL);
    peft_importance_free(i);
    peft_tensor_free(scores);
    peft_tensor_free(small);
    peft_tensor_free(whole);
    tiny_batch_free(&b);
    peft_trainer_free(r);
    peft_trainer_free(without);
    tiny_free(&other);
    tiny_free(&t);
}
END_TEST

/* --- no memory ---------------------------------------------------------------------------------------------------- */
#define SMALL "image_size=8,patch=4,width=12,mlp=16,depth=1,heads=3,classes=3"

/* From the backbone to the pruned adapter; arg: a batch for it. */
static peft_status prune_once(peft_context *ctx, void *arg)
{
    peft_backbone *b = NULL;
    peft_adapter *a = NULL, *pruned = NULL;
    peft_model *m = NULL;
    peft_trainer *t = NULL;
    peft_importance *i = NULL;
    peft_options *o[4] = { NULL };
    const tiny_batch *batch = arg;
    static const char *const texts[] = { SMALL, MASKED, "classes=3", "mask_tokens=50" };
    peft_status s = peft_context_set_threads(ctx, 1);
    for (int k = 0; k < 4 && !s; k++) {
        s = peft_options_create(ctx, &o[k]);
        if (!s) s = peft_options_parse(o[k], texts[k]);
    }
    if (!s) s = peft_backbone_create(ctx, o[0], &b);
    if (!s) s = peft_adapter_create(b, "e2vpt", o[1], &a);
    if (!s) s = peft_model_create(b, o[2], &m);
    if (!s) s = peft_model_attach(m, a);
    if (!s) s = peft_trainer_create(m, NULL, &t);
    if (!s) s = peft_importance_create(a, &i);
    if (!s) s = peft_importance_add(i, t, batch->images, batch->labels, NULL);
    if (!s) s = peft_adapter_prune(i, o[3], &pruned);
    peft_adapter_free(pruned);
    peft_importance_free(i);
    peft_trainer_free(t);
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(b);
    for (int k = 0; k < 4; k++) peft_options_free(o[k]);
    return s;
}

START_TEST(no_memory_is_reported_and_nothing_leaks)
{
    tiny t = tiny_make(&(tiny_spec){ .backbone = SMALL });
    tiny_batch b = tiny_batch_make(t.model, 1, 0);
    ck_assert_int_gt(failing_alloc_loop(prune_once, &b), 50);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("importance", gathering_changes_nothing, scores_are_means_of_gradients, dropout_differs_between_batches,
           a_pruned_adapter_begins_anew, wrong_calls_are_refused, no_memory_is_reported_and_nothing_leaks)
