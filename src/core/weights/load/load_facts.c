/* SPDX-License-Identifier: Apache-2.0
 * load_facts.c -- the facts that no tensor states. Each comes from the first that states it: the caller's options, the
 * file's header, the configuration files, the family's usual value. Usual values are assumptions: they become the
 * note "assumed" and are logged in one warning. */
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"

/* Logs one warning for all assumptions. */
static void warn_of_assumptions(const pf_loader *l)
{
    char text[2 * PF_ASSUMED_MAX];
    size_t used = 0;
    if (!*l->assumed) return;
    for (const char *from = l->assumed; *from; from++)
        if (*from == '\n') text[used++] = ';', text[used++] = ' ';
        else text[used++] = *from;
    text[used] = 0;
    const char *source = l->config.source;
    pf_warn(l->ctx, "backbone: assumed, because no option, tensor, header or configuration file states it: %s. %s%s"
            "tate these facts as options of the load (name=value; --backbone-options in the programs)", text,
            *source ? source : "Put the model's config.json beside the weights, or s",
            *source ? " was read and leaves this open: s" : "");
}

/* The number of attention heads that networks of this width and depth usually have; *why: the reason, "as in ViT-H".
 * 0: networks of this width have no usual number. */
static int64_t usual_heads(const pf_vit_shape *s, const char **why)
{
    static const struct { int64_t width, depth, heads; const char *why; } known[] = {
        { 1280, 32, 16, "as in ViT-H" }, { 1408, 40, 16, "as in ViT-g" }, { 1664, 48, 16, "as in ViT-bigG" },
        { 768, 8, 8, "as in timm's vit_small of 8 blocks" }, { 1152, 27, 16, "as in so400m" } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (s->width == known[i].width && s->depth == known[i].depth) {
            *why = known[i].why;
            return known[i].heads;
        }
    *why = "width / 64";
    return s->width % 64 ? 0 : s->width / 64;
}

/* No tensor shows the number of heads, and most numbers give other features than the trained network's. */
static peft_status heads_error(const pf_loader *l)
{
    return pf_fail(PEFT_E_OPTION, "heads: no option, header or configuration file states the number of attention "
                   "heads, and the usual number, width / 64, does not exist for the width %lld: expected heads=N among "
                   "the options of the load (--backbone-options in the programs), or config.json beside the weights",
                   (long long)l->shape.width);
}

/* Sets the number of heads. by_name: the network's name determines it, so that nothing is assumed. The name of a known
 * architecture of timm does (heads of its row, else usual_heads) unless the configuration changes the width, and
 * that of a known model_type does if its row states heads. */
static peft_status set_heads(pf_loader *l, const pf_arch *a)
{
    const char *why;
    char text[24];
    const bool by_name = a->known && (a->timm ? !pf_config_get(&l->config, "width") : a->facts.heads > 0);
    const int64_t usual = usual_heads(&l->shape, &why);
    const int64_t fallback = by_name && a->facts.heads ? a->facts.heads : usual;
    double v;
    PF_TRY(pf_load_whole(l, "heads", fallback, &l->shape.heads));
    if (!fallback && !pf_load_number(l, "heads", &v)) return heads_error(l);
    if (by_name || pf_load_number(l, "heads", &v)) return PEFT_OK;
    snprintf(text, sizeof text, "%lld", (long long)usual);
    pf_load_assume(l, "heads", text, why);
    return PEFT_OK;
}

#define PF_DINOV3_EPS 1e-5              /* of LayerNorm in all its networks */
/* Sets the epsilon of LayerNorm. why: the reason to give if the family's value is assumed. Runs when the rotary
 * positions are known, because a file under timm's names may be DINOv3. */
static void set_eps(pf_loader *l, const pf_arch *a, const char *why)
{
    char text[32];
    /* timm's norm_layer in a configuration names a LayerNorm, which has timm's eps of 1e-6 and replaces the norm of the
     * architecture with the eps of its row */
    const char *norm = pf_config_get(&l->config, "norm_layer");
    const bool dinov3 = l->shape.rope.kind == PF_ROPE_CENTRED && l->family->eps != PF_DINOV3_EPS;
    const double usual = dinov3 ? PF_DINOV3_EPS : l->family->eps;
    if (pf_load_number(l, "eps", &l->shape.eps)) return;
    l->shape.eps = a->facts.eps > 0 ? norm ? 1e-6 : a->facts.eps : usual;
    if (a->facts.eps > 0) return;
    pf_print_float(text, sizeof text, usual);
    pf_load_assume(l, "eps", text, dinov3 ? "as in DINOv3" : why);
}

/* Sets activation and gate of a gated MLP. A header without "gate" was written for SwiGLU, whatever its "act" is.
 * Assumes SiLU of the first half, with the warning, if nothing states it and files of this naming may have another one
 * (pf_naming.silu_tensor). */
static peft_status set_gate(pf_loader *l, const pf_arch *a)
{
    const char *header = pf_st_meta(l->file, "gate"), *glob = l->naming->silu_tensor;
    const char *option = pf_options_string(l->o, pf_backbone_load_options, "act"), *act = NULL;
    const char *gate = pf_load_word(l, "gate");
    const bool maybe_other = glob && !pf_load_has_tensor(l, glob), by_name = a->known && a->facts.silu;
    if (gate && strcmp(gate, "first") && strcmp(gate, "last"))
        return pf_fail(PEFT_E_OPTION, "gate: given '%s', expected first or last", gate);
    if (strcmp(option, "auto")) act = option;
    else if (header) act = pf_st_meta(l->file, "act");
    else if (pf_st_meta(l->file, "act")) act = "silu";
    else if (pf_config_get(&l->config, "act_layer")) act = pf_config_get(&l->config, "act");
    else if (a->timm) act = pf_arch_setting(a, "act");
    else act = pf_config_get(&l->config, "act");
    if (!act && maybe_other && !by_name) pf_load_assume(l, "act", "silu", "usual for gated MLPs, on the first half");
    l->shape.act = act ? pf_act_named(act) : PK_SILU;                    /* pf_shape_check refuses -1, unknown */
    l->shape.gate = gate && !strcmp(gate, "last") ? PF_GATE_LAST : PF_GATE_FIRST;
    return PEFT_OK;
}

/* Sets the activation of the MLP. why: the reason to give if the family's value is assumed. */
static peft_status set_act(pf_loader *l, const pf_arch *a, const char *why)
{
    const char *usual = pf_act_name(l->family->act), *act = pf_load_word(l, "act");
    const char *reason = l->family->act_why ? l->family->act_why : why;
    if (l->shape.gate) return set_gate(l, a);
    if (!act && a->known && a->timm) act = "gelu";
    if (!act && !a->known) pf_load_assume(l, "act", usual, reason);
    l->shape.act = pf_act_named(act ? act : usual);                      /* pf_shape_check refuses -1, unknown */
    return PEFT_OK;
}

/* Sets the rule of resampling. An assumed rule is reported only if the image size asks for resampling. open_clip always
 * resamples by the rule of its family here, so that with its configuration nothing is assumed. */
static peft_status set_rule(pf_loader *l, const pf_arch *a, const char *why)
{
    const char *usual = a->known ? a->facts.rule : l->family->rule;
    const bool is_stated = a->known || !strcmp(l->config.source, "open_clip_config.json");
    l->rule = pf_load_word(l, "resample");
    const bool resamples = !pf_grid_equal(pf_vit_grid(&l->shape), l->native_grid);
    if (!l->rule && !is_stated && resamples) pf_load_assume(l, "resample", usual, why);
    if (!l->rule) l->rule = usual;
    return pf_pos_embed_check_rule(l->rule);
}

peft_status pf_load_check_architecture(const pf_loader *l)
{
    const pf_arch a = pf_load_arch(l);
    if (!a.facts.refused) return PEFT_OK;
    if (a.timm)
        return pf_fail(PEFT_E_UNSUPPORTED, "%s names the architecture %s, which has %s: not supported",
                       l->config.source, a.name, a.facts.refused);
    return pf_fail(PEFT_E_UNSUPPORTED, "%s: model_type: given '%s', a network with %s, which is not supported: "
                   "expected a plain ViT; if the weights are a plain ViT's, the option config=none leaves this file "
                   "out",
                   l->config.source, a.name, a.facts.refused);
}

peft_status pf_load_facts(pf_loader *l)
{
    pf_vit_shape *s = &l->shape;
    const char *bias = pf_config_get(&l->config, "qkv_bias");
    char why[64];
    const pf_arch a = pf_load_arch(l);
    snprintf(why, sizeof why, "usual for %s files", l->naming->name);
    if (a.name && !a.known) pf_load_assume(l, a.timm ? "architecture" : "model_type", a.name, "taken for a plain ViT");
    PF_TRY(pf_load_pool(l));
    if (bias) s->qkv_bias = !strcmp(bias, "true");
    const int64_t no_patch = 0;
    if (!s->patch) PF_TRY(pf_load_whole(l, "patch", no_patch, &s->patch));
    if (s->patch < 1) return pf_fail(PEFT_E_OPTION, "patch: not in the weights, expected as an option (patch=16)");
    PF_TRY(set_heads(l, &a));
    PF_TRY(pf_load_positions(l));
    set_eps(l, &a, why);
    PF_TRY(set_act(l, &a, why));
    PF_TRY(pf_load_attention_pooling(l));
    pf_options_sides(l->o, pf_backbone_load_options, "image_size", &s->image.h, &s->image.w);
    if (!s->image.h) s->image = (pf_grid){ l->native_grid.h * s->patch, l->native_grid.w * s->patch };
    PF_TRY(set_rule(l, &a, why));
    warn_of_assumptions(l);
    return pf_shape_check(s);
}
