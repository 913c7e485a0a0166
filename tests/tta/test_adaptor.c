/* SPDX-License-Identifier: Apache-2.0
 * test_adaptor.c -- what holds for every kind of test-time adaptation: the model does not change, reset gives the state
 * of a new adaptor, results do not depend on threads, executor or division of training images, memory is planned, and
 * misuse is refused. */
#include <math.h>
#include "adaptors.h"
#include "core/bits/sum.h"
#include "failing_alloc.h"

/* A checksum of all tensors of model and backbone. */
static uint64_t sum_of(const tiny *t)
{
    uint64_t h = PF_CHECKSUM_START;
    for (size_t i = 0; i < peft_model_param_count(t->model); i++) {
        const peft_tensor *v = peft_param_value(peft_model_param(t->model, i));
        h = pf_checksum_after(h, v->data, pf_tensor_bytes(v));
    }
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++) {
        const peft_tensor *v = &pf_model_buffer(t->model, i)->value;
        h = pf_checksum_after(h, v->data, pf_tensor_bytes(v));
    }
    for (size_t i = 0; i < t->backbone->weights; i++) {
        const peft_tensor *v = &t->backbone->weight[i].tensor;
        h = pf_checksum_after(h, v->data, pf_tensor_bytes(v));
    }
    return h;
}

START_TEST(the_model_does_not_change)
{
    static const char *const methods[] = { "lora", "vpt", "ln_tune", "linear" };
    FOR_KINDS(kind)
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
            tiny t = tiny_make(&(tiny_spec){ .method = methods[i] });
            const uint64_t before = sum_of(&t);
            peft_adaptor *a = ready_adaptor(t.model, kind, "");
            peft_session *s = tiny_session(t.model, "batch=%d", ADAPT_BATCH);
            tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);
            peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3), *last = NULL, *first = NULL;
            OK(peft_session_predict(s, b.images, logits));
            for (int k = 0; k < 3; k++) {
                peft_tensor *now = adapt_on(a, ADAPT_BATCH, 0);
                if (!first) first = now;
                else { peft_tensor_free(last); last = now; }
            }
            ck_assert_msg(memcmp(first->data, last->data, pf_tensor_bytes(last)), "%s, %s: nothing adapts", kind,
                          methods[i]);
            peft_tensor *again = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
            OK(peft_session_predict(s, b.images, again));
            same_tensors(logits, again, kind);
            ck_assert_uint_eq(sum_of(&t), before);
            ck_assert_int_eq(peft_model_find_param(t.model, "head.weight")->grad.data == NULL, 1);
            peft_tensor_free(first);
            peft_tensor_free(last);
            tiny_batch_free(&b);
            peft_session_free(s);
            peft_adaptor_free(a);
            tiny_free(&t);
        }
}
END_TEST

START_TEST(a_reset_adaptor_is_as_a_new_one)
{
    FOR_KINDS(kind) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
        peft_adaptor *a = ready_adaptor(t.model, kind, ""), *fresh = ready_adaptor(t.model, kind, "");
        for (int i = 0; i < 3; i++) peft_tensor_free(adapt_on(a, ADAPT_BATCH, 100 * i));
        ck_assert_int_eq((int64_t)figure(a, "batches"), 3);
        OK(peft_adaptor_reset(a));
        ck_assert_int_eq((int64_t)figure(a, "batches"), 0);
        same_adaptation(a, fresh, 0, kind);
        peft_adaptor_free(a);
        peft_adaptor_free(fresh);
        tiny_free(&t);
    }
}
END_TEST

