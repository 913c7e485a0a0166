/* SPDX-License-Identifier: Apache-2.0
 * load_agree.c -- compares the configuration files with the tensors: refuses those that describe other weights, or a
 * computation with such tensors that this library does not support. */
#include <string.h>
#include "core/weights/load/load.h"

/* Width, depth, patch size and columns of the MLP; a patch of 0: no tensor tells it (pf_load_width_and_patch). */
static peft_status check_extents(const pf_loader *l)
{
    const struct { const char *fact; int64_t weights; } facts[] = {
        { "width", l->shape.width }, { "depth", l->shape.depth }, { "patch", l->shape.patch },
        { "intermediate_size", l->shape.mlp } };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *text = pf_config_get(&l->config, facts[i].fact);
        int64_t v;
        if (text && facts[i].weights && pf_parse_int(text, &v) && v != facts[i].weights)
            return pf_fail(PEFT_E_FORMAT, "%s states %s %s, but the weights have %lld: expected the configuration of "
                           "this model, or the option config=none", l->config.source, facts[i].fact, text,
                           (long long)facts[i].weights);
    }
    return PEFT_OK;
}

/* Has the first block this part (0: the whole, or the first) of the bias? */
static bool has_bias(const pf_loader *l, const char *name, int index)
{
    const pf_st_tensor *part[3];
    return pf_load_find(l, name, part) > index && part[index];
}

/* The flags in the configuration of a naming whose networks need not have all biases. */
static peft_status check_flags(const pf_loader *l)
{
    static const char qkv[] = "blocks.0.attn.qkv.bias";
    const struct { const char *fact; bool weights; } facts[] = {
        { "use_gated_mlp", l->shape.gate }, { "query_bias", has_bias(l, qkv, 0) }, { "key_bias", has_bias(l, qkv, 1) },
        { "value_bias", has_bias(l, qkv, 2) }, { "proj_bias", has_bias(l, "blocks.0.attn.proj.bias", 0) },
        { "mlp_bias", has_bias(l, "blocks.0.mlp.fc2.bias", 0) } };
    for (size_t i = 0; l->naming->absent_biases == PF_ABSENT_ANY && i < sizeof facts / sizeof *facts; i++) {
        const char *text = pf_config_get(&l->config, facts[i].fact), *weights = facts[i].weights ? "true" : "false";
        if (text && strcmp(text, weights))
            return pf_fail(PEFT_E_FORMAT, "%s states %s %s, but by the weights it is %s: expected the configuration of "
                           "this model, or the option config=none", l->config.source, facts[i].fact, text, weights);
    }
    return PEFT_OK;
}

/* Does an option or the file's header state the fact, so that the configuration files do not count? */
static bool stated_before(const pf_loader *l, const char *name)
{
    return strcmp(pf_options_string(l->o, pf_backbone_load_options, name), "auto") || pf_st_meta(l->file, name);
}

/* timm's act_layer, which the reader of the configuration translated to "act" if this library has it. */
static peft_status check_activation(const pf_loader *l)
{
    const char *layer = pf_config_get(&l->config, "act_layer");
    if (!layer || pf_config_get(&l->config, "act") || stated_before(l, "act")) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "%s: act_layer: given '%s', which is not supported: expected gelu, gelu_tanh, "
                   "quick_gelu, silu, relu, tanh or sigmoid", l->config.source, layer);
}

/* Warns of a network that was trained with QuickGELU and that timm stores under an architecture with GELU. */
static void warn_quickgelu(const pf_loader *l)
{
    const char *notes = pf_config_get(&l->config, "notes"), *act = pf_config_get(&l->config, "act");
    if (!notes || !strstr(notes, "QuickGELU") || stated_before(l, "act") || (act && !strcmp(act, "quickgelu"))) return;
    pf_warn(l->ctx, "%s: notes: '%s'; GELU is computed, as timm does for this architecture; the option act=quickgelu "
            "gives the original network", l->config.source, notes);
}

