/* SPDX-License-Identifier: Apache-2.0
 * dvpt.c -- Dynamic Visual Prompt Tuning (He et al., arXiv 2307.09787): prompts P with positions of their own before
 * the class token, and beside each MLP a gated bottleneck S, shared by groups of blocks:
 *
 *     x = x + MLP(norm2(x)) + S(x),    S(x) = gate (W_u z + b_u),    u = QuickGELU(W_d x + b_d)
 *
 * The published code has z = u. In the paper prompts are queries of a cross-attention over the other tokens, and so
 * become specific to the sample: z = [softmax(P T^T / sqrt(inner)) T, T] for the rows u = [P, T] of prompts and others.
 * The pooled feature is the mean of the final norm over prompts and class token. */
#include <peft/sys/method.h>
#include <math.h>
#include <string.h>

/* One bottleneck for each group of blocks: down [inner,width], up [width,inner] with biases, gate [1]. */
typedef struct {
    peft_param *prompts, *positions;
    peft_param *down_w[PEFT_DEPTH_MAX], *down_b[PEFT_DEPTH_MAX], *up_w[PEFT_DEPTH_MAX], *up_b[PEFT_DEPTH_MAX],
               *gate[PEFT_DEPTH_MAX];
    int64_t share;
    int64_t patches;                     /* of the backbone's sequence */
    bool class_token;
    bool attends;                        /* the paper's form */
    enum { PROMPTS, CLASS, PATCHES } pool;
} dvpt;

