/* SPDX-License-Identifier: Apache-2.0
 * fpt.c -- Fine-grained Prompt Tuning (Huang et al., MICCAI 2024; FPT+, TNNLS 36(9) 2025): a small trained ViT on the
 * small image, fed at every block by prompts that attend to the keys and values of the frozen ViT's most attended
 * tokens on the large one. Nothing of the frozen pass depends on a trained value: it is the graph's frozen prefix, cached
 * by sample id like any other, and there is no preloading code here. */
#include <peft/sys/method.h>
#include <math.h>
#include <string.h>

typedef struct {
    uint64_t layers;
    int64_t heads, prompts, side, kept;
    int plus, class_token, given;
    double drop;
    peft_param *prompt, *norm_w, *norm_b, *in_w, *in_b, *out_w, *out_b, *head_w, *head_b;
} fpt;

static const peft_option opts[] = {
    { "classes",    'i', "2", 1, 1 << 24, "classes of the side network's head; as the model's" },
    { "plus",       'b', "false", 0, 0, "FPT+: prompts as wide as the backbone, normalised" },
    { "tokens",     'i', "16", 1, 4096, "prompts a block" },
    { "reduction",  'i', "8", 1, 1024, "side network's width = backbone's / this" },
    { "layers",     's', "all", 0, 0, "layers whose keys and values are used; one side block each (FPT+: 6-11)" },
    { "ratio",      'f', "0.2", 0, 1, "share of tokens kept a head" },
    { "importance", 's', "global", 0, 0, "what a token is ranked by: global (attention of all queries) or class_token" },
    { "side_image", 'i', "224", 1, 65536, "side network's image (FPT+: 128)" },
    { "side_input", 's', "resize", 0, 0, "resize (of the large image) or given (at each step, beside it)" },
    { "fine_image", 'i', "0", 0, 65536, "the large image's side: the backbone's image_size, if given" },
    { "dropout",    'f', "0", 0, 0.99, "on the fused prompts, in training (published: 0.5)" },
    { 0 } };

static int64_t count(uint64_t bits)
{
    int64_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

static int choice(peft_adapter *a, const char *name, const char *no, const char *yes, const char *expected)
{
    const char *s = peft_sys_opt_string(a, name);
    if (strcmp(s, no) && strcmp(s, yes)) peft_sys_reject_option(a, name, expected);
    return !strcmp(s, yes);
}

static void fusion(peft_adapter *a, fpt *m, int64_t width, int64_t side)
{
    const int64_t n = count(m->layers);
    const char *bound;
    m->prompt = peft_sys_declare(a, PEFT_DIMS(n, 1, m->prompts, m->plus ? width : side), "normal:1e-6",
                             "fusion_module.prompts");
    if (m->plus) {
        m->norm_w = peft_sys_declare(a, PEFT_DIMS(width), "one", "fusion_module.layer_norm.weight");
        m->norm_b = peft_sys_declare(a, PEFT_DIMS(width), "zero", "fusion_module.layer_norm.bias");
    } else {
        bound = peft_sys_init_rule(a, "uniform", sqrt(1.0 / (double)side));
        m->in_w = peft_sys_declare(a, PEFT_DIMS(width, side), bound, "fusion_module.prompt_proj.weight");
        m->in_b = peft_sys_declare(a, PEFT_DIMS(width), bound, "fusion_module.prompt_proj.bias");
    }
    bound = peft_sys_init_rule(a, "uniform", sqrt(1.0 / (double)width));
    m->out_w = peft_sys_declare(a, PEFT_DIMS(side, width), bound, "fusion_module.out_proj.weight");
    m->out_b = peft_sys_declare(a, PEFT_DIMS(side), bound, "fusion_module.out_proj.bias");
}

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    fpt *m = peft_sys_state(a);
    const int64_t side = v->width / peft_sys_opt_int(a, "reduction"), fine = peft_sys_opt_int(a, "fine_image");
    m->layers = peft_sys_opt_layers(a, "layers");
    m->heads = v->heads;
    m->prompts = peft_sys_opt_int(a, "tokens");
    m->side = peft_sys_opt_int(a, "side_image");
    m->kept = (int64_t)(peft_sys_opt_float(a, "ratio") * (double)v->tokens);
    m->plus = (int)peft_sys_opt_int(a, "plus");
    m->drop = peft_sys_opt_float(a, "dropout");
    m->class_token = choice(a, "importance", "global", "class_token", "global or class_token");
    m->given = choice(a, "side_input", "resize", "given", "resize or given");
    if (fine && fine != v->image)
        peft_sys_reject_option(a, "fine_image", "the image_size the backbone was loaded with");
    if (m->kept < 1) peft_sys_reject_option(a, "ratio", "enough to keep a token");
    if (side < 1 || side % v->heads) peft_sys_reject_option(a, "reduction", "a side width that the heads divide");
    fusion(a, m, v->width, side);
    const peft_vit shape = { .width = side, .depth = count(m->layers), .heads = v->heads, .mlp = 4 * side,
                             .image = m->side };
    peft_sys_declare_vit(a, "side_encoder.", &shape, peft_sys_opt_int(a, "classes"));
    m->head_w = peft_sys_find_declared(a, "side_encoder.head.weight");
    m->head_b = peft_sys_find_declared(a, "side_encoder.head.bias");
    return peft_sys_init_status(a);
}

