/* SPDX-License-Identifier: Apache-2.0
 * test_ranks.c -- passes shared by ranks: 1 to 4 ranks (threads) train to the bits, counters, losses and training
 * states of one trainer, for every method, also when the state of one number of ranks is restored with another. What
 * fails in one rank fails in all and changes nothing. */
#include "thread_ranks.h"
#include "tiny_files.h"

enum { SAMPLES = 2, BATCHES = 7, EPOCHS = 2 };
enum { NOWHERE = -1, MOST_RANKS = 4 };

/* A method and the options of adapter, model and trainer; NULL: the usual ones. */
typedef struct setup { const char *method, *adapter, *model, *trainer; } setup;
/* What a rank shall do. stop_rank: of the rank whose batch callback fails at batch bad_batch of epoch 1, or whose
 * progress callback stops after `stop_step` updates. from: the state to begin with; save: where rank 0 saves. */
typedef struct plan {
    const setup *s;
    int epochs, bad_batch, stop_rank, stop_step;
    const char *from, *save;
} plan;
typedef struct worker {
    tiny t;
    peft_trainer *trainer;
    member member;
    const plan *plan;
    int batches_asked;
    peft_status status;
    char message[300];
} worker;

static int64_t next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    worker *w = user;
    if (batch >= BATCHES) return 0;
    if (epoch == 1 && batch == w->plan->bad_batch) {
        peft_set_error(PEFT_E_IO, "picture 17 is broken");
        return -1;
    }
    tiny_batch b = tiny_batch_make(w->t.model, SAMPLES, (int)(epoch * BATCHES + batch) * SAMPLES);
    pf_to_real(images->data, b.images->data, PEFT_F32, peft_tensor_count(b.images));
    memcpy(labels->data, b.labels->data, pf_tensor_bytes(b.labels));
    for (int i = 0; i < SAMPLES; i++) ids[i] = (epoch * BATCHES + batch) * SAMPLES + i;
    tiny_batch_free(&b);
    w->batches_asked++;
    const bool last = batch == BATCHES - 1 && !w->plan->s->model;
    return last ? 1 : SAMPLES;                                /* the last batch of an epoch is not full */
}

static int progress(peft_trainer *t, void *user)
{
    const worker *w = user;
    return w->member.rank == w->plan->stop_rank && t->step == w->plan->stop_step;
}

static worker make_worker(const plan *p, ordered_sum *x, int rank)
{
    const setup *s = p->s;
    worker w = { .plan = p, .member = { x, rank } };
    w.t = tiny_make(&(tiny_spec){ .method = s->method, .adapter = s->adapter, .model = s->model });
    w.trainer = tiny_trainer(w.t.model, "batch=%d,%s", SAMPLES, s->trainer);
    return w;
}

static void free_worker(worker *w)
{
    peft_trainer_free(w->trainer);
    tiny_free(&w->t);
}

static void *train(void *user)
{
    worker *w = user;
    const int ranks = w->member.exchange ? w->member.exchange->ranks : 0;
    if (ranks) OK(peft_trainer_set_ranks(w->trainer, w->member.rank, ranks, thread_gather, add_in_order, &w->member));
    if (w->plan->from) OK(peft_trainer_restore(w->trainer, w->plan->from));
    w->status = peft_trainer_fit(w->trainer, w->plan->epochs, next, progress, w);
    if (w->status) snprintf(w->message, sizeof w->message, "%s", peft_last_error());
    if (w->plan->save && !w->member.rank) OK(peft_trainer_save(w->trainer, w->plan->save));
    return NULL;
}

/* Trains by this number of ranks; 0: by one trainer without ranks. The caller frees the workers. */
static void run(worker *w, const plan *p, int ranks)
{
    ordered_sum x = { .ranks = ranks };
    pthread_t thread[MOST_RANKS];
    if (!ranks) {
        w[0] = make_worker(p, NULL, 0);
        train(&w[0]);
        return;
    }
    pthread_barrier_init(&x.meet, NULL, (unsigned)ranks);
    for (int k = 0; k < ranks; k++) w[k] = make_worker(p, &x, k);
    for (int k = 0; k < ranks; k++) ck_assert_int_eq(pthread_create(&thread[k], NULL, train, &w[k]), 0);
    for (int k = 0; k < ranks; k++) pthread_join(thread[k], NULL);
    pthread_barrier_destroy(&x.meet);
    free(x.sum);
}