/* Threads and executor change no bit, in any arithmetic, and neither does a larger option "batch". */
START_TEST(threads_and_executor_change_no_bit)
{
    static const char *const pairs[][2] = {
        { ",threads=1", ",threads=4" }, { ",threads=1", ",threads=2,executor=naive" }, { ",threads=1", ",batch=11" },
        { ",threads=1,compute=bf16", ",threads=4,compute=bf16" },
        { ",threads=1,compute=int8_all", ",threads=4,compute=int8_all,executor=naive,batch=11" } };
    FOR_KINDS(kind)
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i += (size_t)partial_step(2)) {
            tiny t = tiny_make(&(tiny_spec){ .backbone = TINY_WIDE, .method = "lora" });
            peft_adaptor *a = ready_adaptor(t.model, kind, pairs[i][0]), *b = ready_adaptor(t.model, kind, pairs[i][1]);
            same_adaptation(a, b, 0, pairs[i][1]);
            peft_adaptor_free(a);
            peft_adaptor_free(b);
            tiny_free(&t);
        }
}
END_TEST

/* A network of a method's own is no backbone to adapt; ept has a logit for each token and takes no further ones. */
static bool cannot_adapt(const char *kind, size_t method)
{
    return tiny_method(method)->network || (!strcmp(kind, "foa") && !strcmp(tiny_method_name(method), "ept"));
}

/* Every method, built-in or registered: an adaptor adapts beside it, or says why it cannot. */
START_TEST(every_method_can_be_adapted)
{
    FOR_KINDS(kind)                               /* with PARTIAL every third method, others than with the next kind */
        for (size_t m = PARTIAL ? k_ % 3 : 0; m < tiny_method_count(); m += (size_t)partial_step(3)) {
            tiny t = tiny_make(&(tiny_spec){ .method = tiny_method_name(m) });
            peft_options *o = tiny_options(t.ctx, "kind=%s,batch=%d", kind, ADAPT_BATCH);
            peft_adaptor *a = NULL;
            const peft_status s = peft_adaptor_create(t.model, o, &a);
            peft_options_free(o);
            if (s) ck_assert_msg(s == PEFT_E_UNSUPPORTED && cannot_adapt(kind, m), "%s, %s: %s", kind,
                                 tiny_method_name(m), peft_last_error());
            else {
                give_source(a, ADAPT_BATCH, 0);
                for (int i = 0; i < 2; i++) peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
            }
            peft_adaptor_free(a);
            tiny_free(&t);
        }
}
END_TEST

/* Memory is allocated by create alone. Its peak is within the plan, and after create all of the plan is held but for
 * the second graphs, for one image more, with which create finds out how the graphs change with the batch. */
static void check_planned(const char *backbone, const char *method, const char *kind, const char *more)
{
    failing_alloc f = { .fail_at = -1 };
    tiny t = { 0 };
    OK(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &t.ctx));
    tiny_register(t.ctx);
    OK(peft_context_set_threads(t.ctx, 2));
    t.backbone = tiny_backbone(t.ctx, backbone, NULL);
    t.model = tiny_model(t.backbone, "classes=3");
    t.adapter = tiny_adapter(t.backbone, method, NULL);
    OK(peft_model_attach(t.model, t.adapter));
    tiny_perturb(t.model);
    tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0), part = shifted_batch(t.model, 2, 0);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
    peft_tensor *few = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    const size_t base = peft_context_memory_used(t.ctx);
    atomic_store(&t.ctx->peak, base);
    peft_adaptor *a = adaptor_make(t.model, "kind=%s,batch=%d%s", kind, ADAPT_BATCH, more);
    const size_t held = peft_context_memory_used(t.ctx) - base;
    const long allocations = f.calls;
    for (int i = 0; i < 2; i++) {
        if (a->taps) OK(peft_adaptor_source(a, b.images));
        OK(peft_adaptor_predict(a, b.images, logits));
        OK(peft_adaptor_predict(a, part.images, few));
        OK(peft_adaptor_reset(a));
    }
    ck_assert_int_eq(f.calls, allocations);
    ck_assert_uint_eq(peft_context_memory_used(t.ctx) - base, held);
    const size_t planned = peft_adaptor_memory(a), peak = peft_context_memory_peak(t.ctx) - base,
        temporary = pf_compiled_table_bytes(&a->net) + pf_compiled_table_bytes(&a->source);
    ck_assert_msg(peak <= planned, "%s, %s: peak of %zu bytes, planned %zu", kind, method, peak, planned);
    ck_assert_msg(held + temporary >= planned, "%s, %s: %zu bytes held, planned %zu", kind, method, held, planned);
    int64_t figures[2];
    OK(peft_adaptor_get_int(a, "planned_bytes", &figures[0]));
    OK(peft_adaptor_get_int(a, "arena_bytes", &figures[1]));
    ck_assert_uint_eq((size_t)figures[0], planned);
    ck_assert_int_lt(figures[1], figures[0]);
    peft_adaptor_free(a);
    peft_tensor_free(few);
    peft_tensor_free(logits);
    tiny_batch_free(&part);
    tiny_batch_free(&b);
    tiny_free(&t);
    ck_assert_int_eq(f.blocks, 0);
}

