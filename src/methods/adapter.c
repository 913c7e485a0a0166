/* SPDX-License-Identifier: Apache-2.0
 * adapter.c -- bottleneck adapters at the MLP: behind it, inside the residual sum (Pfeiffer et al. 2021, as in the VPT
 * repository), or parallel to it on the residual stream (AdaptFormer, Chen et al., NeurIPS 2022). */
#include "core/method.h"
#include <string.h>

typedef struct { pf_param *dw[64], *db[64], *uw[64], *ub[64]; double scale, drop; } bottleneck;

static const pf_opt adapter_opts[] = {
    { "bottleneck", 'i', "96", 1, 65536, "inner width" },
    { "init", 's', "kaiming", 0, 0, "of the way down: kaiming; zero: the published start, where only a bias moves" },
    { 0 } };
static const pf_opt adaptformer_opts[] = {
    { "bottleneck", 'i', "64", 1, 65536, "inner width" },
    { "scale", 'f', "0.1", 0, 1e3, "of the adapter's output" },
    { "dropout", 'f', "0", 0, 0.99, "behind the activation, in training" }, { 0 } };

static void declare(pf_adapter *a, const pf_vit *v, const char *init, const char *where, const char *down,
                    const char *up)
{
    bottleneck *m = pf_state(a);
    const int64_t c = v->width, h = pf_opt_int(a, "bottleneck");
    for (int64_t l = 0; l < v->depth; l++) {
        m->dw[l] = pf_declare(a, PF_DIMS(h, c), init, "blocks.%d.%s.%s.weight", (int)l, where, down);
        m->db[l] = pf_declare(a, PF_DIMS(h), "zero", "blocks.%d.%s.%s.bias", (int)l, where, down);
        m->uw[l] = pf_declare(a, PF_DIMS(c, h), "zero", "blocks.%d.%s.%s.weight", (int)l, where, up);
        m->ub[l] = pf_declare(a, PF_DIMS(c), "zero", "blocks.%d.%s.%s.bias", (int)l, where, up);
    }
}

static pf_val through(const bottleneck *m, pf_build *b, int64_t l, pf_val x, const char *act)
{
    x = pf_activate(b, pf_linear(b, x, pf_use(b, m->dw[l]), pf_use(b, m->db[l])), act);
    return pf_linear(b, pf_dropout(b, x, m->drop), pf_use(b, m->uw[l]), pf_use(b, m->ub[l]));
}

static peft_status adapter_init(pf_adapter *a, const pf_vit *v)
{
    const char *init = pf_opt_string(a, "init");
    if (strcmp(init, "kaiming") && strcmp(init, "zero")) pf_reject(a, "init", "kaiming or zero");
    declare(a, v, init, "adapter", "down", "up");
    return pf_done(a);
}

static void adapter_emit(const void *state, pf_build *b, pf_site *s)
{
    if (s->role == PF_MLP) s->out = pf_add(b, s->out, through(state, b, s->layer, s->out, "gelu"));
}

static peft_status adaptformer_init(pf_adapter *a, const pf_vit *v)
{
    bottleneck *m = pf_state(a);
    m->scale = pf_opt_float(a, "scale");
    m->drop = pf_opt_float(a, "dropout");
    declare(a, v, "kaiming", "adaptmlp", "down_proj", "up_proj");
    return pf_done(a);
}

static void adaptformer_emit(const void *state, pf_build *b, pf_site *s)
{
    const bottleneck *m = state;
    if (s->role == PF_MLP) s->out = pf_add(b, s->out, pf_scale(b, through(m, b, s->layer, s->in, "relu"), m->scale));
}

const pf_method pf_method_adapter = {
    .name = "adapter", .summary = "a trained bottleneck behind each MLP", .paper = "arXiv:1902.00751",
        .opts = adapter_opts,
    .sites = PF_AT(PF_BRANCH), .state_size = sizeof(bottleneck), .init = adapter_init, .emit = adapter_emit };
const pf_method pf_method_adaptformer = {
    .name = "adaptformer", .summary = "a trained bottleneck beside each MLP", .paper = "arXiv:2205.13535",
        .opts = adaptformer_opts,
    .sites = PF_AT(PF_BRANCH), .state_size = sizeof(bottleneck), .init = adaptformer_init, .emit = adaptformer_emit };
