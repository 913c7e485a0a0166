/* SPDX-License-Identifier: Apache-2.0
 * test_reduce.c -- two trainers in two threads, each with half of every batch and a reducer that adds in the order of
 * the ranks, end with the bits of one trainer that accumulates the halves; what a reducer that fails leaves behind. */
#include "tiny.h"
#include "differences.h"
#include <pthread.h>

enum { RANKS = 2, HALF = 2, STEPS = 3 };

/* --- a reducer between threads ---------------------------------------------------------------------------------- */
typedef struct ring {
    pthread_barrier_t meet;
    const float *gradients[RANKS];
    int64_t passes[RANKS];
    float *sum;
} ring;
typedef struct seat { ring *ring; int rank; } seat;

static int add_in_order(float *gradients, int64_t count, int64_t *passes, void *user)
{
    const seat *s = user;
    ring *r = s->ring;
    r->gradients[s->rank] = gradients;
    r->passes[s->rank] = *passes;
    pthread_barrier_wait(&r->meet);
    if (!s->rank) {
        r->sum = realloc(r->sum, (size_t)count * sizeof *r->sum);
        memcpy(r->sum, r->gradients[0], (size_t)count * sizeof *r->sum);
        for (int k = 1; k < RANKS; k++)
            for (int64_t i = 0; i < count && r->passes[k]; i++)
                r->sum[i] = r->passes[0] ? r->sum[i] + r->gradients[k][i] : r->gradients[k][i];
    }
    pthread_barrier_wait(&r->meet);
    memcpy(gradients, r->sum, (size_t)count * sizeof *gradients);
    *passes = 0;
    for (int k = 0; k < RANKS; k++) *passes += r->passes[k];
    pthread_barrier_wait(&r->meet);                        /* nobody writes the sum before all have read it */
    return 0;
}

/* --- training in parts ------------------------------------------------------------------------------------------ */
typedef struct recipe { const char *method, *adapter, *model, *trainer; } recipe;
typedef struct part { tiny t; peft_trainer *trainer; seat seat; } part;

static part part_make(const recipe *r, int accumulate)
{
    part p = { .t = tiny_make(&(tiny_spec){ .method = r->method, .adapter = r->adapter, .model = r->model }) };
    p.trainer = tiny_trainer(p.t.model, "batch=%d,accumulate=%d,%s", HALF, accumulate, r->trainer);
    return p;
}

static void part_free(part *p)
{
    peft_trainer_free(p->trainer);
    tiny_free(&p->t);
}

static void *half_steps(void *user)
{
    part *p = user;
    for (int i = 0; i < STEPS; i++) tiny_step(p->trainer, HALF, (i * RANKS + p->seat.rank) * HALF);
    return NULL;
}

/* Does a method use a part of a parameter several times in one pass? Accumulation adds each use to the earlier passes'
 * sum, ranks add up their own uses first: the order of the additions differs then. */
static bool uses_twice(const peft_trainer *t)
{
    const pf_graph *g = &t->net.exec.g;
    for (uint32_t i = 0; i < g->nodes; i++) if (g->node[i].op == &pf_op_store && g->node[i].attr.i[1]) return true;
    return false;
}

static void same(const pk_real *x, const pk_real *y, int64_t n, bool bits, const char *what, const char *part,
                 const char *name)
{
    const double top = bits ? 0 : fmax(largest(x, n), 1e-3);
    for (int64_t i = 0; i < n; i++)
        if (bits ? memcmp(&x[i], &y[i], sizeof *x) : !(fabs((double)x[i] - (double)y[i]) <= 1e-3 * top))
            ck_abort_msg("%s: %s%s [%lld]: %.9g, with two ranks %.9g", what, part, name, (long long)i, (double)x[i],
                         (double)y[i]);
}

/* Parameters and moments of two trainers. */
static void same_results(const peft_trainer *a, const peft_trainer *b, const char *what)
{
    const bool bits = !uses_twice(a);
    ck_assert_uint_eq(a->slots, b->slots);
    for (size_t i = 0; i < a->slots; i++) {
        const pf_slot *x = &a->slot[i], *y = &b->slot[i];
        same(x->p->value.data, y->p->value.data, x->count, bits, what, "", x->p->name);
        same(x->m, y->m, x->count, bits, what, "first moment of ", x->p->name);
        if (x->v) same(x->v, y->v, x->count, bits, what, "second moment of ", x->p->name);
    }
    if (bits) ck_assert_double_eq(a->last_norm, b->last_norm);
}

