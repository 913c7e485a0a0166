/* SPDX-License-Identifier: Apache-2.0
 * fits.c -- whether two adapters can act on one model. Their tensors must have different names; the forward pass must
 * come out with both (EPT has a logit for each token of the backbone, which VPT changes); and no more than one may add
 * tokens, since each looks for its own at a fixed place. The forward pass is built, not run. */
#include <string.h>
#include "core/model/model.h"

/* The most tokens behind any block. */
static void most_tokens(void *user, pf_graph *g, const char *name, pf_val v)
{
    int64_t *most = user;
    if (!strncmp(name, "block.", 6) && peft_sys_extent(g, v, 1) > *most) *most = peft_sys_extent(g, v, 1);
}

static peft_status build(const peft_model *m, peft_adapter **adapters, size_t n, int64_t *tokens)
{
    const peft_model with = { .backbone = m->backbone, .adapter = adapters, .adapters = n, .head = m->head,
                              .classes = m->classes, .output = m->output, .head_layers = m->head_layers,
                              .mean_pool = m->mean_pool, .params = m->params, .buffers = m->buffers };
    pf_graph g;
    *tokens = 0;
    /* batch norm trains on two samples or more */
    pf_graph_init(&g, m->backbone->ctx, &(pf_compile_spec){ .batch = 2, .training = true });
    pf_model_forward(&with, &g, pf_model_images(&with, &g), most_tokens, tokens);
    const peft_status s = g.status;
    pf_graph_free(&g);
    return s;
}

static peft_status same_names(const peft_adapter *a, const peft_adapter *b)
{
    const pf_params *const lists[] = { &b->params, &b->buffers };
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < lists[i]->count; k++) {
            const char *name = lists[i]->item[k]->name;
            if (pf_params_find(&a->params, name) || pf_params_find(&a->buffers, name))
                return pf_fail(PEFT_E_STATE, "adapter '%s': the attached adapter '%s' has a tensor '%s' too",
                               b->method->name, a->method->name, name);
        }
    return PEFT_OK;
}

static peft_status pair(const peft_model *m, peft_adapter *a, peft_adapter *b)
{
    peft_adapter *both[2] = { a, b };
    int64_t tokens[2], together;
    PF_TRY(same_names(a, b));
    const peft_status s = build(m, both, 2, &together);
    if (s == PEFT_E_NOMEM) return s;
    if (s) return pf_within(PEFT_E_STATE, "adapter '%s' beside the attached '%s'", b->method->name, a->method->name);
    for (int i = 0; i < 2; i++)
        if (build(m, both + i, 1, &tokens[i]) == PEFT_E_NOMEM) return PEFT_E_NOMEM;
    if (tokens[0] <= pf_vit_tokens(&m->backbone->shape) || tokens[1] <= pf_vit_tokens(&m->backbone->shape))
        return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "adapter '%s' beside the attached '%s': both add tokens, and each would take the "
                   "other's for its own", b->method->name, a->method->name);
}

peft_status pf_model_fits(const peft_model *m, peft_adapter *a)
{
    for (size_t i = 0; i < m->adapters; i++) PF_TRY(pair(m, m->adapter[i], a));
    return PEFT_OK;
}
