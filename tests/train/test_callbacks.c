/* SPDX-License-Identifier: Apache-2.0
 * test_callbacks.c -- what the callbacks of a trainer must not call: peft_trainer_save within a step, whose state would
 * count a batch that is not done, and peft_trainer_fit within a fit, which would train beyond the last epoch. */
#include "tiny.h"

enum { N = 4, BATCHES = 3, EPOCHS = 2 };

/* The trainer, and the last refusal of a call within one of its callbacks. */
static struct { peft_trainer *trainer; peft_status status; bool says_why; int refusals; } inside;

/* Keeps the status of the refused call and whether its message contains `why`. */
static void record_refusal(peft_status s, const char *why)
{
    inside.status = s;
    inside.says_why = strstr(peft_last_error(), why) != NULL;
    inside.refusals++;
    ck_assert_int_eq(peft_set_error(PEFT_OK, ""), PEFT_OK);          /* clears the error */
}

/* The batch callback. user not NULL: the callback calls peft_trainer_fit, which is refused. */
static int64_t next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    (void)epoch;
    if (batch == BATCHES) return 0;
    tiny_batch b = tiny_batch_make(inside.trainer->model, N, (int)batch * N);
    memcpy(images->data, b.images->data, pf_tensor_bytes(b.images));
    memcpy(labels->data, b.labels->data, pf_tensor_bytes(b.labels));
    memcpy(ids, b.ids, sizeof *ids * N);
    tiny_batch_free(&b);
    if (user)
        record_refusal(peft_trainer_fit(inside.trainer, EPOCHS, next, NULL, NULL), "callback of peft_trainer_fit");
    return N;
}

/* A progress callback that calls peft_trainer_fit. */
static int fit_again(peft_trainer *t, void *user)
{
    (void)user;
    record_refusal(peft_trainer_fit(t, EPOCHS, next, NULL, NULL), "callback of peft_trainer_fit");
    return 0;
}

/* A loss function that calls peft_trainer_save. */
static int save_in_loss(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                        void *user)
{
    (void)logits, (void)labels, (void)gradient, (void)user;
    *loss = 0;
    record_refusal(peft_trainer_save(inside.trainer, tiny_path("state")), "called in the trainer's loss function");
    return 0;
}

/* A reducer that calls peft_trainer_save. */
static int save_in_reducer(float *gradients, int64_t count, int64_t *passes, void *user)
{
    (void)gradients, (void)count, (void)passes, (void)user;
    record_refusal(peft_trainer_save(inside.trainer, tiny_path("state")), "called in the trainer's reducer");
    return 0;
}

/* A model; its trainer is inside.trainer. */
static tiny begin(void)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = "classes=3,head=bn_linear" });
    inside.trainer = tiny_trainer(t.model, "batch=%d,lr=0.01", N);
    inside.refusals = 0;
    return t;
}

/* Every step refused the call of its callback, and all epochs were trained. Frees model and trainer. */
static void end(tiny *t)
{
    ck_assert_int_ge(inside.refusals, EPOCHS * BATCHES);
    ck_assert_int_eq(inside.status, PEFT_E_STATE);
    ck_assert(inside.says_why);
    ck_assert_int_eq(inside.trainer->epoch, EPOCHS);
    ck_assert_int_eq(inside.trainer->step, EPOCHS * BATCHES);
    OK(peft_trainer_save(inside.trainer, tiny_path("state")));
    peft_trainer_free(inside.trainer);
    tiny_free(t);
    tiny_clean();
}

START_TEST(save_within_a_step)
{
    for (int reducer = 0; reducer < 2; reducer++) {
        tiny t = begin();
        if (reducer) OK(peft_trainer_set_reduce(inside.trainer, 0, 1, save_in_reducer, NULL));
        else OK(peft_trainer_set_loss(inside.trainer, save_in_loss, NULL));
        OK(peft_trainer_fit(inside.trainer, EPOCHS, next, NULL, NULL));
        ck_assert(access(tiny_path("state"), F_OK));
        end(&t);
    }
}
END_TEST

START_TEST(fit_within_fit)
{
    tiny t = begin();
    OK(peft_trainer_fit(inside.trainer, EPOCHS, next, fit_again, NULL));
    end(&t);
    t = begin();
    int in_batches = 1;
    OK(peft_trainer_fit(inside.trainer, EPOCHS, next, NULL, &in_batches));
    end(&t);
}
END_TEST

SUITE_MAIN("callbacks", save_within_a_step, fit_within_fit)