/* Returns whether all bits had to be equal. */
static bool compare(const recipe *r)
{
    char what[160];
    snprintf(what, sizeof what, "%s, %s, %s", r->method, r->model ? r->model : "", r->trainer);
    part whole = part_make(r, RANKS), half[RANKS];
    ring x = { .sum = NULL };
    pthread_t thread[RANKS];
    pthread_barrier_init(&x.meet, NULL, RANKS);
    for (int k = 0; k < RANKS; k++) {
        half[k] = part_make(r, 1);
        half[k].seat = (seat){ &x, k };
        OK(peft_trainer_set_reduce(half[k].trainer, k, RANKS, add_in_order, &half[k].seat));
    }
    for (int i = 0; i < STEPS * RANKS; i++) tiny_step(whole.trainer, HALF, i * HALF);
    for (int k = 0; k < RANKS; k++) ck_assert_int_eq(pthread_create(&thread[k], NULL, half_steps, &half[k]), 0);
    for (int k = 0; k < RANKS; k++) pthread_join(thread[k], NULL);
    for (int k = 0; k < RANKS; k++) {
        same_results(whole.trainer, half[k].trainer, what);
        ck_assert_int_eq(half[k].trainer->step, STEPS);
        part_free(&half[k]);
    }
    const bool bits = !uses_twice(whole.trainer);
    part_free(&whole);
    pthread_barrier_destroy(&x.meet);
    free(x.sum);
    return bits;
}

START_TEST(every_method)
{
    for (size_t m = 0; m < tiny_method_count(); m++) {
        const char *name = tiny_method_name(m);
        const bool bits = compare(&(recipe){ name, NULL, NULL, "lr=0.01,clip_norm=0.5,weight_decay=0.1" });
        ck_assert_msg(bits == !!strcmp(name, "fpt"), "%s: a parameter is used %s", name, bits ? "once" : "twice");
    }
}
END_TEST

START_TEST(optimisers_losses_and_heads)
{
    static const recipe recipes[] = {
        { "lora", "dropout=0.3", NULL, "optimizer=sgd,nesterov=true,lr=0.05,weight_decay=0.01,clip_norm=0.2" },
        { "lora", "dropout=0.3", "classes=3,head=mlp,head_layers=1", "lr=0.01,schedule=cosine,steps=9" },
        { "ept", NULL, "classes=3,head=bn_linear", "optimizer=sgd,lr=0.05,loss=bce,pos_weight=\"2,1,1\"" },
        { "full", NULL, "classes=3,head=patch_linear", "lr=1e-3,clip_norm=1,decay_on=matrices,weight_decay=0.1" },
        { "bitfit", NULL, NULL, "lr=0.01,class_weights=\"1,2,3\",label_smoothing=0.1,cache_features=1000000" } };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) ck_assert(compare(&recipes[i]));
}
END_TEST

/* --- reducers that fail ----------------------------------------------------------------------------------------- */
/* mode, or with AT calls: STOP in the calls whose bits are set. */
typedef struct fault { int mode, calls; int64_t count; unsigned at; } fault;
enum { FINE, STOP, SAY, TOO_FEW, AT };

static int faulty(float *gradients, int64_t count, int64_t *passes, void *user)
{
    fault *f = user;
    const int mode = f->mode != AT ? f->mode : f->at >> f->calls & 1 ? STOP : FINE;
    f->calls++;
    f->count = count;
    if (mode == STOP) for (int64_t i = 0; i < count; i++) gradients[i] = NAN;
    if (mode == SAY) peft_set_error(PEFT_E_IO, "the other machine is gone");
    if (mode == TOO_FEW) *passes = 0;
    return mode == STOP || mode == SAY;
}