/* Sets running statistics of batch norms, which are those of rank 0's passes, to 0. Returns whether there are any. */
static bool clear_running_statistics(peft_model *m)
{
    bool any = false;
    for (size_t i = 0; i < peft_model_buffer_count(m); i++) {
        const char *name = peft_model_buffer_name(m, i);
        const peft_tensor *t = peft_model_find_buffer(m, name);
        if (!strstr(name, "running_")) continue;
        memset(t->data, 0, pf_tensor_bytes(t));
        any = true;
    }
    return any;
}

/* The bits of parameters and moments, and the figures of the last update. */
static tiny_bits bits_of(const worker *w)
{
    clear_running_statistics(w->t.model);
    static const char *const figures[] = { "loss", "grad_norm", "epoch", "samples" };
    tiny_bits b = { 0 };
    tiny_bits_training(&b, w->trainer);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        const double value = peft_trainer_get(w->trainer, figures[i]);
        tiny_bits_add(&b, figures[i], &value, sizeof value);
    }
    return b;
}

static void compare(const setup *s, int first_ranks, int last_ranks)
{
    worker one[1], w[MOST_RANKS];
    const plan p = { s, EPOCHS, NOWHERE, NOWHERE, 0, NULL, tiny_path("shared") },
        q = { s, EPOCHS, NOWHERE, NOWHERE, 0, NULL, strdup(tiny_path("one")) };
    run(one, &q, 0);
    tiny_bits expected = bits_of(&one[0]);
    for (int ranks = first_ranks; ranks <= last_ranks; ranks++) {
        char who[160];
        int asked = 0;
        run(w, &p, ranks);
        for (int k = 0; k < ranks; k++) {
            snprintf(who, sizeof who, "%s, %s: rank %d of %d", s->method, s->trainer, k, ranks);
            ck_assert_msg(!w[k].status, "%s: %s", who, w[k].message);
            tiny_bits got = bits_of(&w[k]);
            tiny_same(&expected, &got, who);
            asked += w[k].batches_asked;
            free_worker(&w[k]);
        }
        ck_assert_int_eq(asked, one[0].batches_asked);           /* no batch was prepared twice */
        if (!clear_running_statistics(one[0].t.model)) tiny_same_files(q.save, p.save);
    }
    tiny_bits_free(&expected);
    free_worker(&one[0]);
    free((char *)(uintptr_t)q.save);
    tiny_clean();
}

START_TEST(every_method_trains_to_the_same_bits)
{
    for (size_t m = 0; m < tiny_method_count(); m++)
        compare(&(setup){ tiny_method_name(m), NULL, NULL, "accumulate=4,lr=0.01,clip_norm=0.5,weight_decay=0.1" }, 2,
                m % 2 ? 3 : 4);
}
END_TEST

START_TEST(one_to_four_ranks_train_to_the_same_bits)
{
    static const setup setups[] = {
        { "lora", "dropout=0.3", NULL, "accumulate=4,optimizer=sgd,nesterov=true,lr=0.05,clip_norm=0.2" },
        { "bitfit", NULL, NULL, "accumulate=6,lr=0.01,class_weights=\"0,1,3\",cache_features=1000000" },
        { "lora", NULL, "classes=3,head=patch_linear", "accumulate=4,lr=0.01,loss=ce_dice,ignore_index=2,"
          "class_weights=\"1,2,3\",dice_batch=true" },
        { "ept", NULL, "classes=3,head=setr_pup,head_width=4", "accumulate=4,lr=0.01,loss=ce_dice" } };
    for (size_t i = 0; i < sizeof setups / sizeof *setups; i++) compare(&setups[i], 1, MOST_RANKS);
}
END_TEST

static void free_workers(worker *w, int ranks) { for (int k = 0; k < ranks; k++) free_worker(&w[k]); }

