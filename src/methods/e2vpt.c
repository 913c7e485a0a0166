/* SPDX-License-Identifier: Apache-2.0
 * e2vpt.c -- E2VPT (Han et al., ICCV 2023): the prompts of VPT, and in every attention learned keys and values beside
 * those of the tokens. Two masks multiply the prompts: of each prompt one number, and of each prompt one for each
 * piece, where piece p has the channels p, p + pieces, p + 2 pieces, .. Both masks serve all blocks. Trained masks tell
 * which prompts and pieces matter (peft_adapter_prune); fixed ones leave out those that do not. */
#include <peft/sys/method.h>
#include <math.h>

typedef struct {
    double dropout;
    int64_t row;                         /* of the first prompt: after the class token, if there is one */
    bool shared;                         /* keys and values are the same tensor */
    int64_t tokens, pieces, width;       /* pieces: of a prompt; width: channels of a prompt */
    peft_param *first, *blocks;          /* prompts of block 0; of the blocks 1, 2, ..: NULL if not deep */
    peft_param *token_mask, *piece_mask; /* [tokens], [tokens,pieces]; NULL: none */
    peft_param *kv[PEFT_DEPTH_MAX];      /* keys and values of each block; NULL: none */
} e2vpt;

enum { DEFAULT_PIECES = 16 };
static const peft_option opts[] = {
    { "tokens",      'i', "10", 1, 1e4, "prompt tokens a layer" },
    { "deep",        'b', "true", 0, 0, "prompts of its own for every block" },
    { "kv_tokens",   'i', "5", 0, 1e4, "key and value pairs a layer; 0: none" },
    { "kv_shared",   'b', "true", 0, 0, "keys and values are the same tensor" },
    { "dropout",     'f', "0", 0, 0.99, "dropout on prompts, keys and values, in training, drawn for each sample" },
    { "pieces",      'i', "16", 1, 1 << 16, "pieces of a prompt, for mask_pieces" },
    { "mask_tokens", 's', "none", 0, 0, "factors of the prompts: none, trained, or a list such as [1,0,1], one number "
                                        "(0 or 1) for each prompt" },
    { "mask_pieces", 's', "none", 0, 0, "factors of the pieces of each prompt: none, trained, or a list of lists, one "
                                        "list for each prompt" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    e2vpt *m = peft_sys_state(a);
    const int64_t keys = peft_sys_opt_int(a, "kv_tokens"), head_width = v->width / v->heads;
    const char *init = peft_sys_init_rule(a, "uniform", sqrt(6.0 / (double)(v->patch_values + v->width)));
    m->row = peft_sys_backbone_has(a, "cls_token");
    m->tokens = peft_sys_opt_int(a, "tokens");
    m->pieces = peft_sys_opt_int(a, "pieces");
    m->width = v->width;
    m->dropout = peft_sys_opt_float(a, "dropout");
    m->shared = peft_sys_opt_int(a, "kv_shared");
    m->first = peft_sys_declare(a, PEFT_DIMS(1, m->tokens, v->width), init, "prompt_embeddings");
    if (peft_sys_opt_int(a, "deep") && v->depth > 1)
        m->blocks = peft_sys_declare(a, PEFT_DIMS(v->depth - 1, m->tokens, v->width), init, "deep_prompt_embeddings");
    /* Kaiming's bound for keys * head_width inputs, as in the published code */
    init = peft_sys_init_rule(a, "uniform", sqrt(6.0 / (double)(head_width * (keys ? keys : 1))));
    for (int l = 0; l < v->depth && keys; l++)
        m->kv[l] = m->shared
            ? peft_sys_declare(a, PEFT_DIMS(v->heads, keys, head_width), init, "blocks.%d.attn.deep_QKV_embeddings", l)
            : peft_sys_declare(a, PEFT_DIMS(2, v->heads, keys, head_width), init, "blocks.%d.attn.deep_QKV_embeddings",
                               l);                                                      /* keys, then values */
    const int64_t tokens_kept = 1, pieces_kept = 4;          /* at least so many, by pruning; pieces: of each token */
    m->token_mask = peft_sys_declare_mask(a, PEFT_DIMS(m->tokens), tokens_kept, "mask_tokens",
                                          "prompt_soft_tokens_mask_cls_token");
    m->piece_mask = peft_sys_declare_mask(a, PEFT_DIMS(m->tokens, m->pieces), pieces_kept, "mask_pieces",
                                          "prompt_soft_tokens_pieces_mask_cls_token");
    if (!keys && !m->shared)
        peft_sys_reject_option(a, "kv_shared", "true where kv_tokens=0: there are no keys and values");
    if (!m->piece_mask && m->pieces != DEFAULT_PIECES)
        peft_sys_reject_option(a, "pieces", "16, the default, where mask_pieces=none: only this mask has pieces");
    if (m->piece_mask && m->pieces > v->width)
        peft_sys_reject_option(a, "pieces", "at most the backbone's width");
    return peft_sys_init_status(a);
}

/* Fills [channels,pieces] with 1 where the channel is of the piece, else 0; user: pieces. */
static void fill_pieces(void *user, peft_real *data, int64_t count)
{
    const int64_t pieces = *(const int64_t *)user;
    for (int64_t i = 0; i < count; i++) data[i] = i / pieces % pieces == i % pieces;
}

static void fill_ones(void *user, peft_real *data, int64_t count)
{
    (void)user;
    for (int64_t i = 0; i < count; i++) data[i] = 1;
}

/* The product of both masks [tokens,width], made at the first block for all of them; PEFT_NONE: no masks. */
static peft_val mask(const e2vpt *m, peft_build *b)
{
    int64_t pieces = m->pieces;
    peft_val x = peft_sys_value(b, "mask");
    if (x.id || (!m->token_mask && !m->piece_mask)) return x;
    if (m->piece_mask)
        x = peft_sys_linear(b, peft_sys_param(b, m->piece_mask),
                            peft_sys_constant(b, PEFT_DIMS(m->width, pieces), fill_pieces, &pieces, "pieces"),
                            PEFT_NONE);
    else x = peft_sys_constant(b, PEFT_DIMS(m->tokens, m->width), fill_ones, NULL, "ones");
    if (m->token_mask) x = peft_sys_mul_rows(b, x, peft_sys_param(b, m->token_mask));
    peft_sys_set_value(b, "mask", x);
    return x;
}

static peft_val drop(const e2vpt *m, peft_build *b, peft_val x)
{
    return m->dropout > 0 ? peft_sys_dropout(b, peft_sys_repeat_batch(b, x), m->dropout) : x;
}

/* The prompts of a block, before its attention. */
static void enter(const e2vpt *m, peft_build *b, peft_site *s)
{
    if (s->layer && !m->blocks) return;
    peft_val p = s->layer ? peft_sys_select(b, peft_sys_param(b, m->blocks), s->layer - 1)
                          : peft_sys_select(b, peft_sys_param(b, m->first), 0);
    const peft_val factors = mask(m, b);
    if (factors.id) p = peft_sys_mul(b, p, factors);
    p = drop(m, b, p);
    s->out = s->layer ? peft_sys_replace_rows(b, s->out, m->row, p) : peft_sys_insert_rows(b, s->out, m->row, p);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const e2vpt *m = state;
    if (s->where == PEFT_BLOCK_IN) {
        enter(m, b, s);
        return;
    }
    if (!m->kv[s->layer]) return;
    const peft_val t = peft_sys_param(b, m->kv[s->layer]);
    const peft_val keys = peft_sys_merge_heads(b, m->shared ? t : peft_sys_select(b, t, 0));
    const peft_val values = m->shared ? keys : peft_sys_merge_heads(b, peft_sys_select(b, t, 1));
    peft_sys_add_keys(b, s, drop(m, b, keys), drop(m, b, values));
}

const peft_method pf_method_e2vpt = {
    .name = "e2vpt", .summary = "prompts of VPT with masks, and learned keys and values in every attention",
    .paper = "arXiv:2307.13770", .opts = opts, .sites = PEFT_AT(PEFT_BLOCK_IN) | PEFT_AT(PEFT_ATTN),
    .state_size = sizeof(e2vpt), .init = init, .emit = emit };
