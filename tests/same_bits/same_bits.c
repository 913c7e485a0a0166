/* SPDX-License-Identifier: Apache-2.0
 * same_bits.c -- trains the models of cases.h for three steps on pseudo-random data and writes all results to files:
 * steps, gradients, adapters, models, states, merged backbones, predictions. tests/scripts/same_bits.sh compiles it
 * with the public headers only, runs it with several builds of the library, and compares the files.
 *   same_bits isas                   prints the instruction sets that this CPU and build have
 *   same_bits FOLDER ISA THREADS     writes the files into FOLDER, which exists */
#include <unistd.h>
#include "models.h"
#if __has_include("gated_prompt.h")
#include "gated_prompt.h"
#define OWN_METHODS 1
#else
#define OWN_METHODS 0
#endif

/* This file is compiled with the headers of versions before 1.0 too, in which three calls differ. */
#ifdef PEFT_VERSION_NUMBER
static const peft_tensor *tap_of(peft_session *s, const char *name) { return peft_session_tap(s, name); }
static const char *option_name(const char *method, size_t i)
{
    return peft_option_name(peft_method_option(method, i));
}
#else
#define peft_sys_register_method peft_context_register_method
static const peft_tensor *tap_of(peft_session *s, const char *name)
{
    const peft_tensor *v;
    return peft_session_tap(s, name, &v) ? NULL : v;
}
static const char *option_name(const char *method, size_t i)
{
    const char *name;
    return peft_method_option(method, i, &name, NULL, NULL, NULL) ? NULL : name;
}
#endif

/* --- training ----------------------------------------------------------------------------------------------------- */
static const char *trainer_text(const bits_case *c) { return c->trainer ? c->trainer : TRAINER; }

static peft_trainer *new_trainer(const case_objects *t)
{
    peft_trainer *trainer;
    peft_options *o = options(t->ctx, trainer_text(t->c));
    OK(peft_trainer_create(t->m, o, &trainer));
    peft_options_free(o);
    return trainer;
}

/* Writes the figures and logits of the last step. */
static void write_step(const peft_trainer *trainer)
{
    const double figure[] = { peft_trainer_get(trainer, "loss"), peft_trainer_get(trainer, "lr"),
                              peft_trainer_get(trainer, "grad_norm") };
    write_bytes("steps", figure, sizeof figure);
    write_tensor("logits", peft_trainer_logits(trainer));
}

/* A step on samples first .. first + n - 1. With accumulate=2 it has a pass of BATCH further samples before that. */
static void step(const case_objects *t, peft_trainer *trainer, data *d, int64_t n, int64_t first)
{
    const int64_t *ids = t->c->how & IDS ? d->ids : NULL;
    if (strstr(trainer_text(t->c), "accumulate=2")) {
        data_make(d, t->ctx, BATCH);
        fill(d, BATCH, first + n);
        OK(peft_trainer_backward(trainer, d->images, d->labels, ids));
        data_free(d);
        data_make(d, t->ctx, n);
        fill(d, n, first);
        OK(peft_trainer_backward(trainer, d->images, d->labels, ids));
        OK(peft_trainer_update(trainer));
    } else {
        data_make(d, t->ctx, n);
        fill(d, n, first);
        OK(peft_trainer_step(trainer, d->images, d->labels, ids));
    }
    data_free(d);
    write_step(trainer);
}

/* For peft_trainer_fit: epochs of two full batches and one of two samples. */
static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    data d = *(const data *)user;
    const int64_t n = batch == 2 ? 2 : BATCH;
    if (batch > 2) return 0;
    d.images = images;
    d.labels = labels;
    fill(&d, n, 3 * batch + epoch);
    memcpy(ids, d.ids, sizeof *ids * (size_t)n);
    return n;
}
static int write_progress(peft_trainer *trainer, void *user)
{
    (void)user;
    write_step(trainer);
    return 0;
}

/* The extents and kind of labels of a case's batches. */
static data data_of(const case_objects *t)
{
    return (data){ .side = peft_backbone_get(t->b, "image_size"), .map = t->c->map, .classes = peft_model_classes(t->m),
                   .soft = strstr(trainer_text(t->c), "loss=soft_ce") || strstr(trainer_text(t->c), "loss=bce") };
}