/* A model class of transformers has other tensors than those of the weights: LayerScale, registers, a class token or a
 * norm before the blocks, or none of these. Weights under timm's names have no such class. */
static peft_status check_model_type(const pf_loader *l)
{
    /* a stated number of registers, which may be 0, is compared with that of the weights elsewhere */
    const unsigned registers = pf_config_get(&l->config, "registers") ? 0 : PF_REGISTERS;
    const unsigned parts = PF_UNSCALED | PF_SCALED | PF_NO_REGISTERS | registers | PF_CLASS_TOKEN | PF_NO_CLASS_TOKEN
                         | PF_NORM_PRE;
    const char *type = pf_config_get(&l->config, "model_type");
    for (pf_families f = l->families; type && l->naming->dtype && *f; f++) {
        const pf_hf_model *m = (*f)->saved;
        const bool named = m && (!strcmp(m->type, type) || (m->classifier_type && !strcmp(m->classifier_type, type)));
        if (!named || pf_shape_fits(&l->shape, m->needs & parts)) continue;
        return pf_fail(PEFT_E_FORMAT, "%s states model_type %s, but the weights are of another network (LayerScale, "
                       "registers, class token or norm before the blocks): expected the configuration of this model, "
                       "or the option config=none", l->config.source, type);
    }
    return PEFT_OK;
}

/* Warns if `architectures` names a class of another model_type. transformers loads by model_type, and so does this
 * library. */
static void warn_of_class(const pf_loader *l)
{
    const char *class = pf_config_get(&l->config, "architectures"), *type = pf_config_get(&l->config, "model_type");
    const char *of_class = NULL;
    for (pf_families f = l->families; class && type && *f; f++) {
        const pf_hf_model *m = (*f)->saved;
        const bool classifier = m && m->classifier && !strcmp(m->classifier, class);
        if (!m || (!classifier && strcmp(m->model, class))) continue;
        of_class = classifier && m->classifier_type ? m->classifier_type : m->type;
        if (!strcmp(of_class, type)) return;
    }
    if (of_class)
        pf_warn(l->ctx, "%s: architectures names %s, a class of model_type %s, but model_type is %s, which counts",
                l->config.source, class, of_class, type);
}

peft_status pf_load_check_image_size(const pf_loader *l)
{
    const pf_arch a = pf_load_arch(l);
    const char *text = pf_config_get(&l->config, "image_size");
    const int64_t patch = l->shape.patch;
    pf_grid side;
    char multiple[PF_SIDES_MAX];
    if (!text || !patch || !pf_sides_read(text, &side)) return PEFT_OK;
    const pf_grid rest = { side.h % patch, side.w % patch };
    if (rest.h || rest.w)
        pf_warn(l->ctx, "%s: image_size %s is no multiple of the patch side %lld: pictures are resized to %s pixels; "
                "the library that wrote it resizes them to %s and leaves out the last %lld rows and %lld columns",
                l->config.source, text, (long long)patch,
                pf_sides_text(multiple, (pf_grid){ side.h - rest.h, side.w - rest.w }), text, (long long)rest.h,
                (long long)rest.w);
    const pf_grid grid = { side.h / patch, side.w / patch }, weights = l->native_grid;
    if (a.timm || !a.known || pf_grid_equal(grid, weights)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "%s states image_size %s, a grid of %lld x %lld patches, but the position embedding "
                   "has %lld x %lld: expected the configuration of this model, or the option config=none",
                   l->config.source, text, (long long)grid.h, (long long)grid.w, (long long)weights.h,
                   (long long)weights.w);
}

/* The checks above that need no position embedding, and two warnings. */
peft_status pf_load_check_config(const pf_loader *l)
{
    PF_TRY(check_extents(l));
    PF_TRY(check_model_type(l));
    PF_TRY(check_flags(l));
    PF_TRY(check_activation(l));
    warn_quickgelu(l);
    warn_of_class(l);
    return PEFT_OK;
}
