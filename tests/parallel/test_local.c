/* SPDX-License-Identifier: Apache-2.0
 * test_local.c -- options local_steps and local_from: two ranks in threads have the bits of two trainers that are alone
 * between the points at which the test averages their parameters. */
#include "ordered_sum.h"
#include "tiny.h"

enum { RANKS = 2, HALF = 2, FROM = 3, LOCAL = 4, UPDATES = FROM + 3 * LOCAL };
static const char *const optimizers[] = { "optimizer=sgd,lr=0.05,nesterov=true,weight_decay=0.01",
    "lr=0.01,clip_norm=0.5", "optimizer=sgd,lr=0.05,extrapolate=gradient,extrapolate_lr=0.1" };

typedef struct trainer { tiny net; peft_trainer *t; member member; } trainer;

static trainer make(const char *options, int accumulate)
{
    trainer r = { .net = tiny_make(&(tiny_spec){ .method = "lora" }) };
    r.t = tiny_trainer(r.net.model, "batch=%d,accumulate=%d,%s", HALF, accumulate, options);
    return r;
}

static void release(trainer *r)
{
    peft_trainer_free(r->t);
    tiny_free(&r->net);
}

/* The updates of a rank, which sees its half of every batch. */
static void *train_rank(void *user)
{
    trainer *r = user;
    for (int i = 0; i < UPDATES; i++) tiny_step(r->t, HALF, (i * RANKS + r->member.rank) * HALF);
    return NULL;
}

/* Two ranks in threads. */
static void train_ranks(trainer rank[RANKS], const char *options)
{
    ordered_sum x = { .ranks = RANKS };
    pthread_t thread[RANKS];
    char text[160];
    snprintf(text, sizeof text, "%s,local_steps=%d,local_from=%d", options, LOCAL, FROM);
    pthread_barrier_init(&x.meet, NULL, RANKS);
    for (int k = 0; k < RANKS; k++) {
        rank[k] = make(text, 1);
        rank[k].member = (member){ &x, k };
        OK(peft_trainer_set_reduce(rank[k].t, k, RANKS, add_in_order, &rank[k].member));
    }
    for (int k = 0; k < RANKS; k++) ck_assert_int_eq(pthread_create(&thread[k], NULL, train_rank, &rank[k]), 0);
    for (int k = 0; k < RANKS; k++) pthread_join(thread[k], NULL);
    pthread_barrier_destroy(&x.meet);
    free(x.sum);
}

static void copy_update_state(const peft_trainer *from, peft_trainer *to)
{
    for (size_t i = 0; i < from->trained_count; i++) {
        const pf_trained *a = &from->trained[i], *b = &to->trained[i];
        const size_t bytes = (size_t)a->count * sizeof(pk_real);
        memcpy(b->p->value.data, a->p->value.data, bytes);
        memcpy(b->m, a->m, bytes);
        if (a->v) memcpy(b->v, a->v, bytes);
    }
    to->step = from->step;
}

/* Both trainers get the mean of their parameters. */
static void average(trainer alone[RANKS])
{
    for (size_t i = 0; i < alone[0].t->trained_count; i++) {
        pk_real *x = alone[0].t->trained[i].p->value.data, *y = alone[1].t->trained[i].p->value.data;
        for (int64_t k = 0; k < alone[0].t->trained[i].count; k++) x[k] = y[k] = (x[k] + y[k]) * (pk_real)0.5;
    }
}

static void check_same(const peft_trainer *a, const peft_trainer *b, bool moments, const char *what)
{
    for (size_t i = 0; i < a->trained_count; i++) {
        const pf_trained *x = &a->trained[i], *y = &b->trained[i];
        const size_t bytes = (size_t)x->count * sizeof(pk_real);
        ck_assert_msg(!memcmp(x->p->value.data, y->p->value.data, bytes), "%s: %s", what, x->p->name);
        if (moments) ck_assert_msg(!memcmp(x->m, y->m, bytes), "%s: moment of %s", what, x->p->name);
    }
}

