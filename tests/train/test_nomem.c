/* SPDX-License-Identifier: Apache-2.0
 * test_nomem.c -- the n-th allocation fails, for every n: calls return PEFT_E_NOMEM without a leak, and objects made
 * before stay usable. */
#include <dirent.h>
#include "failing_alloc.h"
#include "tiny_bits.h"

#define SMALL "image_size=8,patch=4,width=16,depth=2,heads=2,mlp=16,classes=5"

/* --- a program that loads, trains, predicts and saves ----------------------------------------- */
/* model, trainer, options: option strings of the model, of the trainer and of the method. */
typedef struct workload { const char *method, *model, *trainer, *options; tiny_batch batch; } workload;

/* What a workload makes; a2 and m2 are the adapter and the model loaded from the files of a and m. */
typedef struct objects { peft_options *o; peft_backbone *b; peft_adapter *a, *a2; peft_model *m, *m2; peft_trainer *t;
                        peft_session *s; peft_tensor *logits; peft_file *f; } objects;

static void free_objects(objects *x)
{
    peft_file_free(x->f);
    peft_tensor_free(x->logits);
    peft_session_free(x->s);
    peft_trainer_free(x->t);
    peft_model_free(x->m);
    peft_model_free(x->m2);
    peft_adapter_free(x->a);
    peft_adapter_free(x->a2);
    peft_backbone_free(x->b);
    peft_options_free(x->o);
}

/* Parses `text` into x->o. */
static peft_status options(objects *x, peft_context *ctx, const char *text)
{
    peft_options_free(x->o);
    x->o = NULL;
    PF_TRY(peft_options_create(ctx, &x->o));
    return peft_options_parse(x->o, text);
}

static peft_status make_model_with_adapter(objects *x, peft_context *ctx, const workload *w)
{
    PF_TRY(options(x, ctx, "image_size=16,heads=2,pool=cls"));
    PF_TRY(peft_backbone_load(ctx, tiny_path("backbone.safetensors"), x->o, &x->b));
    PF_TRY(options(x, ctx, w->options));
    PF_TRY(peft_adapter_create(x->b, w->method, x->o, &x->a));
    PF_TRY(options(x, ctx, w->model));
    PF_TRY(peft_model_create(x->b, x->o, &x->m));
    PF_TRY(peft_model_attach(x->m, x->a));
    return peft_model_set_note(x->m, "preprocess", "none");
}

static peft_status train(objects *x, peft_context *ctx, const workload *w)
{
    const int64_t dims[] = { 2, 3 };
    PF_TRY(options(x, ctx, w->trainer));
    PF_TRY(peft_trainer_create(x->m, x->o, &x->t));
    PF_TRY(peft_trainer_step(x->t, w->batch.images, w->batch.labels, w->batch.ids));
    PF_TRY(peft_tensor_create(ctx, PEFT_F32, 2, dims, &x->logits));
    return peft_trainer_evaluate(x->t, w->batch.images, x->logits);
}

static peft_status predict(objects *x, peft_context *ctx, const workload *w)
{
    PF_TRY(options(x, ctx, "batch=2,threads=2,taps=feature"));
    PF_TRY(peft_session_create(x->m, x->o, &x->s));
    PF_TRY(peft_session_predict(x->s, w->batch.images, x->logits));
    return peft_session_probabilities(x->s, w->batch.images, 0, x->logits);
}

static peft_status save_and_load_files(objects *x, peft_context *ctx, const workload *w)
{
    (void)w;
    PF_TRY(peft_trainer_save(x->t, tiny_path("trainer")));
    PF_TRY(peft_model_save(x->m, tiny_path("model")));
    PF_TRY(peft_adapter_save(x->a, tiny_path("adapter")));
    PF_TRY(peft_trainer_restore(x->t, tiny_path("trainer")));
    PF_TRY(peft_model_load(x->b, tiny_path("model"), &x->m2));
    PF_TRY(peft_adapter_load(x->b, tiny_path("adapter"), &x->a2));
    return peft_file_open(ctx, tiny_path("model"), &x->f);
}

/* The whole workload arg; for failing_alloc_loop. */
static peft_status run_workload(peft_context *ctx, void *arg)
{
    objects x = { 0 };
    peft_status s = make_model_with_adapter(&x, ctx, arg);
    if (!s) s = train(&x, ctx, arg);
    if (!s) s = predict(&x, ctx, arg);
    if (!s) s = save_and_load_files(&x, ctx, arg);
    free_objects(&x);
    return s;
}

