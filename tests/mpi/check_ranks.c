/* SPDX-License-Identifier: Apache-2.0
 * check_ranks.c -- run by mpirun with 2 to 4 processes, which form communicators of 1, 2, .. ranks: every method trains
 * to the bits of one process; a state of 2 ranks is continued by 3; an error of one reaches all; parts, rows, bytes.
 * One test, as ranks whose tests fail would wait for each other: the failure of a rank ends all. */
#include <fenv.h>
#include <mpi.h>
#include <peft/mpi.h>
#include "tiny_bits.h"

enum { SAMPLES = 2, BATCHES = 5, EPOCHS = 2, NOWHERE = -1, MOST_RANKS = 4 };

/* A training. bad_batch: the batch of epoch 1 that cannot be prepared. rounding: the mode that rank 1 sets by
 * fesetround, 0: to nearest. */
typedef struct plan { const char *method, *adapter, *options; int epochs, bad_batch, rounding; } plan;
typedef struct worker { tiny t; peft_trainer *trainer; const plan *plan; } worker;

static int world_rank, world_ranks;
static char folder[4000];                                 /* of files that all processes share */

static int64_t next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    const worker *w = user;
    const int rounding = fegetround();
    (void)ids;
    if (batch >= BATCHES) return 0;
    if (epoch == 1 && batch == w->plan->bad_batch) return peft_set_error(PEFT_E_FORMAT, "picture 17 is broken");
    fesetround(FE_TONEAREST);
    tiny_batch b = tiny_batch_make(w->t.model, SAMPLES, (int)(epoch * BATCHES + batch) * SAMPLES);
    pf_to_real(images->data, b.images->data, PEFT_F32, peft_tensor_count(b.images));
    memcpy(labels->data, b.labels->data, pf_tensor_bytes(b.labels));
    tiny_batch_free(&b);
    fesetround(rounding);
    return SAMPLES;
}

static worker make_worker(const plan *p)
{
    worker w = { .t = tiny_make(&(tiny_spec){ .method = p->method, .adapter = p->adapter }), .plan = p };
    w.trainer = tiny_trainer(w.t.model, "batch=%d,%s", SAMPLES, p->options);
    return w;
}

static void free_worker(worker *w)
{
    peft_trainer_free(w->trainer);
    tiny_free(&w->t);
}

/* A hash (FNV-1a) of parameters, moments and loss. */
static uint64_t hash_of(const worker *w)
{
    const double loss = peft_trainer_get(w->trainer, "loss");
    tiny_bits b = { 0 };
    uint64_t h = 1469598103934665603u;
    tiny_bits_training(&b, w->trainer);
    tiny_bits_add(&b, "loss", &loss, sizeof loss);
    for (size_t offset = 0; offset < b.size;) {           /* without the bytes behind the names */
        tiny_record r;
        memcpy(&r, b.data + offset, sizeof r);
        offset += sizeof r;
        for (size_t i = 0; i < r.bytes; i++) h = (h ^ (unsigned char)b.data[offset + i]) * 1099511628211u;
        offset += r.bytes;
    }
    tiny_bits_free(&b);
    return h;
}

