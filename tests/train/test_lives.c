/* SPDX-License-Identifier: Apache-2.0
 * test_lives.c -- which objects may be used together, freeing in any order, errors and order of the callbacks of
 * peft_trainer_fit. */
#include "failing_alloc.h"
#include "tiny.h"

START_TEST(a_parameter_has_one_trainer_at_a_time)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_model *second = tiny_model(t.backbone, "classes=4");
    peft_trainer *x = tiny_trainer(t.model, "batch=2"), *y = NULL;
    OK(peft_model_attach(second, t.adapter));
    FAILS(PEFT_E_STATE, "'prompt': another trainer", peft_trainer_create(t.model, NULL, &y));
    FAILS(PEFT_E_STATE, "'prompt': another trainer", peft_trainer_create(second, NULL, &y));
    ck_assert_ptr_null(y);
    tiny_step(x, 2, 0);                                                      /* the first trainer still works */
    ck_assert_ptr_nonnull(peft_param_grad(peft_model_find_param(t.model, "prompt")));
    peft_trainer_free(x);
    ck_assert_ptr_null(peft_param_grad(peft_model_find_param(t.model, "prompt")));
    OK(peft_trainer_create(second, NULL, &y));
    tiny_step(y, 2, 0);
    peft_trainer_free(y);
    peft_model_free(second);
    tiny_free(&t);
}
END_TEST

START_TEST(adapters_cannot_change_while_a_model_is_in_use)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    tiny other = tiny_make(&(tiny_spec){ .method = "ept", .more = "seed=3" });
    peft_adapter *second = tiny_adapter(t.backbone, "ept", NULL), *bias = tiny_adapter(t.backbone, "bitfit", NULL);
    peft_trainer *x = tiny_trainer(t.model, "batch=2");
    FAILS(PEFT_E_STATE, "attach", peft_model_attach(t.model, bias));
    FAILS(PEFT_E_STATE, "detach", peft_model_detach(t.model, t.adapter));
    peft_trainer_free(x);
    peft_session *s = tiny_session(t.model, "batch=2");
    FAILS(PEFT_E_STATE, "attach", peft_model_attach(t.model, bias));
    peft_session_free(s);
    FAILS(PEFT_E_STATE, "already", peft_model_attach(t.model, t.adapter));
    FAILS(PEFT_E_STATE, "'prompt'", peft_model_attach(t.model, second));
    FAILS(PEFT_E_NOTFOUND, "not attached", peft_model_detach(t.model, second));
    FAILS(PEFT_E_MISMATCH, "backbone", peft_model_attach(t.model, other.adapter));
    FAILS(PEFT_E_INVALID, "adapter", peft_model_attach(t.model, NULL));
    FAILS(PEFT_E_INVALID, "model", peft_model_detach(NULL, second));
    size_t before = peft_model_param_count(t.model);
    OK(peft_model_attach(t.model, bias));
    ck_assert_uint_eq(peft_model_param_count(t.model), before + peft_adapter_param_count(bias));
    OK(peft_model_detach(t.model, t.adapter));
    ck_assert_ptr_null(peft_model_find_param(t.model, "prompt"));
    OK(peft_model_detach(t.model, bias));
    OK(peft_model_attach(t.model, second));
    OK(peft_model_detach(t.model, second));
    peft_adapter_free(second);
    peft_adapter_free(bias);
    tiny_free(&t);
    tiny_free(&other);
}
END_TEST

/* After a detach the logits are those of the model before the adapter was attached. */
START_TEST(a_detached_adapter_leaves_no_trace)
{
    float before[3], after[3];
    for (size_t i = 0; i < tiny_method_count(); i++) {
        if (tiny_method(i)->network) continue;            /* such a method needs its own head */
        tiny t = tiny_make(&(tiny_spec){ .model = "classes=3" });
        peft_adapter *a = tiny_adapter(t.backbone, tiny_method_name(i), NULL);
        tiny_batch b = tiny_first_batch(t.model, 1);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 1, 3);
        /* predicts before the adapter is attached, after it was trained and detached, and again */
        for (int k = 0; k < 3; k++) {
            if (k == 1) {
                OK(peft_model_attach(t.model, a));
                peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=0.5");
                OK(peft_trainer_group(x, "head.*", 0, 0));
                for (int n = 0; n < 2; n++) tiny_step(x, 2, n);
                peft_trainer_free(x);
                OK(peft_model_detach(t.model, a));
            }
            peft_session *s = tiny_session(t.model, "batch=1");
            OK(peft_session_predict(s, b.images, logits));
            memcpy(k ? after : before, peft_tensor_cdata(logits), sizeof before);
            if (k) ck_assert_mem_eq(before, after, sizeof before);
            peft_session_free(s);
        }
        peft_tensor_free(logits);
        tiny_batch_free(&b);
        peft_adapter_free(a);
        tiny_free(&t);
    }
}
END_TEST