START_TEST(memory_is_planned)
{
    FOR_KINDS(kind) {
        for (size_t m = PARTIAL ? k_ % 3 : 0; m < tiny_method_count(); m += (size_t)partial_step(3))
            if (!cannot_adapt(kind, m)) check_planned(TINY_BACKBONE, tiny_method_name(m), kind, "");
        check_planned(TINY_WIDE, "lora", kind, ",threads=3");
    }
    check_planned(TINY_BACKBONE, "linear", "foa", ",covariance=separable");
    check_planned(TINY_BACKBONE, "linear", "tent", ",executor=naive");
}
END_TEST

/* What fails without memory: an adaptor with statistics, a batch, and its file. */
static peft_status use_adaptor(peft_context *ctx, void *kind)
{
    tiny t = { .ctx = ctx };
    peft_adaptor *a = NULL;
    peft_options *o = NULL;
    peft_tensor *images = NULL, *logits = NULL;
    const int64_t dims[] = { 2, 3, 8, 8 }, out[] = { 2, 3 };
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "image_size=8,patch=4,width=16,depth=2,heads=2,mlp=16,classes=3");
    if (!s) s = peft_backbone_create(ctx, o, &t.backbone);
    peft_options_free(o);
    o = NULL;
    if (!s) s = peft_model_create(t.backbone, NULL, &t.model);
    if (!s) s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_set_string(o, "kind", kind);
    if (!s) s = peft_options_set_int(o, "batch", 2);
    if (!s) s = peft_adaptor_create(t.model, o, &a);
    if (!s) s = peft_tensor_create(ctx, PEFT_F32, 4, dims, &images);
    if (!s) s = peft_tensor_create(ctx, PEFT_F32, 2, out, &logits);
    for (int i = 0; !s && i < 2 * 3 * 8 * 8; i++) ((float *)images->data)[i] = (float)(i * 7 % 31) / 31;
    if (!s && a->taps) s = peft_adaptor_source(a, images);
    if (!s && a->taps) s = peft_adaptor_store_source(a);
    if (!s) s = peft_adaptor_predict(a, images, logits);
    if (!s) s = peft_adaptor_save(a, tiny_path("state"));
    if (!s) s = peft_adaptor_restore(a, tiny_path("state"));
    if (!s) s = peft_model_save(t.model, tiny_path("model"));
    peft_tensor_free(logits);
    peft_tensor_free(images);
    peft_options_free(o);
    peft_adaptor_free(a);
    peft_model_free(t.model);
    peft_backbone_free(t.backbone);
    return s;
}

START_TEST(every_allocation_may_fail)
{
    FOR_KINDS(kind) ck_assert_int_gt(failing_alloc_loop(use_adaptor, (void *)(uintptr_t)kind), 30);
    tiny_clean();
}
END_TEST


