/* SPDX-License-Identifier: Apache-2.0
 * test_memory.c -- memory is planned and allocated when a trainer or session is created: the planned size covers what
 * is held, nothing is written beyond the end of a block, and steps and predictions allocate nothing. */
#include "failing_alloc.h"
#include "tiny_bits.h"

/* An allocator with a pattern behind each block, which it checks when the block is freed. */
enum { FENCE = 256 };

static void *fenced_alloc(size_t size, size_t align, void *user)
{
    char *p = failing_alloc_take(size + FENCE, align, user);
    return p ? memset(p + size, 0xA5, FENCE) - size : NULL;
}

static void fenced_release(void *p, size_t size, void *user)
{
    for (int i = 0; i < FENCE; i++)
        ck_assert_msg(((unsigned char *)p)[size + (size_t)i] == 0xA5,
            "a block of %zu bytes is written %d bytes behind its end", size, i);
    failing_alloc_give(p, size + FENCE, user);
}

/* A model in a context with the allocator of fenced blocks, which counts in f. backbone, model: option texts. */
static tiny fenced_model(failing_alloc *f, const char *backbone, const char *method, const char *model)
{
    tiny t = { 0 };
    *f = (failing_alloc){ .fail_at = -1 };
    OK(peft_context_create(fenced_alloc, fenced_release, f, &t.ctx));
    tiny_register(t.ctx);
    OK(peft_context_set_threads(t.ctx, 2));
    t.backbone = tiny_backbone(t.ctx, backbone, NULL);
    t.adapter = tiny_adapter(t.backbone, method, NULL);
    t.model = tiny_model(t.backbone, tiny_head(method, model));
    OK(peft_model_attach(t.model, t.adapter));
    tiny_perturb(t.model);
    return t;
}

static void fenced_model_free(tiny *t, failing_alloc *f)
{
    tiny_free(t);
    ck_assert_int_eq(f->blocks, 0);
}

/* The peak of memory since the last call, minus the memory in use then (*base, which is updated). */
static size_t peak_since(peft_context *ctx, size_t *base)
{
    size_t peak = peft_context_memory_peak(ctx) - *base;
    *base = peft_context_memory_used(ctx);
    atomic_store(&ctx->peak, *base);
    return peak;
}

/* A trainer's peak of memory is within its plan, and after the temporary part of its creation all of the plan is held.
 * options: of the trainer. */
static void check_planned(const char *method, const char *options)
{
    failing_alloc f;
    tiny t = fenced_model(&f, TINY_WIDE, method, "classes=3");
    size_t base = peft_context_memory_used(t.ctx);
    tiny_batch b = tiny_first_batch(t.model, 6), part = tiny_first_batch(t.model, 4);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 6, 3);
    peak_since(t.ctx, &base);
    peft_trainer *r = tiny_trainer(t.model, "batch=6%s", options);
    for (int i = 0; i < 2; i++) {
        OK(peft_trainer_step(r, b.images, b.labels, b.ids));
        OK(peft_trainer_step(r, part.images, part.labels, part.ids));
        OK(peft_trainer_evaluate(r, b.images, logits));
    }
    size_t planned = (size_t)peft_trainer_get(r, "planned_bytes"), arena = (size_t)peft_trainer_get(r, "arena_bytes");
    size_t held = peft_context_memory_used(t.ctx) - base, peak = peak_since(t.ctx, &base);
    /* at most: the plan counts a second graph, which exists only while the trainer is created */
    size_t temporary = 2 * pf_exec_table_bytes(&r->net.exec);
    ck_assert_msg(peak <= planned, "%s%s: peak of %zu bytes, planned %zu", method, options, peak, planned);
    ck_assert_msg(held + temporary >= planned, "%s%s: %zu bytes held, planned %zu", method, options, held, planned);
    ck_assert_uint_lt(arena, planned);
    ck_assert_uint_le(pf_exec_bytes(&r->net.exec), arena);
    ck_assert(!r->net.exec.owns_arena);
    peft_trainer_free(r);
    /* base is now the memory with the trainer; constants of the method stay with the adapter, in one block */
    const size_t constants = pf_model_constant_bytes(t.model), kept_bytes = constants ? constants + PK_ALIGN : 0;
    ck_assert_uint_eq(peft_context_memory_used(t.ctx), base - held + kept_bytes);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    tiny_batch_free(&part);
    fenced_model_free(&t, &f);
}

/* Options for a feature cache in a new file. */
static const char *cache_file(const char *name, const char *more)
{
    static char text[256];
    snprintf(text, sizeof text, ",cache_features=4000000,cache_file=\"%s\"%s", tiny_path(name), more);
    return text;
}

START_TEST(a_trainer_holds_its_planned_memory)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        check_planned(tiny_method_name(i), "");
        check_planned(tiny_method_name(i), ",cache_features=4000000");
    }
    check_planned("fpt", ",cache_features=10");
    check_planned("fpt", cache_file("fpt", ""));
    check_planned("linear", cache_file("linear", ",cache_type=f16"));
    tiny_clean();
    check_planned("ept", ",optimizer=sgd,threads=3,executor=naive");
}
END_TEST