/* Six objects are freed in all 720 orders; the trainer and the session work until they are freed themselves. The
 * remainders of `order` by 6, 5, 4, ... choose the next object among those that remain. */
START_TEST(objects_can_be_freed_in_any_order)
{
    for (int order = 0; order < 720; order++) {
        failing_alloc f = { .fail_at = -1 };
        tiny t = { 0 };
        OK(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &t.ctx));
        tiny_register(t.ctx);
        OK(peft_context_set_threads(t.ctx, 1 + order % 2));
        t.backbone = tiny_backbone(t.ctx, "image_size=8,patch=4,width=8,depth=1,heads=2,mlp=8,classes=3", NULL);
        t.adapter = tiny_adapter(t.backbone, "ept", NULL);
        t.model = tiny_model(t.backbone, NULL);
        OK(peft_model_attach(t.model, t.adapter));
        peft_trainer *x = tiny_trainer(t.model, "batch=2");
        peft_session *s = tiny_session(t.model, "batch=2");
        tiny_batch b = tiny_first_batch(t.model, 2);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
        bool freed[6] = { false };
        for (int remaining = 6, permutation = order; remaining > 0; permutation /= remaining--) {
            int k = 0;
            for (int skip = permutation % remaining; freed[k] || skip--; k++) {}       /* the one after `skip` others */
            freed[k] = true;
            if (k == 0) peft_context_free(t.ctx);
            if (k == 1) peft_backbone_free(t.backbone);
            if (k == 2) peft_adapter_free(t.adapter);
            if (k == 3) peft_model_free(t.model);
            if (k == 4) peft_trainer_free(x);
            if (k == 5) peft_session_free(s);
            if (!freed[4]) OK(peft_trainer_step(x, b.images, b.labels, NULL));
            if (!freed[5]) OK(peft_session_predict(s, b.images, logits));
        }
        tiny_batch_free(&b);
        peft_tensor_free(logits);
        ck_assert_int_eq(f.blocks, 0);
        ck_assert_uint_eq(f.bytes, 0);
    }
}
END_TEST

START_TEST(free_accepts_null)
{
    peft_context_free(NULL);
    peft_options_free(NULL);
    peft_tensor_free(NULL);
    peft_backbone_free(NULL);
    peft_adapter_free(NULL);
    peft_model_free(NULL);
    peft_session_free(NULL);
    peft_trainer_free(NULL);
    peft_file_free(NULL);
}
END_TEST

/* --- fit -------------------------------------------------------------------------------------- */
typedef struct batch_source {
    const peft_model *m;
    int64_t sizes[4];                    /* samples of batch 0, 1, ... of every epoch */
    int64_t batch[16], epoch[16];        /* arguments of the last 16 calls */
    int calls, updates;                  /* calls of the batch callback and of progress */
    int stop;                            /* progress stops the run at this update */
    double lr;                           /* of the last update */
} batch_source;

/* Gives batches of the source's sizes and records its arguments. */
static int64_t next_batch(int64_t epoch, int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    batch_source *f = user;
    f->epoch[f->calls % 16] = epoch;
    f->batch[f->calls++ % 16] = i;
    ck_assert_int_eq(peft_tensor_dim(images, 0), 3);
    ck_assert_int_eq(peft_tensor_dim(images, 2), f->m->backbone->shape.image.h);
    ck_assert_int_eq(peft_tensor_dim(labels, 0), 3);
    ck_assert_ptr_nonnull(ids);
    memset(peft_tensor_data(images), 0, pf_tensor_bytes(images));
    memset(peft_tensor_data(labels), 0, pf_tensor_bytes(labels));
    return f->sizes[i];
}

static int progress(peft_trainer *t, void *user)
{
    batch_source *f = user;
    f->updates++;
    f->lr = peft_trainer_get(t, "lr");
    return f->updates == f->stop;
}

/* How a callback fails: after setting an error itself; after a call of the library that failed; without an error; by
 * giving no batch at all. */
typedef enum { OWN_ERROR, LIBRARY_ERROR, NO_ERROR, EMPTY_EPOCH } failure;
/* What a failing callback gets as user data. by_progress: the progress callback fails, not the batch callback. */
typedef struct failing { failure how; bool by_progress; peft_context *ctx; } failing;

/* Fails as f->how says; returns -1. */
static int fail_now(const failing *f)
{
    peft_tensor *x;
    if (f->how == OWN_ERROR) return peft_set_error(PEFT_E_IO, "scan 12: the disk is gone") ? -1 : 0;
    if (f->how == LIBRARY_ERROR) return peft_tensor_create(f->ctx, PEFT_F32, 99, NULL, &x) ? -1 : 0;
    return -1;
}

static int64_t failing_next(int64_t epoch, int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                            void *user)
{
    const failing *f = user;
    (void)epoch, (void)ids;
    memset(peft_tensor_data(images), 0, pf_tensor_bytes(images));
    memset(peft_tensor_data(labels), 0, pf_tensor_bytes(labels));
    if (f->how == EMPTY_EPOCH) return 0;
    const bool fails = !f->by_progress && i > 0;                 /* the first batch is given, so that a step is done */
    return fails ? fail_now(f) : 3;
}

