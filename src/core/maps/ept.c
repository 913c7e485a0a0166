/* SPDX-License-Identifier: Apache-2.0
 * ept.c -- the share of attention that patches give to embedded prompts (ept), from the taps sink_mass.N. */
#include <stdio.h>
#include <string.h>
#include "core/maps/maps.h"

typedef struct {
    int64_t first, last;                         /* blocks */
    char taps[PEFT_DEPTH_MAX * 16];              /* "sink_mass.0,sink_mass.1" */
} ept;

/* Lists the taps of the blocks that have some (pf_tap_fn). */
static bool list_tap(void *user, pf_graph *g, const char *name, pf_val v)
{
    static const char stem[] = "sink_mass.";
    ept *e = user;
    int block;
    (void)g;
    if (pf_exists(v) || strncmp(name, stem, sizeof stem - 1)) return false;
    if (sscanf(name + sizeof stem - 1, "%d", &block) != 1 || block < e->first || block > e->last) return false;
    const size_t used = strlen(e->taps);
    snprintf(e->taps + used, sizeof e->taps - used, "%s%s", used ? "," : "", name);
    return false;
}

/* Builds the forward pass once, without compiling it, to find the taps. */
static peft_status find_taps(peft_maps *s, ept *e)
{
    const pf_compile_spec spec = pf_engine_spec(&s->engine, (pf_compile_spec){ .batch = s->batch });
    pf_graph g;
    pf_graph_init(&g, s->ctx, &spec);
    pf_model_forward(s->model, &g, pf_model_images(s->model, &g), list_tap, e);
    const peft_status status = g.status;
    pf_graph_free(&g);
    PF_TRY(status);
    if (*e->taps) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "maps of kind=ept: no block from %lld to %lld has prompts that take a share of "
                   "attention; expected a model with method ept (insert=concat) there", (long long)e->first,
                   (long long)e->last);
}

static peft_status create(peft_maps *s)
{
    ept *e = s->state;
    PF_TRY(pf_maps_blocks(s, &e->first, &e->last));
    PF_TRY(find_taps(s, e));
    s->overlay = (pf_overlay){ .user = s };
    return pf_maps_compile(s, e->taps);
}

static peft_status compute(peft_maps *s, const peft_tensor *images, int64_t n, const int64_t *classes, pk_real *maps,
                           int64_t *chosen)
{
    const int64_t patches = s->h * s->w, blocks = s->net.tap_count;
    (void)classes;
    (void)chosen;
    PF_TRY(pf_maps_bind(s, images, n));
    pf_maps_run(s, 0, s->net.exec.g.nodes);
    for (int64_t i = 0; i < n * patches; i++) {
        double sum = 0;
        for (int64_t l = 0; l < blocks; l++) {
            const int64_t tokens = pf_v(&s->net.exec.g, s->net.tap[l])->shape.dim[1];
            const int64_t at = i / patches * tokens + tokens - patches + i % patches;     /* patches are the last */
            sum += (double)pf_exec_data(&s->net.exec, s->net.tap[l])[at];
        }
        maps[i] = (pk_real)(sum / (double)blocks);
    }
    return PEFT_OK;
}

const pf_maps_kind pf_maps_ept = { .name = "ept",
    .summary = "share of attention that each patch gives to the prompts of method ept", .options = "first last",
    .of_graph = true, .state_size = sizeof(ept), .create = create, .compute = compute };