/* The hash of the training by one process, which rank 0 of all processes does. */
static uint64_t expected_hash(const plan *p)
{
    uint64_t h = 0;
    if (!world_rank) {
        worker w = make_worker(p);
        OK(peft_trainer_fit(w.trainer, p->epochs, next, NULL, &w));
        h = hash_of(&w);
        free_worker(&w);
    }
    MPI_Bcast(&h, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return h;
}

/* The ranks of the first n processes; NULL in the others. */
static peft_mpi *open_ranks(int n)
{
    peft_mpi *m = NULL;
    MPI_Comm comm;
    MPI_Comm_split(MPI_COMM_WORLD, world_rank < n ? 0 : MPI_UNDEFINED, world_rank, &comm);
    if (world_rank >= n) return NULL;
    OK(peft_mpi_open(&comm, &m));
    MPI_Comm_free(&comm);
    ck_assert(peft_mpi_rank(m) == world_rank && peft_mpi_ranks(m) == n);
    return m;
}

static void compare(const plan *p, int ranks)
{
    const uint64_t expected = expected_hash(p);
    peft_mpi *m = open_ranks(ranks);
    if (!m) return;
    int64_t sent, sums, rounds;
    worker w = make_worker(p);
    fesetround(world_rank == 1 ? p->rounding : FE_TONEAREST);
    OK(peft_mpi_attach(m, w.trainer));
    OK(peft_trainer_fit(w.trainer, p->epochs, next, NULL, &w));
    fesetround(FE_TONEAREST);
    ck_assert_msg(hash_of(&w) == expected, "%s: other bits by %d ranks", p->method, ranks);
    OK(peft_mpi_get_int(m, "bytes_sent", &sent));
    OK(peft_mpi_get_int(m, "sums", &sums));
    OK(peft_mpi_get_int(m, "rounds", &rounds));
    ck_assert_int_eq(sums - rounds, peft_model_buffer_count(w.t.model) ? w.trainer->step : 0);
    const double of_gradient = 4.0 * (double)peft_model_trainable_count(w.t.model) * (double)sums;
    if (!peft_model_buffer_count(w.t.model))              /* their sums are counted too */
        ck_assert_double_eq_tol((double)sent, 2.0 * (ranks - 1) / ranks * of_gradient,
                                8.0 * MOST_RANKS * (double)sums);
    free_worker(&w);
    peft_mpi_free(m);
}

static void every_method(void)
{
    for (size_t i = 0; i < tiny_method_count(); i++)
        compare(&(plan){ tiny_method_name(i), NULL, "accumulate=4,lr=0.01,clip_norm=0.5,weight_decay=0.1", EPOCHS,
                         NOWHERE, 0 }, 2 + (int)i % (world_ranks - 1));
    for (int ranks = 1; ranks <= world_ranks; ranks++)
        compare(&(plan){ "full", NULL, "accumulate=4,lr=0.001,optimizer=sgd,nesterov=true", EPOCHS, NOWHERE, 0 },
                ranks);
}

/* Rank 1 rounds upwards between calls of the library: sums are rounded to nearest all the same. */
static void other_rounding(void)
{
    compare(&(plan){ "lora", NULL, "accumulate=2,lr=0.01", EPOCHS, NOWHERE, FE_UPWARD }, 2);
}

static void other_number_of_ranks(void)
{
    const plan p = { "lora", "dropout=0.3", "accumulate=3,lr=0.01,schedule=cosine,steps=4", .epochs = EPOCHS,
                     .bad_batch = NOWHERE };
    const uint64_t expected = expected_hash(&p);
    char path[sizeof folder + 16];
    snprintf(path, sizeof path, "%s/state", folder);
    for (int ranks = 2; ranks <= 3 && ranks <= world_ranks; ranks++) {
        peft_mpi *m = open_ranks(ranks);
        if (!m) continue;
        worker w = make_worker(&p);
        OK(peft_mpi_attach(m, w.trainer));
        if (ranks == 3) OK(peft_mpi_restore(m, w.trainer, path));
        if (ranks == 2) {
            OK(peft_trainer_fit(w.trainer, 1, next, NULL, &w));
            OK(peft_mpi_save(m, w.trainer, path));
        } else {
            OK(peft_trainer_fit(w.trainer, p.epochs, next, NULL, &w));
            ck_assert_msg(hash_of(&w) == expected, "2 ranks, then 3: other bits");
        }
        free_worker(&w);
        peft_mpi_free(m);
    }
}

static void errors(void)
{
    peft_mpi *m = open_ranks(2);
    if (!m) return;
    const plan p = { "ept", NULL, "accumulate=2,lr=0.01", EPOCHS, 3, 0 };
    worker w = make_worker(&p);
    OK(peft_mpi_attach(m, w.trainer));
    const char *text = world_rank == 1 ? "batch 3 of epoch 1: picture 17 is broken"
                                       : "rank 1: batch 3 of epoch 1: picture 17 is broken";
    FAILS(PEFT_E_FORMAT, text, peft_trainer_fit(w.trainer, p.epochs, next, NULL, &w));
    ck_assert_int_eq(w.trainer->step, 4);                /* three updates of epoch 0, one of epoch 1 */
    FAILS(PEFT_E_IO, world_rank ? "rank 0: " : "/nowhere", peft_mpi_save(m, w.trainer, "/nowhere/state"));
    FAILS(PEFT_E_IO, "/nowhere", peft_mpi_restore(m, w.trainer, "/nowhere/state"));
    const peft_status own = world_rank ? peft_set_error(PEFT_E_STATE, "only here") : PEFT_OK;
    FAILS(PEFT_E_STATE, world_rank ? "only here" : "rank 1: only here", peft_mpi_agree(m, own));
    FAILS(PEFT_E_INVALID, "mpi is NULL", peft_mpi_attach(NULL, w.trainer));
    free_worker(&w);
    peft_mpi_free(m);
}

static void rows(void)
{
    enum { ROWS = 7, COLUMNS = 3 };
    peft_mpi *m;
    int64_t first, n, extents[] = { ROWS, COLUMNS };
    OK(peft_mpi_open(NULL, &m));
    peft_context *ctx = tiny_plain_context();
    peft_tensor *t, *bytes;
    OK(peft_tensor_create(ctx, PEFT_F64, 2, extents, &t));
    double *x = peft_tensor_data(t);
    peft_mpi_part(m, ROWS, &first, &n);
    for (int64_t i = first * COLUMNS; i < (first + n) * COLUMNS; i++) x[i] = 100 + (double)i;
    OK(peft_mpi_gather_rows(m, t));
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) ck_assert_double_eq(x[i], 100 + (double)i);
    OK(peft_tensor_create(ctx, PEFT_U8, 2, extents, &bytes));
    FAILS(PEFT_E_DTYPE, "rows: expected", peft_mpi_gather_rows(m, bytes));
    peft_tensor_free(t);
    peft_tensor_free(bytes);
    peft_context_free(ctx);
    peft_mpi_free(m);
}

