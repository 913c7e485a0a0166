/* SPDX-License-Identifier: Apache-2.0
 * cvpt.c -- Cross Visual Prompt Tuning (Huang et al., ICCV 2025): in every block the tokens attend to learned prompts
 * in a cross-attention of their own, X(x), which has the frozen weights of the block's self-attention. Queries are the
 * tokens of the residual stream x, keys and values the prompts, both without a norm. */
#include <peft/sys/method.h>
#include <math.h>

/* The values of option insert: where X is added. */
enum { BEFORE_ATTENTION = 1, ATTENTION_OUTPUT, AFTER_ATTENTION, MLP_INPUT, AFTER_MLP };

/* prompts [depth, tokens, width] */
typedef struct { peft_param *prompts; int64_t insert, heads; double dropout; } cvpt;

static const peft_option opts[] = {
    { "tokens",  'i', "10", 1, 1e4, "prompts a layer" },
    { "insert",  'i', "3", 1, 5, "where X is added: 1 x before attention, 2 the attention's output, 3 x after "
                                 "attention, 4 the MLP's input, 5 x after the MLP" },
    { "dropout", 'f', "0", 0, 0.99, "dropout on the prompts, in training, drawn for each sample" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    cvpt *m = peft_sys_state(a);
    const int64_t tokens = peft_sys_opt_int(a, "tokens");
    /* Xavier's bound of the whole tensor, as in the published code */
    const double bound = sqrt(6.0 / (double)(v->width * (tokens + v->depth)));
    m->insert = peft_sys_opt_int(a, "insert");
    m->dropout = peft_sys_opt_float(a, "dropout");
    m->heads = v->heads;
    m->prompts = peft_sys_declare(a, PEFT_DIMS(v->depth, tokens, v->width),
                                  peft_sys_init_rule(a, "uniform", bound), "Prompt_Tokens");
    return peft_sys_init_status(a);
}

enum { QUERY, KEY, VALUE };                              /* thirds of a block's qkv layer */
/* Third `part` of the block's qkv layer, applied to x. */
static peft_val project(peft_build *b, int64_t layer, int part, peft_val x)
{
    const int64_t width = peft_sys_extent(b, peft_sys_weight(b, "blocks.%d.attn.proj.weight", (int)layer), 0);
    peft_val w = peft_sys_weight(b, "blocks.%d.attn.qkv.weight", (int)layer), bias = PEFT_NONE;
    if (peft_sys_has_weight(b, "blocks.%d.attn.qkv.bias", (int)layer))
        bias = peft_sys_slice(b, peft_sys_weight(b, "blocks.%d.attn.qkv.bias", (int)layer), part * width, width);
    return peft_sys_linear(b, x, peft_sys_slice(b, w, part * width, width), bias);
}

/* X(x) of the block. Without dropout the prompts are [tokens,width], and so are their keys and values, which all
 * samples share. */
static peft_val cross(const cvpt *m, peft_build *b, int64_t layer, peft_val x)
{
    peft_val prompts = peft_sys_select(b, peft_sys_param(b, m->prompts), layer);
    if (m->dropout > 0) prompts = peft_sys_dropout(b, peft_sys_repeat_batch(b, prompts), m->dropout);
    peft_site s = { .where = PEFT_ATTN, .layer = layer, .q = project(b, layer, QUERY, x),
                    .k = project(b, layer, KEY, prompts), .v = project(b, layer, VALUE, prompts) };
    peft_val bias = PEFT_NONE;
    if (peft_sys_has_weight(b, "blocks.%d.attn.proj.bias", (int)layer))
        bias = peft_sys_weight(b, "blocks.%d.attn.proj.bias", (int)layer);
    return peft_sys_linear(b, peft_sys_attention(b, m->heads, &s),
                           peft_sys_weight(b, "blocks.%d.attn.proj.weight", (int)layer), bias);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const cvpt *m = state;
    const bool attention = s->where == PEFT_BRANCH && s->role == PEFT_SA;
    peft_val x;                                                     /* what X is computed of */
    if (m->insert == BEFORE_ATTENTION && s->where == PEFT_BLOCK_IN) x = s->out;
    else if (m->insert == ATTENTION_OUTPUT && attention) x = s->in;
    else if (m->insert == AFTER_ATTENTION && attention) x = peft_sys_add(b, s->in, s->out);
    else if (m->insert == MLP_INPUT && s->where == PEFT_NORM && s->role == PEFT_NORM2) x = s->in;
    else if (m->insert == AFTER_MLP && s->where == PEFT_BLOCK_OUT) x = s->out;
    else return;
    s->out = peft_sys_add(b, s->out, cross(m, b, s->layer, x));
}

const peft_method pf_method_cvpt = {
    .name = "cvpt", .summary = "every block's tokens attend to learned prompts, by its own frozen weights",
    .paper = "arXiv:2408.14961", .opts = opts,
    .sites = PEFT_AT(PEFT_BLOCK_IN) | PEFT_AT(PEFT_BRANCH) | PEFT_AT(PEFT_NORM) | PEFT_AT(PEFT_BLOCK_OUT),
    .state_size = sizeof(cvpt), .init = init, .emit = emit };
