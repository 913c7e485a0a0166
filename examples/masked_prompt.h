/* SPDX-License-Identifier: Apache-2.0
 * masked_prompt.h -- example of a method that an application defines, with every kind of tensor that a method can read:
 * learned prompt tokens (parameter), a mask on them that the application may write (buffer), positions added to their
 * keys (constant), and the block's frozen projection, applied to the attention over the prompts (weight).
 *
 *   y = attention(x) + softmax(norm(x) (M * P + E)^T / sqrt(d_head)) (M * P) W^T
 *   x [b,t,d] the residual stream, norm a LayerNorm without weights, * elementwise; P [n,d] trained and M [n,d] a
 *   buffer of this block, for n prompt tokens; E [n,d] a constant, W [d,d] the block's attn.proj. Each head attends for
 *   itself, to its d_head columns. */
#ifndef MASKED_PROMPT_H
#define MASKED_PROMPT_H
#include <peft/sys/method.h>

typedef struct masked_prompt_state {
    uint64_t layers;                                          /* bit l: block l attends to prompts */
    int64_t heads, tokens, width;
    peft_param *prompt[PEFT_DEPTH_MAX], *mask[PEFT_DEPTH_MAX];
} masked_prompt_state;

/* Rows: name, kind ('i' integer, 's' text), default, lowest, highest, help. */
static const peft_option masked_prompt_options[] = {
    { "tokens", 'i', "8", 1, 1e4, "prompt tokens per layer" },
    { "layers", 's', "all", 0, 0, "blocks that attend to prompts" },
    { 0 } };

/* Reads the options and declares prompts and mask of each chosen block. */
static peft_status masked_prompt_init(peft_adapter *a, const peft_vit *v)
{
    masked_prompt_state *m = peft_sys_state(a);
    m->heads = v->heads;
    m->width = v->width;
    m->tokens = peft_sys_opt_int(a, "tokens");
    m->layers = peft_sys_opt_layers(a, "layers");
    for (int l = 0; l < v->depth; l++) {
        if (!(m->layers >> l & 1)) continue;
        m->prompt[l] = peft_sys_declare(a, PEFT_DIMS(m->tokens, v->width), "normal:0.02", "prompt.%d", l);
        m->mask[l] = peft_sys_declare_buffer(a, PEFT_DIMS(m->tokens, v->width), "one", "mask.%d", l);
    }
    return peft_sys_init_status(a);
}

/* Fills the constant: row i has a 1 in column i % width and 0 elsewhere. */
static void masked_prompt_positions(void *user, peft_real *data, int64_t count)
{
    const int64_t width = *(const int64_t *)user;
    for (int64_t k = 0; k < count; k++) data[k] = k % width == k / width % width ? (peft_real)1 : (peft_real)0;
}

/* Adds the attention over the prompts to the output of the self-attention branch (PEFT_SA). The library calls it at
 * every site of the kind PEFT_BRANCH: the output s->out of a branch, which a method may replace; its input is s->in. */
static void masked_prompt_emit(const void *state, peft_build *b, peft_site *s)
{
    const masked_prompt_state *m = state;
    int64_t width = m->width;
    if (s->role != PEFT_SA || !(m->layers >> s->layer & 1)) return;
    peft_val prompt = peft_sys_mul(b, peft_sys_param(b, m->prompt[s->layer]), peft_sys_param(b, m->mask[s->layer]));
    peft_val positions = peft_sys_constant(b, PEFT_DIMS(m->tokens, width), masked_prompt_positions, &width,
                                           "positions");
    /* peft_sys_attention reads q, k and v of a site */
    peft_site prompt_attention = { .q = peft_sys_layernorm(b, s->in, PEFT_NONE, PEFT_NONE, 1e-6),
                                   .k = peft_sys_repeat_batch(b, peft_sys_add(b, prompt, positions)),
                                   .v = peft_sys_repeat_batch(b, prompt) };
    peft_val w = peft_sys_weight(b, "blocks.%d.attn.proj.weight", (int)s->layer);
    s->out = peft_sys_add(b, s->out, peft_sys_linear(b, peft_sys_attention(b, m->heads, &prompt_attention), w,
                                                     PEFT_NONE));
}

static const peft_method masked_prompt = {
    .name = "masked_prompt", .summary = "learned tokens to attend to, under a mask", .paper = "",
    .opts = masked_prompt_options, .sites = PEFT_AT(PEFT_BRANCH), .state_size = sizeof(masked_prompt_state),
    .init = masked_prompt_init, .emit = masked_prompt_emit };
#endif