/* A progress callback of one rank stops the training; another number of ranks continues it. */
START_TEST(a_state_is_continued_by_another_number_of_ranks)
{
    static const setup s = { "lora", "dropout=0.3", NULL, "accumulate=4,lr=0.01,schedule=cosine,steps=4" };
    worker one[1], w[MOST_RANKS];
    char state[4096];
    snprintf(state, sizeof state, "%s", tiny_path("stopped"));
    const plan whole = { &s, EPOCHS, NOWHERE, NOWHERE, 0, NULL, NULL };
    run(one, &whole, 0);
    tiny_bits expected = bits_of(&one[0]);
    for (int stop_rank = 0; stop_rank < 2; stop_rank++)
        for (int stop_step = 1; stop_step <= 3; stop_step++) {
            const plan first = { &s, EPOCHS, NOWHERE, stop_rank, stop_step, NULL, state },
                rest = { &s, EPOCHS, NOWHERE, NOWHERE, 0, state, NULL };
            run(w, &first, 2);
            for (int k = 0; k < 2; k++) {
                ck_assert_int_eq(w[k].status, PEFT_E_CANCELLED);
                ck_assert_int_eq(w[k].trainer->step, stop_step);
                ck_assert_msg((strstr(w[k].message, "rank ") == w[k].message) == (k != stop_rank), "%s", w[k].message);
            }
            free_workers(w, 2);
            run(w, &rest, 3);
            tiny_bits got = bits_of(&w[2]);
            tiny_same(&expected, &got, "2 ranks, then 3");
            free_workers(w, 3);
        }
    tiny_bits_free(&expected);
    free_worker(&one[0]);
    tiny_clean();
}
END_TEST

/* A batch that one rank cannot prepare ends the training in all, at the state of the last update. */
START_TEST(an_error_of_one_rank_reaches_all)
{
    static const setup s = { "ept", NULL, "classes=3,head=bn_linear", "accumulate=4,lr=0.01" };
    worker w[MOST_RANKS], stopped[MOST_RANKS];
    for (int bad = 0; bad < 6; bad++) {
        const plan broken = { &s, EPOCHS, bad, NOWHERE, 0, NULL, NULL },
            before = { &s, EPOCHS, NOWHERE, 0, bad < 4 ? 2 : 3, NULL, NULL };
        run(w, &broken, 2);
        run(stopped, &before, 2);
        for (int k = 0; k < 2; k++) {
            char text[80];
            const int culprit = bad % 4 % 2;
            snprintf(text, sizeof text, "%sbatch %d of epoch 1: picture 17 is broken", k == culprit ? "" :
                     culprit ? "rank 1: " : "rank 0: ", bad);
            ck_assert_str_eq(w[k].message, text);
            ck_assert_int_eq(w[k].status, PEFT_E_IO);
            tiny_bits expected = { 0 }, got = { 0 };
            tiny_bits_training(&expected, stopped[k].trainer);
            tiny_bits_training(&got, w[k].trainer);
            tiny_same(&expected, &got, "after an error");
            tiny_bits_free(&expected);
            ck_assert_int_eq(w[k].trainer->samples, stopped[k].trainer->samples);
        }
        free_workers(w, 2);
        free_workers(stopped, 2);
    }
}
END_TEST

/* All ranks have the running statistics of rank 0. */
START_TEST(ranks_share_running_statistics)
{
    static const char *const models[] = { "classes=3,head=bn_linear", "classes=3,head=setr_pup,head_width=4" };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        worker w[MOST_RANKS];
        const plan p = { &(setup){ "lora", NULL, models[i], "accumulate=3,lr=0.01" }, 1, NOWHERE, 0, 2, NULL, NULL };
        run(w, &p, 3);
        ck_assert_msg(peft_model_buffer_count(w[0].t.model) > 0, "%s: no running statistics", models[i]);
        tiny_bits expected = { 0 }, got = { 0 };
        tiny_bits_model(&expected, w[0].t.model);
        tiny_bits_model(&got, w[2].t.model);
        tiny_same(&expected, &got, models[i]);
        tiny_bits_free(&expected);
        free_workers(w, 3);
    }
}
END_TEST

