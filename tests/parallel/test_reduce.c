/* SPDX-License-Identifier: Apache-2.0
 * test_reduce.c -- data-parallel training: two trainers, each with half of every batch and a reducer that adds
 * gradients in the order of the ranks, give the bits of one trainer that accumulates the halves. Failing reducers
 * change nothing. */
#include "tiny.h"
#include "differences.h"
#include "ordered_sum.h"

enum { RANKS = 2, HALF = 2, STEPS = 3 };

/* --- training by two ranks ------------------------------------------------------------------------------------- */
/* A method and the options of the adapter, the model and the trainer; NULL: the usual ones. */
typedef struct setup { const char *method, *adapter, *model, *trainer; } setup;
typedef struct rank_trainer { tiny t; peft_trainer *trainer; member member; } rank_trainer;

/* accumulate: batches of HALF samples in one update. */
static rank_trainer rank_trainer_make(const setup *r, int accumulate)
{
    rank_trainer p = { .t = tiny_make(&(tiny_spec){ .method = r->method, .adapter = r->adapter, .model = r->model }) };
    p.trainer = tiny_trainer(p.t.model, "batch=%d,accumulate=%d,%s", HALF, accumulate, r->trainer);
    return p;
}

static void rank_trainer_free(rank_trainer *p)
{
    peft_trainer_free(p->trainer);
    tiny_free(&p->t);
}

/* Trains a rank: its half of every batch. */
static void *half_steps(void *user)
{
    rank_trainer *r = user;
    for (int i = 0; i < STEPS; i++) tiny_step(r->trainer, HALF, (i * RANKS + r->member.rank) * HALF);
    return NULL;
}

/* Compares bits. what: the setup; prefix, name: of the array. */
static void check_same(const pk_real *x, const pk_real *y, int64_t n, const char *what, const char *prefix,
                       const char *name)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&x[i], &y[i], sizeof *x))
            ck_abort_msg("%s: %s%s [%lld]: %.9g, with two ranks %.9g", what, prefix, name, (long long)i,
                         (double)x[i], (double)y[i]);
}

/* Parameters and moments of two trainers. */
static void check_same_results(const peft_trainer *a, const peft_trainer *b, const char *what)
{
    ck_assert_uint_eq(a->trained_count, b->trained_count);
    for (size_t i = 0; i < a->trained_count; i++) {
        const pf_trained *x = &a->trained[i], *y = &b->trained[i];
        check_same(x->p->value.data, y->p->value.data, x->count, what, "", x->p->name);
        check_same(x->m, y->m, x->count, what, "first moment of ", x->p->name);
        if (x->v) check_same(x->v, y->v, x->count, what, "second moment of ", x->p->name);
    }
    ck_assert_double_eq(a->last_norm, b->last_norm);
}

/* Trains by one trainer and by two ranks and compares the results. */
static void compare(const setup *r)
{
    char what[160];
    snprintf(what, sizeof what, "%s, %s, %s", r->method, r->model ? r->model : "", r->trainer);
    rank_trainer whole = rank_trainer_make(r, RANKS), half[RANKS];
    ordered_sum x = { .ranks = RANKS };
    pthread_t thread[RANKS];
    pthread_barrier_init(&x.meet, NULL, RANKS);
    for (int k = 0; k < RANKS; k++) {
        half[k] = rank_trainer_make(r, 1);
        half[k].member = (member){ &x, k };
        OK(peft_trainer_set_reduce(half[k].trainer, k, RANKS, add_in_order, &half[k].member));
    }
    for (int i = 0; i < STEPS * RANKS; i++) tiny_step(whole.trainer, HALF, i * HALF);
    for (int k = 0; k < RANKS; k++) ck_assert_int_eq(pthread_create(&thread[k], NULL, half_steps, &half[k]), 0);
    for (int k = 0; k < RANKS; k++) pthread_join(thread[k], NULL);
    for (int k = 0; k < RANKS; k++) {
        check_same_results(whole.trainer, half[k].trainer, what);
        ck_assert_int_eq(half[k].trainer->step, STEPS);
        rank_trainer_free(&half[k]);
    }
    rank_trainer_free(&whole);
    pthread_barrier_destroy(&x.meet);
    free(x.sum);
}

START_TEST(every_method_trains_to_the_same_bits)
{
    for (size_t m = 0; m < tiny_method_count(); m++)
        compare(&(setup){ tiny_method_name(m), NULL, NULL, "lr=0.01,clip_norm=0.5,weight_decay=0.1" });
}
END_TEST

