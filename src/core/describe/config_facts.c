/* SPDX-License-Identifier: Apache-2.0
 * config_facts.c -- reads the facts of a network from config.json of Hugging Face or timm (transformers' TimmWrapper
 * saves timm's), and refuses settings whose computation this library does not have. */
#include <math.h>
#include <string.h>
#include "core/options/options.h"
#include "core/describe/config.h"

static const char *const fact_name[PF_FACTS] = {
    "eps", "heads", "act", "pool", "patch", "width", "depth", "registers", "qkv_bias", "image_size", "no_embed_class",
    "fc_norm", "final_norm", "pool_heads", "pool_eps", "pool_all", "model_type", "architecture", "architectures",
    "act_layer", "norm_layer", "notes",
    "problem_type", "use_rot_pos_emb", "rope_type", "rope_temperature", "rope_grid_offset", "rope_grid_indexing",
    "rope_rotate_half", "ref_feat_shape", "use_post_transformer_norm", "use_fc_norm", "use_gated_mlp", "query_bias",
    "key_bias", "value_bias", "proj_bias", "mlp_bias", "intermediate_size" };

/* Type of a value in the file. SQUARE_SIDE: a whole number, or a list whose last two numbers are equal, [224, 224].
 * IMAGE_SIZE: a whole number, or a list whose last two numbers are height and width, which become the text "224" or
 * "384x512". FIRST: a text, or a list whose first text is taken. ACT, POOL: the name of an activation or pooling,
 * translated to the load option's value. ACT_LAYER: timm's name of an activation, kept as it is, because its meaning
 * depends on the kind of MLP. */
typedef enum { NUMBER, SQUARE_SIDE, IMAGE_SIZE, FLAG, ACT, ACT_LAYER, POOL, TEXT, FIRST } kind;
/* The object of the file that holds a key. TOP: the file itself; CLIP: vision_config, the image tower of Hugging Face's
 * CLIP; ALONE: the file itself, unless it has vision_config and so describes a text model in the other keys; ROPE:
 * rope_parameters there; ARGS: timm's model_args; CFG: timm's pretrained_cfg. A fact is taken from the first row whose
 * key exists. */
typedef enum { TOP, CLIP, ALONE, ROPE, ARGS, CFG, SECTIONS } section;
static const char *const section_name[SECTIONS] = {
    [CLIP] = "vision_config", [ROPE] = "rope_parameters", [ARGS] = "model_args", [CFG] = "pretrained_cfg" };
