/* SPDX-License-Identifier: Apache-2.0
 * loss.c -- the table of losses, and the operation "loss" at the end of the forward graph. It computes value and
 * gradient together, because they share exponentials. */
#include "core/graph/loss/loss.h"
#include "core/graph/op.h"
#include "core/options/options.h"

const pf_loss_kind *const pf_losses[] = {
#define PF_LOSS(name, help) &pf_loss_##name,
#include "core/graph/loss/losses.def"
    NULL };

/* All options that losses read. The last two have no row in losses.def: the trainer turns them into by_batch, ignores
 * and ignore_index. */
static const char *const option_names[] = {
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) #name,
#define PF_LOSS_FLAG(name, fallback, help) #name,
#define PF_LOSS_LIST(name, help) #name,
#include "core/graph/loss/losses.def"
    "weight_reduction", "ignore_index" };

const pf_loss_kind *pf_loss_named(const char *name)
{
    for (size_t i = 0; pf_losses[i]; i++) if (!strcmp(name, pf_losses[i]->name)) return pf_losses[i];
    return NULL;
}

bool pf_loss_reads(const pf_loss_kind *kind, const char *option) { return pf_has_word(kind->options, option); }

bool pf_loss_option(const char *option)
{
    for (size_t i = 0; i < sizeof option_names / sizeof *option_names; i++)
        if (!strcmp(option, option_names[i])) return true;
    return false;
}

const char *pf_loss_names(const char *option, const char *separator, const char *last, char *text, size_t capacity)
{
    const char *names[sizeof pf_losses / sizeof *pf_losses];
    size_t n = 0;
    for (size_t i = 0; pf_losses[i]; i++)
        if (!option || pf_loss_reads(pf_losses[i], option)) names[n++] = pf_losses[i]->name;
    return pf_names_text(names, n, separator, last, text, capacity);
}

const char *pf_loss_names_for(pf_label_kind labels, char *text, size_t capacity)
{
    const char *names[sizeof pf_losses / sizeof *pf_losses];
    size_t n = 0;
    for (size_t i = 0; pf_losses[i]; i++)
        if (pf_losses[i]->labels == labels) names[n++] = pf_losses[i]->name;
    return pf_names_text(names, n, ", ", " or ", text, capacity);
}

/* in: logits [.., classes], labels [rows] or targets [rows, classes] (by kind->labels); attr ptr: pf_loss; out: loss
 * [1], d loss / d logits [.., classes] */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_loss *loss = n->attr.ptr;
    if (loss->kind->labels == PF_LABEL_TARGETS
        && pf_shape_count(&pf_v(g, n->in[0])->shape) != pf_shape_count(&pf_v(g, n->in[1])->shape))
        return pf_bad_shape(g, n, "targets for every logit");
    return pf_output(g, n, 0, pf_shape_of(1, (int64_t)1)) && pf_output_like(g, n, 1, n->in[0]);
}

/* The rows of node n. The first extent of the logits counts the samples. */
static pf_loss_rows extents(const pf_graph *g, const pf_node *n)
{
    const pf_shape *s = &pf_v(g, n->in[0])->shape;
    return (pf_loss_rows){ .rows = pf_rows(g, n->in[0]), .classes = pf_cols(g, n->in[0]),
                           .samples = s->ndim > 1 ? s->dim[0] : 1 };
}

static size_t scratch_bytes(const pf_run *r, const pf_node *n)
{
    const pf_loss_rows rows = extents(r->g, n);
    return pf_loss_scratch(n->attr.ptr, &rows, r->threads);
}

static void run(const pf_run *r, const pf_node *n)
{
    const pf_loss *loss = n->attr.ptr;
    const pf_mat x = pf_matrix(r, n->in[0]);
    pf_loss_rows rows = extents(r->g, n);
    rows.logits = x.p;
    rows.ld = x.ld;
    rows.run = r;
    rows.scratch = r->scratch;
    if (loss->kind->labels == PF_LABEL_CLASS) rows.labels = (const int64_t *)(const void *)r->ptr[n->in[1].id];
    else rows.targets = r->ptr[n->in[1].id];
    r->ptr[n->out[0].id][0] = (pk_real)loss->kind->evaluate(loss, &rows, r->ptr[n->out[1].id]);
}

/* run has computed the gradient of the logits already. */
static void grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0])) pf_grad_add(gr, n->in[0], n->out[1]);
}

const pf_op pf_op_loss = { .name = "loss", .infer = infer, .grad = grad, .scratch_bytes = scratch_bytes, .run = run };

pf_val pf_loss_build(pf_graph *g, const pf_loss *loss, pf_val logits)
{
    if (g->status) return PF_NONE;
    const int64_t rows = pf_rows(g, logits);
    const pf_val labels = loss->kind->labels == PF_LABEL_CLASS
        ? pf_input_add(g, "labels", pf_shape_of(1, rows), PF_IN_NO_FLAGS)
        : pf_input_add(g, "targets", pf_shape_of(2, rows, pf_cols(g, logits)), PF_IN_NO_FLAGS);
    return pf_emit(g, &pf_op_loss, &(pf_attr){ .ptr = loss }, 2, (pf_val[]){ logits, labels });
}