START_TEST(misuse_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    tiny_batch b = tiny_batch_make(t.model, ADAPT_BATCH, 0);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3), *few = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    peft_adaptor *a = adaptor_make(t.model, "batch=%d", ADAPT_BATCH), *none = NULL;
    int64_t count;
    double number;
    char text[LINE_BYTES] = "";
    adaptor_refused(t.model, PEFT_E_OPTION, "kind: given 'tend', expected tent", "kind=tend");
    adaptor_refused(t.model, PEFT_E_OPTION, "did you mean 'momentum'", "momentun=0.5");
    /* a suggestion is an option of the kind: lambda is one of others, not of tent */
    adaptor_refused(t.model, PEFT_E_OPTION, "an adaptor of kind tent", "lamda=3");
    ck_assert_msg(!strstr(peft_last_error(), "lambda"), "%s", peft_last_error());
    adaptor_refused(t.model, PEFT_E_OPTION, "did you mean 'lambda'", "kind=foa_bp,lamda=3");
    adaptor_refused(t.model, PEFT_E_OPTION, "predict: given 'never', expected before or after", "predict=never");
    adaptor_refused(t.model, PEFT_E_OPTION, "batch", "batch=0");
    adaptor_refused(t.model, PEFT_E_OPTION, "executor", "executor=fast");
    adaptor_refused(t.model, PEFT_E_UNSUPPORTED, "memory_limit", "memory_limit=1000");
    FAILS(PEFT_E_INVALID, "model is NULL", peft_adaptor_create(NULL, NULL, &none));
    FAILS(PEFT_E_INVALID, "out is NULL", peft_adaptor_create(t.model, NULL, NULL));
    FAILS(PEFT_E_INVALID, "adaptor is NULL", peft_adaptor_predict(NULL, b.images, logits));
    FAILS(PEFT_E_INVALID, "adaptor is NULL", peft_adaptor_source(NULL, b.images));
    FAILS(PEFT_E_INVALID, "adaptor is NULL", peft_adaptor_reset(NULL));
    FAILS(PEFT_E_INVALID, "adaptor is NULL", peft_adaptor_input(NULL, "x", b.images));
    FAILS(PEFT_E_INVALID, "images is NULL", peft_adaptor_predict(a, NULL, logits));
    FAILS(PEFT_E_INVALID, "result tensor is NULL", peft_adaptor_predict(a, b.images, NULL));
    FAILS(PEFT_E_SHAPE, "expected [6, 3]", peft_adaptor_predict(a, b.images, few));
    FAILS(PEFT_E_SHAPE, "images", peft_adaptor_predict(a, logits, logits));
    FAILS(PEFT_E_UNSUPPORTED, "kind=tent uses no statistics", peft_adaptor_source(a, b.images));
    FAILS(PEFT_E_NOTFOUND, "no such input", peft_adaptor_input(a, "side_images", b.images));
    FAILS(PEFT_E_NOTFOUND, "did you mean 'loss'", peft_adaptor_get_float(a, "los", &number));
    FAILS(PEFT_E_STATE, "no batch", peft_adaptor_get_float(a, "loss", &number));
    FAILS(PEFT_E_DTYPE, "peft_adaptor_get_float", peft_adaptor_get_int(a, "loss", &count));
    FAILS(PEFT_E_STATE, "exist", peft_model_detach(t.model, t.adapter));
    ((float *)peft_tensor_data(b.images))[7] = NAN;
    FAILS(PEFT_E_NONFINITE, "sample 0 of the batch", peft_adaptor_predict(a, b.images, logits));
    OK(peft_adaptor_get_int(a, "batches", &count));
    ck_assert_int_eq(count, 0);
    ck_assert_str_eq(peft_adaptor_kind(a), "tent");
    ck_assert_int_eq(peft_adaptor_batch(a), ADAPT_BATCH);
    ck_assert_ptr_eq(peft_adaptor_model(a), t.model);
    peft_adaptor_describe(a, keep_first_line, text);
    ck_assert_ptr_nonnull(strstr(text, "tent"));
    ck_assert_ptr_null(peft_adaptor_kind(NULL));
    ck_assert_ptr_null(peft_adaptor_model(NULL));
    ck_assert_int_eq(peft_adaptor_batch(NULL) + (int64_t)peft_adaptor_memory(NULL), 0);
    ck_assert_ptr_null(peft_adaptor_kind_name(peft_adaptor_kind_count()));
    ck_assert_ptr_null(peft_adaptor_kind_summary("tend"));
    ck_assert_ptr_null(peft_adaptor_kind_paper(NULL));
    ck_assert_ptr_null(peft_adaptor_kind_option("tend", 0));
    peft_adaptor_free(NULL);
    peft_adaptor_free(a);
    peft_tensor_free(few);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