/* Writes the weights alone, without facts of the network such as heads. */
static void write_backbone(const peft_backbone *b, const char *path)
{
    pf_st_out *o;
    OK(pf_st_out_create(b->ctx, &o));
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        OK(pf_st_out_tensor(o, b->weight[i].name, t->type, t->ndim, t->dim, t->data));
    }
    OK(pf_st_out_write(o, path));
    pf_st_out_free(o);
}

static void check_workload(workload w)
{
    /* saved has images of 8 x 8 pixels; the workload loads its file for 16 x 16, the size of resized. */
    tiny saved = tiny_make(&(tiny_spec){ .backbone = SMALL, .method = "linear" });
    tiny resized = tiny_make(&(tiny_spec){ .backbone = SMALL, .more = "image_size=16", .method = "linear" });
    write_backbone(saved.backbone, tiny_path("backbone.safetensors"));
    w.batch = tiny_first_batch(resized.model, 2);
    long allocations = failing_alloc_loop(run_workload, &w);
    ck_assert_int_gt(allocations, 100);
    tiny_batch_free(&w.batch);
    tiny_free(&saved);
    tiny_free(&resized);
    tiny_clean();
}

START_TEST(a_workload_with_prompts)
{
    check_workload((workload){ .method = "ept", .model = "classes=3", .options = "length=3",
                               .trainer = "batch=2,threads=2,loss=ce,class_weights=\"1,2,3\"" });
}
END_TEST

/* A limit below the plan, so that the recompute pass searches for a plan and the graph is compiled again; values are
 * kept in bf16. */
START_TEST(every_allocation_may_fail_under_a_memory_limit)
{
    char trainer[64];
    tiny t = tiny_make(&(tiny_spec){ .backbone = SMALL, .more = "image_size=16", .method = "lora",
                                    .model = "classes=3" });
    peft_trainer *r = tiny_trainer(t.model, "batch=2,threads=1,keep=bf16");
    const size_t limit = pf_exec_bytes(&r->net.exec) - 1;
    peft_trainer_free(r);
    snprintf(trainer, sizeof trainer, "batch=2,threads=1,keep=bf16,memory_limit=%zu", limit);
    r = tiny_trainer(t.model, "%s", trainer);
    ck_assert_uint_gt(r->net.exec.g.agains, 0);
    peft_trainer_free(r);
    tiny_free(&t);
    check_workload((workload){ .method = "lora", .model = "classes=3", .options = "", .trainer = trainer });
}
END_TEST

START_TEST(a_workload_with_batch_norm_and_cache)                /* the hidden layers of the head mlp have batch norm */
{
    check_workload((workload){ .method = "linear", .model = "classes=3,head=mlp,head_layers=1", .options = "",
                               .trainer = "batch=2,cache_features=100000,optimizer=sgd" });
}
END_TEST

/* --- one call with a failing allocation, among objects that stay usable ----------------------- */
typedef struct fixture {
    failing_alloc hooks;
    peft_context *ctx;
    peft_backbone *backbone;
    peft_adapter *adapter, *spare;       /* spare: not attached */
    peft_model *model, *idle;            /* idle: has no trainer and no session */
    peft_trainer *trainer;
    peft_session *session;
    tiny_batch batch, smaller[4];        /* of 6 samples, and of 2 to 5 */
    peft_tensor *logits;
    peft_options *batch_of_2, *small;    /* batch=2; SMALL */
} fixture;

