/* SPDX-License-Identifier: Apache-2.0
 * fits.c -- checks, when an adapter is attached, that it can act together with each attached one. Their tensors must
 * have different names. The forward pass with both must build without an error: EPT has a logit for each token of the
 * backbone, and VPT changes their number. At most one may add tokens, because an adapter finds the tokens that it added
 * by their fixed position. The forward pass is built, but not run. */
#include <string.h>
#include "core/model/model.h"

/* A tap function (pf_tap_fn): *user becomes the largest number of tokens after any block so far. */
static bool record_tokens(void *user, pf_graph *g, const char *name, pf_val v)
{
    int64_t *largest = user;
    if (!strncmp(name, "block.", 6) && peft_sys_extent(g, v, 1) > *largest) *largest = peft_sys_extent(g, v, 1);
    return false;
}

/* Builds the forward pass of m with n adapters in place of its own. *tokens: the largest number after any block. */
static peft_status count_tokens(const peft_model *m, peft_adapter **adapters, size_t n, int64_t *tokens)
{
    const peft_model model = { .backbone = m->backbone, .adapter = adapters, .adapters = n, .head = m->head,
                              .classes = m->classes, .output = m->output, .spec = m->spec,
                              .pool = m->pool, .params = m->params, .buffers = m->buffers };
    pf_graph g;
    *tokens = 0;
    /* two samples, because batch norm cannot train on one row */
    pf_graph_init(&g, m->backbone->ctx, &(pf_compile_spec){ .batch = 2, .training = true });
    pf_model_forward(&model, &g, pf_model_images(&model, &g), record_tokens, tokens);
    const peft_status s = g.status;
    pf_graph_free(&g);
    return s;
}

/* PEFT_E_STATE: both have a tensor of the same name. */
static peft_status check_names(const peft_adapter *attached, const peft_adapter *added)
{
    const pf_params *const lists[] = { &added->params, &added->buffers };
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < lists[i]->count; k++) {
            const char *name = lists[i]->item[k]->name;
            if (pf_params_find(&attached->params, name) || pf_params_find(&attached->buffers, name))
                return pf_fail(PEFT_E_STATE, "adapter '%s': the attached adapter '%s' also has a tensor '%s'",
                               added->method->name, attached->method->name, name);
        }
    return PEFT_OK;
}

/* PEFT_E_STATE: the two cannot act together. */
static peft_status check_pair(const peft_model *m, peft_adapter *attached, peft_adapter *added)
{
    peft_adapter *both[2] = { attached, added };
    int64_t tokens[2], both_tokens;
    PF_TRY(check_names(attached, added));
    const peft_status s = count_tokens(m, both, 2, &both_tokens);
    if (s == PEFT_E_NOMEM) return s;
    if (s)
        return pf_prefix_error(PEFT_E_STATE, "adapter '%s' beside the attached '%s' does not work, attach one of the "
                               "two",
                               added->method->name, attached->method->name);
    for (int i = 0; i < 2; i++)                               /* each of them alone */
        if (count_tokens(m, &both[i], 1, &tokens[i]) == PEFT_E_NOMEM) return PEFT_E_NOMEM;
    if (tokens[0] <= pf_vit_tokens(&m->backbone->shape) || tokens[1] <= pf_vit_tokens(&m->backbone->shape))
        return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "adapter '%s' beside the attached '%s': both add tokens, of which a model can have "
                   "only those of one adapter", added->method->name, attached->method->name);
}

peft_status pf_model_check_fits(const peft_model *m, peft_adapter *a)
{
    for (size_t i = 0; i < m->adapters; i++) PF_TRY(check_pair(m, m->adapter[i], a));
    return PEFT_OK;
}