/* Kinds that read the logits as those of a softmax refuse a model whose classes do not exclude each other. */
START_TEST(models_of_several_labels_are_refused)
{
    static const char *const links[] = { "softmax", "sigmoid" };
    FOR_KINDS(kind)
        for (int i = 0; i < 2; i++) {
            tiny t = tiny_make(&(tiny_spec){ 0 });
            char options[40];
            snprintf(options, sizeof options, "kind=%s", kind);
            OK(peft_model_set_note(t.model, "link", links[i]));
            if (i && strcmp(kind, "vptta"))
                adaptor_refused(t.model, PEFT_E_UNSUPPORTED, "several labels an image (link=sigmoid)", options);
            else peft_adaptor_free(adaptor_make(t.model, "%s", options));
            tiny_free(&t);
        }
}
END_TEST

/* Gradients that overflow: nothing changes, and the next batch is adapted on as if the failed one had not been. */
START_TEST(a_failed_batch_changes_nothing)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    FOR_KINDS(kind) {
        peft_adaptor *a = ready_adaptor(t.model, kind, ""), *b = ready_adaptor(t.model, kind, "");
        tiny_batch bad = tiny_batch_make(t.model, ADAPT_BATCH, 0);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
        float *x = peft_tensor_data(bad.images);
        for (int i = 0; i < 200; i++) x[i] = i % 2 ? 3e38f : -3e38f;
        ck_assert_int_eq(peft_adaptor_predict(a, bad.images, logits), PEFT_E_NONFINITE);
        same_adaptation(a, b, 0, kind);
        tiny_batch_free(&bad);
        peft_tensor_free(logits);
        peft_adaptor_free(a);
        peft_adaptor_free(b);
    }
    tiny_free(&t);
}
END_TEST

/* An update that overflows: the error names the tensor, which keeps its values until the adaptor is reset. The logits
 * of tent are those before the update. */
START_TEST(an_update_that_overflows_is_reported)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = adaptor_make(t.model, "batch=%d,lr=1e6", ADAPT_BATCH), *b = ready_adaptor(t.model, "tent", "");
    tiny_batch images = shifted_batch(t.model, ADAPT_BATCH, 0);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
    a->lr = 1e300;                                             /* above the option's range: the step overflows f32 */
    FAILS(PEFT_E_NONFINITE, "made NaN or Inf in tensor '", peft_adaptor_predict(a, images.images, logits));
    tiny_finite(logits, "logits before the update");
    ck_assert_int_eq((int64_t)figure(a, "batches"), 0);
    ck_assert_int_eq((int64_t)figure(a, "updates"), 1);
    FAILS(PEFT_E_NONFINITE, "", peft_adaptor_predict(a, images.images, logits));
    OK(peft_adaptor_reset(a));
    a->lr = b->lr;
    same_adaptation(a, b, 0, "after reset");
    peft_tensor_free(logits);
    tiny_batch_free(&images);
    peft_adaptor_free(a);
    peft_adaptor_free(b);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("adaptor", the_model_does_not_change, a_reset_adaptor_is_as_a_new_one, threads_and_executor_change_no_bit,
           every_method_can_be_adapted, memory_is_planned, every_allocation_may_fail, misuse_is_refused,
           models_of_several_labels_are_refused, a_failed_batch_changes_nothing,
           an_update_that_overflows_is_reported)
