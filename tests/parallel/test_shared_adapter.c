/* SPDX-License-Identifier: Apache-2.0
 * test_shared_adapter.c -- two models share an adapter. While one is trained, threads predict with the other, save it
 * and the adapter, and merge it: each result equals that of a state between two updates. Under ThreadSanitizer it also
 * shows that there are no data races. */
#include <pthread.h>
#include "tiny_bits.h"

enum { STEPS = 25, MAX_RESULTS = 4000, CLASSES = 4 };

/* --- work during training: each function returns a hash of its result --------------------------------------------- */
/* A thread that repeats one kind of work with the model that is not trained. */
typedef struct worker worker;
struct worker {
    const char *name;
    uint64_t (*work)(worker *w);
    peft_model *model;
    peft_adapter *adapter;
    peft_session *session;
    peft_tensor *images, *logits;
    char path[160];
    uint64_t hashes[MAX_RESULTS];        /* of the results so far */
    int count;
};
static atomic_int training;              /* 0: the workers stop */

enum { HASH_START = 1 };                 /* any number */

/* Continues the hash h (FNV-1a) with these bytes. */
static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const unsigned char *)data)[i]) * 1099511628211u;
    return h;
}

static uint64_t file_hash(const char *path)
{
    unsigned char part[4096];
    uint64_t h = HASH_START;
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: cannot be opened", path);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) h = hash(h, part, n);
    fclose(f);
    return h;
}

static uint64_t predict(worker *w)
{
    OK(peft_session_predict(w->session, w->images, w->logits));
    return hash(HASH_START, peft_tensor_cdata(w->logits), CLASSES * sizeof(float));
}

static uint64_t predict_in_new_session(worker *w)
{
    peft_session *saved = w->session;
    w->session = tiny_session(w->model, "batch=%d", 1);
    const uint64_t h = predict(w);
    peft_session_free(w->session);
    w->session = saved;
    return h;
}

static uint64_t save_adapter(worker *w)
{
    OK(peft_adapter_save(w->adapter, w->path));
    return file_hash(w->path);
}

static uint64_t save_model(worker *w)
{
    OK(peft_model_save(w->model, w->path));
    return file_hash(w->path);
}

static uint64_t save_for_hf(worker *w)
{
    char path[200];
    OK(peft_model_save_hf(w->model, w->path, NULL));
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", w->path);
    return file_hash(path);
}

static uint64_t merge(worker *w)
{
    peft_backbone *b;
    OK(peft_model_merge(w->model, &b));
    const char *digest = peft_backbone_fingerprint(b);
    const uint64_t h = hash(HASH_START, digest, strlen(digest));
    peft_backbone_free(b);
    return h;
}

/* The adapter belongs to the trainer of the other model, and this model has sessions, so both calls are refused. */
static uint64_t be_refused(worker *w)
{
    peft_trainer *t;
    FAILS(PEFT_E_STATE, "another trainer holds it", peft_trainer_create(w->model, NULL, &t));
    FAILS(PEFT_E_STATE, "free them first", peft_model_detach(w->model, w->adapter));
    return 0;
}

enum { PREDICT, PREDICT_IN_NEW_SESSION, SAVE_ADAPTER, SAVE_MODEL, SAVE_FOR_HF, MERGE, BE_REFUSED, TASKS };
static const struct { const char *name; uint64_t (*work)(worker *w); } tasks[TASKS] = {
    [PREDICT] = { "predict", predict },
    [PREDICT_IN_NEW_SESSION] = { "predict_in_new_session", predict_in_new_session },
    [SAVE_ADAPTER] = { "save_adapter", save_adapter }, [SAVE_MODEL] = { "save_model", save_model },
    [SAVE_FOR_HF] = { "save_for_hf", save_for_hf }, [MERGE] = { "merge", merge },
    [BE_REFUSED] = { "be_refused", be_refused } };

/* A worker for task k; suffix: of the name of its file. */
static worker *open_worker(int k, peft_model *m, peft_adapter *a, tiny_batch *b, const char *suffix)
{
    worker *w = calloc(1, sizeof *w);
    char name[40];
    ck_assert_ptr_nonnull(w);
    snprintf(name, sizeof name, "%s-%s", tasks[k].name, suffix);
    snprintf(w->path, sizeof w->path, "%s", tiny_path(name));
    w->name = tasks[k].name;
    w->work = tasks[k].work;
    w->model = m;
    w->adapter = a;
    w->images = b->images;
    w->session = tiny_session(m, "batch=%d", 1);
    w->logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, 1, CLASSES);
    return w;
}

static void close_worker(worker *w)
{
    peft_session_free(w->session);
    peft_tensor_free(w->logits);
    free(w);
}

