/* SPDX-License-Identifier: Apache-2.0
 * golden_foa.c -- kind foa of test-time adaptation against reference values: statistics of training images; features,
 * their statistics, entropies and fitness of a batch with given prompts; logits of the shifted feature. */
#include <stdio.h>
#include <string.h>
#include "core/graph/loss/loss_math.h"
#include "core/tta/kinds/foa.h"
#include "golden.h"

typedef struct { golden *g; peft_backbone *backbone; peft_model *model; peft_adaptor *adaptor; } foa_case;

/* Loads the backbone, which lies in the folder of the case. Its file's metadata tell its heads, eps and activation. */
static peft_status open_backbone(foa_case *c)
{
    static const char *const keys[] = { "heads", "eps", "act" };
    golden *g = c->g;
    const char *slash = strrchr(g->path, '/');
    char path[1024];
    pf_st *file;
    peft_options *o;
    snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - g->path + 1) : 0, g->path,
             pf_st_meta(g->file, "backbone"));
    PF_TRY(peft_options_create(g->ctx, &o));
    peft_status s = pf_st_open(g->ctx, path, &file);
    if (!s) {
        for (int i = 0; i < 3 && !s; i++) s = peft_options_set_string(o, keys[i], pf_st_meta(file, keys[i]));
        pf_st_close(file);
    }
    if (!s) s = peft_backbone_load(g->ctx, path, o, &c->backbone);
    peft_options_free(o);
    return s;
}

/* Creates an adaptor for batches of n images on a model with the head of the backbone file. */
static peft_status create(foa_case *c, int64_t n)
{
    char text[100];
    peft_options *o;
    PF_TRY(open_backbone(c));
    PF_TRY(peft_model_create(c->backbone, NULL, &c->model));
    PF_TRY(peft_options_create(c->g->ctx, &o));
    snprintf(text, sizeof text, "kind=foa,batch=%d,tokens=%d,lambda=%g", (int)n, (int)golden_option(c->g, "tokens", 0),
             golden_option(c->g, "lambda", 0));
    peft_status s = peft_options_parse(o, text);
    if (!s) s = peft_adaptor_create(c->model, o, &c->adaptor);
    peft_options_free(o);
    return s;
}

/* Makes *view a tensor over the images of this name; returns their number. */
static int64_t images_of(golden *g, const char *name, peft_tensor *view)
{
    const pf_st_tensor *t = golden_find(g, "%s", name);
    *view = (peft_tensor){ .ctx = g->ctx, .type = PF_REAL, .ndim = t->ndim, .data = golden_real(g, "%s", name) };
    memcpy(view->dim, t->dim, sizeof view->dim);
    return t->dim[0];
}

/* Compares n numbers of type double. */
static void compare(golden *g, const double *got, int64_t n, const char *name)
{
    pk_real *x = golden_memory(g, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (pk_real)got[i];
    golden_l2(g, x, n, GOLDEN_FORWARD, "%s", name);
}

/* Compares the features of the n images of the last run, and their statistics. */
static void compare_features(golden *g, const peft_adaptor *a, int64_t n)
{
    const int64_t width = a->model->backbone->shape.width, depth = a->model->backbone->shape.depth;
    const int64_t features = width * depth;
    pk_real *x = golden_memory(g, (size_t)(n * features) * sizeof *x);
    double *mean = golden_memory(g, (size_t)features * sizeof *mean);
    double *deviation = golden_memory(g, (size_t)features * sizeof *deviation);
    for (int64_t l = 0; l < depth; l++) {
        const pf_mat tap = pf_matrix(&a->net.exec.run, a->tap[l]);
        pf_column_statistics(tap, mean + l * width, deviation + l * width);
        for (int64_t i = 0; i < n; i++)
            memcpy(x + i * features + l * width, tap.p + i * tap.ld, (size_t)width * sizeof *x);
    }
    golden_l2(g, x, n * features, GOLDEN_FORWARD, "expect.features");
    compare(g, mean, features, "expect.batch_mean");
    compare(g, deviation, features, "expect.batch_std");
}

/* Runs the batch with the prompts and the history of the file. */
static void compare_run(foa_case *c, const peft_tensor *images, int64_t n)
{
    golden *g = c->g;
    peft_adaptor *a = c->adaptor;
    pf_foa *f = a->state;
    const int64_t width = a->model->backbone->shape.width, classes = a->model->classes;
    const pk_real *prompts = golden_real(g, "input.prompts"), *history = golden_real(g, "input.hist_mean");
    const pk_real *logits = pf_exec_data(&a->net.exec, a->net.logits);
    memcpy(f->prompts->value.data, prompts, pf_tensor_bytes(&f->prompts->value));
    for (int64_t i = 0; i < width; i++) f->history[i] = (double)history[i];
    a->batches = 1;                                           /* so that the history counts */
    pf_foa_set_shift(a);
    if (!golden_ok(g, pf_tta_bind(a, &a->net, &a->extents, images, n), "images")) return;
    golden_loss(g, (double)n * pf_foa_evaluate(a), "expect.fitness");
    golden_l2(g, logits, n * classes, GOLDEN_FORWARD, "expect.logits");
    golden_l2(g, pf_exec_data(&a->net.exec, f->shifted), n * classes, GOLDEN_FORWARD, "expect.shifted_logits");
    double *entropy = golden_memory(g, (size_t)n * sizeof *entropy);
    for (int64_t i = 0; i < n; i++)
        entropy[i] = pf_row_entropy(logits + i * classes, classes, pf_log_sum_exp(logits + i * classes, classes));
    compare(g, entropy, n, "expect.entropy");
    compare_features(g, a, n);
}

void golden_foa(golden *g)
{
    foa_case c = { .g = g };
    peft_tensor images, source;
    const int64_t n = images_of(g, "input.images", &images), sources = images_of(g, "input.source_images", &source);
    if (golden_ok(g, create(&c, sources > n ? sources : n), "adaptor") &&
        golden_ok(g, peft_adaptor_source(c.adaptor, &source), "source images")) {
        compare(g, c.adaptor->statistics.mean, pf_tta_features(c.adaptor), "expect.source_mean");
        compare(g, c.adaptor->statistics.deviation, pf_tta_features(c.adaptor), "expect.source_std");
        compare_run(&c, &images, n);
    }
    peft_adaptor_free(c.adaptor);
    peft_model_free(c.model);
    peft_backbone_free(c.backbone);
}
