/* SPDX-License-Identifier: Apache-2.0
 * apt.c -- Approximated Prompt Tuning (Wu et al., arXiv 2306.15706): what prompt tokens M would add to the other tokens
 * in self-attention is added behind the attention, without a softmax over all of them. For the attention's input a:
 *
 *     M' = M + M W1^T W2^T      R = ReLU(a M'^T)      out = (attention + max(R) * R M) exp(s)
 *
 * max is that of each row of R and counts as a constant in the backward pass. */
#include <peft/sys/method.h>

/* The tensors of each block: prompts M [tokens, width], W1 [hidden, width], W2 [width, hidden], s [1]. */
typedef struct {
    peft_param *prompts[PEFT_DEPTH_MAX], *down[PEFT_DEPTH_MAX], *up[PEFT_DEPTH_MAX], *scale[PEFT_DEPTH_MAX];
    double dropout;
} apt;

static const peft_option opts[] = {
    { "tokens",  'i', "50", 1, 1e4, "prompt tokens a layer" },
    { "hidden",  'i', "4", 1, 65536, "rank of the map from the prompts to those that the scores are taken with" },
    { "dropout", 'f', "0", 0, 0.99, "dropout on the scores, in training" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    apt *m = peft_sys_state(a);
    const int64_t tokens = peft_sys_opt_int(a, "tokens"), hidden = peft_sys_opt_int(a, "hidden");
    m->dropout = peft_sys_opt_float(a, "dropout");
    for (int64_t l = 0; l < v->depth; l++) {
        const char *name = "blocks.%d.attn.APT.%s";
        m->prompts[l] = peft_sys_declare(a, PEFT_DIMS(tokens, v->width), "normal:0.02", name, (int)l, "mm_tokens");
        m->down[l] = peft_sys_declare(a, PEFT_DIMS(hidden, v->width), "normal:1", name, (int)l, "mm.0.weight");
        m->up[l] = peft_sys_declare(a, PEFT_DIMS(v->width, hidden), "zero", name, (int)l, "mm.1.weight");
        m->scale[l] = peft_sys_declare(a, PEFT_DIMS(1), "zero", name, (int)l, "scale");
    }
    return peft_sys_init_status(a);
}

/* max(R) * R M for the attention's input a [b,t,width] */
static peft_val diffusion(const apt *m, peft_build *b, int64_t l, peft_val a)
{
    peft_val prompts = peft_sys_param(b, m->prompts[l]);
    peft_val keys = peft_sys_linear(b, prompts, peft_sys_param(b, m->down[l]), PEFT_NONE);
    keys = peft_sys_add(b, prompts, peft_sys_linear(b, keys, peft_sys_param(b, m->up[l]), PEFT_NONE));
    peft_val scores = peft_sys_activate(b, peft_sys_linear(b, a, keys, PEFT_NONE), "relu");           /* [b,t,tokens] */
    scores = peft_sys_dropout(b, scores, m->dropout);
    peft_val added = peft_sys_linear(b, scores, peft_sys_transpose(b, prompts), PEFT_NONE);
    return peft_sys_mul_rows(b, added, peft_sys_row_max(b, scores));
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const apt *m = state;
    if (s->where == PEFT_ATTN) peft_sys_set_value(b, "diffusion", diffusion(m, b, s->layer, s->in));
    if (s->where == PEFT_LINEAR && s->role == PEFT_PROJ) {
        peft_val factor = peft_sys_activate(b, peft_sys_param(b, m->scale[s->layer]), "exp");
        s->out = peft_sys_mul_rows(b, peft_sys_add(b, s->out, peft_sys_value(b, "diffusion")), factor);
    }
}

const peft_method pf_method_apt = {
    .name = "apt", .summary = "what prompts would add to attention, added behind it", .paper = "arXiv:2306.15706",
    .opts = opts, .sites = PEFT_AT(PEFT_ATTN) | PEFT_AT(PEFT_LINEAR), .state_size = sizeof(apt),
    .init = init, .emit = emit };