START_TEST(ranks_are_trainers_whose_parameters_are_averaged)
{
    const int without_extrapolation = 2;                   /* its direction is that of the rank, unlike accumulation */
    for (int o = 0; o < without_extrapolation; o++) {
        trainer rank[RANKS], alone[RANKS], both = make(optimizers[o], RANKS);
        train_ranks(rank, optimizers[o]);
        for (int i = 0; i < FROM * RANKS; i++) tiny_step(both.t, HALF, i * HALF);
        for (int k = 0; k < RANKS; k++) {
            alone[k] = make(optimizers[o], 1);
            copy_update_state(both.t, alone[k].t);
        }
        for (int i = FROM; i < UPDATES; i++) {
            for (int k = 0; k < RANKS; k++) tiny_step(alone[k].t, HALF, (i * RANKS + k) * HALF);
            if ((i + 1 - FROM) % LOCAL == 0) average(alone);
        }
        for (int k = 0; k < RANKS; k++) check_same(rank[k].t, alone[k].t, true, optimizers[o]);
        check_same(rank[0].t, rank[1].t, false, optimizers[o]);
        for (int k = 0; k < RANKS; k++) {
            release(&rank[k]);
            release(&alone[k]);
        }
        release(&both);
    }
}
END_TEST

/* After an averaging both ranks have the same parameters; the directions of the ranks differ. */
START_TEST(extrapolating_ranks_agree_after_an_averaging)
{
    trainer rank[RANKS];
    train_ranks(rank, optimizers[2]);
    check_same(rank[0].t, rank[1].t, false, optimizers[2]);
    const pf_trained *a = &rank[0].t->trained[0], *b = &rank[1].t->trained[0];
    ck_assert(memcmp(a->direction, b->direction, (size_t)a->count * sizeof(pk_real)) != 0);
    for (int k = 0; k < RANKS; k++) release(&rank[k]);
}
END_TEST

/* --- calls of the reducer ----------------------------------------------------------------------------------------- */
/* A reducer of one rank: counts its calls; fails at call number `fail`. */
typedef struct calls { int count, fail; } calls;
static int count_calls(float *values, int64_t count, int64_t *passes, void *user)
{
    calls *c = user;
    (void)values, (void)count, (void)passes;
    return ++c->count == c->fail;
}

START_TEST(the_reducer_is_called_for_gradients_and_then_for_means)
{
    trainer r = make("optimizer=sgd,lr=0.1,local_steps=3,local_from=2", 1);
    calls c = { 0 };
    OK(peft_trainer_set_reduce(r.t, 0, 1, count_calls, &c));
    static const int expected[] = { 1, 2, 2, 2, 3, 3, 3, 4 };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        tiny_step(r.t, HALF, (int)i * HALF);
        ck_assert_int_eq(c.count, expected[i]);
    }
    for (int i = 0; i < 2; i++) tiny_step(r.t, HALF, 0);
    tiny_batch b = tiny_batch_make(r.net.model, HALF, 0);
    c.fail = 5;
    FAILS(PEFT_E_CANCELLED, "reducer of parameters", peft_trainer_step(r.t, b.images, b.labels, NULL));
    ck_assert_int_eq(r.t->step, 11);
    tiny_batch_free(&b);
    release(&r);
}
END_TEST

/* Without a reducer the options change nothing. */
START_TEST(one_trainer_alone_needs_no_means)
{
    trainer r = make("optimizer=sgd,lr=0.1,local_steps=3", 1), plain = make("optimizer=sgd,lr=0.1", 1);
    for (int i = 0; i < 7; i++) {
        tiny_step(r.t, HALF, i * HALF);
        tiny_step(plain.t, HALF, i * HALF);
    }
    check_same(r.t, plain.t, true, "alone");
    release(&r);
    release(&plain);
}
END_TEST

SUITE_MAIN("local updates", ranks_are_trainers_whose_parameters_are_averaged,
           extrapolating_ranks_agree_after_an_averaging, the_reducer_is_called_for_gradients_and_then_for_means,
           one_trainer_alone_needs_no_means)
