/* SPDX-License-Identifier: Apache-2.0
 * test_threads.c -- training and prediction give the same bits for any number of threads, and an image's logits do not
 * depend on the other images of the call, in every arithmetic. */
#include "tested_isas.h"
#include "tiny_bits.h"

static const int threads[] = { 1, 3, 2, 8 };
enum { THREADS = PARTIAL ? 2 : sizeof threads / sizeof *threads };
static const char *compute = "f32";                         /* the arithmetic; set by EACH_COMPUTE */
#ifdef PK_EMULATED_TILES
enum { FIRST_COMPUTE = PK_COMPUTE_F32 + 1 };                /* tiles do not compute f32 */
#else
enum { FIRST_COMPUTE = PK_COMPUTE_F32 };
#endif
#define EACH_COMPUTE_TO(end) \
    for (int c_ = FIRST_COMPUTE; c_ < (end) && (compute = pk_compute_name((pk_compute)c_)); c_++)
#define EACH_COMPUTE EACH_COMPUTE_TO(PK_COMPUTES)
/* With PARTIAL every third method, others in each arithmetic. */
#define EACH_METHOD_OR_THIRD(i) \
    for (size_t i = PARTIAL ? (size_t)c_ % 3 : 0; i < tiny_method_count(); i += (size_t)partial_step(3))
#define EACH_COMPUTE_OF_TRAINERS EACH_COMPUTE_TO(PK_COMPUTE_INT8)

/* Records `steps` training steps on n samples each. workers: number of threads; CONTEXTS_THREADS: the context's. */
enum { CONTEXTS_THREADS = 0 };
static void record_steps(const tiny *t, int steps, int n, int workers, tiny_bits *bits)
{
    peft_trainer *r = tiny_trainer(t->model, "batch=%d,lr=1e-2,weight_decay=0.01,clip_norm=1,threads=%d,compute=%s", n,
                                   workers, compute);
    for (int i = 0; i < steps; i++) {
        tiny_batch b = tiny_batch_make(t->model, n, i * n);
        OK(peft_trainer_backward(r, b.images, b.labels, NULL));
        tiny_bits_add(bits, "loss", &r->last_loss, sizeof r->last_loss);
        tiny_bits_grads(bits, t->model);
        OK(peft_trainer_update(r));
        tiny_batch_free(&b);
    }
    tiny_bits_training(bits, r);
    peft_trainer_free(r);
}

/* Trains `steps` steps and predicts with 1, 2, 3 and 8 threads, n samples a step: all as with one thread. */
static void compare(tiny_spec spec, int steps, int n)
{
    tiny_bits one_thread = { 0 };
    char name[160];
    for (int k = 0; k < THREADS; k++) {
        tiny_bits several = { 0 }, *bits = k == 0 ? &one_thread : &several;
        tiny t = tiny_make(&spec);
        record_steps(&t, steps, n, threads[k], bits);
        tiny_bits_predict_in(bits, t.model, n, threads[k], compute);
        tiny_free(&t);
        snprintf(name, sizeof name, "%s, %s, %s, %d threads", spec.method, spec.isa ? spec.isa : "auto", compute,
                 threads[k]);
        if (k > 0) tiny_same(&one_thread, &several, name);
    }
    tiny_bits_free(&one_thread);
}

START_TEST(every_method_and_isa_gives_the_same_bits)
{
    EACH_COMPUTE_OF_TRAINERS for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        EACH_METHOD_OR_THIRD(i)
            compare((tiny_spec){ .isa = *isa, .method = tiny_method_name(i) }, 3, 3);
}
END_TEST

START_TEST(heads_with_batch_norm_give_the_same_bits)
{
    compare((tiny_spec){ .method = "bitfit", .model = "classes=3,head=bn_linear,pool=mean" }, 3, 3);
    compare((tiny_spec){ .method = "ept", .model = "classes=3,head=mlp" }, 3, 3);
}
END_TEST

/* A width at which products, norms, updates and attention are split into several tasks. */
START_TEST(operations_of_several_tasks_give_the_same_bits)
{
    EACH_COMPUTE_OF_TRAINERS EACH_METHOD_OR_THIRD(i)
        compare((tiny_spec){ .backbone = TINY_WIDE, .method = tiny_method_name(i) }, 1, 2);
}
END_TEST

/* Attention composed of its steps: heads, rows and prompts are tasks. */
START_TEST(forms_of_ept_give_the_same_bits)
{
    static const char *const forms[] = { "insert=add,length=100", "insert=multiply,length=100",
                                         "insert=multiply_concat,length=3" };
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
            compare((tiny_spec){ .isa = *isa, .backbone = TINY_WIDE, .method = "ept", .adapter = forms[f] }, 1, 2);
}
END_TEST

