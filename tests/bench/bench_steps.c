/* SPDX-License-Identifier: Apache-2.0
 * bench_steps.c -- speed of training steps by method, and of inference, of a random network. */
#include "bench.h"
#include <unistd.h>
#include "core/adapt/adapter.h"

static const double peak_seconds = 0.2;                       /* time of one measurement of the peak */

/* A backbone, and a batch for its models. */
typedef struct { const machine *m; peft_backbone *b; peft_tensor *images, *labels, *logits; } fixture;

/* A trainer for this method with these options, its model in *model. unfreeze: pattern of tensors of the backbone to
 * train as well, or NULL. With it a step without EPT computes the same gradients as one with EPT. */
static peft_trainer *trainer_of(const fixture *x, pk_compute compute, const char *method, const char *method_options,
                                const char *unfreeze, peft_model **model)
{
    const settings *s = x->m->s;
    char text[64];
    peft_adapter *a;
    peft_trainer *t;
    peft_options *o = options_of(x->m->ctx, "classes=2");
    must(peft_model_create(x->b, o, model));
    peft_options_free(o);
    o = options_of(x->m->ctx, method_options);
    must(peft_adapter_create(x->b, method, o, &a));
    peft_options_free(o);
    if (unfreeze) peft_sys_unfreeze(a, unfreeze);
    must(peft_model_attach(*model, a));
    peft_adapter_free(a);
    snprintf(text, sizeof text, "batch=%d,compute=%s", s->batch, pk_compute_name(compute));
    o = options_of(x->m->ctx, text);
    must(peft_trainer_create(*model, o, &t));
    peft_options_free(o);
    return t;
}

static double run_step(const fixture *x, peft_trainer *t)
{
    const double start = now(x->m->s);
    must(peft_trainer_step(t, x->images, x->labels, NULL));
    return now(x->m->s) - start;
}

/* A method with its options; name: of the row in JSON. A row with a `ratio` is measured alternately with the next one,
 * and the ratio of their times is printed with this text. */
typedef struct { const char *name, *label, *method, *method_options, *unfreeze, *ratio; } step_row;

static const step_row step_rows[] = {
    { "ept", "ept", "ept", "", NULL, "with ept / without" },
    { "ept_without", "same gradients without ept", "linear", "", "blocks.0.attn.proj.bias", NULL },
    { "vpt100", "vpt-deep, 100 prompts", "vpt", "tokens=100", NULL, "100 prompts / 1 prompt" },
    { "vpt1", "vpt-deep, 1 prompt", "vpt", "tokens=1", NULL, NULL },
    { "vpt", "vpt-deep, 10 prompts", "vpt", "tokens=10", NULL, NULL },
    { "lora", "lora (q, v)", "lora", "", NULL, NULL },
    { "bitfit", "bitfit", "bitfit", "", NULL, NULL },
    { "partial", "partial-1", "partial", "", NULL, NULL },
    { "linear", "linear", "linear", "", NULL, NULL },
    { "full", "full", "full", "", NULL, NULL } };

/* Whether the list between commas has this name; NULL has all names. */
static int is_listed(const char *list, const char *name)
{
    if (!list) return 1;
    for (const char *at = list; at; at = (at = strchr(at, ',')) ? at + 1 : NULL)
        if (strcspn(at, ",") == strlen(name) && !strncmp(at, name, strlen(name))) return 1;
    return 0;
}

/* Ends the program if --row has a name that no row has. */
static void check_names(const char *list)
{
    for (const char *at = list; at; at = (at = strchr(at, ',')) ? at + 1 : NULL) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        int found = !strcmp(name, "infer");
        for (size_t i = 0; i < sizeof step_rows / sizeof *step_rows; i++) found |= !strcmp(name, step_rows[i].name);
        if (found) continue;
        fprintf(stderr, "bench: --row: no step is named '%s'; expected infer, ept, linear, full, ..\n", name);
        exit(1);
    }
}

static double peak_of(const machine *m) { return pk_pool_peak(m->kernels, m->s->compute, m->pool, peak_seconds); }

/* Measures one row, or two alternately, unless --row leaves them out; returns the number of rows. With --row each is
 * measured alone. */
static int measure_rows(const fixture *x, const step_row *row)
{
    const machine *m = x->m;
    const int n = row->ratio && !m->s->row ? 2 : 1;
    if (!is_listed(m->s->row, row->name)) return n;
    peft_model *model[2];
    peft_trainer *trainer[2];
    samples peaks = { .n = 0 }, times[2] = { { .n = 0 }, { .n = 0 } };
    for (int k = 0; k < n; k++) {
        trainer[k] = trainer_of(x, m->s->compute, row[k].method, row[k].method_options, row[k].unfreeze, &model[k]);
        run_step(x, trainer[k]);                              /* warm-up */
    }
    for (int r = 0; r < m->s->rounds; r++) {
        add_sample(&peaks, peak_of(m));
        for (int k = 0; k < n; k++) add_sample(&times[k], run_step(x, trainer[k]));
    }
    for (int k = 0; k < n; k++) {
        const double flops = peft_trainer_get(trainer[k], "flops"), seconds = median(&times[k]);
        const double bytes = peft_trainer_get(trainer[k], "planned_bytes");
        printf("%-28s %9.1f %9.1f %9.3f %10.1f\n", row[k].label, 1e3 * seconds, 1e-9 * flops,
               flops / seconds / median(&peaks), bytes / 1e6);
        write_row(m, row[k].name, m->s->weights, seconds, flops, median(&peaks), bytes);
        peft_trainer_free(trainer[k]);
        peft_model_free(model[k]);
    }
    if (n > 1) printf("%-28s %9.4f\n", row->ratio, median(&times[0]) / median(&times[1]));
    return n;
}

