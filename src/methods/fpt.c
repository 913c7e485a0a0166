/* SPDX-License-Identifier: Apache-2.0
 * fpt.c -- Fine-grained Prompt Tuning (Huang et al., MICCAI 2024; FPT+, TNNLS 36(9) 2025): a small trained ViT, the
 * side network, reads a small image. The frozen backbone reads the large image. At each chosen layer of the backbone,
 * trained prompts attend to the keys and values of the tokens that receive most attention ("fine-grained features"),
 * and the result, the fused prompts, enters one block of the side network.
 *
 * The backbone's pass depends on no trained value, so the feature cache of a trainer keeps it by sample id as for any
 * method (the paper's preloading of features). */
#include <peft/sys/method.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    uint64_t layers;                         /* bit l is set if layer l of the backbone is chosen */
    int64_t heads, prompts, side_image, tokens_kept;
    int plus;                                /* option plus: the variant FPT+ */
    int rank_by_class_token;                 /* tokens are ranked by the class token's attention; 0: by that of all */
    int side_image_given;                    /* the application gives the small image; 0: the large one is resized */
    double dropout;
    peft_param *prompt;                      /* [chosen layers, 1, prompts, width]; 1: the published code's batch */
    peft_param *norm_w, *norm_b;             /* FPT+: LayerNorm of the prompts */
    peft_param *in_w, *in_b;                 /* without plus: projects the prompts to the backbone's width */
    peft_param *out_w, *out_b;               /* projects the result to the side network's width */
    peft_param *head_w, *head_b;             /* the side network's classifier */
} fpt;

static const peft_option opts[] = {
    { "classes",    'i', "2", 1, 1 << 24, "classes of the side network's head; must equal the model's" },
    { "plus",       'b', "false", 0, 0, "FPT+: prompts have the backbone's width and pass a LayerNorm" },
    { "tokens",     'i', "16", 1, 4096, "prompts of each chosen layer" },
    { "reduction",  'i', "8", 1, 1024, "width of the backbone divided by that of the side network" },
    { "layers",     's', "all", 0, 0, "layers whose keys and values are used; the side network has a block for each "
      "(published FPT+: 6-11)" },
    { "ratio",      'f', "0.2", 0, 1, "share of the tokens that each head keeps" },
    { "importance", 's', "global", 0, 0, "ranks tokens: global (attention of all queries) or class_token" },
    { "side_image", 'i', "224", 1, 65536, "side of the side network's image in pixels (published FPT+: 128)" },
    { "side_input", 's', "resize", 0, 0, "resize (of the large image) or given (the input side_images)" },
    { "fine_image", 'i', "0", 0, 65536, "side of the large image; if given, must equal the backbone's image_size" },
    { "dropout",    'f', "0", 0, 0.99, "dropout on the fused prompts, in training (published: 0.5)" },
    { 0 } };

/* How many bits are 1; each round clears the lowest of them. */
static int64_t count_bits(uint64_t bits)
{
    int64_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

/* 1 if the text option has the value `yes`, 0 if it has the value `no`; any other value is refused. */
static int choice(peft_adapter *a, const char *name, const char *no, const char *yes, const char *expected)
{
    const char *s = peft_sys_opt_string(a, name);
    if (strcmp(s, no) && strcmp(s, yes)) peft_sys_reject_option(a, name, expected);
    return !strcmp(s, yes);
}

/* Declares the tensors that make the fused prompts. width, side_width: of a token in backbone and side network. */
static void declare_fusion(peft_adapter *a, fpt *m, int64_t width, int64_t side_width)
{
    const int64_t layers = count_bits(m->layers), prompt_width = m->plus ? width : side_width;
    const char *bound;                       /* rule: uniform, as torch initialises a linear layer */
    m->prompt = peft_sys_declare(a, PEFT_DIMS(layers, 1, m->prompts, prompt_width), "normal:1e-6",
                                 "fusion_module.prompts");
    if (m->plus) {
        m->norm_w = peft_sys_declare(a, PEFT_DIMS(width), "one", "fusion_module.layer_norm.weight");
        m->norm_b = peft_sys_declare(a, PEFT_DIMS(width), "zero", "fusion_module.layer_norm.bias");
    } else {
        bound = peft_sys_init_rule(a, "uniform", sqrt(1.0 / (double)side_width));
        m->in_w = peft_sys_declare(a, PEFT_DIMS(width, side_width), bound, "fusion_module.prompt_proj.weight");
        m->in_b = peft_sys_declare(a, PEFT_DIMS(width), bound, "fusion_module.prompt_proj.bias");
    }
    bound = peft_sys_init_rule(a, "uniform", sqrt(1.0 / (double)width));
    m->out_w = peft_sys_declare(a, PEFT_DIMS(side_width, width), bound, "fusion_module.out_proj.weight");
    m->out_b = peft_sys_declare(a, PEFT_DIMS(side_width), bound, "fusion_module.out_proj.bias");
}

/* The side network, and the resize to its input, take square images only. */
static peft_status refuse_rectangles(const peft_adapter *a)
{
    char message[160];
    int64_t height, width;
    peft_sys_image_sides(a, &height, &width);
    snprintf(message, sizeof message, "method 'fpt': given images of %lldx%lld (height x width), expected square ones: "
             "load the backbone with image_size=N", (long long)height, (long long)width);
    return peft_set_error(PEFT_E_UNSUPPORTED, message);
}

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    fpt *m = peft_sys_state(a);
    const int64_t side_width = v->width / peft_sys_opt_int(a, "reduction");
    const int64_t fine_image = peft_sys_opt_int(a, "fine_image");
    m->layers = peft_sys_opt_layers(a, "layers");
    m->heads = v->heads;
    m->prompts = peft_sys_opt_int(a, "tokens");
    m->side_image = peft_sys_opt_int(a, "side_image");
    m->tokens_kept = (int64_t)(peft_sys_opt_float(a, "ratio") * (double)v->tokens);
    m->plus = (int)peft_sys_opt_int(a, "plus");
    m->dropout = peft_sys_opt_float(a, "dropout");
    m->rank_by_class_token = choice(a, "importance", "global", "class_token", "global or class_token");
    m->side_image_given = choice(a, "side_input", "resize", "given", "resize or given");
    if (v->image < 0) return refuse_rectangles(a);
    if (fine_image && fine_image != v->image)
        peft_sys_reject_option(a, "fine_image", "the image_size the backbone was loaded with");
    if (m->rank_by_class_token && !peft_sys_backbone_has(a, "cls_token"))
        peft_sys_reject_option(a, "importance", "global: this backbone has no class token");
    if (m->tokens_kept < 1) peft_sys_reject_option(a, "ratio", "enough to keep a token");
    if (side_width < 1 || side_width % v->heads)
        peft_sys_reject_option(a, "reduction", "a divisor of the backbone's width that leaves a multiple of its heads");
    declare_fusion(a, m, v->width, side_width);
    const peft_vit shape = { .width = side_width, .depth = count_bits(m->layers), .heads = v->heads,
                             .mlp = 4 * side_width, .image = m->side_image };
    peft_sys_declare_vit(a, "side_encoder.", &shape, peft_sys_opt_int(a, "classes"));
    m->head_w = peft_sys_find_declared(a, "side_encoder.head.weight");
    m->head_b = peft_sys_find_declared(a, "side_encoder.head.bias");
    return peft_sys_init_status(a);
}

