/* SPDX-License-Identifier: Apache-2.0
 * ept.c -- Embedded Prompt Tuning (Zu et al., Medical Image Analysis 97, 2024).
 *
 * The paper puts `length` learned logits in front of each query token's attention scores, takes the softmax over all of
 * them and drops the learned columns again (its eq. 10). What remains of them is a term in the softmax's denominator:
 * sum_j exp(prompt_j). The attention kernel takes its logarithm, z = log sum_j exp(prompt_j), as one further logit for
 * each query token (the sink of PEFT_ATTN). */
#include <peft/sys/method.h>
#include <string.h>

/* layers: bit l is set if block l has prompts; prompt: the logits of these blocks, [blocks, tokens, length]. */
typedef struct { uint64_t layers; peft_param *prompt; } ept;

static const peft_option opts[] = {
    { "length", 'i', "100",    1, 1e6, "learned logits for each token and layer" },
    { "layers", 's', "all",    0, 0,   "layers that carry prompts: all (deep), 0 (shallow), 6-11, [0,3,5]" },
    { "init",   's', "normal", 0, 0,   "normal (std 0.02), uniform (+-0.08), zero or kaiming" },
    { 0 } };

/* The rule of peft_sys_declare for the value of option init: "normal:0.02" for normal. */
static const char *init_rule(peft_adapter *a)
{
    static const char *const known[][2] = {                  /* value, rule */
        { "normal", "normal:0.02" }, { "uniform", "uniform:0.08" }, { "zero", "zero" },
        { "kaiming", "kaiming_normal" } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(peft_sys_opt_string(a, "init"), known[i][0])) return known[i][1];
    peft_sys_reject_option(a, "init", "normal, uniform, zero or kaiming");
    return "zero";
}

/* How many bits are 1; each round clears the lowest of them. */
static int64_t count_bits(uint64_t bits)
{
    int64_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

static peft_status init(peft_adapter *a, const peft_vit *vit)
{
    ept *m = peft_sys_state(a);
    m->layers = peft_sys_opt_layers(a, "layers");
    const int64_t layers = count_bits(m->layers), length = peft_sys_opt_int(a, "length");
    m->prompt = peft_sys_declare(a, PEFT_DIMS(layers, vit->tokens, length), init_rule(a), "prompt");
    return peft_sys_init_status(a);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const ept *m = state;
    uint64_t bit = (uint64_t)1 << s->layer;
    if (!(m->layers & bit)) return;
    const int64_t index = count_bits(m->layers & (bit - 1));        /* of this layer among those with prompts */
    peft_val logits = peft_sys_select(b, peft_sys_param(b, m->prompt), index);          /* [tokens, length] */
    s->sink = peft_sys_logaddexp(b, s->sink, peft_sys_logsumexp(b, logits));
}

const peft_method pf_method_ept = {
    .name = "ept", .summary = "learned logits that join each attention softmax and leave it again",
    .paper = "doi:10.1016/j.media.2024.103258", .opts = opts, .sites = PEFT_AT(PEFT_ATTN),
    .state_size = sizeof(ept), .init = init, .emit = emit };
