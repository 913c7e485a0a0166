/* SPDX-License-Identifier: Apache-2.0
 * test_shared_adapter.c -- two models share an adapter. While one is trained, threads predict with the other, save it and
 * the adapter, and merge it: each result is one that stands between two updates. Under ThreadSanitizer this also shows
 * that nothing races. */
#include <pthread.h>
#include "tiny_bits.h"

enum { STEPS = 25, KEPT = 4000, CLASSES = 4 };

/* --- what is done beside training, each with a number that tells one result from another ---------------------------- */
typedef struct worker worker;
struct worker {
    const char *name;
    uint64_t (*work)(worker *w);
    peft_model *model;
    peft_adapter *adapter;
    peft_session *session;
    peft_tensor *images, *logits;
    char path[160];
    uint64_t seen[KEPT];
    int count;
};
static atomic_int training;

static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const unsigned char *)data)[i]) * 1099511628211u;
    return h;
}

static uint64_t file_hash(const char *path)
{
    unsigned char part[4096];
    uint64_t h = 1469598103934665603u;
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: cannot be opened", path);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) h = hash(h, part, n);
    fclose(f);
    return h;
}

static uint64_t predict(worker *w)
{
    OK(peft_session_predict(w->session, w->images, w->logits));
    return hash(1, peft_tensor_cdata(w->logits), CLASSES * sizeof(float));
}

static uint64_t predict_anew(worker *w)
{
    peft_session *kept = w->session;
    w->session = tiny_session(w->model, "batch=%d", 1);
    const uint64_t h = predict(w);
    peft_session_free(w->session);
    w->session = kept;
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
    const uint64_t h = hash(1, digest, strlen(digest));
    peft_backbone_free(b);
    return h;
}

/* The adapter belongs to the trainer of the other model, and this model has sessions. */
static uint64_t be_refused(worker *w)
{
    peft_trainer *t;
    FAILS(PEFT_E_STATE, "another trainer holds it", peft_trainer_create(w->model, NULL, &t));
    FAILS(PEFT_E_STATE, "free them first", peft_model_detach(w->model, w->adapter));
    return 0;
}

static const struct { const char *name; uint64_t (*work)(worker *w); } works[] = {
    { "predict", predict }, { "predict_anew", predict_anew }, { "save_adapter", save_adapter },
    { "save_model", save_model }, { "save_for_hf", save_for_hf }, { "merge", merge }, { "be_refused", be_refused } };
enum { WORKS = sizeof works / sizeof *works };

static worker *open_worker(int k, peft_model *m, peft_adapter *a, tiny_batch *b, const char *who)
{
    worker *w = calloc(1, sizeof *w);
    char name[40];
    ck_assert_ptr_nonnull(w);
    snprintf(name, sizeof name, "%s-%s", works[k].name, who);
    snprintf(w->path, sizeof w->path, "%s", tiny_path(name));
    w->name = works[k].name;
    w->work = works[k].work;
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

static void *repeat(void *user)
{
    worker *w = user;
    for (w->count = 0; w->count < KEPT && (atomic_load(&training) || !w->count); w->count++)
        w->seen[w->count] = w->work(w);
    return NULL;
}

/* --- two models ------------------------------------------------------------------------------------------------------ */
static void check_seen(const worker *w, const uint64_t known[STEPS + 1])
{
    for (int k = 0; k < w->count; k++) {
        int at = 0;
        while (at <= STEPS && known[at] != w->seen[k]) at++;
        ck_assert_msg(at <= STEPS, "%s: result %d of %d is of no state of the adapter", w->name, k, w->count);
    }
}

static void note_states(worker *own[WORKS], uint64_t known[WORKS][STEPS + 1], int step)
{
    for (int k = 0; k < WORKS; k++) known[k][step] = own[k]->work(own[k]);
}

/* head of the model that is trained: with batch norm, whose running statistics the other model does not have */
static void check(const char *head)
{
    static uint64_t known[WORKS][STEPS + 1];
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = head });
    peft_model *other = tiny_model(t.backbone, "classes=4");
    OK(peft_model_attach(other, t.adapter));
    tiny_shake(other);
    peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=%g", 0.05);
    tiny_batch image = tiny_batch_make(other, 1, 77), b = tiny_batch_make(t.model, 2, 0);
    worker *own[WORKS], *w[WORKS];
    pthread_t thread[WORKS];
    for (int k = 0; k < WORKS; k++) {
        own[k] = open_worker(k, other, t.adapter, &image, "own");
        w[k] = open_worker(k, other, t.adapter, &image, "thread");
    }
    note_states(own, known, 0);
    atomic_store(&training, 1);
    for (int k = 0; k < WORKS; k++) ck_assert_int_eq(pthread_create(&thread[k], NULL, repeat, w[k]), 0);
    for (int i = 1; i <= STEPS; i++) {
        OK(peft_trainer_step(x, b.images, b.labels, NULL));
        note_states(own, known, i);
    }
    atomic_store(&training, 0);
    for (int k = 0; k < WORKS; k++) pthread_join(thread[k], NULL);
    for (int k = 0; k < WORKS; k++) check_seen(w[k], known[k]);
    ck_assert(known[0][0] != known[0][STEPS] && known[2][0] != known[2][STEPS]);
    for (int k = 0; k < WORKS; k++) {
        close_worker(own[k]);
        close_worker(w[k]);
    }
    tiny_batch_free(&image);
    tiny_batch_free(&b);
    peft_trainer_free(x);
    peft_model_free(other);
    tiny_free(&t);
    tiny_clean();
}

START_TEST(one_is_trained_the_other_used)
{
    check("classes=3");
    check("classes=3,head=bn_linear");
}
END_TEST

/* --- attach and detach beside a save ---------------------------------------------------------------------------------- */
static void *attach_and_detach(void *user)
{
    worker *w = user;
    for (int i = 0; i < STEPS; i++) {
        OK(peft_model_attach(w->model, w->adapter));
        OK(peft_model_set_note(w->model, "turn", "same"));
        OK(peft_model_detach(w->model, w->adapter));
    }
    atomic_store(&training, 0);
    return NULL;
}

START_TEST(saved_while_adapters_come_and_go)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = "classes=4" });
    tiny_batch image = tiny_batch_make(t.model, 1, 77);
    uint64_t known[2];
    worker *w = open_worker(3, t.model, t.adapter, &image, "own");
    peft_session_free(w->session);
    w->session = NULL;
    OK(peft_model_set_note(t.model, "turn", "same"));
    known[0] = save_model(w);
    OK(peft_model_detach(t.model, t.adapter));
    known[1] = save_model(w);
    ck_assert(known[0] != known[1]);
    pthread_t thread;
    atomic_store(&training, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, attach_and_detach, w), 0);
    repeat(w);
    pthread_join(thread, NULL);
    for (int k = 0; k < w->count; k++) ck_assert(w->seen[k] == known[0] || w->seen[k] == known[1]);
    close_worker(w);
    tiny_batch_free(&image);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("shared_adapter", one_is_trained_the_other_used, saved_while_adapters_come_and_go)