START_TEST(optimisers_losses_and_heads_train_to_the_same_bits)
{
    static const setup setups[] = {
        { "lora", "dropout=0.3", NULL, "optimizer=sgd,nesterov=true,lr=0.05,weight_decay=0.01,clip_norm=0.2" },
        { "lora", "dropout=0.3", "classes=3,head=mlp,head_layers=1", "lr=0.01,schedule=cosine,steps=9" },
        { "ept", NULL, "classes=3,head=bn_linear", "optimizer=sgd,lr=0.05,loss=bce,pos_weight=\"2,1,1\"" },
        { "full", NULL, "classes=3,head=patch_linear", "lr=1e-3,clip_norm=1,decay_on=matrices,weight_decay=0.1" },
        { "lora", NULL, "classes=3,head=setr_naive,head_width=4", "lr=0.01,clip_norm=1" },
        { "bitfit", NULL, NULL, "lr=0.01,class_weights=\"1,2,3\",label_smoothing=0.1,cache_features=1000000" } };
    for (size_t i = 0; i < sizeof setups / sizeof *setups; i++) compare(&setups[i]);
}
END_TEST

/* --- reducers that fail ----------------------------------------------------------------------------------------- */
/* How the reducer `faulty` fails. FINE: not. STOP: returns 1 and leaves NaN in the gradients. SET_ERROR: with an error
 * of its own. TOO_FEW: gives 0 passes. STOP_SOME: as STOP at call k if bit k of stop_calls is set, else as FINE. */
enum { FINE, STOP, SET_ERROR, TOO_FEW, STOP_SOME };
/* Its user data; count: length of the gradients at the last call. */
typedef struct fault { int mode, calls; int64_t count; unsigned stop_calls; } fault;

/* Sets the reducer of a trainer that is the only rank. */
static void reduce_alone(peft_trainer *t, peft_reduce_fn fn, void *user)
{
    OK(peft_trainer_set_reduce(t, 0, 1, fn, user));
}

/* A reducer for one rank that leaves the gradients as they are, or fails as its fault says. */
static int faulty(float *gradients, int64_t count, int64_t *passes, void *user)
{
    fault *f = user;
    const bool stop_now = f->stop_calls >> f->calls & 1;
    const int mode = f->mode != STOP_SOME ? f->mode : stop_now ? STOP : FINE;
    f->calls++;
    f->count = count;
    if (mode == STOP) for (int64_t i = 0; i < count; i++) gradients[i] = NAN;
    if (mode == SET_ERROR) peft_set_error(PEFT_E_IO, "the other machine is gone");
    if (mode == TOO_FEW) *passes = 0;
    return mode == STOP || mode == SET_ERROR;
}

/* A hash (FNV-1a) of all parameters, moments and buffers. */
static uint64_t state_hash(const peft_trainer *t)
{
    uint64_t h = 1469598103934665603u;
    const peft_model *m = t->model;
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        const void *parts[] = { s->p->value.data, s->m, s->v };
        for (int k = 0; k < 3 && parts[k]; k++)
            for (size_t b = 0; b < (size_t)s->count * sizeof(pk_real); b++)
                h = (h ^ ((const unsigned char *)parts[k])[b]) * 1099511628211u;
    }
    for (size_t i = 0; i < m->buffers.count; i++)
        for (size_t b = 0; b < pf_tensor_bytes(&m->buffers.item[i]->value); b++)
            h = (h ^ ((const unsigned char *)m->buffers.item[i]->value.data)[b]) * 1099511628211u;
    return h;
}

/* A step whose reducer fails changes nothing; repeated with the same batches, training gives the same bits. */
START_TEST(a_failing_reducer_changes_nothing)
{
    static const struct { int mode; peft_status status; const char *text; } fails[] = {
        { STOP, PEFT_E_CANCELLED, "cancelled by the reducer at step 1, which returned 1" },
        { SET_ERROR, PEFT_E_IO, "reducer at step 1: the other machine is gone" },
        { TOO_FEW, PEFT_E_INVALID, "reducer at step 1: passes is 0, expected" } };
    static const setup r = { "lora", "dropout=0.3", "classes=3,head=bn_linear", "lr=0.01" };
    rank_trainer undisturbed = rank_trainer_make(&r, 2);
    for (int i = 0; i < 6; i++) tiny_step(undisturbed.trainer, HALF, i * HALF);
    for (size_t k = 0; k < sizeof fails / sizeof *fails; k++) {
        rank_trainer p = rank_trainer_make(&r, 2);
        fault f = { .mode = FINE };
        reduce_alone(p.trainer, faulty, &f);
        for (int i = 0; i < 2; i++) tiny_step(p.trainer, HALF, i * HALF);
        const uint64_t before = state_hash(p.trainer);
        const int64_t samples = p.trainer->samples;
        tiny_batch b = tiny_batch_make(p.t.model, HALF, 3 * HALF);
        tiny_step(p.trainer, HALF, 2 * HALF);
        f.mode = fails[k].mode;
        FAILS(fails[k].status, fails[k].text, peft_trainer_step(p.trainer, b.images, b.labels, NULL));
        f.mode = FINE;
        ck_assert_int_eq(f.calls, 2);
        ck_assert_int_eq(f.count, peft_model_trainable_count(p.t.model));
        ck_assert(state_hash(p.trainer) == before);
        ck_assert(p.trainer->step == 1 && p.trainer->samples == samples && !p.trainer->pending);
        for (int i = 2; i < 6; i++) tiny_step(p.trainer, HALF, i * HALF);
        ck_assert(state_hash(p.trainer) == state_hash(undisturbed.trainer));
        ck_assert_int_eq(p.trainer->samples, undisturbed.trainer->samples);
        tiny_batch_free(&b);
        rank_trainer_free(&p);
    }
    rank_trainer_free(&undisturbed);
}
END_TEST