static void measure_inference(const fixture *x)
{
    const machine *m = x->m;
    const settings *s = m->s;
    char text[64];
    peft_model *model;
    peft_session *session;
    samples peaks = { .n = 0 }, times = { .n = 0 };
    snprintf(text, sizeof text, "batch=%d,compute=%s", s->batch, s->arithmetic);
    peft_options *o = options_of(m->ctx, text);
    /* FLOPs of inference: those of a linear probe's step, which are 3 kFLOP an image more (the head's gradient). */
    peft_trainer *probe = trainer_of(x, PK_COMPUTE_F32, "linear", "", NULL, &model);
    const double flops = peft_trainer_get(probe, "flops");
    peft_trainer_free(probe);
    must(peft_session_create(model, o, &session));
    must(peft_session_predict(session, x->images, x->logits));            /* warm-up */
    for (int r = 0; r < s->rounds; r++) {
        const double start = now(s);
        must(peft_session_predict(session, x->images, x->logits));
        add_sample(&times, now(s) - start);
        add_sample(&peaks, peak_of(m));
    }
    const double seconds = median(&times), bytes = (double)peft_session_memory(session);
    printf("\ninference, batch %d: %.1f ms, %.1f images/s, %.3f of peak, planned %.1f MB\n", s->batch, 1e3 * seconds,
           s->batch / seconds, flops / seconds / median(&peaks), bytes / 1e6);
    write_row(m, "infer", s->weights, seconds, flops, median(&peaks), bytes);
    peft_session_free(session);
    peft_model_free(model);
    peft_options_free(o);
}

/* Replaces b by a backbone of the file that b is saved to with this dtype. The file is removed when it is mapped. */
static void store_as(peft_context *ctx, const char *dtype, peft_backbone **b)
{
    char text[32];
    char path[] = "/tmp/peft-bench-XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0) must(peft_set_error(PEFT_E_IO, "a temporary file in /tmp could not be made"));
    close(fd);
    snprintf(text, sizeof text, "dtype=%s", dtype);
    peft_options *o = options_of(ctx, text);
    peft_status s = peft_backbone_save_as(*b, path, o);
    peft_options_free(o);
    peft_backbone_free(*b);
    if (!s) s = peft_backbone_load(ctx, path, NULL, b);
    remove(path);
    must(s);
}

static fixture make_fixture(const machine *m)
{
    const settings *s = m->s;
    fixture x = { .m = m };
    char text[256];
    snprintf(text, sizeof text, "image_size=%d,%s", s->image, s->network->options);
    peft_options *o = options_of(m->ctx, text);
    must(peft_backbone_create(m->ctx, o, &x.b));
    peft_options_free(o);
    if (strcmp(s->weights, "file")) store_as(m->ctx, s->weights, &x.b);
    must(peft_tensor_create(m->ctx, PEFT_F32, 4, (int64_t[]){ s->batch, 3, s->image, s->image }, &x.images));
    must(peft_tensor_create(m->ctx, PEFT_I64, 1, (int64_t[]){ s->batch }, &x.labels));
    must(peft_tensor_create(m->ctx, PEFT_F32, 2, (int64_t[]){ s->batch, 2 }, &x.logits));
    float *p = peft_tensor_data(x.images);
    for (int64_t i = 0; i < peft_tensor_count(x.images); i++) p[i] = (float)((i * 2654435761u >> 8) & 1023) / 512 - 1;
    for (int i = 0; i < s->batch; i++) ((int64_t *)peft_tensor_data(x.labels))[i] = i % 2;
    return x;
}

void bench_steps(const machine *m)
{
    const int threads = pk_pool_threads(m->pool);
    const settings *s = m->s;
    check_names(s->row);
    fixture x = make_fixture(m);
    printf("\ntrain step in %s, weights=%s, %s at %d pixels, batch %d, %d thread%s\n%-28s %9s %9s %9s %10s\n",
           s->arithmetic, s->weights, s->network->name, s->image, s->batch, threads,
           threads > 1 ? "s" : "", "method", "ms", "GFLOP", "of peak", "planned MB");
    for (size_t i = 0; s->compute != PK_COMPUTE_INT8 && i < sizeof step_rows / sizeof *step_rows;)
        i += (size_t)measure_rows(&x, &step_rows[i]);                     /* int8 is for inference */
    if (is_listed(s->row, "infer")) measure_inference(&x);
    peft_tensor_free(x.images);
    peft_tensor_free(x.labels);
    peft_tensor_free(x.logits);
    peft_backbone_free(x.b);
}