typedef struct { const fpt *m; int seen; peft_val fused[PEFT_DEPTH_MAX]; } run;

/* At the frozen ViT's attention: f = dropout(out_proj(U) + P), or out_proj(U + P) in FPT+, U = softmax(q K*^T) V*. */
static void tap(void *user, peft_build *b, peft_site *s)
{
    run *r = user;
    const fpt *m = r->m;
    if (s->where != PEFT_ATTN || !(m->layers >> s->layer & 1)) return;
    peft_val mass = peft_sys_attention_mass(b, m->heads, s, m->class_token);
    peft_val p = peft_sys_select(b, peft_sys_param(b, m->prompt), r->seen);
    peft_val q = m->plus ? peft_sys_layernorm(b, p, peft_sys_param(b, m->norm_w), peft_sys_param(b, m->norm_b), 1e-5)
                       : peft_sys_linear(b, p, peft_sys_param(b, m->in_w), peft_sys_param(b, m->in_b));
    peft_site fusion = { .q = peft_sys_repeat_batch(b, q), .k = peft_sys_top_rows(b, s->k, mass, m->kept),
                         .v = peft_sys_top_rows(b, s->v, mass, m->kept) };
    peft_val f = peft_sys_attention(b, m->heads, &fusion);
    if (m->plus) f = peft_sys_add(b, f, p);
    f = peft_sys_linear(b, f, peft_sys_param(b, m->out_w), peft_sys_param(b, m->out_b));
    if (!m->plus) f = peft_sys_add(b, f, p);
    r->fused[r->seen++] = peft_sys_dropout(b, f, m->drop);
}

/* At the side ViT's blocks: the fused prompts stand behind the tokens and are dropped again. */
static void inject(void *user, peft_build *b, peft_site *s)
{
    const run *r = user;
    if (s->where == PEFT_BLOCK_IN)
        s->out = peft_sys_insert_rows(b, s->out, peft_sys_extent(b, s->out, 1), r->fused[s->layer]);
    if (s->where == PEFT_BLOCK_OUT)
        s->out = peft_sys_drop_rows(b, s->out, peft_sys_extent(b, s->out, 1) - r->m->prompts, r->m->prompts);
}

static peft_val network(const void *state, peft_build *b, const peft_net *net, peft_val images)
{
    run r = { .m = state };
    peft_val small = r.m->given ? peft_sys_side_images(b, r.m->side) : peft_sys_resize_images(b, images, r.m->side);
    peft_sys_vit_forward(b, net, "", images, tap, &r);
    peft_val feature = peft_sys_vit_forward(b, net, "side_encoder.", small, inject, &r);
    return peft_sys_linear(b, feature, peft_sys_param(b, r.m->head_w), peft_sys_param(b, r.m->head_b));
}

const peft_method pf_method_fpt = {
    .name = "fpt", .summary = "a small trained side ViT fed by a frozen large one", .paper = "arXiv:2408.02426",
    .opts = opts, .state_size = sizeof(fpt), .init = init, .network = network };
