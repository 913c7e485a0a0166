/* SPDX-License-Identifier: Apache-2.0
 * adapter.c -- bottleneck adapters at the MLP: behind it, inside the residual sum (Pfeiffer et al. 2021, as in the VPT
 * repository), or parallel to it on the residual stream (AdaptFormer, Chen et al., NeurIPS 2022). Both act behind
 * LayerScale. */
#include <peft/sys/method.h>
#include <string.h>

typedef struct { peft_param *dw[PEFT_DEPTH_MAX], *db[PEFT_DEPTH_MAX], *uw[PEFT_DEPTH_MAX], *ub[PEFT_DEPTH_MAX];
                 double scale, drop; } bottleneck;

static const peft_option adapter_opts[] = {
    { "bottleneck", 'i', "96", 1, 65536, "inner width" },
    { "init", 's', "kaiming", 0, 0, "of the way down: kaiming; zero: the published start, where only a bias moves" },
    { 0 } };
static const peft_option adaptformer_opts[] = {
    { "bottleneck", 'i', "64", 1, 65536, "inner width" },
    { "scale", 'f', "0.1", 0, 1e3, "of the adapter's output" },
    { "dropout", 'f', "0.1", 0, 0.99, "behind the activation, in training" }, { 0 } };

static void declare(peft_adapter *a, const peft_vit *v, const char *init, const char *where, const char *down,
                    const char *up)
{
    bottleneck *m = peft_sys_state(a);
    const int64_t c = v->width, h = peft_sys_opt_int(a, "bottleneck");
    for (int64_t l = 0; l < v->depth; l++) {
        m->dw[l] = peft_sys_declare(a, PEFT_DIMS(h, c), init, "blocks.%d.%s.%s.weight", (int)l, where, down);
        m->db[l] = peft_sys_declare(a, PEFT_DIMS(h), "zero", "blocks.%d.%s.%s.bias", (int)l, where, down);
        m->uw[l] = peft_sys_declare(a, PEFT_DIMS(c, h), "zero", "blocks.%d.%s.%s.weight", (int)l, where, up);
        m->ub[l] = peft_sys_declare(a, PEFT_DIMS(c), "zero", "blocks.%d.%s.%s.bias", (int)l, where, up);
    }
}

static peft_val through(const bottleneck *m, peft_build *b, int64_t l, peft_val x, const char *act)
{
    x = peft_sys_activate(b, peft_sys_linear(b, x, peft_sys_param(b, m->dw[l]), peft_sys_param(b, m->db[l])), act);
    return peft_sys_linear(b, peft_sys_dropout(b, x, m->drop), peft_sys_param(b, m->uw[l]),
                           peft_sys_param(b, m->ub[l]));
}

static peft_status adapter_init(peft_adapter *a, const peft_vit *v)
{
    const char *init = peft_sys_opt_string(a, "init");
    if (strcmp(init, "kaiming") && strcmp(init, "zero")) peft_sys_reject_option(a, "init", "kaiming or zero");
    declare(a, v, init, "adapter", "down", "up");
    return peft_sys_init_status(a);
}

static void adapter_emit(const void *state, peft_build *b, peft_site *s)
{
    if (s->role == PEFT_MLP)
        s->out = peft_sys_add(b, s->out, through(state, b, s->layer, s->out, "gelu"));
}

static peft_status adaptformer_init(peft_adapter *a, const peft_vit *v)
{
    bottleneck *m = peft_sys_state(a);
    m->scale = peft_sys_opt_float(a, "scale");
    m->drop = peft_sys_opt_float(a, "dropout");
    declare(a, v, "kaiming", "adaptmlp", "down_proj", "up_proj");
    return peft_sys_init_status(a);
}

static void adaptformer_emit(const void *state, peft_build *b, peft_site *s)
{
    const bottleneck *m = state;
    if (s->role == PEFT_MLP)
        s->out = peft_sys_add(b, s->out, peft_sys_scale(b, through(m, b, s->layer, s->in, "relu"), m->scale));
}

const peft_method pf_method_adapter = {
    .name = "adapter", .summary = "a trained bottleneck behind each MLP", .paper = "arXiv:1902.00751",
        .opts = adapter_opts,
    .sites = PEFT_AT(PEFT_BRANCH), .state_size = sizeof(bottleneck), .init = adapter_init, .emit = adapter_emit };
const peft_method pf_method_adaptformer = {
    .name = "adaptformer", .summary = "a trained bottleneck beside each MLP", .paper = "arXiv:2205.13535",
        .opts = adaptformer_opts,
    .sites = PEFT_AT(PEFT_BRANCH), .state_size = sizeof(bottleneck), .init = adaptformer_init,
    .emit = adaptformer_emit };
