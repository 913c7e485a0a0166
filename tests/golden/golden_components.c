/* SPDX-License-Identifier: Apache-2.0
 * golden_components.c -- the table of checks by method, and the checks of losses, learning rate schedules and position
 * embeddings. */
#include "golden.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "loss/loss_rows.h"
#include "core/vit/pos_embed.h"
#include "core/train/update/schedule.h"

double golden_option(const golden *g, const char *name, double otherwise)
{
    const char *text = pf_st_meta(g->file, "options");
    json_t *root = text ? json_loads(text, 0, NULL) : NULL, *v = json_object_get(root, name);
    const double value = json_is_number(v) ? json_number_value(v) : otherwise;
    json_decref(root);
    return value;
}

/* The options of the loss follow from words in the case's name: "smooth", "weight", "batch". */
static void softmax_ce_case(golden *g, const char *name)
{
    const pf_st_tensor *t = golden_find(g, "input.labels"), *x = golden_find(g, "input.logits");
    const pk_real *logits = golden_real(g, "input.logits"), *weight = golden_real(g, "input.class_weight");
    if (!t || !logits || !weight) return;
    const int64_t rows = x->dim[0], classes = x->dim[1], *labels = golden_raw(g, t);
    pk_real *grad = golden_memory(g, (size_t)(rows * classes) * sizeof *grad);
    const pf_loss o = { .label_smoothing = strstr(name, "smooth") ? golden_option(g, "smoothing", 0.1) : 0,
                        .class_weights = strstr(name, "weight") ? weight : NULL,
                        .by_batch = strstr(name, "batch") != NULL };
    const pf_loss_rows r = { .logits = logits, .ld = classes, .rows = rows, .classes = classes, .labels = labels };
    golden_loss(g, loss_of(&pf_loss_ce, &o, r, grad), "expect.%s.loss", name);
    golden_l2(g, grad, rows * classes, GOLDEN_GRADIENT, "expect.%s.grad_logits", name);
}

static void softmax_ce(golden *g) { golden_cases(g, ".loss", softmax_ce_case); }

/* The metadata name the options of each case: {"default": {"alpha": .., "gamma": .., "eps": ..}, ..}. */
static void focal_case(golden *g, const char *name)
{
    const pf_st_tensor *t = golden_find(g, "input.labels"), *x = golden_find(g, "input.logits");
    const pk_real *logits = golden_real(g, "input.logits");
    if (!t || !logits) return;
    const int64_t rows = x->dim[0], classes = x->dim[1], *labels = golden_raw(g, t);
    pk_real *grad = golden_memory(g, (size_t)(rows * classes) * sizeof *grad);
    json_t *all = json_loads(pf_st_meta(g->file, "options"), 0, NULL), *o = json_object_get(all, name);
    const pf_loss loss = { .focal_alpha = json_number_value(json_object_get(o, "alpha")),
                           .focal_gamma = json_number_value(json_object_get(o, "gamma")),
                           .focal_eps = json_number_value(json_object_get(o, "eps")) };
    json_decref(all);
    const pf_loss_rows r = { logits, classes, rows, classes, .labels = labels };
    golden_loss(g, loss_of(&pf_loss_focal, &loss, r, grad), "expect.%s.loss", name);
    golden_l2(g, grad, rows * classes, GOLDEN_GRADIENT, "expect.%s.grad_logits", name);
}

static void focal(golden *g) { golden_cases(g, ".loss", focal_case); }

/* The kind of the targets and the options of the loss follow from words in the case's name: "soft", "sum", "weight",
 * "pos_weight". */
static void bce_case(golden *g, const char *name)
{
    const pf_st_tensor *x = golden_find(g, "input.logits");
    const pk_real *logits = golden_real(g, "input.logits");
    const pk_real *targets = golden_real(g, strncmp(name, "soft", 4) ? "input.targets" : "input.soft_targets");
    const pk_real *weight = golden_real(g, "input.weight"), *pos_weight = golden_real(g, "input.pos_weight");
    if (!logits || !targets || !weight || !pos_weight) return;
    const int64_t rows = x->dim[0], classes = x->dim[1];
    pk_real *grad = golden_memory(g, (size_t)(rows * classes) * sizeof *grad);
    const pf_loss o = { .kind = strstr(name, "sum") ? &pf_loss_bce_sum : &pf_loss_bce,
                        .pos_weight = strstr(name, "pos_weight") ? pos_weight : NULL,
                        .class_weights = strncmp(name, "weight", 6) ? NULL : weight };
    const pf_loss_rows r = { .logits = logits, .ld = classes, .rows = rows, .classes = classes, .targets = targets };
    golden_loss(g, loss_of(o.kind, &o, r, grad), "expect.%s.loss", name);
    golden_l2(g, grad, rows * classes, GOLDEN_GRADIENT, "expect.%s.grad_logits", name);
}