/* The user data of next_batch. asked: the batches that peft_trainer_fit asked for, as epoch * 10 + batch. */
typedef struct batch_source { peft_model *m; int64_t asked[32]; int count; } batch_source;
/* Three batches an epoch. */
static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    batch_source *x = user;
    (void)ids;
    if (batch == 3) return 0;
    x->asked[x->count++] = epoch * 10 + batch;
    tiny_batch b = tiny_batch_make(x->m, HALF, (int)(epoch * 3 + batch) * HALF);
    pf_to_real(images->data, b.images->data, PEFT_F32, peft_tensor_count(b.images));
    memcpy(labels->data, b.labels->data, pf_tensor_bytes(b.labels));
    tiny_batch_free(&b);
    return HALF;
}

/* After a failure peft_trainer_fit goes on with the first batch of the failed update, also at the end of an epoch. */
START_TEST(fit_repeats_the_failed_update)
{
    static const setup r = { "lora", "dropout=0.3", NULL, "lr=0.01" };
    static const int64_t asked[] = { 0, 1, 0, 1, 2, 2, 10, 11, 12 };
    rank_trainer p = rank_trainer_make(&r, 2), undisturbed = rank_trainer_make(&r, 2);
    batch_source x = { .m = p.t.model }, y = { .m = undisturbed.t.model };
    /* calls 0 and 2: the first update, and the one at the end of epoch 0 */
    fault f = { .mode = STOP_SOME, .stop_calls = 1u << 0 | 1u << 2 };
    OK(peft_trainer_fit(undisturbed.trainer, 2, next_batch, NULL, &y));
    reduce_alone(p.trainer, faulty, &f);
    FAILS(PEFT_E_CANCELLED, "reducer at step 0", peft_trainer_fit(p.trainer, 2, next_batch, NULL, &x));
    ck_assert(p.trainer->epoch == 0 && p.trainer->batch_in_epoch == 0 && p.trainer->samples == 0);
    FAILS(PEFT_E_CANCELLED, "reducer at step 1", peft_trainer_fit(p.trainer, 2, next_batch, NULL, &x));
    ck_assert(p.trainer->epoch == 0 && p.trainer->batch_in_epoch == 2 && p.trainer->samples == 2 * HALF);
    OK(peft_trainer_fit(p.trainer, 2, next_batch, NULL, &x));
    ck_assert_int_eq(x.count, sizeof asked / sizeof *asked);
    ck_assert_mem_eq(x.asked, asked, sizeof asked);
    ck_assert(state_hash(p.trainer) == state_hash(undisturbed.trainer));
    rank_trainer_free(&p);
    rank_trainer_free(&undisturbed);
}
END_TEST

/* A batch whose labels all have weight 0 gives a rank 0 passes; it still calls the reducer, so that all ranks meet. */
START_TEST(a_rank_without_labels_calls_the_reducer)
{
    static const setup r = { "bitfit", NULL, NULL, "lr=0.01,class_weights=\"0,1,1\",weight_decay=0.1" };
    rank_trainer p = rank_trainer_make(&r, 1), undisturbed = rank_trainer_make(&r, 1);
    fault f = { .mode = FINE };
    reduce_alone(p.trainer, faulty, &f);
    tiny_batch b = tiny_first_batch(p.t.model, HALF);
    memset(peft_tensor_data(b.labels), 0, pf_tensor_bytes(b.labels));
    const uint64_t before = state_hash(p.trainer);
    OK(peft_trainer_step(p.trainer, b.images, b.labels, NULL));
    ck_assert(f.calls == 1 && p.trainer->step == 0 && state_hash(p.trainer) == before);
    for (int i = 0; i < 2; i++) {
        tiny_step(p.trainer, HALF, i * HALF);
        tiny_step(undisturbed.trainer, HALF, i * HALF);
    }
    ck_assert(f.calls == 3 && state_hash(p.trainer) == state_hash(undisturbed.trainer));
    tiny_batch_free(&b);
    rank_trainer_free(&p);
    rank_trainer_free(&undisturbed);
}
END_TEST

