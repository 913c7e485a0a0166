/* SPDX-License-Identifier: Apache-2.0
 * config_open_clip.c -- reads open_clip_config.json: facts of the image tower and the preprocessing of its pictures. An
 * absent key has open_clip's default, so that every fact is known. */
#include <string.h>
#include "core/options/options.h"
#include "core/describe/config.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
static const bool off_by_default = false;     /* the value of an absent flag */
/* Settings of the tower that this library does not compute; each must be absent or false. */
static const char *const unsupported[] = { "qk_norm", "scaled_cosine_attn", "scale_heads",
                                           "scale_attn_inner", "scale_attn", "scale_fc" };

bool pf_is_open_clip(const json_t *top)
{
    return json_is_object(json_object_get(json_object_get(top, "model_cfg"), "vision_cfg"));
}

enum { NUMBER_MAX = 1 << 24 };             /* of widths, depths and sides */
/* Reads a whole number; fallback: its value if the key is absent. */
static peft_status read_whole(const json_t *o, const char *key, int64_t fallback, int64_t *out)
{
    const json_t *v = pf_json_get(o, key);
    *out = v ? json_integer_value(v) : fallback;
    return *out >= 1 && *out <= NUMBER_MAX ? PEFT_OK : pf_json_invalid(key, v, "a whole number above 0");
}

/* Reads the side of a square that the file gives as N or [N, N]. */
static peft_status read_square(const json_t *o, const char *key, int64_t fallback, int64_t *out)
{
    const json_t *v = pf_json_get(o, key);
    int64_t height = fallback, width = fallback;
    if (v && !pf_json_sides(v, &height, &width)) return pf_json_invalid(key, v, "a whole number, or [height, width]");
    if (height != width) return pf_json_unsupported(key, v, "two equal sides");
    *out = width;
    return height >= 1 && height <= NUMBER_MAX ? PEFT_OK : pf_json_invalid(key, v, "a whole number above 0");
}

static void set_number(pf_config *c, const char *fact, int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)v);
    pf_config_set(c, fact, text);
}

/* Sets the activation: GELU or QuickGELU without act_kwargs, in which "approximate" names one of two forms of GELU. */
static peft_status read_act(const json_t *model, const json_t *vision, pf_config *c)
{
    bool quick;
    const json_t *args = pf_json_get(vision, "act_kwargs");
    const char *approximate = json_string_value(pf_json_get(args, "approximate"));
    PF_TRY(pf_json_bool_or(model, "quick_gelu", off_by_default, &quick));
    const bool tanh = approximate && !strcmp(approximate, "tanh");
    const bool known = approximate && (tanh || !strcmp(approximate, "none")) && !quick;
    if (args && json_object_size(args) != known)
        return pf_json_unsupported("act_kwargs", args, "{}, or without quick_gelu \"approximate\": \"none\" or "
                                   "\"tanh\"");
    pf_config_set(c, "act", quick ? "quickgelu" : tanh ? "gelu_tanh" : "gelu");
    return PEFT_OK;
}

/* Sets eps of LayerNorm, the one setting of the norms that may be stated. */
static peft_status read_norm(const json_t *vision, pf_config *c)
{
    const json_t *args = pf_json_get(vision, "norm_kwargs"), *eps = pf_json_get(args, "eps");
    char text[PF_FACT_MAX] = "1e-05";
    if (args && json_object_size(args) != (eps ? 1 : 0)) return pf_json_unsupported("norm_kwargs", args, "eps alone");
    const double value = json_number_value(eps);
    if (eps && (!pf_json_number(eps, text, sizeof text) || !(value >= 0 && value <= 1)))
        return pf_json_invalid("eps", eps, "a number from 0 to 1");
    pf_config_set(c, "eps", text);
    return PEFT_OK;
}

/* Sets the facts of attention pooling, whose first query is the feature. */
static peft_status read_attentional_pool(const json_t *vision, const char *type, pf_config *c)
{
    int64_t heads;
    const json_t *v = pf_json_get(vision, "attentional_pool");
    if (!json_is_true(v))
        return pf_json_unsupported("attentional_pool", v, "true or false (other values name pooling in two stages)");
    const json_t *eps = pf_json_get(pf_json_get(vision, "norm_kwargs"), "eps");
    if (eps && json_number_value(eps) != 1e-5)                /* the pooler's norms keep 1e-5, the one behind it not */
        return pf_json_unsupported("eps", eps, "1e-05 in norm_kwargs beside attentional_pool");
    if (strcmp(type, "tok"))
        return pf_json_unsupported("pool_type", pf_json_get(vision, "pool_type"), "tok beside attentional_pool");
    PF_TRY(read_whole(vision, "attn_pooler_heads", 8, &heads));
    set_number(c, "pool_heads", heads);
    pf_config_set(c, "pool", "attention");
    return PEFT_OK;
}

