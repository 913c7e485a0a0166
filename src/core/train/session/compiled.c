/* SPDX-License-Identifier: Apache-2.0
 * compiled.c -- compiles a model to a graph: builds the forward pass and the loss, keeps the taps (intermediate values
 * that the caller names, such as "block.3"), runs the passes, reduces the graph to the frozen prefix or to what follows
 * it if one of these parts is wanted, and plans memory. */
#include "core/train/session/compiled.h"
#include <string.h>
#include "core/options/options.h"

/* Which intermediate values are kept: those that the list names ("embed,block.3"), and the feature too if keep_feature
 * is true. */
typedef struct { pf_compiled *c; const char *names; bool keep_feature; } tap_job;

/* Called for each intermediate value v of the forward pass: marks v to be kept if v is wanted (pf_tap_fn). */
static bool keep_tap(void *user, pf_graph *g, const char *name, pf_val v)
{
    tap_job *j = user;
    const char *found = pf_find_word(j->names, name, ',');
    if (!pf_exists(v)) return found != NULL;
    if (j->keep_feature && !strcmp(name, "feature")) {
        pf_v(g, v)->keep = true;
        j->c->feature = v;
    }
    if (!found) return false;
    if (j->c->tap_count == PF_TAPS_MAX) {
        pf_graph_fail(g, pf_fail(PEFT_E_OPTION, "taps: expected at most %d", PF_TAPS_MAX));
        return true;
    }
    pf_v(g, v)->keep = true;
    j->c->tap_name[j->c->tap_count] = found;
    j->c->tap[j->c->tap_count++] = v;
    return true;
}

/* The number of words in a list with commas: "embed,block.3" has 2; NULL and "" have none. */
static int count_words(const char *list)
{
    int n = list && *list ? 1 : 0;
    for (; list && *list; list++) n += *list == ',';
    return n;
}

/* Adds the forward pass, and the loss if one is wanted. A head that reads patch tokens has no pooled feature. */
static void build(pf_graph *g, pf_compiled *c, const pf_net_spec *spec)
{
    const bool has_feature = spec->model->head->reads == PF_READS_FEATURE;
    tap_job job = { .c = c, .names = spec->taps, .keep_feature = spec->keep_feature && has_feature };
    c->logits = pf_model_forward(spec->model, g, pf_model_images(spec->model, g), keep_tap, &job);
    if (g->status) return;
    pf_v(g, c->logits)->keep = true;
    if (spec->overlay && spec->overlay->finish) spec->overlay->finish(spec->overlay->user, g, c->logits);
    if (!spec->loss && !spec->overlay) return;
    c->added = g->added;
    c->loss = pf_loss_total(g, spec->loss ? pf_loss_build(g, spec->loss, c->logits) : PF_NONE);
    if (g->status) return;
    if (pf_exists(c->loss)) pf_v(g, c->loss)->keep = true;
    if (pf_exists(c->added)) pf_v(g, c->added)->keep = true;
}

/* Whether the gradients of the loss are computed. */
static bool is_trained(const pf_net_spec *spec) { return spec->overlay ? spec->overlay->trains : spec->loss != NULL; }

/* The number of nodes up to the one that computes v; PF_NONE: of all nodes. */
static uint32_t nodes_up_to(const pf_graph *g, pf_val v)
{
    uint32_t i = 0;
    while (i < g->nodes && !(pf_exists(v) && pf_eq(g->node[i].out[0], v))) i++;
    return i < g->nodes ? i + 1 : i;
}

/* Sets the indices of inputs in c, and those of the loss's nodes. loss NULL: the graph has no labels. */
static peft_status find_inputs(pf_compiled *c, const pf_loss *loss)
{
    const pf_graph *g = &c->exec.g;
    c->labels = -1;
    for (int i = 0; i < g->inputs; i++)
        if (g->input[i].flags & PF_IN_METHOD) c->method_input[c->method_input_count++] = i;
    c->loss_end = nodes_up_to(g, c->loss);
    PF_TRY(pf_exec_find_input(&c->exec, "images", &c->images));
    if (!loss) return PEFT_OK;
    while (g->node[c->loss_node].op != &pf_op_loss) c->loss_node++;
    return pf_exec_find_input(&c->exec, loss->kind->labels == PF_LABEL_CLASS ? "labels" : "targets", &c->labels);
}

peft_status pf_compiled_create(pf_compiled *c, const pf_net_spec *spec)
{
    pf_graph g;
    memset(c, 0, sizeof *c);
    pf_graph_init(&g, spec->model->backbone->ctx, &spec->compile);
    g.overlay = spec->overlay;
    build(&g, c, spec);
    peft_status s = g.status;
    if (!s && c->tap_count != count_words(spec->taps))
        s = pf_fail(PEFT_E_NOTFOUND, "taps '%s': expected embed, block.0 .. block.%lld, feature, or sink_mass.N of a "
                    "block N in which an adapter has sink logits (ept with insert=concat)", spec->taps,
                    (long long)spec->model->backbone->shape.depth - 1);
    if (!s) s = pf_compile(&g, is_trained(spec) ? c->loss : PF_NONE);
    if (!s && spec->part != PF_WHOLE_GRAPH) s = pf_graph_cut(&g, spec->part, &c->crossing, &c->crossings, c->key);
    if (!s) s = pf_compile_memory(&g);
    if (s) {
        if (c->crossing) pf_free(g.ctx, c->crossing);
        c->crossing = NULL;
        c->crossings = 0;
        pf_graph_free(&g);
        return s;
    }
    c->batch = g.batch;
    s = pf_exec_create(&c->exec, &g);
    if (!s) s = find_inputs(c, spec->loss);
    if (s) pf_compiled_free(c);
    return s;
}

void pf_compiled_free(pf_compiled *c)
{
    if (c->crossing) pf_free(c->exec.g.ctx, c->crossing);
    pf_exec_free(&c->exec);
    memset(c, 0, sizeof *c);
}

size_t pf_compiled_table_bytes(const pf_compiled *c)
{
    return pf_exec_table_bytes(&c->exec) + c->crossings * sizeof *c->crossing;
}

pk_real *pf_crossing_data(const pf_compiled *c, uint32_t i, int64_t sample)
{
    return pf_exec_data(&c->exec, c->crossing[i].value) + sample * c->crossing[i].count;
}