/* A state saved between two batches of an update, one of them without labels that count: the restored trainer calls its
 * reducer after as many batches as the one that saved the state. */
START_TEST(a_restored_trainer_reduces_after_the_same_batches)
{
    static const setup r = { "bitfit", NULL, NULL, "lr=0.01,class_weights=\"0,1,1\"" };
    rank_trainer p = rank_trainer_make(&r, 3), resumed = rank_trainer_make(&r, 3);
    fault f = { .mode = FINE }, g = { .mode = FINE };
    reduce_alone(p.trainer, faulty, &f);
    reduce_alone(resumed.trainer, faulty, &g);
    tiny_batch b = tiny_first_batch(p.t.model, HALF);
    memset(peft_tensor_data(b.labels), 0, pf_tensor_bytes(b.labels));
    OK(peft_trainer_step(p.trainer, b.images, b.labels, NULL));
    for (int saved = 0; saved < 2; saved++) {
        OK(peft_trainer_save(p.trainer, tiny_path("between")));
        OK(peft_trainer_restore(resumed.trainer, tiny_path("between")));
        ck_assert_int_eq(resumed.trainer->batches, saved + 1);
        FAILS(PEFT_E_STATE, "set the reducer before restoring a state",
              peft_trainer_set_reduce(resumed.trainer, 0, 1, faulty, &g));
        tiny_step(p.trainer, HALF, saved * HALF);
    }
    tiny_step(resumed.trainer, HALF, HALF);
    ck_assert_int_eq(f.calls, 1);
    ck_assert_int_eq(g.calls, 1);
    ck_assert(state_hash(p.trainer) == state_hash(resumed.trainer));
    tiny_batch_free(&b);
    rank_trainer_free(&p);
    rank_trainer_free(&resumed);
    tiny_clean();
}
END_TEST

/* A reducer that stores the address of the gradients in *user. */
static int keep_pointer(float *gradients, int64_t count, int64_t *passes, void *user)
{
    (void)count;
    ck_assert_int_eq(*passes, 1);
    *(float **)user = gradients;
    return 0;
}

/* The reducer's array is that of peft_param_grad, one parameter after the other. */
START_TEST(the_reducer_gets_the_gradients_in_parameter_order)
{
    static const setup r = { "lora", NULL, "classes=3,head=mlp", "lr=0.01" };
    rank_trainer p = rank_trainer_make(&r, 1);
    float *gradient = NULL;
    reduce_alone(p.trainer, keep_pointer, &gradient);
    tiny_step(p.trainer, HALF, 0);
    for (size_t i = 0; i < peft_model_param_count(p.t.model); i++) {
        const peft_tensor *g = peft_param_grad(peft_model_param(p.t.model, i));
        ck_assert_ptr_eq(peft_tensor_cdata(g), gradient);
        gradient += peft_tensor_count(g);
    }
    rank_trainer_free(&p);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    static const setup r = { "bitfit", NULL, NULL, "lr=0.01" };
    rank_trainer p = rank_trainer_make(&r, 2);
    fault f = { .mode = FINE };
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_set_reduce(NULL, 0, 1, faulty, &f));
    FAILS(PEFT_E_INVALID, "rank and ranks: given 2 and 2", peft_trainer_set_reduce(p.trainer, 2, 2, faulty, &f));
    FAILS(PEFT_E_INVALID, "rank and ranks: given 0 and 0", peft_trainer_set_reduce(p.trainer, 0, 0, faulty, &f));
    FAILS(PEFT_E_INVALID, "fn is NULL", peft_trainer_set_reduce(p.trainer, 0, 2, NULL, &f));
    tiny_step(p.trainer, HALF, 0);
    FAILS(PEFT_E_STATE, "1 batches since", peft_trainer_set_reduce(p.trainer, 0, 1, faulty, &f));
    tiny_step(p.trainer, HALF, HALF);
    reduce_alone(p.trainer, faulty, &f);
    reduce_alone(p.trainer, NULL, NULL);                                   /* no reducer from now on */
    FAILS(PEFT_E_STATE, "no backward pass since the last one", peft_trainer_update(p.trainer));
    ck_assert_int_eq(f.calls, 0);
    rank_trainer_free(&p);
}
END_TEST

SUITE_MAIN("reduce", every_method_trains_to_the_same_bits, optimisers_losses_and_heads_train_to_the_same_bits,
           a_failing_reducer_changes_nothing, fit_repeats_the_failed_update, a_rank_without_labels_calls_the_reducer,
           a_restored_trainer_reduces_after_the_same_batches, the_reducer_gets_the_gradients_in_parameter_order,
           wrong_arguments_are_refused)