/* Does the worker's work while `training` is set, at least once. */
static void *repeat(void *user)
{
    worker *w = user;
    for (w->count = 0; w->count < MAX_RESULTS && (atomic_load(&training) || !w->count); w->count++)
        w->hashes[w->count] = w->work(w);
    return NULL;
}

/* --- two models --------------------------------------------------------------------------------------------------- */
/* Every result of the worker has the hash of some state: state k is the adapter after k steps. */
static void check_hashes(const worker *w, const uint64_t state_hashes[STEPS + 1])
{
    for (int k = 0; k < w->count; k++) {
        int state = 0;
        while (state <= STEPS && state_hashes[state] != w->hashes[k]) state++;
        ck_assert_msg(state <= STEPS, "%s: result %d of %d equals that of no state of the adapter", w->name, k,
                      w->count);
    }
}

/* Stores the hashes of all kinds of work in the present state, which follows `step` steps. */
static void record_state(worker *recorder[TASKS], uint64_t state_hashes[TASKS][STEPS + 1], int step)
{
    for (int k = 0; k < TASKS; k++) state_hashes[k][step] = recorder[k]->work(recorder[k]);
}

/* Trains one model while workers use the other. head: options of the trained model; with batch norm it has running
 * statistics, which the other model does not have. */
static void check_use_during_training(const char *head)
{
    static uint64_t state_hashes[TASKS][STEPS + 1];
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = head });
    peft_model *other = tiny_model(t.backbone, "classes=4");
    OK(peft_model_attach(other, t.adapter));
    tiny_perturb(other);
    peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=%g", 0.05);
    tiny_batch image = tiny_batch_make(other, 1, 77), b = tiny_first_batch(t.model, 2);
    worker *recorder[TASKS], *w[TASKS];
    pthread_t thread[TASKS];
    for (int k = 0; k < TASKS; k++) {
        recorder[k] = open_worker(k, other, t.adapter, &image, "own");
        w[k] = open_worker(k, other, t.adapter, &image, "thread");
    }
    record_state(recorder, state_hashes, 0);
    atomic_store(&training, 1);
    for (int k = 0; k < TASKS; k++) ck_assert_int_eq(pthread_create(&thread[k], NULL, repeat, w[k]), 0);
    for (int i = 1; i <= STEPS; i++) {
        OK(peft_trainer_step(x, b.images, b.labels, NULL));
        record_state(recorder, state_hashes, i);
    }
    atomic_store(&training, 0);
    for (int k = 0; k < TASKS; k++) pthread_join(thread[k], NULL);
    for (int k = 0; k < TASKS; k++) check_hashes(w[k], state_hashes[k]);
    ck_assert(state_hashes[PREDICT][0] != state_hashes[PREDICT][STEPS]);
    ck_assert(state_hashes[SAVE_ADAPTER][0] != state_hashes[SAVE_ADAPTER][STEPS]);
    for (int k = 0; k < TASKS; k++) {
        close_worker(recorder[k]);
        close_worker(w[k]);
    }
    tiny_batch_free(&image);
    tiny_batch_free(&b);
    peft_trainer_free(x);
    peft_model_free(other);
    tiny_free(&t);
    tiny_clean();
}

START_TEST(one_model_is_trained_while_the_other_is_used)
{
    check_use_during_training("classes=3");
    check_use_during_training("classes=3,head=bn_linear");
}
END_TEST

/* --- attach and detach during a save ------------------------------------------------------------------------------ */
/* Attaches and detaches the adapter, and sets a note to the value that it has; then stops the other thread. */
static void *attach_and_detach(void *user)
{
    worker *w = user;
    for (int i = 0; i < STEPS; i++) {
        OK(peft_model_attach(w->model, w->adapter));
        OK(peft_model_set_note(w->model, "author", "anyone"));
        OK(peft_model_detach(w->model, w->adapter));
    }
    atomic_store(&training, 0);
    return NULL;
}

START_TEST(a_save_sees_the_adapter_attached_or_detached)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = "classes=4" });
    tiny_batch image = tiny_batch_make(t.model, 1, 77);
    uint64_t known[2];
    worker *w = open_worker(SAVE_MODEL, t.model, t.adapter, &image, "own");
    peft_session_free(w->session);
    w->session = NULL;
    OK(peft_model_set_note(t.model, "author", "anyone"));
    known[0] = save_model(w);
    OK(peft_model_detach(t.model, t.adapter));
    known[1] = save_model(w);
    ck_assert(known[0] != known[1]);
    pthread_t thread;
    atomic_store(&training, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, attach_and_detach, w), 0);
    repeat(w);
    pthread_join(thread, NULL);
    for (int k = 0; k < w->count; k++) ck_assert(w->hashes[k] == known[0] || w->hashes[k] == known[1]);
    close_worker(w);
    tiny_batch_free(&image);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("shared_adapter", one_model_is_trained_while_the_other_is_used, a_save_sees_the_adapter_attached_or_detached)