/* Writes the gradients of all parameters; at least one must not be 0. */
static void write_gradients(const case_objects *t)
{
    int64_t nonzero = 0;
    for (size_t i = 0; i < peft_model_param_count(t->m); i++) {
        const peft_tensor *g = peft_param_grad(peft_model_param(t->m, i));
        const float *x = peft_tensor_cdata(g);
        write_tensor("gradients", g);
        for (int64_t k = 0; k < peft_tensor_count(g); k++) nonzero += x[k] != 0;
    }
    if (!nonzero) stop("training", "every gradient is zero");
}

/* Trains the model and writes the figures of each step, the last gradients, an evaluation and the trainer's state. */
static void train(const case_objects *t)
{
    peft_trainer *trainer = new_trainer(t);
    data d = data_of(t);
    if (t->c->how & FIT) OK(peft_trainer_fit(trainer, 2, next_batch, write_progress, &d));
    else for (int i = 0; i < STEPS; i++) step(t, trainer, &d, i == STEPS - 1 ? 2 : BATCH, 3 * i);
    write_gradients(t);
    peft_tensor *logits = rows_tensor(&d, t->ctx, PEFT_F32, 2, 1);
    data_make(&d, t->ctx, 2);
    fill(&d, 2, 5);
    OK(peft_trainer_evaluate(trainer, d.images, logits));
    write_tensor("evaluated", logits);
    data_free(&d);
    peft_tensor_free(logits);
    OK(peft_trainer_save(trainer, path("state.safetensors")));
    peft_trainer_free(trainer);
}

/* A new model and trainer restore the saved state and train one more step. */
static void resume(const case_objects *old)
{
    case_objects t = *old;
    make_model(&t);
    peft_trainer *trainer = new_trainer(&t);
    data d = data_of(&t);
    OK(peft_trainer_restore(trainer, path("state.safetensors")));
    step(&t, trainer, &d, 2, 1);
    OK(peft_trainer_save(trainer, path("resumed.safetensors")));
    peft_trainer_free(trainer);
    free_model(&t);
}

/* --- results ------------------------------------------------------------------------------------------------------ */
/* WITH_TAPS: also values inside the network (taps), which models of some methods do not have. */
typedef enum { OUTPUTS_ALONE, WITH_TAPS } prediction;

/* Writes the logits and probabilities of two images to the file "CASE.what". */
static void predict(const case_objects *t, peft_model *m, const char *what, prediction how)
{
    peft_session *s;
    data d = data_of(t);
    peft_options *o = options(t->ctx, how == WITH_TAPS ? "batch=3,taps=\"embed,block.1,feature\"" : "batch=3");
    peft_tensor *logits = rows_tensor(&d, t->ctx, PEFT_F32, 2, 1);
    OK(peft_session_create(m, o, &s));
    data_make(&d, t->ctx, 2);
    fill(&d, 2, 4);
    OK(peft_session_predict(s, d.images, logits));
    write_tensor(what, logits);
    const int multi_label = 0;
    OK(peft_session_probabilities(s, d.images, multi_label, logits));
    write_tensor(what, logits);
    static const char *const tap[] = { "embed", "block.1", "feature" };
    for (size_t i = 0; how == WITH_TAPS && i < COUNT(tap); i++) {
        const peft_tensor *v = tap_of(s, tap[i]);
        if (!v) stop(tap[i], peft_last_error());
        write_tensor(what, v);
    }
    peft_session_free(s);
    peft_options_free(o);
    peft_tensor_free(logits);
    data_free(&d);
}

/* Writes the status of a call that some models refuse; returns whether it succeeded. */
static int succeeded(const char *what, peft_status s)
{
    if (s != PEFT_OK && s != PEFT_E_UNSUPPORTED && s != PEFT_E_STATE) stop(what, peft_last_error());
    write_bytes(what, peft_status_name(s), strlen(peft_status_name(s)));
    return s == PEFT_OK;
}

/* Saves adapters, model and merged backbone, and predicts with the models that are loaded from the files. A method
 * whose network needs its own head, and a head of maps, have no taps. */