/* Makes all objects with an adapter of `method`, trains one step and saves the files that the operations load. */
static fixture *fixture_make(const char *method)
{
    fixture *w = calloc(1, sizeof *w);
    w->hooks.fail_at = -1;
    OK(peft_context_create(failing_alloc_take, failing_alloc_give, &w->hooks, &w->ctx));
    tiny_register(w->ctx);
    OK(peft_context_set_threads(w->ctx, 2));
    w->backbone = tiny_backbone(w->ctx, SMALL, NULL);
    w->adapter = tiny_adapter(w->backbone, method, NULL);
    w->spare = tiny_adapter(w->backbone, method, NULL);
    w->model = tiny_model(w->backbone, "classes=3,head=bn_linear");
    w->idle = tiny_model(w->backbone, "classes=3");
    OK(peft_model_attach(w->model, w->adapter));
    tiny_perturb(w->model);
    w->trainer = tiny_trainer(w->model, "batch=6");
    w->session = tiny_session(w->model, "batch=6");
    w->batch = tiny_first_batch(w->model, 6);
    for (int i = 0; i < 4; i++) w->smaller[i] = tiny_first_batch(w->model, 2 + i);
    w->logits = tiny_tensor(w->ctx, PEFT_F32, 2, 6, 3);
    w->batch_of_2 = tiny_options(w->ctx, "batch=2");
    w->small = tiny_options(w->ctx, SMALL);
    OK(peft_trainer_step(w->trainer, w->batch.images, w->batch.labels, NULL));
    OK(peft_trainer_save(w->trainer, tiny_path("trainer")));
    OK(peft_model_save(w->model, tiny_path("model")));
    OK(peft_adapter_save(w->adapter, tiny_path("adapter")));
    return w;
}

static void fixture_free(fixture *w)
{
    peft_options_free(w->batch_of_2);
    peft_options_free(w->small);
    peft_tensor_free(w->logits);
    tiny_batch_free(&w->batch);
    for (int i = 0; i < 4; i++) tiny_batch_free(&w->smaller[i]);
    peft_session_free(w->session);
    peft_trainer_free(w->trainer);
    peft_model_free(w->model);
    peft_model_free(w->idle);
    peft_adapter_free(w->adapter);
    peft_adapter_free(w->spare);
    peft_backbone_free(w->backbone);
    peft_context_free(w->ctx);
    ck_assert_int_eq(w->hooks.blocks, 0);
    free(w);
    tiny_clean();
}

/* What a failed call must not change: predictions, the trainer's state, saved files, the number of files. */
static void record(fixture *w, tiny_bits *b)
{
    static const char *const names[] = { "trainer", "model", "adapter" };
    int entries = 0;
    OK(peft_session_predict(w->session, w->batch.images, w->logits));
    tiny_bits_tensor(b, "logits", w->logits);
    OK(peft_trainer_evaluate(w->trainer, w->batch.images, w->logits));
    tiny_bits_tensor(b, "evaluated", w->logits);
    tiny_bits_training(b, w->trainer);
    for (size_t i = 0; i < 3; i++) {
        static char bytes[1 << 20];
        FILE *f = fopen(tiny_path(names[i]), "rb");
        ck_assert_ptr_nonnull(f);
        tiny_bits_add_named(b, "file ", names[i], bytes, fread(bytes, 1, sizeof bytes, f));
        fclose(f);
    }
    DIR *d = opendir(tiny_folder);
    while (readdir(d)) entries++;
    closedir(d);
    tiny_bits_add(b, "number of files", &entries, sizeof entries);
}

/* The note "key" of the model w->idle; "": it has none. */
static const char *note_of(const fixture *w)
{
    const char *text = peft_model_note(w->idle, "key");
    return text ? text : "";
}

