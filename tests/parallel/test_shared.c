/* SPDX-License-Identifier: Apache-2.0
 * test_shared.c -- several models on one backbone, each in its own thread, are created, trained, saved, loaded and used
 * at the same time, and give the bits of the same work one after the other. Also run with -fsanitize=thread. */
#include <pthread.h>
#include "tiny_bits.h"

enum { THREADS = 3, STEPS = 4 };

/* A model that one thread creates, trains, saves, loads and uses. */
typedef struct job {
    peft_backbone *backbone;
    const char *method, *model;
    int threads;                         /* of its trainer and sessions */
    int number;
    pthread_barrier_t *start;            /* all jobs start together; NULL: no waiting */
    tiny_bits bits;
} job;

static void train(job *j, peft_model *m)
{
    peft_trainer *r = tiny_trainer(m, "batch=3,lr=1e-2,weight_decay=0.01,threads=%d", j->threads);
    for (int i = 0; i < STEPS; i++) {
        tiny_step(r, 3, 3 * i + j->number);
        tiny_bits_add(&j->bits, "loss", &r->last_loss, sizeof r->last_loss);
    }
    tiny_bits_training(&j->bits, r);
    peft_trainer_free(r);
}

static void predict(job *j, peft_model *m)
{
    peft_session *s = tiny_session(m, "batch=2,threads=%d", j->threads);
    tiny_batch b = tiny_batch_make(m, 2, 50 + j->number);
    peft_tensor *logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, 2, (int)m->classes);
    OK(peft_session_predict(s, b.images, logits));
    tiny_finite(logits, "logits");
    tiny_bits_tensor(&j->bits, "logits", logits);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    peft_session_free(s);
}

/* Creates, trains and uses the model of a job, saves it, and predicts with the model loaded from the file. */
static void *run_job(void *arg)
{
    job *j = arg;
    char path[200];
    peft_model *loaded;
    if (j->start) pthread_barrier_wait(j->start);
    peft_adapter *a = tiny_adapter(j->backbone, j->method, NULL);
    peft_model *m = tiny_model(j->backbone, tiny_head(j->method, j->model));
    OK(peft_model_attach(m, a));
    train(j, m);
    predict(j, m);
    snprintf(path, sizeof path, "%s/model%d", tiny_folder, j->number);
    OK(peft_model_save(m, path));
    OK(peft_model_load(j->backbone, path, &loaded));
    predict(j, loaded);
    peft_model_free(loaded);
    peft_adapter_free(a);
    peft_model_free(m);
    return NULL;
}

/* One job for each of three methods, from method number `first` on, at the same time in threads or one after the
 * other. */
static void run_three_jobs(peft_backbone *b, size_t first, int threads, bool in_threads, tiny_bits bits[THREADS])
{
    static const char *const models[THREADS] = { "classes=3", "classes=4,pool=mean", "classes=3,head=bn_linear" };
    pthread_barrier_t start;
    pthread_t thread[THREADS];
    job jobs[THREADS];
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int k = 0; k < THREADS; k++) {
        jobs[k] = (job){ .backbone = b, .method = tiny_method_name((first + (size_t)k) % tiny_method_count()),
                         .model = models[k], .threads = threads, .number = k, .start = in_threads ? &start : NULL };
        if (in_threads) ck_assert_int_eq(pthread_create(&thread[k], NULL, run_job, &jobs[k]), 0);
        else run_job(&jobs[k]);
    }
    for (int k = 0; k < THREADS; k++) {
        if (in_threads) ck_assert_int_eq(pthread_join(thread[k], NULL), 0);
        bits[k] = jobs[k].bits;
    }
    pthread_barrier_destroy(&start);
}

/* Groups of three methods, each group `step` methods after the previous one. backbone: its options; threads: of each
 * trainer and session. */
static void check_groups(const char *backbone, size_t step, int threads)
{
    tiny_path("");                                           /* creates the folder before the threads start */
    for (size_t first = 0; first < tiny_method_count(); first += step) {
        tiny_bits bits[2][THREADS];
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = tiny_backbone(ctx, backbone, NULL);
        for (int in_threads = 1; in_threads >= 0; in_threads--)
            run_three_jobs(b, first, threads, in_threads, bits[in_threads]);
        for (int k = 0; k < THREADS; k++) {
            tiny_same(&bits[0][k], &bits[1][k], tiny_method_name((first + (size_t)k) % tiny_method_count()));
            tiny_bits_free(&bits[0][k]);
        }
        peft_backbone_free(b);
        peft_context_free(ctx);
    }
    tiny_clean();
}

START_TEST(every_method_runs_at_the_same_time_as_others)
{
    const size_t every_second_method = 2;
    check_groups(TINY_BACKBONE, every_second_method, 1);
}
END_TEST

START_TEST(models_with_several_threads_run_at_the_same_time)
{
    const size_t every_third_method = THREADS;
    check_groups(TINY_WIDE, every_third_method, 2);
}
END_TEST

SUITE_MAIN("shared", every_method_runs_at_the_same_time_as_others, models_with_several_threads_run_at_the_same_time)
