/* SPDX-License-Identifier: Apache-2.0
 * prefix.c -- prefix tuning (Li and Liang, ACL 2021): in every attention, learned keys and values for each head are put
 * beside those of the tokens. */
#include <peft/sys/method.h>

typedef struct { peft_param *prefix; } prefix;       /* [depth, 2 (keys, values), heads, tokens, head_width] */
static const peft_option opts[] = {
    { "tokens", 'i', "10", 1, 1e4, "learned pairs of key and value in each block" },
    { "init",   's', "normal:0.02", 0, 0, "initial values: normal:STD, uniform:BOUND, zero, xavier, .." }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    prefix *m = peft_sys_state(a);
    const int64_t tokens = peft_sys_opt_int(a, "tokens"), head_width = v->width / v->heads;
    m->prefix = peft_sys_declare(a, PEFT_DIMS(v->depth, 2, v->heads, tokens, head_width),
                                 peft_sys_opt_string(a, "init"), "prefix");
    return peft_sys_init_status(a);
}

/* Sets the site's further keys xk and values xv, which attention reads beside those of the tokens. */
static void emit(const void *state, peft_build *b, peft_site *s)
{
    const prefix *m = state;
    peft_val keys_values = peft_sys_select(b, peft_sys_param(b, m->prefix), s->layer);      /* [2,heads,n,head_width] */
    enum { KEYS, VALUES };                                   /* along the first extent */
    peft_sys_add_keys(b, s, peft_sys_merge_heads(b, peft_sys_select(b, keys_values, KEYS)),
                      peft_sys_merge_heads(b, peft_sys_select(b, keys_values, VALUES)));
}

const peft_method pf_method_prefix = {
    .name = "prefix", .summary = "learned keys and values in every attention", .paper = "arXiv:2101.00190",
    .opts = opts, .sites = PEFT_AT(PEFT_ATTN), .state_size = sizeof(prefix), .init = init, .emit = emit };