static void save(const case_objects *t)
{
    static const char *const file[] = { "adapter.safetensors", "adapter-2.safetensors" };
    const char *head = t->c->method[0] ? peft_method_head(t->c->method[0]) : "";
    peft_model *loaded;
    peft_backbone *merged;
    for (size_t i = 0; i < COUNT(t->a); i++) if (t->a[i]) OK(peft_adapter_save(t->a[i], path(file[i])));
    OK(peft_model_save(t->m, path("model.safetensors")));
    OK(peft_model_load(t->b, path("model.safetensors"), &loaded));
    const int has_taps = (!head || !*head) && !t->c->map;
    predict(t, loaded, "predicted", has_taps ? WITH_TAPS : OUTPUTS_ALONE);
    peft_model_free(loaded);
    if (succeeded("merge", peft_model_merge(t->m, &merged))) {
        OK(peft_backbone_save(merged, path("merged.safetensors")));
        peft_backbone_free(merged);
    }
    if (succeeded("hf", peft_model_save_hf(t->m, path("hf-adapter"), NULL))) {
        OK(peft_model_load_hf(t->b, path("hf-adapter"), &loaded));
        predict(t, loaded, "predicted-hf", has_taps ? WITH_TAPS : OUTPUTS_ALONE);
        peft_model_free(loaded);
    }
}

/* Trains a case and writes all its results. */
static void run_case(peft_context *ctx, const bits_case *c)
{
    case_name = c->name;
    case_objects t = { .c = c, .ctx = ctx };
    t.b = backbone(ctx, c);
    make_model(&t);
    train(&t);
    save(&t);
    resume(&t);
    free_model(&t);
    peft_backbone_free(t.b);
}

/* Runs a method with options that make its tensors small. */
static void run_method(peft_context *ctx, const char *method)
{
    static const char *const small[][2] = {
        { "length", "3" }, { "tokens", "3" }, { "r", "2" }, { "bottleneck", "6" }, { "width", "3" },
        { "reduction", "4" }, { "side_image", "16" }, { "classes", "3" } };
    const char *name;
    char text[256] = "";
    for (size_t i = 0; (name = option_name(method, i)); i++)
        for (size_t k = 0; k < COUNT(small); k++)
            if (!strcmp(name, small[k][0]))
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%s", *text ? "," : "", name,
                         small[k][1]);
    char title[64];
    snprintf(title, sizeof title, "method-%s", method);
    run_case(ctx, &(bits_case){ .name = title, .method = { method }, .adapter = { text } });
}

static peft_context *context(const char *isa, int threads)
{
    peft_context *ctx;
    OK(peft_context_create(NULL, NULL, NULL, &ctx));
    OK(peft_context_set_log(ctx, NULL, NULL, 0));
    OK(peft_context_set_isa(ctx, isa));
    OK(peft_context_set_gemm(ctx, "own"));      /* results of a BLAS may differ in bits */
    OK(peft_context_set_threads(ctx, threads));
    OK(peft_context_set_seed(ctx, 7));
    return ctx;
}

static int print_isas(void)
{
    static const char *const isa[] = { "ref", "avx2", "avx512" };
    peft_context *ctx = context("auto", 1);
    for (size_t i = 0; i < COUNT(isa); i++) if (peft_context_set_isa(ctx, isa[i]) == PEFT_OK) puts(isa[i]);
    peft_context_free(ctx);
    return 0;
}

int main(int argc, char **argv)
{
    case_name = "start";
    if (argc == 2 && !strcmp(argv[1], "isas")) return print_isas();
    if (argc != 4 || chdir(argv[1])) return fprintf(stderr, "usage: same_bits FOLDER ISA THREADS, or isas\n"), 2;
    peft_context *ctx = context(argv[2], atoi(argv[3]));
    for (size_t i = 0; i < peft_method_count(); i++) run_method(ctx, peft_method_name(i));
#if OWN_METHODS
    OK(peft_sys_register_method(ctx, &gated_prompt, PEFT_METHOD_ABI));
    run_case(ctx, &(bits_case){ .name = "method-own", .method = { gated_prompt.name }, .adapter = { "tokens=3" } });
#endif
    for (size_t i = 0; i < COUNT(bits_cases); i++) run_case(ctx, &bits_cases[i]);
    peft_context_free(ctx);
    return 0;
}
