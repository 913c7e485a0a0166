/* SPDX-License-Identifier: Apache-2.0
 * gated_prompt.h -- example of a method that an application defines (custom_method.c): every token of a chosen block
 * also attends to learned prompt tokens, and the result is added to the block's attention output through a learned
 * gate. The gate starts at zero, so an untrained adapter changes no bit of the predictions.
 *
 *     y = attention(x) + g * softmax(norm(x) P^T / sqrt(d_head)) P        (softmax and products for each head)
 * x [b,t,d]: the residual stream; norm: LayerNorm without weights; P [n,d]: the prompt tokens of the block; g [d]: its
 * gate. */
#ifndef GATED_PROMPT_H
#define GATED_PROMPT_H
#include <peft/sys/method.h>

typedef struct gated_prompt_state {
    uint64_t layers;                                          /* bit l: block l attends to prompts */
    int64_t heads;
    double dropout;
    peft_param *prompt[PEFT_DEPTH_MAX], *gate[PEFT_DEPTH_MAX];
} gated_prompt_state;

/* Rows: name, kind ('i' integer, 's' text, 'f' double), default, lowest, highest, help. */
static const peft_option gated_prompt_options[] = {
    { "tokens",  'i', "8", 1, 1e4, "prompt tokens per layer" },
    { "layers",  's', "all", 0, 0, "blocks that attend to prompts" },
    { "dropout", 'f', "0", 0, 0.99, "dropout on the attention over the prompts, in training" },
    { 0 } };

/* Reads the options and declares the trained tensors of each chosen block. */
static peft_status gated_prompt_init(peft_adapter *a, const peft_vit *v)
{
    gated_prompt_state *m = peft_sys_state(a);
    m->heads = v->heads;
    m->dropout = peft_sys_opt_float(a, "dropout");
    m->layers = peft_sys_opt_layers(a, "layers");
    for (int l = 0; l < v->depth; l++) {
        if (!(m->layers >> l & 1)) continue;
        m->prompt[l] = peft_sys_declare(a, PEFT_DIMS(peft_sys_opt_int(a, "tokens"), v->width), "normal:0.02",
                                        "prompt.%d", l);
        m->gate[l] = peft_sys_declare(a, PEFT_DIMS(v->width), "zero", "gate.%d", l);
    }
    return peft_sys_init_status(a);
}

/* Adds the gated attention over the prompts to the output of the self-attention branch (PEFT_SA). The library calls it
 * at every site of the kind PEFT_BRANCH: a place in the forward pass, here the output s->out of a branch with the input
 * s->in, where a method may replace the value. */
static void gated_prompt_emit(const void *state, peft_build *b, peft_site *s)
{
    const gated_prompt_state *m = state;
    if (s->role != PEFT_SA || !(m->layers >> s->layer & 1)) return;
    peft_val prompt = peft_sys_repeat_batch(b, peft_sys_param(b, m->prompt[s->layer]));
    /* peft_sys_attention reads q, k and v of a site */
    peft_site prompt_attention = { .q = peft_sys_layernorm(b, s->in, PEFT_NONE, PEFT_NONE, 1e-6),
                                   .k = prompt, .v = prompt };
    peft_val y = peft_sys_dropout(b, peft_sys_attention(b, m->heads, &prompt_attention), m->dropout);
    s->out = peft_sys_add(b, s->out, peft_sys_affine(b, y, peft_sys_param(b, m->gate[s->layer]), PEFT_NONE));
}

static const peft_method gated_prompt = {
    .name = "gated_prompt", .summary = "learned tokens to attend to, behind a gate that starts at zero", .paper = "",
    .opts = gated_prompt_options, .sites = PEFT_AT(PEFT_BRANCH), .state_size = sizeof(gated_prompt_state),
    .init = gated_prompt_init, .emit = gated_prompt_emit };
#endif