/* A size that only one rank has is an error with both sizes, and the ranks go on. */
static void other_sizes(void)
{
    peft_mpi *m = open_ranks(2);
    if (!m) return;
    peft_context *ctx = tiny_plain_context();
    peft_tensor *t;
    char x[4] = { 0 };
    const bool odd = world_rank == 1;
    OK(peft_tensor_create(ctx, PEFT_F32, 2, (int64_t[]){ odd ? 8 : 7, 3 }, &t));
    FAILS(PEFT_E_MISMATCH, odd ? "rows: given 8 rows of 12 bytes, rank 0 has 7 of 12" : "rank 1: rows: given 8 rows",
          peft_mpi_gather_rows(m, t));
    FAILS(PEFT_E_MISMATCH, odd ? "size: given 4, rank 0 sends 3" : "rank 1: size: given 4, rank 0 sends 3",
          peft_mpi_pass(m, 0, -1, x, odd ? 4 : 3));
    const int64_t most = (int64_t)1 << 31;                     /* more than one message of MPI holds */
    for (int larger = 0; larger < 2; larger++) {
        const char *text = larger ? "rank 0 sends 3 bytes, rank 1 expects 4" : "rank 0 sends 4 bytes, rank 1 expects 3";
        FAILS(PEFT_E_MISMATCH, text, peft_mpi_pass(m, 0, 1, x, odd == larger ? 4 : 3));
        FAILS(PEFT_E_MISMATCH, larger ? "sends 1073741824 bytes" : "expects 1073741824",
              peft_mpi_pass(m, 0, 1, x, odd == larger ? most : most / 2));
    }
    x[0] = odd ? 1 : 2;
    OK(peft_mpi_pass(m, 0, 1, x, 4));
    ck_assert_int_eq(x[0], 2);
    peft_tensor_free(t);
    peft_context_free(ctx);
    peft_mpi_free(m);
}

void *__real_malloc(size_t size);                         /* the linker's option --wrap */
void *__wrap_malloc(size_t size);
static bool scarce;
void *__wrap_malloc(size_t size)
{
    enum { LARGE = 1 << 20 };
    return scarce && size >= LARGE ? NULL : __real_malloc(size);
}

/* The memory of sums, which rank 1 has not, is an error of all ranks. */
static void no_memory(void)
{
    peft_mpi *m = NULL;
    scarce = world_rank == 1;
    FAILS(PEFT_E_NOMEM, "rank 1: out of memory", peft_mpi_open(NULL, &m));
    scarce = false;
    OK(peft_mpi_open(NULL, &m));
    peft_mpi_free(m);
}

/* From the last rank to the first, and from there to all. */
static void bytes(void)
{
    enum { SIZE = 1001 };
    peft_mpi *m;
    int64_t before, sent;
    char x[SIZE];
    OK(peft_mpi_open(NULL, &m));
    const int64_t last = world_ranks - 1;
    OK(peft_mpi_get_int(m, "bytes_sent", &before));
    for (int i = 0; i < SIZE; i++) x[i] = (char)(i * (world_rank == last) + world_rank);
    OK(peft_mpi_pass(m, last, 0, x, SIZE));
    for (int i = 0; i < SIZE; i++)                       /* ranks between them keep theirs */
        ck_assert_int_eq(x[i], world_rank && world_rank < last ? world_rank : (char)(i + last));
    OK(peft_mpi_pass(m, 0, -1, x, SIZE));
    for (int i = 0; i < SIZE; i++) ck_assert_int_eq(x[i], (char)(i + last));
    OK(peft_mpi_get_int(m, "bytes_sent", &sent));
    ck_assert_int_eq(sent - before, world_rank == last ? SIZE : world_rank ? 0 : SIZE * last);
    OK(peft_mpi_pass(m, 0, -1, NULL, 0));
    FAILS(PEFT_E_INVALID, "data is NULL", peft_mpi_pass(m, 0, 1, NULL, SIZE));
    FAILS(PEFT_E_INVALID, "from rank 0 to rank 99", peft_mpi_pass(m, 0, 99, x, SIZE));
    FAILS(PEFT_E_INVALID, "given -1 bytes", peft_mpi_pass(m, 0, 1, x, -1));
    peft_mpi_free(m);
}

START_TEST(ranks)
{
    every_method();
    other_rounding();
    other_number_of_ranks();
    errors();
    rows();
    bytes();
    other_sizes();
    no_memory();
}
END_TEST

/* argv[1]: a folder for files. Check runs the test in this process, CK_FORK=no. */
int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world_ranks);
    if (argc != 2) return EXIT_FAILURE;
    snprintf(folder, sizeof folder, "%s", argv[1]);
    const suite_test tests[] = { ranks };
    const int failed = run_suite("ranks", tests, 1);
    if (failed) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Finalize();
    return 0;
}