static void bce(golden *g) { golden_cases(g, ".loss", bce_case); }

/* The reference rates are rounded to float: a relative error of up to 6e-8. */
static void schedule_case(golden *g, const char *name, json_t *o)
{
    const char *kind = json_string_value(json_object_get(o, "kind"));
    pf_schedule s = { .lr = json_number_value(json_object_get(o, "lr")),
                      .min_lr = json_number_value(json_object_get(o, "min_lr")),
                      .start_lr = json_number_value(json_object_get(o, "start_lr")),
                      .steps = json_integer_value(json_object_get(o, "steps")),
                      .warmup = json_integer_value(json_object_get(o, "warmup")) };
    if (!golden_ok(g, pf_schedule_parse(kind, &s.kind), name) || !golden_ok(g, pf_schedule_check(&s), name)) return;
    double *rate = golden_memory(g, (size_t)s.steps * sizeof *rate);
    for (int64_t t = 0; t < s.steps; t++) rate[t] = pf_schedule_lr(&s, t);
    golden_each(g, rate, s.steps, GOLDEN_RELATIVE, 7e-8, "expect.%s", name);
}

static void schedules(golden *g)
{
    json_t *options = json_loads(pf_st_meta(g->file, "options"), 0, NULL), *o;
    const char *name;
    json_object_foreach(options, name, o) schedule_case(g, name, o);
    json_decref(options);
}

/* Tensors expect.<rows>x<columns>_to_<new rows>x<new columns>.<rule>: position embeddings resampled from one grid to
 * another (r0 x c0 to r1 x c1), behind prefix_rows rows that are copied. */
static void pos_embed(golden *g)
{
    const int prefix = (int)golden_option(g, "prefix_rows", 1);
    for (size_t i = 0; i < pf_st_count(g->file); i++) {
        const pf_st_tensor *t = pf_st_at(g->file, i);
        int r0, c0, r1, c1;
        char rule[32];
        if (sscanf(t->name, "expect.%dx%d_to_%dx%d.%31s", &r0, &c0, &r1, &c1, rule) != 5) continue;
        const int64_t width = t->dim[2], n = (prefix + (int64_t)r1 * c1) * width;
        const pk_real *from = golden_real(g, "input.%dx%d_to_%dx%d", r0, c0, r1, c1);
        pk_real *to = golden_memory(g, (size_t)n * sizeof *to);
        if (from && golden_ok(g, pf_pos_embed_resample(g->ctx, rule, from, prefix, r0, c0, to, r1, c1, width), t->name))
            golden_l2(g, to, n, GOLDEN_FORWARD, "%s", t->name);
    }
}

static const struct method { const char *name; void (*run)(golden *g); } methods[] = {
    { "attention", golden_attention }, { "bce", bce }, { "dft", golden_dft }, { "focal", focal },
    { "foa", golden_foa }, { "gelu", golden_gelu }, { "layernorm", golden_layernorm },
    { "metrics", golden_metrics }, { "optimizers", golden_optimizers }, { "pos_embed", pos_embed },
    { "preprocess", golden_preprocess }, { "resize", golden_resize }, { "schedules", schedules },
    { "softmax_ce", softmax_ce },
};

int golden_component(peft_context *ctx, const char *path, const pf_st *file, golden_report *r)
{
    golden g = { .ctx = ctx, .path = path, .file = file, .report = r };
    const char *name = pf_st_meta(file, "method");
    const struct method *m = NULL;
    for (size_t i = 0; name && i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(name, methods[i].name)) m = &methods[i];
    *r = (golden_report){ .skipped = !m };
    if (!m) return 0;
    m->run(&g);
    if (!r->checks) golden_fail(&g, "%s: the file has nothing to compare", name);
    while (g.blocks) {
        void *next = *(void **)g.blocks;                      /* a block begins with the pointer to the next */
        free(g.blocks);
        g.blocks = next;
    }
    return r->failures ? -1 : 0;
}