/* The ranks of a test of peft_trainer_set_ranks: each with its own trainer. */
typedef struct joiner {
    member member;
    tiny t;
    peft_trainer *trainer;
    peft_status status;
    char message[300];
} joiner;

static void *join(void *user)
{
    joiner *j = user;
    j->status = peft_trainer_set_ranks(j->trainer, j->member.rank, j->member.exchange->ranks, thread_gather,
                                       add_in_order, &j->member);
    if (j->status) snprintf(j->message, sizeof j->message, "%s", peft_last_error());
    return NULL;
}

/* Joins two ranks. Rank 1 has the options odd, further options of the backbone (more, or NULL), and a trainer that
 * rank_1 changes (or NULL). */
static void join_two(joiner j[2], const char *usual, const char *odd, const char *more, void (*rank_1)(peft_trainer *))
{
    ordered_sum x = { .ranks = 2 };
    pthread_t thread[2];
    pthread_barrier_init(&x.meet, NULL, 2);
    for (int k = 0; k < 2; k++) {
        j[k] = (joiner){ .member = { &x, k } };
        j[k].t = tiny_make(&(tiny_spec){ .method = "lora", .more = k ? more : NULL });
        j[k].trainer = tiny_trainer(j[k].t.model, "batch=2,%s", k ? odd : usual);
    }
    if (rank_1) rank_1(j[1].trainer);
    for (int k = 0; k < 2; k++) ck_assert_int_eq(pthread_create(&thread[k], NULL, join, &j[k]), 0);
    for (int k = 0; k < 2; k++) pthread_join(thread[k], NULL);
    pthread_barrier_destroy(&x.meet);
}

static void free_joiners(joiner j[2])
{
    for (int k = 0; k < 2; k++) {
        peft_trainer_free(j[k].trainer);
        tiny_free(&j[k].t);
    }
}

static void other_rate(peft_trainer *t) { OK(peft_trainer_set_lr(t, 0.5)); }
static void other_group(peft_trainer *t) { OK(peft_trainer_group(t, "head.*", 0.5, 0)); }

/* Whatever differs in a rank is refused in both, by its kind. */
START_TEST(ranks_that_differ_are_refused)
{
    static const struct { const char *odd, *more; void (*rank_1)(peft_trainer *); const char *what; } cases[] = {
        { "accumulate=2,lr=0.5", NULL, NULL, "its options" },
        { "accumulate=2,lr=0.01,loss=focal", NULL, NULL, "its options" },
        { "accumulate=2,lr=0.01,label_smoothing=0.1", NULL, NULL, "its options" },
        { "accumulate=3,lr=0.01", NULL, NULL, "its option accumulate" },
        { "accumulate=2,lr=0.01", NULL, other_rate, "its learning rate" },
        { "accumulate=2,lr=0.01", NULL, other_group, "its parameter groups" },
        { "accumulate=2,lr=0.01", "pool=mean", NULL, "its backbone" },
        { "accumulate=2,lr=1e-2,threads=2", NULL, NULL, NULL } };
    joiner j[2];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        join_two(j, "accumulate=2,lr=0.01", cases[i].odd, cases[i].more, cases[i].rank_1);
        for (int k = 0; k < 2; k++) {
            ck_assert_msg(j[k].status == (cases[i].what ? PEFT_E_MISMATCH : PEFT_OK), "case %zu: %s", i, j[k].message);
            if (cases[i].what) ck_assert_msg(strstr(j[k].message, cases[i].what) != NULL, "%s", j[k].message);
            ck_assert_int_eq(j[k].trainer->ranks.gather != NULL, !cases[i].what);
        }
        free_joiners(j);
    }
}
END_TEST

