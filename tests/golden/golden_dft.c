/* SPDX-License-Identifier: Apache-2.0
 * golden_dft.c -- the check of the Fourier transform of vfpt: its output and its gradient. The method's emit adds the
 * transform to a graph of one token and the prompts. */
#include "golden.h"
#include <peft/options.h>
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"
#include "core/graph/exec.h"
#include "core/graph/loss/loss.h"

/* The loss sum(logits * targets), whose gradient is the targets. */
static double weighted_sum(const pf_loss *loss, const pf_loss_rows *r, pk_real *grad)
{
    double sum = 0;
    (void)loss;
    for (int64_t i = 0; i < r->rows; i++)
        for (int64_t c = 0; c < r->classes; c++) {
            const pk_real weight = r->targets[i * r->classes + c];
            sum += (double)r->logits[i * r->ld + c] * (double)weight;
            grad[i * r->classes + c] = weight;
        }
    return sum;
}
static const pf_loss_kind weighted = { .name = "weighted_sum", .labels = PF_LABEL_TARGETS, .evaluate = weighted_sum };

/* An adapter vfpt with `tokens` prompts of this width before block 0, all of them transformed. */
static peft_status make_adapter(peft_context *ctx, int64_t tokens, int64_t width, peft_backbone **b, peft_adapter **a)
{
    char network[100], method[100];
    peft_options *o = NULL;
    snprintf(network, sizeof network, "image_size=4,patch=4,depth=1,heads=1,mlp=8,width=%lld", (long long)width);
    snprintf(method, sizeof method, "deep=false,fraction=1,tokens=%lld", (long long)tokens);
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, network);
    if (!s) s = peft_backbone_create(ctx, o, b);
    peft_options_free(o);
    o = NULL;
    if (!s) s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, method);
    if (!s) s = peft_adapter_create(*b, "vfpt", o, a);
    peft_options_free(o);
    return s;
}

/* Transforms the prompts of a, and computes their gradient for the gradient `dy` of the result. */
static peft_status transform(golden *g, peft_adapter *a, const pk_real *dy, pk_real *y, pk_real *dx)
{
    pf_param *p = a->params.item[0];
    const int64_t tokens = p->value.dim[1], width = p->value.dim[2], class_row = 0;
    const pf_loss loss = { .kind = &weighted };
    pf_graph graph;
    pf_exec e = { 0 };
    pf_graph_init(&graph, g->ctx, &(pf_compile_spec){ .batch = 1, .training = true, .threads = 1 });
    graph.constants = &a->constants;
    p->grad.data = dx;
    peft_site s = { .where = PEFT_BLOCK_IN, .out = pf_value_new(&graph, PF_CONST, pf_shape_of(3, (int64_t)1, (int64_t)1,
                                                                                              width)) };
    pf_v(&graph, s.out)->data = golden_memory(g, (size_t)width * sizeof *y);
    a->method->emit(a->state, &graph, &s);
    const pf_val rows = peft_sys_take_rows(&graph, s.out, class_row + 1, tokens);
    const pf_val value = pf_loss_build(&graph, &loss, rows);
    peft_status status = graph.status;
    if (!status) {
        pf_v(&graph, rows)->keep = pf_v(&graph, value)->keep = true;
        status = pf_compile(&graph, value);
    }
    if (!status) status = pf_exec_create(&e, &graph);                 /* the graph is e's from here on */
    else pf_graph_free(&graph);
    if (!status) status = pf_exec_bind(&e, NULL);
    if (!status) {
        pf_exec_bind_input(&e, pf_input_find(&e.g, "targets"), dy);
        pf_exec_run(&e, 0, e.g.nodes);
        memcpy(y, pf_exec_data(&e, rows), (size_t)(tokens * width) * sizeof *y);
    }
    pf_exec_free(&e);
    p->grad.data = NULL;
    return status;
}

static void dft_case(golden *g, const char *name)
{
    const pf_st_tensor *t = golden_find(g, "input.%s.x", name);
    const pk_real *x = golden_real(g, "input.%s.x", name), *dy = golden_real(g, "input.%s.grad_out", name);
    peft_backbone *b = NULL;
    peft_adapter *a = NULL;
    if (!t || !x || !dy) return;
    const int64_t n = t->dim[0] * t->dim[1];
    pk_real *y = golden_memory(g, (size_t)n * sizeof *y), *dx = golden_memory(g, (size_t)n * sizeof *dx);
    if (golden_ok(g, make_adapter(g->ctx, t->dim[0], t->dim[1], &b, &a), name)) {
        memcpy(a->params.item[0]->value.data, x, (size_t)n * sizeof *x);
        if (golden_ok(g, transform(g, a, dy, y, dx), name)) {
            golden_l2(g, y, n, GOLDEN_FORWARD, "expect.%s.out", name);
            golden_l2(g, dx, n, GOLDEN_GRADIENT, "expect.%s.grad_x", name);
        }
    }
    peft_adapter_free(a);
    peft_backbone_free(b);
}

void golden_dft(golden *g) { golden_cases(g, ".out", dft_case); }