static const struct { const char *fact; section section; const char *key; kind kind; } rows[] = {
    { "eps", CLIP, "layer_norm_eps", NUMBER }, { "eps", TOP, "layer_norm_eps", NUMBER },
    { "heads", CLIP, "num_attention_heads", NUMBER }, { "heads", TOP, "num_attention_heads", NUMBER },
    { "heads", ARGS, "num_heads", NUMBER }, { "heads", TOP, "num_heads", NUMBER },
    { "act_layer", ARGS, "act_layer", ACT_LAYER }, { "norm_layer", ARGS, "norm_layer", TEXT },
    { "act", CLIP, "hidden_act", ACT }, { "act", TOP, "hidden_act", ACT },
    { "pool_heads", ARGS, "attn_pool_num_heads", NUMBER },
    { "pool", ARGS, "global_pool", POOL }, { "pool", TOP, "global_pool", POOL },
    { "final_norm", ARGS, "final_norm", FLAG },
    { "use_post_transformer_norm", ARGS, "use_post_transformer_norm", FLAG },
    { "use_fc_norm", ARGS, "use_fc_norm", FLAG },
    { "use_rot_pos_emb", ARGS, "use_rot_pos_emb", FLAG }, { "rope_type", ARGS, "rope_type", TEXT },
    { "rope_temperature", ARGS, "rope_temperature", NUMBER }, { "rope_temperature", ALONE, "rope_theta", NUMBER },
    { "rope_temperature", ROPE, "rope_theta", NUMBER },
    { "rope_grid_offset", ARGS, "rope_grid_offset", NUMBER },
    { "rope_grid_indexing", ARGS, "rope_grid_indexing", TEXT }, { "rope_rotate_half", ARGS, "rope_rotate_half", FLAG },
    { "ref_feat_shape", ARGS, "ref_feat_shape", SQUARE_SIDE },
    { "patch", CLIP, "patch_size", SQUARE_SIDE }, { "patch", TOP, "patch_size", SQUARE_SIDE },
    { "patch", ARGS, "patch_size", SQUARE_SIDE },
    { "width", CLIP, "hidden_size", NUMBER }, { "width", TOP, "hidden_size", NUMBER },
    { "width", ARGS, "embed_dim", NUMBER },
    { "depth", CLIP, "num_hidden_layers", NUMBER }, { "depth", TOP, "num_hidden_layers", NUMBER },
    { "depth", ARGS, "depth", NUMBER },
    { "registers", TOP, "num_register_tokens", NUMBER }, { "registers", ARGS, "reg_tokens", NUMBER },
    { "qkv_bias", CLIP, "qkv_bias", FLAG }, { "qkv_bias", TOP, "qkv_bias", FLAG },
    { "qkv_bias", ARGS, "qkv_bias", FLAG },
    { "use_gated_mlp", TOP, "use_gated_mlp", FLAG }, { "query_bias", TOP, "query_bias", FLAG },
    { "key_bias", TOP, "key_bias", FLAG }, { "value_bias", TOP, "value_bias", FLAG },
    { "proj_bias", TOP, "proj_bias", FLAG }, { "mlp_bias", TOP, "mlp_bias", FLAG },
    { "no_embed_class", ARGS, "no_embed_class", FLAG },
    { "image_size", CLIP, "image_size", IMAGE_SIZE }, { "image_size", TOP, "image_size", IMAGE_SIZE },
    { "image_size", ARGS, "img_size", IMAGE_SIZE }, { "image_size", TOP, "img_size", IMAGE_SIZE },
    { "image_size", CFG, "input_size", IMAGE_SIZE }, { "image_size", TOP, "input_size", IMAGE_SIZE },
    { "model_type", TOP, "model_type", TEXT }, { "architectures", TOP, "architectures", FIRST },
    { "architecture", TOP, "architecture", TEXT }, { "notes", CFG, "notes", FIRST },
    { "problem_type", TOP, "problem_type", TEXT } };

/* Settings of which this library supports one value; all others are refused. OFF: false; ON: true; WORD: the text
 * `word`; NONE: null or no such key. what: the computation that is missing, for the error message. */
typedef enum { OFF, ON, NONE, WORD } allowed;
static const struct { section section; const char *key; allowed allowed; const char *word, *what; } fixed[] = {
    { ARGS, "num_kv_heads", NONE, NULL, "keys that several heads share" },
    { ARGS, "attn_only_layer_scale", OFF, NULL, "LayerScale after attention only" },
    { ARGS, "pool_include_prefix", OFF, NULL, "pooling over class and register tokens as well as patches" },
    { ARGS, "use_post_norm", OFF, NULL, "norms after attention and MLP" },
    { ARGS, "norm_layer", WORD, "layernorm", "another norm than LayerNorm" },
    { ARGS, "embed_norm_layer", NONE, NULL, "a norm inside the patch embedding" },
    { ARGS, "block_fn", NONE, NULL, "blocks of another kind" },
    { ARGS, "attn_layer", NONE, NULL, "attention of another kind" },
    { ARGS, "mlp_layer", NONE, NULL, "an MLP of another kind" },
    { ARGS, "embed_layer", NONE, NULL, "a patch embedding of another kind" } };
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Where c keeps the text of the fact; NULL: no fact has this name. */
static char *fact_buffer(pf_config *c, const char *fact)
{
    for (int i = 0; i < PF_FACTS; i++) if (!strcmp(fact_name[i], fact)) return c->fact[i];
    return NULL;
}