START_TEST(a_session_stays_within_its_planned_memory)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        failing_alloc f;
        tiny t = fenced_model(&f, TINY_WIDE, tiny_method_name(i), "classes=3");
        tiny_batch b = tiny_first_batch(t.model, 6);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 6, 3);
        size_t base = peft_context_memory_used(t.ctx);
        peak_since(t.ctx, &base);
        peft_session *s = tiny_session(t.model, "batch=6");
        OK(peft_session_predict(s, b.images, logits));
        size_t peak = peak_since(t.ctx, &base), planned = peft_session_memory(s);
        const size_t temporary = 1 << 18;                                   /* at most, while the session is created */
        ck_assert_msg(peak <= planned + temporary, "%s: peak of %zu bytes, planned %zu", tiny_method_name(i), peak,
            planned);
        peft_session_free(s);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
        fenced_model_free(&t, &f);
    }
}
END_TEST

/* Gives the first 4, then the first 3 samples of the batch `user`, which has 4. */
static int64_t next_batch(int64_t epoch, int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    const tiny_batch *b = user;
    (void)epoch;
    int64_t n = i == 0 ? 4 : i == 1 ? 3 : 0;
    memcpy(peft_tensor_data(images), peft_tensor_cdata(b->images), pf_tensor_bytes(b->images) / 4 * (size_t)n);
    memcpy(peft_tensor_data(labels), peft_tensor_cdata(b->labels), pf_tensor_bytes(b->labels) / 4 * (size_t)n);
    memcpy(ids, b->ids, sizeof *ids * (size_t)n);
    return n;
}

/* After their creation every allocation fails: trainer and session must work without, for batches of every size. */
static void check_no_allocation(const char *method, const char *model, const char *options)
{
    failing_alloc f;
    tiny t = fenced_model(&f, NULL, method, model);
    tiny_batch b = tiny_first_batch(t.model, 4), part[3];
    for (int n = 1; n <= 3; n++) part[n - 1] = tiny_batch_make(t.model, n, 4 - n);
    peft_tensor *logits = tiny_logits(t.model, 4);
    const bool has_feature = tiny_has_taps(t.adapter) && t.model->head->reads == PF_READS_FEATURE;
    peft_tensor *features = tiny_tensor(t.ctx, PEFT_F32, 2, 4, (int)t.backbone->shape.width);
    peft_trainer *r = tiny_trainer(t.model, "batch=4%s", options);
    peft_session *s = tiny_session(t.model, "batch=4%s", has_feature ? ",taps=feature" : "");
    f.calls = f.fail_at = 0;
    f.and_after = true;
    for (int i = 0; i < 3; i++) {
        OK(peft_trainer_step(r, b.images, b.labels, b.ids));
        /* a model with running statistics refuses a batch of one sample */
        for (int n = peft_model_buffer_count(t.model) ? 2 : 1; n <= 3; n++) {
            OK(peft_trainer_backward(r, part[n - 1].images, part[n - 1].labels, part[n - 1].ids));
            OK(peft_trainer_update(r));
        }
        OK(peft_trainer_evaluate(r, b.images, logits));
        OK(peft_session_predict(s, b.images, logits));
        OK(peft_session_probabilities(s, b.images, i % 2, logits));
        if (has_feature) {
            tiny_tap(s, "feature");
            OK(peft_session_features(s, b.images, features));
        }
    }
    OK(peft_trainer_group(r, "*", 0.5, 0));
    OK(peft_trainer_fit(r, 2, next_batch, NULL, &b));
    ck_assert_msg(f.calls == 0, "%s: %ld allocations in steps", method, f.calls);
    f.fail_at = -1;
    peft_session_free(s);
    peft_trainer_free(r);
    peft_tensor_free(features);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    for (int n = 0; n < 3; n++) tiny_batch_free(&part[n]);
    fenced_model_free(&t, &f);
}

START_TEST(steps_and_predictions_allocate_nothing)
{
    for (size_t i = 0; i < tiny_method_count(); i++) check_no_allocation(tiny_method_name(i), "classes=3", "");
    check_no_allocation("ept", "classes=3,head=mlp", ",optimizer=sgd,clip_norm=1,accumulate=2");
    check_no_allocation("linear", "classes=3,head=bn_linear", ",cache_features=100000,threads=3");
    check_no_allocation("fpt", "classes=3,head=side_encoder", ",cache_features=1000000,accumulate=2");
    check_no_allocation("fpt", "classes=3,head=side_encoder", ",cache_features=1000000,executor=naive");
    check_no_allocation("linear", "classes=3", cache_file("linear", ",cache_type=f16"));
    check_no_allocation("bitfit", "classes=3", ",executor=naive");
    check_no_allocation("vpt", "classes=3,head=setr_pup,head_width=4", "");
    check_no_allocation("linear", "classes=3,head=seg_mla,head_width=4", ",cache_features=4000000,threads=3");
    tiny_clean();
}
END_TEST

SUITE_MAIN("memory", a_trainer_holds_its_planned_memory, a_session_stays_within_its_planned_memory,
    steps_and_predictions_allocate_nothing)
