/* SPDX-License-Identifier: Apache-2.0
 * adapter.c -- bottleneck adapters at the MLP: behind it, inside the residual sum (Pfeiffer et al. 2021, as in the VPT
 * repository), or parallel to it, reading the residual stream (AdaptFormer, Chen et al., NeurIPS 2022). In backbones
 * with LayerScale both add to the MLP's output after it was scaled. */
#include <peft/sys/method.h>
#include <string.h>

/* One bottleneck for each block: down [inner,width], activation, up [width,inner]; _w: weights, _b: biases. scale and
 * dropout: options of adaptformer, 0 for adapter. */
typedef struct {
    peft_param *down_w[PEFT_DEPTH_MAX], *down_b[PEFT_DEPTH_MAX], *up_w[PEFT_DEPTH_MAX], *up_b[PEFT_DEPTH_MAX];
    double scale, dropout;
} bottleneck;

static const peft_option adapter_opts[] = {
    { "bottleneck", 'i', "96", 1, 65536, "inner width" },
    { "init", 's', "kaiming", 0, 0, "initial values of the down-projection: kaiming, or zero (as published: only "
      "up.bias then learns)" },
    { 0 } };
static const peft_option adaptformer_opts[] = {
    { "bottleneck", 'i', "64", 1, 65536, "inner width" },
    { "scale", 'f', "0.1", 0, 1e3, "factor on the adapter's output" },
    { "dropout", 'f', "0.1", 0, 0.99, "dropout after the activation, in training" }, { 0 } };

/* Declares weight and bias of both layers in every block: "blocks.3.adapter.down.weight". init: rule of the initial
 * values of the down-projection; module, down, up: words of the names. */
static void declare(peft_adapter *a, const peft_vit *v, const char *init, const char *module,
                    const char *down, const char *up)
{
    bottleneck *m = peft_sys_state(a);
    const int64_t width = v->width, inner = peft_sys_opt_int(a, "bottleneck");
    for (int64_t l = 0; l < v->depth; l++) {
        m->down_w[l] = peft_sys_declare(a, PEFT_DIMS(inner, width), init, "blocks.%d.%s.%s.weight", (int)l, module,
                                        down);
        m->down_b[l] = peft_sys_declare(a, PEFT_DIMS(inner), "zero", "blocks.%d.%s.%s.bias", (int)l, module, down);
        m->up_w[l] = peft_sys_declare(a, PEFT_DIMS(width, inner), "zero", "blocks.%d.%s.%s.weight", (int)l, module, up);
        m->up_b[l] = peft_sys_declare(a, PEFT_DIMS(width), "zero", "blocks.%d.%s.%s.bias", (int)l, module, up);
    }
}

/* up(dropout(activation(down(x)))) of block l */
static peft_val apply(const bottleneck *m, peft_build *b, int64_t l, peft_val x, const char *activation)
{
    x = peft_sys_linear(b, x, peft_sys_param(b, m->down_w[l]), peft_sys_param(b, m->down_b[l]));
    x = peft_sys_dropout(b, peft_sys_activate(b, x, activation), m->dropout);
    return peft_sys_linear(b, x, peft_sys_param(b, m->up_w[l]), peft_sys_param(b, m->up_b[l]));
}

static peft_status adapter_init(peft_adapter *a, const peft_vit *v)
{
    const char *init = peft_sys_opt_string(a, "init");
    if (strcmp(init, "kaiming") && strcmp(init, "zero")) peft_sys_reject_option(a, "init", "kaiming or zero");
    declare(a, v, init, "adapter", "down", "up");
    return peft_sys_init_status(a);
}

/* The bottleneck reads and changes the MLP's output. */
static void adapter_emit(const void *state, peft_build *b, peft_site *s)
{
    if (s->role == PEFT_MLP)
        s->out = peft_sys_add(b, s->out, apply(state, b, s->layer, s->out, "gelu"));
}

static peft_status adaptformer_init(peft_adapter *a, const peft_vit *v)
{
    bottleneck *m = peft_sys_state(a);
    m->scale = peft_sys_opt_float(a, "scale");
    m->dropout = peft_sys_opt_float(a, "dropout");
    declare(a, v, "kaiming", "adaptmlp", "down_proj", "up_proj");
    return peft_sys_init_status(a);
}

/* The bottleneck reads the residual stream; its output is added to that of the MLP. */
static void adaptformer_emit(const void *state, peft_build *b, peft_site *s)
{
    const bottleneck *m = state;
    if (s->role == PEFT_MLP)
        s->out = peft_sys_add(b, s->out, peft_sys_scale(b, apply(m, b, s->layer, s->in, "relu"), m->scale));
}

const peft_method pf_method_adapter = {
    .name = "adapter", .summary = "a trained bottleneck behind each MLP", .paper = "arXiv:1902.00751",
    .opts = adapter_opts, .sites = PEFT_AT(PEFT_BRANCH), .state_size = sizeof(bottleneck),
    .init = adapter_init, .emit = adapter_emit };
const peft_method pf_method_adaptformer = {
    .name = "adaptformer", .summary = "a trained bottleneck beside each MLP", .paper = "arXiv:2205.13535",
    .opts = adaptformer_opts, .sites = PEFT_AT(PEFT_BRANCH), .state_size = sizeof(bottleneck),
    .init = adaptformer_init, .emit = adaptformer_emit };
