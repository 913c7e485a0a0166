/* SPDX-License-Identifier: Apache-2.0
 * vpt.c -- Visual Prompt Tuning (Jia et al., ECCV 2022): learned tokens behind the class token, once (shallow) or
 * fresh ones in front of every block (deep), which take the slots of the block before. */
#include "core/method.h"
#include <math.h>

typedef struct { uint64_t layers; double drop; pf_param *first, *deep, *w, *bias; } vpt;

static const pf_opt opts[] = {
    { "tokens",  'i', "10", 1, 1e4, "prompt tokens a layer" },
    { "deep",    'b', "true", 0, 0, "fresh prompts in front of every block" },
    { "layers",  's', "all", 0, 0, "deep: blocks that get fresh ones; block 0 always has prompts" },
    { "shared",  'b', "false", 0, 0, "deep: the same prompts in front of every block" },
    { "dropout", 'f', "0", 0, 0.99, "on the prompts, in training, drawn for each sample" },
    { "project", 'i', "0", 0, 1 << 16, "width of the prompts before one shared linear layer; 0: no such layer" },
    { 0 } };

static peft_status init(pf_adapter *a, const pf_vit *v)
{
    vpt *m = pf_state(a);
    const int64_t n = pf_opt_int(a, "tokens"), project = pf_opt_int(a, "project"), d = project ? project : v->width;
    const char *init = pf_rule(a, "uniform", sqrt(6.0 / (double)(v->patch_values + d)));
    m->drop = pf_opt_float(a, "dropout");
    m->layers = pf_opt_int(a, "deep") ? pf_opt_layers(a, "layers") | 1 : 1;
    m->first = pf_declare(a, PF_DIMS(1, n, d), init, "prompt_embeddings");
    if (m->layers != 1 && !pf_opt_int(a, "shared") && v->depth > 1)
        m->deep = pf_declare(a, PF_DIMS(v->depth - 1, n, d), init, "deep_prompt_embeddings");
    if (project) {
        m->w = pf_declare(a, PF_DIMS(v->width, d), "kaiming_out", "prompt_proj.weight");
        m->bias = pf_declare(a, PF_DIMS(v->width), "zero", "prompt_proj.bias");
    }
    return pf_done(a);
}

static void emit(const void *state, pf_build *b, pf_site *s)
{
    const vpt *m = state;
    if (!(m->layers >> s->layer & 1)) return;
    pf_val p = s->layer && m->deep ? pf_at(b, pf_use(b, m->deep), s->layer - 1) : pf_at(b, pf_use(b, m->first), 0);
    if (m->w) p = pf_linear(b, p, pf_use(b, m->w), pf_use(b, m->bias));
    if (m->drop > 0) p = pf_dropout(b, pf_repeat(b, p), m->drop);
    s->out = s->layer ? pf_replace_rows(b, s->out, 1, p) : pf_insert_rows(b, s->out, 1, p);
}

const pf_method pf_method_vpt = {
    .name = "vpt", .summary = "learned tokens beside the patch tokens", .paper = "arXiv:2203.12119",
    .opts = opts, .sites = PF_AT(PF_BLOCK_IN), .state_size = sizeof(vpt), .init = init, .emit = emit };