/* The graph that is being built: fused[i] are the fused prompts of the i-th chosen layer, for block i of the side
 * network; layers_fused of them are made so far. */
typedef struct { const fpt *m; int layers_fused; peft_val fused[PEFT_DEPTH_MAX]; } pass;

/* Called at the sites of the frozen backbone; acts at the attention of a chosen layer. K*, V*: keys and values of the
 * kept tokens; P: the layer's prompts; U = softmax(q K*^T) V*. Fused prompts: dropout(out_proj(U) + P), in FPT+
 * dropout(out_proj(U + P)). */
static void fuse(void *user, peft_build *b, peft_site *s)
{
    pass *r = user;
    const fpt *m = r->m;
    if (s->where != PEFT_ATTN || !(m->layers >> s->layer & 1)) return;
    /* mass [b,heads,t]: the attention that each token receives */
    peft_val mass = peft_sys_attention_mass(b, m->heads, s, m->rank_by_class_token);
    peft_val p = peft_sys_select(b, peft_sys_param(b, m->prompt), r->layers_fused);
    peft_val q = m->plus ? peft_sys_layernorm(b, p, peft_sys_param(b, m->norm_w), peft_sys_param(b, m->norm_b), 1e-5)
                         : peft_sys_linear(b, p, peft_sys_param(b, m->in_w), peft_sys_param(b, m->in_b));
    peft_site kept = { .q = peft_sys_repeat_batch(b, q), .k = peft_sys_top_rows(b, s->k, mass, m->tokens_kept),
                       .v = peft_sys_top_rows(b, s->v, mass, m->tokens_kept) };
    peft_val f = peft_sys_attention(b, m->heads, &kept);
    if (m->plus) f = peft_sys_add(b, f, p);
    f = peft_sys_linear(b, f, peft_sys_param(b, m->out_w), peft_sys_param(b, m->out_b));
    if (!m->plus) f = peft_sys_add(b, f, p);
    r->fused[r->layers_fused++] = peft_sys_dropout(b, f, m->dropout);
}

/* Called at the sites of the side network: the fused prompts are appended to a block's tokens and dropped behind it. */
static void inject(void *user, peft_build *b, peft_site *s)
{
    const pass *r = user;
    if (s->where == PEFT_BLOCK_IN)
        s->out = peft_sys_insert_rows(b, s->out, peft_sys_extent(b, s->out, 1), r->fused[s->layer]);
    if (s->where == PEFT_BLOCK_OUT)
        s->out = peft_sys_drop_rows(b, s->out, peft_sys_extent(b, s->out, 1) - r->m->prompts, r->m->prompts);
}

/* The logits: runs the backbone to fill r.fused, then the side network. */
static peft_val network(const void *state, peft_build *b, const peft_net *net, peft_val images)
{
    pass r = { .m = state };
    peft_val small = r.m->side_image_given ? peft_sys_side_images(b, r.m->side_image)
                                            : peft_sys_resize_images(b, images, r.m->side_image);
    const char *const backbone_scope = "";
    peft_sys_vit_forward(b, net, backbone_scope, images, fuse, &r);            /* its pooled feature is not used */
    peft_val feature = peft_sys_vit_forward(b, net, "side_encoder.", small, inject, &r);
    return peft_sys_linear(b, feature, peft_sys_param(b, r.m->head_w), peft_sys_param(b, r.m->head_b));
}

const peft_method pf_method_fpt = {
    .name = "fpt", .summary = "a small trained side ViT fed by a frozen large one", .paper = "arXiv:2408.02426",
    .opts = opts, .state_size = sizeof(fpt), .init = init, .network = network };
