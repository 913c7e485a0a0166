/* SPDX-License-Identifier: Apache-2.0
 * prefix.c -- prefix tuning (Li and Liang, ACL 2021): learned keys and values in every attention, by head. */
#include "core/method.h"

typedef struct { pf_param *prefix; } prefix;
static const pf_opt opts[] = {
    { "tokens", 'i', "10", 1, 1e4, "key and value pairs a layer" },
    { "init",   's', "normal:0.02", 0, 0, "normal:STD, uniform:BOUND, zero, .." }, { 0 } };

static peft_status init(pf_adapter *a, const pf_vit *v)
{
    prefix *m = pf_state(a);
    m->prefix = pf_declare(a, PF_DIMS(v->depth, 2, v->heads, pf_opt_int(a, "tokens"), v->width / v->heads),
                           pf_opt_string(a, "init"), "prefix");
    return pf_done(a);
}

static void emit(const void *state, pf_build *b, pf_site *s)
{
    const prefix *m = state;
    pf_val pair = pf_at(b, pf_use(b, m->prefix), s->layer);       /* [2, heads, n, head width] */
    s->xk = pf_swap(b, pf_at(b, pair, 0));
    s->xv = pf_swap(b, pf_at(b, pair, 1));
}

const pf_method pf_method_prefix = {
    .name = "prefix", .summary = "learned keys and values in every attention", .paper = "arXiv:2101.00190",
    .opts = opts, .sites = PF_AT(PF_ATTN), .state_size = sizeof(prefix), .init = init, .emit = emit };