/* Sets the pooling, and the fact fc_norm: ln_post is applied after it. For the class token that makes no difference. */
static peft_status read_pool(const json_t *vision, pf_config *c)
{
    const json_t *v = pf_json_get(vision, "pool_type"), *attention = pf_json_get(vision, "attentional_pool");
    const char *type = v ? json_string_value(v) : "tok";
    bool after;
    PF_TRY(pf_json_bool_or(vision, "final_ln_after_pool", off_by_default, &after));
    if (!type) return pf_json_invalid("pool_type", v, "a text");
    if (strcmp(type, "tok") && strcmp(type, "avg")) return pf_json_unsupported("pool_type", v, "tok or avg");
    if (attention && !json_is_false(attention)) return read_attentional_pool(vision, type, c);
    pf_config_set(c, "pool", strcmp(type, "tok") ? "mean" : "cls");
    pf_config_set(c, "fc_norm", after ? "true" : "false");
    return PEFT_OK;
}

/* Reads the facts of open_clip's own ViT. */
static peft_status open_clip_tower(const json_t *model, const json_t *vision, pf_config *c)
{
    int64_t width, head_width, depth, patch;
    if (json_is_array(json_object_get(vision, "layers")))
        return pf_json_unsupported("layers", json_object_get(vision, "layers"), "a ViT's number of blocks (a list "
                                   "describes a ResNet)");
    for (size_t i = 0; i < COUNT(unsupported); i++) {
        const json_t *v = pf_json_get(vision, unsupported[i]);
        if (v && !json_is_false(v)) return pf_json_unsupported(unsupported[i], v, "false");
    }
    PF_TRY(read_whole(vision, "width", 768, &width));
    PF_TRY(read_whole(vision, "head_width", 64, &head_width));
    PF_TRY(read_whole(vision, "layers", 12, &depth));
    PF_TRY(read_square(vision, "patch_size", 16, &patch));
    set_number(c, "width", width);
    set_number(c, "depth", depth);
    set_number(c, "patch", patch);
    set_number(c, "heads", width / head_width);
    PF_TRY(read_act(model, vision, c));
    PF_TRY(read_norm(vision, c));
    return read_pool(vision, c);
}

/* Reads the facts of a timm network, whose tensors open_clip names "trunk.*". timm_pool is its pooling; "": that of the
 * architecture. */
static peft_status timm_tower(const json_t *vision, pf_config *c)
{
    const json_t *name = json_object_get(vision, "timm_model_name"), *v = pf_json_get(vision, "timm_pool");
    const char *pooling = v ? json_string_value(v) : "avg";
    char text[PF_FACT_MAX];
    if (!pf_json_text(name, text, sizeof text)) return pf_json_invalid("timm_model_name", name, "a name");
    if (!pooling) return pf_json_invalid("timm_pool", v, "a text");
    pf_config_set(c, "architecture", text);
    if (strstr(text, "quickgelu")) pf_config_set(c, "act", "quickgelu");
    if (!*pooling) return PEFT_OK;
    static const struct { const char *theirs, *ours; } pools[] = {
        { "avg", "mean" }, { "token", "cls" }, { "map", "attention" } };
    for (size_t i = 0; i < COUNT(pools); i++)
        if (!strcmp(pooling, pools[i].theirs)) {
            pf_config_set(c, "pool", pools[i].ours);
            return PEFT_OK;
        }
    return pf_json_unsupported("timm_pool", v, "token, avg, map or \"\"");
}

peft_status pf_open_clip_read(const json_t *top, pf_config *c)
{
    const json_t *model = json_object_get(top, "model_cfg"), *vision = json_object_get(model, "vision_cfg");
    int64_t side;
    PF_TRY(read_square(vision, "image_size", 224, &side));
    set_number(c, "image_size", side);
    PF_TRY(pf_json_get(vision, "timm_model_name") ? timm_tower(vision, c) : open_clip_tower(model, vision, c));
    return pf_prep_open_clip(json_object_get(top, "preprocess_cfg"), side, &c->prep);
}