static uint64_t state_bits(const peft_trainer *t)
{
    uint64_t h = 1469598103934665603u;
    const peft_model *m = t->model;
    for (size_t i = 0; i < t->slots; i++) {
        const pf_slot *s = &t->slot[i];
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

/* A step whose reducer fails changes nothing, and the same batches give what they would have given. */
START_TEST(failures_change_nothing)
{
    static const struct { int mode; peft_status status; const char *text; } fails[] = {
        { STOP, PEFT_E_CANCELLED, "cancelled by the reducer at step 1, which returned 1" },
        { SAY, PEFT_E_IO, "reducer at step 1: the other machine is gone" },
        { TOO_FEW, PEFT_E_INVALID, "reducer at step 1: passes is 0, expected" } };
    static const recipe r = { "lora", "dropout=0.3", "classes=3,head=bn_linear", "lr=0.01" };
    part right = part_make(&r, 2);
    for (int i = 0; i < 6; i++) tiny_step(right.trainer, HALF, i * HALF);
    for (size_t k = 0; k < sizeof fails / sizeof *fails; k++) {
        part p = part_make(&r, 2);
        fault f = { .mode = FINE };
        OK(peft_trainer_set_reduce(p.trainer, 0, 1, faulty, &f));
        for (int i = 0; i < 2; i++) tiny_step(p.trainer, HALF, i * HALF);
        const uint64_t before = state_bits(p.trainer);
        const int64_t samples = p.trainer->samples;
        tiny_batch b = tiny_batch_make(p.t.model, HALF, 3 * HALF);
        tiny_step(p.trainer, HALF, 2 * HALF);
        f.mode = fails[k].mode;
        FAILS(fails[k].status, fails[k].text, peft_trainer_step(p.trainer, b.images, b.labels, NULL));
        f.mode = FINE;
        ck_assert_int_eq(f.calls, 2);
        ck_assert_int_eq(f.count, peft_model_trainable_count(p.t.model));
        ck_assert(state_bits(p.trainer) == before);
        ck_assert(p.trainer->step == 1 && p.trainer->samples == samples && !p.trainer->pending);
        for (int i = 2; i < 6; i++) tiny_step(p.trainer, HALF, i * HALF);
        ck_assert(state_bits(p.trainer) == state_bits(right.trainer));
        ck_assert_int_eq(p.trainer->samples, right.trainer->samples);
        tiny_batch_free(&b);
        part_free(&p);
    }
    part_free(&right);
}
END_TEST

/* fit after a failure begins at the first batch of the update that failed, also at the end of an epoch. */
typedef struct feed { peft_model *m; int64_t asked[32]; int count; } feed;
static int64_t next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    feed *x = user;
    (void)ids;
    if (batch == 3) return 0;
    x->asked[x->count++] = epoch * 10 + batch;
    tiny_batch b = tiny_batch_make(x->m, HALF, (int)(epoch * 3 + batch) * HALF);
    pf_to_real(images->data, b.images->data, PEFT_F32, peft_tensor_count(b.images));
    memcpy(labels->data, b.labels->data, pf_tensor_bytes(b.labels));
    tiny_batch_free(&b);
    return HALF;
}

START_TEST(fit_goes_on)
{
    static const recipe r = { "lora", "dropout=0.3", NULL, "lr=0.01" };
    static const int64_t asked[] = { 0, 1, 0, 1, 2, 2, 10, 11, 12 };
    part p = part_make(&r, 2), right = part_make(&r, 2);
    feed x = { .m = p.t.model }, y = { .m = right.t.model };
    fault f = { .mode = AT, .at = 1 | 4 };                 /* the first update, and the one at the end of epoch 0 */
    OK(peft_trainer_fit(right.trainer, 2, next, NULL, &y));
    OK(peft_trainer_set_reduce(p.trainer, 0, 1, faulty, &f));
    FAILS(PEFT_E_CANCELLED, "reducer at step 0", peft_trainer_fit(p.trainer, 2, next, NULL, &x));
    ck_assert(p.trainer->epoch == 0 && p.trainer->batch_in_epoch == 0 && p.trainer->samples == 0);
    FAILS(PEFT_E_CANCELLED, "reducer at step 1", peft_trainer_fit(p.trainer, 2, next, NULL, &x));
    ck_assert(p.trainer->epoch == 0 && p.trainer->batch_in_epoch == 2 && p.trainer->samples == 2 * HALF);
    OK(peft_trainer_fit(p.trainer, 2, next, NULL, &x));
    ck_assert_int_eq(x.count, sizeof asked / sizeof *asked);
    ck_assert_mem_eq(x.asked, asked, sizeof asked);
    ck_assert(state_bits(p.trainer) == state_bits(right.trainer));
    part_free(&p);
    part_free(&right);
}
END_TEST

/* Batches without a label that counts: the rank comes with 0 passes, and all ranks meet at each step. */
START_TEST(ranks_without_labels)
{
    static const recipe r = { "bitfit", NULL, NULL, "lr=0.01,class_weights=\"0,1,1\",weight_decay=0.1" };
    part p = part_make(&r, 1), right = part_make(&r, 1);
    fault f = { .mode = FINE };
    OK(peft_trainer_set_reduce(p.trainer, 0, 1, faulty, &f));
    tiny_batch b = tiny_batch_make(p.t.model, HALF, 0);
    memset(peft_tensor_data(b.labels), 0, pf_tensor_bytes(b.labels));
    const uint64_t before = state_bits(p.trainer);
    OK(peft_trainer_step(p.trainer, b.images, b.labels, NULL));
    ck_assert(f.calls == 1 && p.trainer->step == 0 && state_bits(p.trainer) == before);
    for (int i = 0; i < 2; i++) {
        tiny_step(p.trainer, HALF, i * HALF);
        tiny_step(right.trainer, HALF, i * HALF);
    }
    ck_assert(f.calls == 3 && state_bits(p.trainer) == state_bits(right.trainer));
    tiny_batch_free(&b);
    part_free(&p);
    part_free(&right);
}
END_TEST

/* A state that was saved between two batches of an update of which one had no label that counts: the trainer that
 * restores it calls its reducer after as many batches as the one that saved it. */
START_TEST(resumed_between_batches)
{
    static const recipe r = { "bitfit", NULL, NULL, "lr=0.01,class_weights=\"0,1,1\"" };
    part p = part_make(&r, 3), resumed = part_make(&r, 3);
    fault f = { .mode = FINE }, g = { .mode = FINE };
    OK(peft_trainer_set_reduce(p.trainer, 0, 1, faulty, &f));
    OK(peft_trainer_set_reduce(resumed.trainer, 0, 1, faulty, &g));
    tiny_batch b = tiny_batch_make(p.t.model, HALF, 0);
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
    ck_assert(state_bits(p.trainer) == state_bits(resumed.trainer));
    tiny_batch_free(&b);
    part_free(&p);
    part_free(&resumed);
    tiny_clean();
}
END_TEST

/* What the reducer sees is what peft_param_grad shows, one parameter behind the other. */
static int keep_place(float *gradients, int64_t count, int64_t *passes, void *user)
{
    (void)count;
    ck_assert_int_eq(*passes, 1);
    *(float **)user = gradients;
    return 0;
}

START_TEST(gradients_stand_in_order)
{
    static const recipe r = { "lora", NULL, "classes=3,head=mlp", "lr=0.01" };
    part p = part_make(&r, 1);
    float *at = NULL;
    OK(peft_trainer_set_reduce(p.trainer, 0, 1, keep_place, &at));
    tiny_step(p.trainer, HALF, 0);
    for (size_t i = 0; i < peft_model_param_count(p.t.model); i++) {
        const peft_tensor *g = peft_param_grad(peft_model_param(p.t.model, i));
        ck_assert_ptr_eq(peft_tensor_cdata(g), at);
        at += peft_tensor_count(g);
    }
    part_free(&p);
}
END_TEST

START_TEST(bad_arguments)
{
    static const recipe r = { "bitfit", NULL, NULL, "lr=0.01" };
    part p = part_make(&r, 2);
    fault f = { .mode = FINE };
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_set_reduce(NULL, 0, 1, faulty, &f));
    FAILS(PEFT_E_INVALID, "rank and ranks: given 2 and 2", peft_trainer_set_reduce(p.trainer, 2, 2, faulty, &f));
    FAILS(PEFT_E_INVALID, "rank and ranks: given 0 and 0", peft_trainer_set_reduce(p.trainer, 0, 0, faulty, &f));
    FAILS(PEFT_E_INVALID, "fn is NULL", peft_trainer_set_reduce(p.trainer, 0, 2, NULL, &f));
    tiny_step(p.trainer, HALF, 0);
    FAILS(PEFT_E_STATE, "1 batches since", peft_trainer_set_reduce(p.trainer, 0, 1, faulty, &f));
    tiny_step(p.trainer, HALF, HALF);
    OK(peft_trainer_set_reduce(p.trainer, 0, 1, faulty, &f));
    OK(peft_trainer_set_reduce(p.trainer, 0, 1, NULL, NULL));
    FAILS(PEFT_E_STATE, "no backward pass since the last one", peft_trainer_update(p.trainer));
    ck_assert_int_eq(f.calls, 0);
    part_free(&p);
}
END_TEST

SUITE_MAIN("reduce", every_method, optimisers_losses_and_heads, failures_change_nothing, fit_goes_on,
           ranks_without_labels, resumed_between_batches, gradients_stand_in_order, bad_arguments)