const char *pf_config_get(const pf_config *c, const char *fact)
{
    const char *text = fact_buffer((pf_config *)(uintptr_t)c, fact);
    return text && *text ? text : NULL;
}

void pf_config_set(pf_config *c, const char *fact, const char *text)
{
    snprintf(fact_buffer(c, fact), PF_FACT_MAX, "%s", text);
}

/* timm writes an architecture, or the preprocessing, which Hugging Face keeps in another file. */
bool pf_is_timm(const json_t *top)
{
    return json_is_object(json_object_get(top, "pretrained_cfg"))
        || json_is_string(json_object_get(top, "architecture"))
        || (json_object_get(top, "mean") && json_object_get(top, "std"));
}

/* The functions ..._text write v, the value of key, as the text of a fact of one kind. */
static peft_status side_text(const char *key, const json_t *v, char *text)
{
    int64_t height, width;
    if (!pf_json_sides(v, &height, &width)) return pf_json_invalid(key, v, "a whole number, or [height, width]");
    if (height != width) return pf_json_unsupported(key, v, "two equal sides");
    snprintf(text, PF_FACT_MAX, "%lld", (long long)width);
    return PEFT_OK;
}

static peft_status sides_text(const char *key, const json_t *v, char *text)
{
    int64_t height, width;
    if (!pf_json_sides(v, &height, &width)) return pf_json_invalid(key, v, "a whole number, or [height, width]");
    if (height == width) snprintf(text, PF_FACT_MAX, "%lld", (long long)width);
    else snprintf(text, PF_FACT_MAX, "%lldx%lld", (long long)height, (long long)width);
    return PEFT_OK;
}

/* A word of the file, and the value of a load option that means the same. */
typedef struct { const char *theirs, *ours; } translation;
/* Writes the translation of s; false: table does not have s. */
static bool translate(const translation *table, const char *s, char *text)
{
    for (; s && table->theirs; table++)
        if (!strcmp(s, table->theirs)) {
            snprintf(text, PF_FACT_MAX, "%s", table->ours);
            return true;
        }
    return false;
}

#define EXPECTED_ACTS \
    "gelu, gelu_pytorch_tanh, quick_gelu, silu, relu, tanh or sigmoid (with the option config=none the file is not " \
    "read, and the option act applies)"
static peft_status act_text(const char *key, const json_t *v, char *text)
{
    static const translation acts[] = {
        { "gelu", "gelu" }, { "gelu_python", "gelu" }, { "quick_gelu", "quickgelu" }, { "silu", "silu" },
        { "swish", "silu" }, { "relu", "relu" }, { "tanh", "tanh" }, { "sigmoid", "sigmoid" },
        { "gelu_pytorch_tanh", "gelu_tanh" }, { "gelu_new", "gelu_tanh" }, { "gelu_fast", "gelu_tanh" }, { 0 } };
    if (!json_is_string(v)) return pf_json_invalid(key, v, "the name of an activation");
    return translate(acts, json_string_value(v), text) ? PEFT_OK : pf_json_unsupported(key, v, EXPECTED_ACTS);
}

static peft_status pool_text(const char *key, const json_t *v, char *text)
{
    /* An empty pooling states nothing. */
    static const translation pools[] = {
        { "token", "cls" }, { "avg", "mean" }, { "map", "attention" }, { "", "" }, { 0 } };
    if (!json_is_string(v)) return pf_json_invalid(key, v, "the name of a pooling");
    return translate(pools, json_string_value(v), text) ? PEFT_OK : pf_json_unsupported(key, v, "token, avg or map");
}

/* Facts with bounds; a value of the file outside them is refused. */
static const struct { const char *fact; double low, high; bool whole; const char *expected; } bounds[] = {
    { "heads", 1, 65536, true, "a whole number from 1 to 65536" },
    { "pool_heads", 1, 65536, true, "a whole number from 1 to 65536" },
    { "registers", 0, 65536, true, "a whole number from 0 to 65536" },
    { "eps", 0, 1, false, "a number from 0 to 1" } };

