/* SPDX-License-Identifier: Apache-2.0
 * vpt.c -- Visual Prompt Tuning (Jia et al., ECCV 2022): learned tokens are inserted after the class token (first, if
 * there is none), before block 0 only (shallow), or also before every later block (deep), where they replace those of
 * the block before. With option rank the prompts of a block are a product U V (after Alkhunaizi et al.,
 * arXiv:2407.11573). */
#include <peft/sys/method.h>
#include <math.h>
#include <string.h>

/* Prompts of `count` blocks: their values, or with option rank k their factors. */
typedef struct {
    peft_param *values;                  /* [count,tokens,d]; NULL: factors */
    peft_param *u, *v;                   /* [count,tokens,k], [count,k,d] */
    bool declared;
} prompts;

typedef struct {
    uint64_t layers;                     /* bit l is set if prompts enter at block l */
    double dropout;
    int64_t row;                         /* of the first prompt: after the class token, if there is one */
    /* d: the backbone's width, or that given by option project */
    prompts first;                       /* of block 0; with option shared of all blocks */
    prompts deep;                        /* of the blocks 1, 2, ..; not declared: none, or shared ones */
    peft_param *w, *bias;                /* linear layer that all prompts pass (option project); NULL: none */
} vpt;

static const peft_option opts[] = {
    { "tokens",  'i', "10", 1, 1e4, "prompt tokens in each block" },
    { "deep",    'b', "true", 0, 0, "prompts of its own for every block" },
    { "layers",  's', "all", 0, 0, "with deep=true: blocks that get prompts of their own; block 0 always has some" },
    { "shared",  'b', "false", 0, 0, "with deep=true: the same trained prompts for every block" },
    { "dropout", 'f', "0", 0, 0.99, "dropout on the prompts, in training, drawn for each sample" },
    { "project", 'i', "0", 0, 1 << 16, "prompts of this width pass a linear layer that all blocks share; 0: none" },
    { "rank",    'i', "0", 0, 1e4, "the prompts of a block are a product of trained factors, [tokens,rank] times "
                                   "[rank,width]; 0: they are trained themselves" },
    { 0 } };

/* Declares the prompts of `count` blocks, of width d. V begins with the values that prompts begin with (rule init), and
 * U with the variance 1 / rank. So U V has at the start the variance of prompts that are trained themselves, and as the
 * mean of U U^T is the identity, a gradient step on V changes U V on average as it would change those. */
static prompts declare(peft_adapter *a, int64_t count, int64_t d, double bound, const char *name)
{
    const int64_t n = peft_sys_opt_int(a, "tokens"), rank = peft_sys_opt_int(a, "rank");
    prompts p = { .declared = true };
    if (!rank) {
        p.values = peft_sys_declare(a, PEFT_DIMS(count, n, d), peft_sys_init_rule(a, "uniform", bound), "%s", name);
        return p;
    }
    p.u = peft_sys_declare(a, PEFT_DIMS(count, n, rank), peft_sys_init_rule(a, "normal", 1 / sqrt((double)rank)),
                           "%s.u", name);
    p.v = peft_sys_declare(a, PEFT_DIMS(count, rank, d), peft_sys_init_rule(a, "uniform", bound), "%s.v", name);
    return p;
}

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    vpt *m = peft_sys_state(a);
    m->row = peft_sys_backbone_has(a, "cls_token");
    const int64_t project = peft_sys_opt_int(a, "project"), rank = peft_sys_opt_int(a, "rank");
    const int64_t d = project ? project : v->width;          /* elements of a prompt */
    /* Xavier's bound, as in the published code: of a patch embedding with d outputs */
    const double bound = sqrt(6.0 / (double)(v->patch_values + d));
    m->dropout = peft_sys_opt_float(a, "dropout");
    if (!peft_sys_opt_int(a, "deep") && strcmp(peft_sys_opt_string(a, "layers"), "all"))
        peft_sys_reject_option(a, "layers", "deep=true beside it: shallow prompts enter block 0 only");
    if (!peft_sys_opt_int(a, "deep") && peft_sys_opt_int(a, "shared"))
        peft_sys_reject_option(a, "shared", "deep=true beside it: shallow prompts enter block 0 only");
    if (rank > peft_sys_opt_int(a, "tokens") || rank > d)
        peft_sys_reject_option(a, "rank", "at most the number of tokens and the width of a prompt: no product of "
                               "factors has a higher rank");
    const uint64_t block_0 = 1;                              /* always has prompts */
    m->layers = peft_sys_opt_int(a, "deep") ? peft_sys_opt_layers(a, "layers") | block_0 : block_0;
    m->first = declare(a, 1, d, bound, "prompt_embeddings");
    if (m->layers != block_0 && !peft_sys_opt_int(a, "shared") && v->depth > 1)
        m->deep = declare(a, v->depth - 1, d, bound, "deep_prompt_embeddings");
    if (project) {
        m->w = peft_sys_declare(a, PEFT_DIMS(v->width, d), "kaiming_out", "prompt_proj.weight");
        m->bias = peft_sys_declare(a, PEFT_DIMS(v->width), "zero", "prompt_proj.bias");
    }
    return peft_sys_init_status(a);
}

/* The prompts of block i of p: [tokens,d]. */
static peft_val prompts_of(peft_build *b, const prompts *p, int64_t i)
{
    if (p->values) return peft_sys_select(b, peft_sys_param(b, p->values), i);
    peft_val u = peft_sys_select(b, peft_sys_param(b, p->u), i), v = peft_sys_select(b, peft_sys_param(b, p->v), i);
    return peft_sys_linear(b, u, peft_sys_transpose(b, v), PEFT_NONE);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const vpt *m = state;
    if (!(m->layers >> s->layer & 1)) return;
    peft_val p = s->layer && m->deep.declared ? prompts_of(b, &m->deep, s->layer - 1) : prompts_of(b, &m->first, 0);
    if (m->w) p = peft_sys_linear(b, p, peft_sys_param(b, m->w), peft_sys_param(b, m->bias));
    if (m->dropout > 0) p = peft_sys_dropout(b, peft_sys_repeat_batch(b, p), m->dropout);
    s->out = s->layer ? peft_sys_replace_rows(b, s->out, m->row, p)
                      : peft_sys_insert_rows(b, s->out, m->row, p);
}

const peft_method pf_method_vpt = {
    .name = "vpt", .summary = "learned tokens beside the patch tokens", .paper = "arXiv:2203.12119",
    .opts = opts, .sites = PEFT_AT(PEFT_BLOCK_IN), .state_size = sizeof(vpt), .init = init, .emit = emit };