static int failing_progress(peft_trainer *t, void *user)
{
    const failing *f = user;
    (void)t;
    return f->by_progress ? fail_now(f) : 0;
}

/* peft_trainer_fit returns the error that a callback set, or PEFT_E_CANCELLED, and no earlier error of the thread. */
START_TEST(fit_returns_the_error_of_a_callback)
{
    static const struct { failure how; peft_status status; const char *text[2]; } rows[] = {
        { OWN_ERROR, PEFT_E_IO, { "batch 1 of epoch 0: scan 12", "step 1: scan 12" } },
        { LIBRARY_ERROR, PEFT_E_INVALID, { "batch 1 of epoch 0: ", "step 1: " } },
        { NO_ERROR, PEFT_E_CANCELLED,
          { "cancelled by the batch callback, which returned -1", "cancelled by the progress" } } };
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int by_progress = 0; by_progress < 2; by_progress++) {
            peft_trainer *x = tiny_trainer(t.model, "batch=%d", 3);
            failing f = { .how = rows[i].how, .by_progress = by_progress, .ctx = t.ctx };
            peft_set_error(PEFT_E_IO, "something long past");
            peft_status s = peft_trainer_fit(x, 1, failing_next, failing_progress, &f);
            ck_assert_msg(s == rows[i].status || (rows[i].how == LIBRARY_ERROR && s == PEFT_E_SHAPE), "%s: %s",
                          peft_status_name(s), peft_last_error());
            ck_assert_msg(strstr(peft_last_error(), rows[i].text[by_progress]) &&
                          !strstr(peft_last_error(), "long past"),
                          "%s", peft_last_error());
            ck_assert(peft_trainer_get(x, "step") == 1);
            peft_trainer_free(x);
        }
    peft_trainer *x = tiny_trainer(t.model, "batch=%d", 3);
    failing f = { .how = EMPTY_EPOCH, .ctx = t.ctx };
    FAILS(PEFT_E_STATE, "epoch 0 has no samples", peft_trainer_fit(x, 1000, failing_next, NULL, &f));
    ck_assert(peft_trainer_get(x, "epoch") == 0);
    f.how = NO_ERROR, f.by_progress = true;
    FAILS(PEFT_E_CANCELLED, "progress", peft_trainer_fit(x, 1, failing_next, failing_progress, &f));
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

START_TEST(fit_calls_the_callbacks_in_order)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    peft_trainer *x = tiny_trainer(t.model, "batch=3,accumulate=2,lr=0.25");
    batch_source f = { .m = t.model, .sizes = { 3, 2, 1, 0 }, .stop = -1 };
    OK(peft_trainer_fit(x, 0, next_batch, progress, &f));
    ck_assert_int_eq(f.calls, 0);
    OK(peft_trainer_fit(x, 1, next_batch, progress, &f));
    ck_assert_int_eq(f.calls, 4);
    ck_assert_int_eq(f.updates, 2);                                          /* of 2 passes, and of the remaining one */
    ck_assert(peft_trainer_get(x, "samples") == 6 && f.lr == 0.25);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(f.batch[i], i);
    /* the number of epochs counts from the start of the run: epoch 0 is done */
    OK(peft_trainer_fit(x, 1, next_batch, progress, &f));
    ck_assert_int_eq(f.calls, 4);
    f.stop = 3;
    FAILS(PEFT_E_CANCELLED, "step 3", peft_trainer_fit(x, 3, next_batch, progress, &f));
    ck_assert(peft_trainer_get(x, "epoch") == 1 && peft_trainer_get(x, "step") == 3);
    ck_assert(f.epoch[3] == 0 && f.epoch[4] == 1 && f.batch[4] == 0);
    OK(peft_trainer_fit(x, 2, next_batch, NULL, &f));
    f.sizes[1] = -5;
    FAILS(PEFT_E_CANCELLED, "batch 1 of epoch 2", peft_trainer_fit(x, 3, next_batch, NULL, &f));
    f.sizes[1] = 4;
    FAILS(PEFT_E_INVALID, "4 samples, expected at most 3", peft_trainer_fit(x, 3, next_batch, NULL, &f));
    FAILS(PEFT_E_INVALID, "epochs", peft_trainer_fit(x, -1, next_batch, NULL, &f));
    f.sizes[1] = 0;
    OK(peft_trainer_fit(x, 3, next_batch, NULL, &f));
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("lives", a_parameter_has_one_trainer_at_a_time, adapters_cannot_change_while_a_model_is_in_use,
           a_detached_adapter_leaves_no_trace, objects_can_be_freed_in_any_order, free_accepts_null,
           fit_returns_the_error_of_a_callback, fit_calls_the_callbacks_in_order)