static const peft_option opts[] = {
    { "tokens",     'i', "50", 1, 1e4, "prompt tokens" },
    { "bottleneck", 'i', "20", 1, 65536, "inner width of the bottleneck" },
    { "share",      'i', "3", 1, PEFT_DEPTH_MAX, "consecutive blocks that share a bottleneck" },
    { "form",       's', "released", 0, 0, "released: as the published code computes it; paper: within the bottleneck "
                                           "prompts attend to the other tokens, as in the paper" },
    { "pool",       's', "prompts", 0, 0, "input of the head: the mean of prompts and class token (prompts), the class "
                                          "token (class), or the norm of the mean of the patches (patches)" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    dvpt *m = peft_sys_state(a);
    const int64_t inner = peft_sys_opt_int(a, "bottleneck"), width = v->width;
    const int64_t tokens = peft_sys_opt_int(a, "tokens");
    const char *pool = peft_sys_opt_string(a, "pool"), *form = peft_sys_opt_string(a, "form");
    m->share = peft_sys_opt_int(a, "share");
    m->patches = v->tokens - v->prefix;
    m->pool = !strcmp(pool, "prompts") ? PROMPTS : !strcmp(pool, "class") ? CLASS : PATCHES;
    if (m->pool == PATCHES && strcmp(pool, "patches"))
        peft_sys_reject_option(a, "pool", "prompts, class or patches");
    m->class_token = peft_sys_backbone_has(a, "cls_token");
    if (m->pool == CLASS && !m->class_token)
        peft_sys_reject_option(a, "pool", "prompts or patches: this backbone has no class token");
    m->attends = !strcmp(form, "paper");
    if (!m->attends && strcmp(form, "released")) peft_sys_reject_option(a, "form", "released or paper");
    m->prompts = peft_sys_declare(a, PEFT_DIMS(1, tokens, width), "normal:1", "prompt_token");
    m->positions = peft_sys_declare(a, PEFT_DIMS(tokens, width),
                                    peft_sys_init_rule(a, "normal", 1 / sqrt((double)width)),
                                    "prompt_positional_embedding");
    for (int64_t i = 0; i * m->share < v->depth; i++) {
        const char *name = "share_mlp.%d.prompt_%s";
        m->down_w[i] = peft_sys_declare(a, PEFT_DIMS(inner, width), "kaiming", name, (int)i, "key_proj_d.weight");
        m->down_b[i] = peft_sys_declare(a, PEFT_DIMS(inner), peft_sys_init_rule(a, "uniform", 1 / sqrt((double)width)),
                                        name, (int)i, "key_proj_d.bias");
        m->up_w[i] = peft_sys_declare(a, PEFT_DIMS(width, inner), "kaiming", name, (int)i, "key_proj_u.weight");
        m->up_b[i] = peft_sys_declare(a, PEFT_DIMS(width), peft_sys_init_rule(a, "uniform", 1 / sqrt((double)inner)),
                                      name, (int)i, "key_proj_u.bias");
        m->gate[i] = peft_sys_declare(a, PEFT_DIMS(1), "zero", name, (int)i, "gate");
    }
    return peft_sys_init_status(a);
}

static const char tokens_before[] = "tokens before prompts";    /* the value at TOKENS, of the class token and others */

/* The number of rows of x [b,t,..] before the class token: the prompts. */
static int64_t prompt_rows(peft_build *b, peft_val x)
{
    return peft_sys_extent(b, x, 1) - peft_sys_extent(b, peft_sys_value(b, tokens_before), 1);
}

/* u [b,t,inner], with each prompt replaced by the mean of the other tokens, weighted by its attention to them */
static peft_val attend(peft_build *b, peft_val u)
{
    enum { ONE_HEAD = 1 };
    const int64_t n = prompt_rows(b, u);
    peft_val tokens = peft_sys_drop_rows(b, u, 0, n);
    const peft_site s = { .where = PEFT_ATTN, .q = peft_sys_take_rows(b, u, 0, n), .k = tokens, .v = tokens };
    return peft_sys_insert_rows(b, tokens, 0, peft_sys_attention(b, ONE_HEAD, &s));
}

/* S(x), with the bottleneck of the block's group */
static peft_val bottleneck(const dvpt *m, peft_build *b, int64_t layer, peft_val x)
{
    const int64_t i = layer / m->share;
    x = peft_sys_linear(b, x, peft_sys_param(b, m->down_w[i]), peft_sys_param(b, m->down_b[i]));
    x = peft_sys_activate(b, x, "quickgelu");
    if (m->attends) x = attend(b, x);
    x = peft_sys_linear(b, x, peft_sys_param(b, m->up_w[i]), peft_sys_param(b, m->up_b[i]));
    return peft_sys_mul_rows(b, x, peft_sys_param(b, m->gate[i]));
}

/* The input of the head, of the tokens that leave the last block. Rows before the class token are prompts. A head that
 * reads all patches keeps what it had: `out`. */
static peft_val pooled(const dvpt *m, peft_build *b, peft_val tokens, peft_val out)
{
    const int64_t class_row = prompt_rows(b, tokens), first_patch = peft_sys_extent(b, tokens, 1) - m->patches;
    if (peft_sys_extent(b, out, 1) > 1) return out;
    if (m->pool == CLASS) return peft_sys_final_norm(b, peft_sys_take_rows(b, tokens, class_row, 1));
    if (m->pool == PATCHES) return peft_sys_final_norm(b, peft_sys_mean_rows(b, tokens, first_patch, m->patches));
    tokens = peft_sys_take_rows(b, tokens, 0, class_row + m->class_token);
    return peft_sys_mean_rows(b, peft_sys_final_norm(b, tokens), 0, class_row + m->class_token);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const dvpt *m = state;
    if (s->where == PEFT_TOKENS) {
        peft_val prompts = peft_sys_select(b, peft_sys_param(b, m->prompts), 0);
        prompts = peft_sys_add(b, prompts, peft_sys_param(b, m->positions));
        peft_sys_set_value(b, tokens_before, s->out);
        s->out = peft_sys_insert_rows(b, s->out, 0, peft_sys_pre_norm(b, prompts));
    } else if (s->where == PEFT_POOL) s->out = pooled(m, b, s->in, s->out);
    else if (s->role == PEFT_MLP)
        s->out = peft_sys_add(b, s->out, bottleneck(m, b, s->layer, s->in));
}

const peft_method pf_method_dvpt = {
    .name = "dvpt", .summary = "prompts before the class token, and a gated bottleneck shared by groups of blocks",
    .paper = "arXiv:2307.09787", .opts = opts,
    .sites = PEFT_AT(PEFT_TOKENS) | PEFT_AT(PEFT_BRANCH) | PEFT_AT(PEFT_POOL),
    .state_size = sizeof(dvpt), .init = init, .emit = emit };