/* Refuses a number that is outside the bounds of the fact. */
static peft_status check_bounds(const char *fact, const char *key, const json_t *v)
{
    const double x = json_number_value(v);
    for (size_t i = 0; i < COUNT(bounds); i++) {
        if (strcmp(bounds[i].fact, fact) || !json_is_number(v)) continue;
        if (!(x >= bounds[i].low && x <= bounds[i].high) || (bounds[i].whole && x != floor(x)))
            return pf_json_invalid(key, v, bounds[i].expected);
    }
    return PEFT_OK;
}

/* Writes v as the text of a fact of kind k. */
static peft_status text_of(kind k, const char *key, const json_t *v, char *text)
{
    switch (k) {
    case NUMBER:      return pf_json_number(v, text, PF_FACT_MAX) ? PEFT_OK : pf_json_invalid(key, v, "a number");
    case SQUARE_SIDE: return side_text(key, v, text);
    case IMAGE_SIZE:  return sides_text(key, v, text);
    case ACT:         return act_text(key, v, text);
    case POOL:        return pool_text(key, v, text);
    case FLAG:
        if (!json_is_boolean(v)) return pf_json_invalid(key, v, "true or false");
        snprintf(text, PF_FACT_MAX, "%s", json_is_true(v) ? "true" : "false");
        return PEFT_OK;
    default:                                              /* TEXT, FIRST, ACT_LAYER */
        if (k == FIRST && json_is_array(v) && !json_array_size(v)) return PEFT_OK;
        if (k == FIRST && json_is_array(v)) v = json_array_get(v, 0);
        if (!json_is_string(v)) return pf_json_invalid(key, v, "a text");
        snprintf(text, PF_FACT_MAX, "%s", json_string_value(v));
        return PEFT_OK;
    }
}

/* The object of the section; NULL: the file does not have it. */
static const json_t *in_section(const json_t *top, section s)
{
    const bool text_model = (s == ALONE || s == ROPE) && json_is_object(json_object_get(top, section_name[CLIP]));
    return text_model ? NULL : section_name[s] ? pf_json_get(top, section_name[s]) : top;
}

/* Refuses a setting whose value is not the one that this library supports. */
static peft_status check_fixed(const json_t *top)
{
    for (size_t i = 0; i < COUNT(fixed); i++) {
        const json_t *v = pf_json_get(in_section(top, fixed[i].section), fixed[i].key);
        const char *s = json_string_value(v);
        char expected[120];
        if (!v || (fixed[i].allowed == ON && json_is_true(v)) || (fixed[i].allowed == OFF && json_is_false(v))
            || (fixed[i].allowed == WORD && s && !strcmp(s, fixed[i].word)))
            continue;
        snprintf(expected, sizeof expected, "%s, because this library does not support %s",
                 fixed[i].allowed == ON ? "true" : fixed[i].allowed == OFF ? "false"
                 : fixed[i].allowed == WORD ? fixed[i].word : "null", fixed[i].what);
        return pf_json_unsupported(fixed[i].key, v, expected);
    }
    return PEFT_OK;
}

/* Reads Hugging Face's intermediate_size, the hidden columns of the MLP, and refuses attention whose keys several heads
 * share, or whose heads do not divide the width. In the file of a model with vision_config the keys of the file itself
 * describe another part; a model class with mlp_ratio does not read intermediate_size. */