/* The operations: each makes one call, and frees or undoes what the call made. */
typedef peft_status (*operation)(fixture *w);
static peft_status make_backbone(fixture *w)
{
    peft_backbone *b;
    PF_TRY(peft_backbone_create(w->ctx, w->small, &b));
    peft_backbone_free(b);
    return PEFT_OK;
}
static peft_status make_adapter(fixture *w)
{
    peft_adapter *a;
    PF_TRY(peft_adapter_create(w->backbone, w->adapter->method->name, w->adapter->options, &a));
    peft_adapter_free(a);
    return PEFT_OK;
}
static peft_status make_model(fixture *w)
{
    peft_model *m;
    PF_TRY(peft_model_create(w->backbone, w->model->options, &m));
    peft_model_free(m);
    return PEFT_OK;
}
static peft_status attach(fixture *w)
{
    PF_TRY(peft_model_attach(w->idle, w->spare));
    return peft_model_detach(w->idle, w->spare);
}
static peft_status set_note(fixture *w)
{
    PF_TRY(peft_model_set_note(w->idle, "key", "value"));
    ck_assert_str_eq(note_of(w), "value");
    return PEFT_OK;
}
static peft_status replace_note(fixture *w)
{
    PF_TRY(peft_model_set_note(w->idle, "key", "another value"));
    ck_assert_str_eq(note_of(w), "another value");
    return PEFT_OK;
}
static peft_status make_trainer(fixture *w)
{
    peft_trainer *t;
    PF_TRY(peft_trainer_create(w->idle, w->batch_of_2, &t));
    peft_trainer_free(t);
    return PEFT_OK;
}
static peft_status make_session(fixture *w)
{
    peft_session *s;
    PF_TRY(peft_session_create(w->model, w->batch_of_2, &s));
    peft_session_free(s);
    return PEFT_OK;
}
static peft_status save_trainer(fixture *w) { return peft_trainer_save(w->trainer, tiny_path("trainer")); }
static peft_status save_model(fixture *w) { return peft_model_save(w->model, tiny_path("model")); }
static peft_status save_adapter(fixture *w) { return peft_adapter_save(w->adapter, tiny_path("adapter")); }
static peft_status restore(fixture *w) { return peft_trainer_restore(w->trainer, tiny_path("trainer")); }
static peft_status load_model(fixture *w)
{
    peft_model *m;
    PF_TRY(peft_model_load(w->backbone, tiny_path("model"), &m));
    peft_model_free(m);
    return PEFT_OK;
}
static peft_status load_adapter(fixture *w)
{
    peft_adapter *a;
    PF_TRY(peft_adapter_load(w->backbone, tiny_path("adapter"), &a));
    peft_adapter_free(a);
    return PEFT_OK;
}
/* Backward passes of batch sizes that were not used before. */
static peft_status smaller_steps(fixture *w)
{
    for (int i = 0; i < 4; i++)
        PF_TRY(peft_trainer_backward(w->trainer, w->smaller[i].images, w->smaller[i].labels, NULL));
    return PEFT_OK;
}

/* changes: the operation may change what `record` records, also when it fails. */
static const struct { const char *name; operation run; bool changes; } operations[] = {
    { "backbone", make_backbone, false }, { "adapter", make_adapter, false }, { "model", make_model, false },
    { "attach", attach, false }, { "note", set_note, false }, { "note again", replace_note, false },
    { "trainer", make_trainer, false }, { "session", make_session, false },
    { "save trainer", save_trainer, false }, { "save model", save_model, false }, { "save adapter", save_adapter,
        false },
    { "restore", restore, false }, { "load model", load_model, false }, { "load adapter", load_adapter, false },
    { "smaller steps", smaller_steps, true } };

/* Runs operation i with allocation 0, then 1, 2, ... failing (at odd numbers all later ones too), until it makes fewer
 * allocations. */
static void check_operation(fixture *w, size_t i)
{
    tiny_bits before = { 0 };
    char note_before[32];
    snprintf(note_before, sizeof note_before, "%s", note_of(w));
    record(w, &before);
    for (long n = 0; ; n++) {
        tiny_bits after = { 0 };
        size_t used_before = peft_context_memory_used(w->ctx);
        w->hooks.calls = 0, w->hooks.fail_at = n, w->hooks.and_after = n % 2;       /* odd n: later ones too */
        peft_status s = operations[i].run(w);
        bool refused = w->hooks.calls > n;
        w->hooks.fail_at = -1;
        ck_assert_msg(s == (refused ? PEFT_E_NOMEM : PEFT_OK), "%s, allocation %ld: %s: %s", operations[i].name, n,
                      peft_status_name(s), peft_last_error());
        if (refused) ck_assert_str_eq(note_of(w), note_before);
        if (refused && !operations[i].changes) ck_assert_uint_eq(peft_context_memory_used(w->ctx), used_before);
        if (!operations[i].changes) {
            record(w, &after);
            tiny_same(&before, &after, operations[i].name);
        }
        if (!refused) break;
    }
    tiny_bits_free(&before);
}

START_TEST(objects_stay_usable_after_a_failed_call)
{
    static const char *const methods[] = { "ept", "gated_prompt" };
    for (int m = 0; m < 2; m++) {
        fixture *w = fixture_make(methods[m]);
        for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) check_operation(w, i);
        fixture_free(w);
    }
}
END_TEST

SUITE_MAIN("nomem", a_workload_with_prompts, every_allocation_may_fail_under_a_memory_limit,
           a_workload_with_batch_norm_and_cache, objects_stay_usable_after_a_failed_call)
