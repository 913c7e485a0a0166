/* SPDX-License-Identifier: Apache-2.0
 * test_beside.c -- one thread trains a model while others predict with it: each prediction equals that of a state of
 * the model between two updates. Under ThreadSanitizer it also shows that there are no data races. */
#include <pthread.h>
#include "tiny_bits.h"

enum { STEPS = 60, READERS = 2, CLASSES = 3, MAX_PREDICTIONS = 4000 };

/* A thread that predicts the same image again and again. */
typedef struct reader {
    peft_session *session;
    peft_tensor *images, *logits;
    float predictions[MAX_PREDICTIONS][CLASSES];
    int count;
} reader;
static atomic_int training;              /* 0: the readers stop */

/* Predicts while `training` is set, at least once. */
static void *predict(void *user)
{
    reader *r = user;
    for (r->count = 0; r->count < MAX_PREDICTIONS && (atomic_load(&training) || !r->count); r->count++) {
        OK(peft_session_predict(r->session, r->images, r->logits));
        memcpy(r->predictions[r->count], peft_tensor_cdata(r->logits), sizeof r->predictions[0]);
    }
    return NULL;
}

static reader *open_reader(peft_model *m, tiny_batch *b)
{
    reader *r = calloc(1, sizeof *r);
    ck_assert_ptr_nonnull(r);
    r->session = tiny_session(m, "batch=%d", 1);
    r->images = b->images;
    r->logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, 1, CLASSES);
    return r;
}

static void close_reader(reader *r)
{
    peft_session_free(r->session);
    peft_tensor_free(r->logits);
    free(r);
}

/* Records the predictions of all states of the model while it is trained, and looks up the readers' predictions among
 * them. A backward pass changes the running statistics of batch norm before the update, so there are two states a
 * step. */
static void check_predictions_beside_training(const tiny_spec *spec)
{
    static float state_predictions[2 * STEPS + 1][CLASSES];
    int states = 0;
    tiny t = tiny_make(spec);
    peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=%g", 0.05);
    tiny_batch image = tiny_batch_make(t.model, 1, 77), b = tiny_first_batch(t.model, 2);
    reader *recorder = open_reader(t.model, &image), *r[READERS];
    pthread_t thread[READERS];
    atomic_store(&training, 0);
    predict(recorder);
    memcpy(state_predictions[states++], recorder->predictions[0], sizeof state_predictions[0]);
    atomic_store(&training, 1);
    for (int i = 0; i < READERS; i++) r[i] = open_reader(t.model, &image);
    for (int i = 0; i < READERS; i++) ck_assert_int_eq(pthread_create(&thread[i], NULL, predict, r[i]), 0);
    for (int i = 0; i < STEPS; i++) {
        OK(peft_trainer_backward(x, b.images, b.labels, NULL));
        OK(peft_session_predict(recorder->session, recorder->images, recorder->logits));
        memcpy(state_predictions[states++], peft_tensor_cdata(recorder->logits), sizeof state_predictions[0]);
        OK(peft_trainer_update(x));
        OK(peft_session_predict(recorder->session, recorder->images, recorder->logits));
        memcpy(state_predictions[states++], peft_tensor_cdata(recorder->logits), sizeof state_predictions[0]);
    }
    atomic_store(&training, 0);
    for (int i = 0; i < READERS; i++) {
        pthread_join(thread[i], NULL);
        for (int k = 0; k < r[i]->count; k++) {
            int state = 0;
            while (state < states && memcmp(state_predictions[state], r[i]->predictions[k],
                                            sizeof state_predictions[0])) state++;
            ck_assert_msg(state < states, "%s: prediction %d of %d equals that of no state of the model", spec->method,
                          k, r[i]->count);
        }
        close_reader(r[i]);
    }
    close_reader(recorder);
    tiny_batch_free(&image);
    tiny_batch_free(&b);
    peft_trainer_free(x);
    tiny_free(&t);
}

START_TEST(predictions_during_training_equal_a_state_of_the_model)
{
    check_predictions_beside_training(&(tiny_spec){ .method = "full" });
    check_predictions_beside_training(&(tiny_spec){ .method = "lora" });
    check_predictions_beside_training(&(tiny_spec){ .method = "linear", .model = "classes=3,head=mlp,head_layers=1" });
}
END_TEST

SUITE_MAIN("beside", predictions_during_training_equal_a_state_of_the_model)