/* threads=0 takes the context's number of threads. */
START_TEST(threads_of_the_context_give_the_same_bits)
{
    tiny_bits one_thread = { 0 };
    for (int k = 0; k < THREADS; k++) {
        tiny_bits several = { 0 };
        tiny t = tiny_make(&(tiny_spec){ .method = "ept", .threads = threads[k], .backbone = TINY_WIDE });
        record_steps(&t, 2, 2, CONTEXTS_THREADS, k == 0 ? &one_thread : &several);
        tiny_free(&t);
        if (k > 0) tiny_same(&one_thread, &several, "context's threads");
    }
    tiny_bits_free(&one_thread);
}
END_TEST

/* Writes to `to` the logits of images from, from + 1, ..., predicted n at a time by a session of the given batch. */
static void predict(const tiny *t, const tiny_batch *all, int batch, int n, int from, float *to)
{
    const int64_t image_size = peft_tensor_count(all->images) / peft_tensor_dim(all->images, 0);
    int count = (int)peft_tensor_dim(all->images, 0), classes = (int)t->model->classes;
    peft_session *s = tiny_session(t->model, "batch=%d,threads=2,compute=%s", batch, compute);
    for (int i = from; i < count; i += n) {
        int now = count - i < n ? count - i : n;
        peft_tensor *view, *logits = tiny_tensor(t->ctx, PEFT_F32, 2, now, classes);
        const int64_t dims[] = { now, 3, peft_tensor_dim(all->images, 2), peft_tensor_dim(all->images, 3) };
        OK(peft_tensor_wrap(t->ctx, PEFT_F32, 4, dims, (float *)peft_tensor_data(all->images) + i * image_size, &view));
        OK(peft_session_predict(s, view, logits));
        memcpy(to + i * classes, peft_tensor_cdata(logits), pf_tensor_bytes(logits));
        peft_tensor_free(logits);
        peft_tensor_free(view);
    }
    peft_session_free(s);
}

/* Predicts the same images in the first `count` of six ways: all logits as by one image at a time, the first way. */
enum { FIRST_WAYS = 3, ALL_WAYS = 6 };
static void check_independence(const tiny_spec *spec, size_t count)
{
    /* batch: of the session; n: images a call; from: first image */
    static const struct { int batch, n, from; } ways[ALL_WAYS] = { { 1, 1, 0 }, { 7, 7, 0 }, { 7, 3, 0 }, { 3, 2, 1 },
        { 5, 5, 2 }, { 16, 4, 0 } };
    enum { COUNT = 7, CLASSES = 3 };
    float expected[COUNT * CLASSES], got[COUNT * CLASSES];
    tiny t = tiny_make(spec);
    tiny_batch all = tiny_first_batch(t.model, COUNT);
    for (size_t k = 0; k < count; k++) {
        if (k) memcpy(got, expected, sizeof got);                            /* images before `from` are left out */
        predict(&t, &all, ways[k].batch, ways[k].n, ways[k].from, k ? got : expected);
        if (k)
            ck_assert_msg(!memcmp(got, expected, sizeof got), "%s: batch %d, %d at a time from %d", spec->method,
                          ways[k].batch, ways[k].n, ways[k].from);
    }
    tiny_batch_free(&all);
    tiny_free(&t);
}

START_TEST(logits_do_not_depend_on_other_images)
{
    EACH_COMPUTE for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        EACH_METHOD_OR_THIRD(i)
            check_independence(&(tiny_spec){ .isa = *isa, .method = tiny_method_name(i),
                                             .model = "classes=3,head=bn_linear" }, ALL_WAYS);
    EACH_COMPUTE EACH_METHOD_OR_THIRD(i)
        check_independence(&(tiny_spec){ .backbone = TINY_WIDE, .method = tiny_method_name(i) }, FIRST_WAYS);
}
END_TEST

START_TEST(sessions_in_int8_give_the_same_bits)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++) {
        tiny t = tiny_make(&(tiny_spec){ .isa = *isa, .backbone = TINY_WIDE, .method = "lora" });
        tiny_bits one = { 0 };
        tiny_bits_predict_in(&one, t.model, 3, 1, "int8_all");
        for (int i = 1; i < THREADS; i++) {
            tiny_bits several = { 0 };
            tiny_bits_predict_in(&several, t.model, 3, threads[i], "int8_all");
            tiny_same(&one, &several, *isa);
        }
        tiny_bits_free(&one);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("threads", every_method_and_isa_gives_the_same_bits, heads_with_batch_norm_give_the_same_bits,
           operations_of_several_tasks_give_the_same_bits, forms_of_ept_give_the_same_bits,
           threads_of_the_context_give_the_same_bits, sessions_in_int8_give_the_same_bits,
           logits_do_not_depend_on_other_images)
