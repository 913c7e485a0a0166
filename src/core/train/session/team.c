/* SPDX-License-Identifier: Apache-2.0
 * team.c -- from a model to a compiled graph on a pool of threads. */
#include <stdio.h>
#include <string.h>
#include "core/train/session/team.h"

peft_status pf_team_start(pf_team *t, peft_context *ctx, int64_t threads)
{
    const int wanted = threads > 0 ? (int)threads : pf_context_threads(ctx);
    *t = (pf_team){ .ctx = ctx, .threads = wanted, .kernels = ctx->kernels, .gemm = pf_context_gemm(ctx) };
    if (wanted == 1) return PEFT_OK;
    size_t bytes = pk_pool_bytes(wanted);
    t->pool = pf_alloc_zero(ctx, bytes);
    if (!t->pool) return pf_nomem("thread pool", bytes);
    t->threads = pk_pool_start(t->pool, wanted);
    if (t->threads < wanted)
        pf_log(ctx, 1, "the system gave %d of %d threads: the results are the same, computing takes longer", t->threads,
               wanted);
    if (t->threads > 1) return PEFT_OK;
    pf_team_stop(t);
    return PEFT_OK;
}

void pf_team_stop(pf_team *t)
{
    if (t->pool) {
        pk_pool_stop(t->pool);
        pf_free(t->ctx, t->pool);
    }
    t->pool = NULL;
}

pf_compile_spec pf_team_spec(const pf_team *t, pf_compile_spec wanted)
{
    wanted.kernels = t->kernels;
    wanted.gemm = t->gemm;
    wanted.pool = t->pool;
    wanted.threads = t->threads;
    return wanted;
}

void pf_team_text(const pf_team *t, char *text, size_t room)
{
    snprintf(text, room, "%s, %s", t->kernels->name, t->gemm == PK_GEMM_CBLAS ? "cblas" : "own");
}

peft_status pf_compile_options(const peft_options *o, const pf_opt *table, pf_compile_spec *spec)
{
    const char *executor = pf_options_string(o, table, "executor");
    spec->memory_limit = (size_t)pf_options_int(o, table, "memory_limit");
    PF_TRY(pf_arithmetic_parse(pf_options_string(o, table, "arithmetic"), &spec->arithmetic));
    spec->flags = !strcmp(executor, "naive") ? PF_PLAN_NAIVE : 0;
    if (spec->flags || !strcmp(executor, "planned")) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "executor: given '%s', expected planned or naive", executor);
}

typedef struct { pf_compiled *c; const char *wanted; } tap_job;

/* Is name one of the comma-separated words of list? Where it stands, or NULL. */
static const char *word_in(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
        if (strcspn(p, ",") == n && !strncmp(p, name, n)) return p;
    return NULL;
}

static void keep_tap(void *user, pf_graph *g, const char *name, pf_val v)
{
    tap_job *j = user;
    const char *found = word_in(j->wanted, name);
    if (!found) return;
    if (j->c->taps == 16) {
        pf_graph_fail(g, pf_fail(PEFT_E_OPTION, "taps: expected at most 16"));
        return;
    }
    pf_v(g, v)->keep = true;
    j->c->tap_name[j->c->taps] = found;
    j->c->tap[j->c->taps++] = v;
}

static int words(const char *list)
{
    int n = list && *list ? 1 : 0;
    for (; list && *list; list++) n += *list == ',';
    return n;
}

static void build(pf_graph *g, pf_compiled *c, const pf_net_spec *spec)
{
    const pf_vit_shape *v = &spec->model->backbone->shape;
    tap_job job = { c, spec->taps };
    pf_val images = pf_value_new(g, PF_INPUT, pf_shape_of(4, g->batch, (int64_t)3, v->image, v->image));
    if (pf_is(images)) pf_v(g, images)->slot = PF_IN_IMAGES;
    c->logits = pf_model_forward(spec->model, g, images, keep_tap, &job);
    if (g->status) return;
    pf_v(g, c->logits)->keep = true;
    if (!spec->loss) return;
    c->loss = pf_loss_build(g, spec->loss, c->logits);
    if (!g->status) pf_v(g, c->loss)->keep = true;
}

peft_status pf_compiled_create(pf_compiled *c, const pf_net_spec *spec)
{
    pf_graph g;
    memset(c, 0, sizeof *c);
    pf_graph_init(&g, spec->model->backbone->ctx, &spec->compile);
    build(&g, c, spec);
    peft_status s = g.status;
    if (!s && c->taps != words(spec->taps))
        s = pf_fail(PEFT_E_NOTFOUND, "taps '%s': expected embed, block.0 .. block.%lld, feature", spec->taps,
                    (long long)spec->model->backbone->shape.depth - 1);
    if (!s) s = pf_compile(&g, spec->loss ? c->loss : PF_NONE);
    if (!s && spec->part) s = pf_graph_cut(&g, spec->part, &c->crossing, &c->crossings, c->key);
    if (s) {
        pf_graph_free(&g);
        return s;
    }
    c->batch = g.batch;
    s = pf_exec_create(&c->exec, &g);
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

bool pf_compiled_reads(const pf_compiled *c, int slot)
{
    const pf_graph *g = &c->exec.g;
    for (uint32_t i = 0; i < g->nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++) {
            const pf_value *v = pf_v(g, pf_root(g, g->node[i].in[k]));
            if (v->kind == PF_INPUT && v->slot == slot) return true;
        }
    return false;
}

pk_real *pf_crossing_data(const pf_compiled *c, uint32_t i, int64_t sample)
{
    return pf_exec_data(&c->exec, c->crossing[i].value) + sample * c->crossing[i].count;
}

peft_status pf_check_images(const peft_model *m, const peft_tensor *images, int64_t batch, int64_t *n)
{
    int64_t side = m->backbone->shape.image;
    char given[96];
    if (!images) return pf_fail(PEFT_E_INVALID, "images is NULL: expected a tensor");
    if (images->type != PEFT_F32 && images->type != PEFT_F64)
        return pf_fail(PEFT_E_DTYPE, "images: given %s, expected f32", pf_dtype_name(images->type));
    if (images->ndim != 4 || images->dim[0] < 1 || images->dim[0] > batch || images->dim[1] != 3
        || images->dim[2] != side || images->dim[3] != side)
        return pf_fail(PEFT_E_SHAPE, "images: given %s, expected [1..%lld, 3, %lld, %lld]",
                       pf_dims_text(given, sizeof given, images->ndim, images->dim), (long long)batch, (long long)side,
                           (long long)side);
    *n = images->dim[0];
    return PEFT_OK;
}

peft_status pf_check_logits(const peft_model *m, const peft_tensor *out, int64_t n)
{
    int64_t dims[1 + PF_MAX_RANK];
    char given[96], expected[96];
    if (!out) return pf_fail(PEFT_E_INVALID, "the result tensor is NULL");
    if (out->type != PF_REAL)
        return pf_fail(PEFT_E_DTYPE, "the result tensor: given %s, expected %s", pf_dtype_name(out->type),
                       pf_dtype_name(PF_REAL));
    dims[0] = n;
    memcpy(dims + 1, m->output.dim, (size_t)m->output.ndim * sizeof *dims);
    if (out->ndim != 1 + m->output.ndim || memcmp(out->dim, dims, (size_t)out->ndim * sizeof *dims))
        return pf_fail(PEFT_E_SHAPE, "the result tensor: given %s, expected %s",
                       pf_dims_text(given, sizeof given, out->ndim, out->dim),
                       pf_dims_text(expected, sizeof expected, 1 + m->output.ndim, dims));
    return PEFT_OK;
}