static peft_status read_block(const json_t *top, pf_config *c)
{
    const json_t *tower = in_section(top, CLIP), *o = json_is_object(tower) ? tower : top;
    const json_t *mlp = pf_json_get(o, "intermediate_size"), *shared = pf_json_get(o, "num_key_value_heads");
    const json_t *head = pf_json_get(o, "head_dim");
    const int64_t heads = json_integer_value(pf_json_get(o, "num_attention_heads"));
    const int64_t width = json_integer_value(pf_json_get(o, "hidden_size"));
    char expected[120], *to = fact_buffer(c, "intermediate_size");
    if (!*to && json_is_integer(mlp) && !pf_json_get(o, "mlp_ratio")) pf_json_number(mlp, to, PF_FACT_MAX);
    if (json_is_integer(shared) && heads > 0 && json_integer_value(shared) != heads) {
        snprintf(expected, sizeof expected, "%lld, num_attention_heads, because this library does not support keys "
                 "that several heads share", (long long)heads);
        return pf_json_unsupported("num_key_value_heads", shared, expected);
    }
    if (json_is_integer(head) && heads > 0 && width > 0
        && (width % heads || json_integer_value(head) != width / heads)) {
        snprintf(expected, sizeof expected, "hidden_size / num_attention_heads, %lld / %lld", (long long)width,
                 (long long)heads);
        return pf_json_unsupported("head_dim", head, expected);
    }
    return PEFT_OK;
}

/* Refuses networks whose images do not have three channels. */
static peft_status check_channels(const json_t *top)
{
    static const struct { section section; const char *key; } places[] = {
        { CLIP, "num_channels" }, { TOP, "num_channels" }, { ARGS, "in_chans" }, { TOP, "in_chans" } };
    const json_t *input = pf_json_get(pf_json_get(top, "pretrained_cfg"), "input_size");
    for (size_t i = 0; i < COUNT(places); i++) {
        const json_t *v = pf_json_get(in_section(top, places[i].section), places[i].key);
        if (v && json_integer_value(v) != 3)
            return pf_json_unsupported(places[i].key, v, "3 (red, green and blue; to convert a network for grey "
                                       "images, repeat the kernel of its patch embedding three times and divide it by "
                                       "3)");
    }
    if (json_array_size(input) == 3 && json_integer_value(json_array_get(input, 0)) != 3)
        return pf_json_unsupported("input_size", input, "[3, height, width] (images of red, green and blue)");
    return PEFT_OK;
}

/* Sets the fact "act" of a timm network: act_layer of model_args, else QuickGELU if the architecture's name says so. An
 * act_layer that this library does not have leaves "act" unset, which load_agree.c refuses. */
static void timm_act(pf_config *c)
{
    static const translation acts[] = {
        { "gelu", "gelu" }, { "gelu_tanh", "gelu_tanh" }, { "quick_gelu", "quickgelu" }, { "silu", "silu" },
        { "swish", "silu" }, { "relu", "relu" }, { "tanh", "tanh" }, { "sigmoid", "sigmoid" }, { 0 } };
    const char *layer = pf_config_get(c, "act_layer"), *name = pf_config_get(c, "architecture");
    if (layer) translate(acts, layer, fact_buffer(c, "act"));
    else if (name && strstr(name, "quickgelu")) pf_config_set(c, "act", "quickgelu");
}

/* Reads all facts that the file states, and refuses settings that this library does not support. */
peft_status pf_facts_read(const json_t *top, pf_config *c)
{
    /* The gated MLP of Hugging Face's DINOv2 uses SiLU and ignores hidden_act. */
    const bool gated = json_is_true(json_object_get(top, "use_swiglu_ffn"));
    PF_TRY(check_channels(top));
    for (size_t r = 0; r < COUNT(rows); r++) {
        const json_t *v = pf_json_get(in_section(top, rows[r].section), rows[r].key);
        char *to = fact_buffer(c, rows[r].fact);
        if (*to || !v || (rows[r].kind == ACT && gated)) continue;
        PF_TRY(text_of(rows[r].kind, rows[r].key, v, to));
        PF_TRY(check_bounds(rows[r].fact, rows[r].key, v));
    }
    timm_act(c);
    PF_TRY(read_block(top, c));
    return check_fixed(top);
}