/* A rank whose trainer cannot take part does not leave the other waiting. */
START_TEST(a_rank_that_cannot_join_tells_the_other)
{
    joiner j[2];
    join_two(j, "accumulate=2,lr=0.01", "accumulate=1,lr=0.01", NULL, NULL);
    ck_assert_int_eq(j[0].status, PEFT_E_OPTION);
    ck_assert_int_eq(j[1].status, PEFT_E_OPTION);
    ck_assert_msg(strstr(j[0].message, "rank 1: accumulate: given 1 for 2 ranks") == j[0].message, "%s", j[0].message);
    ck_assert_msg(strstr(j[1].message, "accumulate: given 1 for 2 ranks") == j[1].message, "%s", j[1].message);
    free_joiners(j);
}
END_TEST

static int gather_alone(const void *mine, void *all, size_t bytes, void *user)
{
    (void)user;
    memcpy(all, mine, bytes);
    return 0;
}

static int sum_alone(float *g, int64_t n, int64_t *passes, void *user)
{
    (void)g, (void)n, (void)passes, (void)user;
    return 0;
}

/* A second rank with another seed, or, with user, without memory. */
static int gather_two(const void *mine, void *all, size_t bytes, void *user)
{
    memcpy(all, mine, bytes);
    memcpy((char *)all + bytes, mine, bytes);
    if (bytes > 1 || user) ((char *)all)[2 * bytes - 1] ^= 1;      /* one byte: whether a rank has memory */
    return 0;
}

START_TEST(wrong_arguments_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "bitfit" });
    peft_trainer *x = tiny_trainer(t.model, "batch=2,accumulate=2,lr=%g", 0.01);
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_set_ranks(NULL, 0, 1, gather_alone, sum_alone, NULL));
    FAILS(PEFT_E_INVALID, "given 2 and 2", peft_trainer_set_ranks(x, 2, 2, gather_alone, sum_alone, NULL));
    FAILS(PEFT_E_INVALID, "gather is NULL", peft_trainer_set_ranks(x, 0, 2, NULL, NULL, NULL));
    FAILS(PEFT_E_INVALID, "sum is NULL", peft_trainer_set_ranks(x, 0, 1, gather_alone, NULL, NULL));
    FAILS(PEFT_E_OPTION, "accumulate: given 2 for 3 ranks", peft_trainer_set_ranks(x, 0, 3, gather_alone, sum_alone,
                                                                                   NULL));
    FAILS(PEFT_E_MISMATCH, "rank 1 differs from rank 0 in its seed", peft_trainer_set_ranks(x, 0, 2, gather_two,
                                                                                            sum_alone, NULL));
    FAILS(PEFT_E_NOMEM, "rank 1: settings of ranks: out of memory",
          peft_trainer_set_ranks(x, 0, 2, gather_two, sum_alone, x));
    FAILS(PEFT_E_UNSUPPORTED, "ranks: given 16385, expected at most 16384",
          peft_trainer_set_ranks(x, 0, 16385, gather_alone, sum_alone, NULL));
    OK(peft_trainer_set_ranks(x, 0, 1, gather_alone, sum_alone, NULL));
    FAILS(PEFT_E_STATE, "the trainer has ranks", peft_trainer_set_reduce(x, 0, 1, sum_alone, NULL));
    tiny_batch b = tiny_first_batch(t.model, 2);
    FAILS(PEFT_E_STATE, "the trainer has ranks", peft_trainer_forward(x, b.images, NULL));
    tiny_step(x, 2, 0);
    FAILS(PEFT_E_STATE, "passes since the last update", peft_trainer_set_ranks(x, 0, 1, NULL, NULL, NULL));
    tiny_step(x, 2, 2);
    OK(peft_trainer_set_ranks(x, 0, 1, NULL, NULL, NULL));
    OK(peft_trainer_set_reduce(x, 0, 1, sum_alone, NULL));
    FAILS(PEFT_E_STATE, "has a reducer", peft_trainer_set_ranks(x, 0, 1, gather_alone, sum_alone, NULL));
    tiny_batch_free(&b);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("ranks", every_method_trains_to_the_same_bits, one_to_four_ranks_train_to_the_same_bits,
           a_state_is_continued_by_another_number_of_ranks, an_error_of_one_rank_reaches_all,
           ranks_share_running_statistics, ranks_that_differ_are_refused, a_rank_that_cannot_join_tells_the_other,
           wrong_arguments_are_refused)
