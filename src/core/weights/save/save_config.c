/* SPDX-License-Identifier: Apache-2.0
 * save_config.c -- writes Hugging Face's config.json of a backbone, and refuses networks that the model class of
 * Hugging Face has no place for. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/json_text.h"
#include "core/format/json_value.h"
#include "core/weights/save/save.h"

/* mlp_ratio of Hugging Face's DINOv2, a whole number; 0: none gives the width of this MLP. A plain MLP is ratio * width
 * wide, a gated one two thirds of that, rounded up to a multiple of 8. */
static int64_t ratio_of(const pf_vit_shape *s)
{
    const int64_t plain = s->gate ? s->mlp * 3 / 2 : s->mlp, ratio = plain / s->width;
    const int64_t full = ratio * s->width;
    return ratio && s->mlp == (s->gate ? (full * 2 / 3 + 7) / 8 * 8 : full) ? ratio : 0;
}

/* hidden_act for the activation; NULL: transformers has no name for it. */
static const char *hf_act(int act)
{
    static const struct { int act; const char *name; } names[] = {
        { PK_GELU, "gelu" }, { PK_GELU_TANH, "gelu_pytorch_tanh" }, { PK_QUICKGELU, "quick_gelu" }, { PK_SILU, "silu" },
        { PK_RELU, "relu" }, { PK_TANH, "tanh" }, { PK_SIGMOID, "sigmoid" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) if (names[i].act == act) return names[i].name;
    return NULL;
}

/* Are these the rotary positions of DINOv3, but for the base of their frequencies? */
static bool is_dinov3_rope(const pf_rope *r)
{
    return r->kind == PF_ROPE_CENTRED && r->halves && !r->xy && !(r->offset > 0) && !(r->offset < 0);
}

/* PEFT_E_UNSUPPORTED: the network has a property that the model class lacks. */
peft_status pf_save_expressible(const pf_vit_shape *s, const pf_form *f)
{
    const pf_attn_pool *a = &s->attn_pool;
    const bool has_norm = s->norm || s->fc_norm, raw = f->classifier && f->model->raw_mean, pool = a->width > 0;
    const bool mean = s->pool == PF_FEATURE_MEAN;
    const bool gelu = s->act == PK_GELU || s->act == PK_GELU_TANH || s->act == PK_QUICKGELU;
    const bool same_eps = !(a->eps < s->eps) && !(a->eps > s->eps);
    const bool siglip = a->mlp && a->queries == 1 && !a->norms && a->bias && a->width == s->width && s->norm
                        && !s->fc_norm && a->heads == s->heads && a->act == s->act && !s->pool_all && same_eps;
    const bool coca = !a->mlp && a->norms && a->bias && s->fc_norm && !s->norm && s->pool_all;
    /* with a class token most model classes do not read the mean either: loading would take the class token */
    const struct { bool applies; unsigned bit; } properties[] = {
        { (mean && s->class_token && !raw) || s->fc_norm, PF_HAS_FC_NORM },
        { s->norm_pre, PF_HAS_NORM_PRE }, { !has_norm && !raw, PF_HAS_NO_NORM },
        { pool, PF_HAS_ATTN_POOL }, { pool && !siglip, PF_HAS_NOT_SIGLIP_POOL },
        { pool && !coca, PF_HAS_NOT_COCA_POOL }, { pool && a->norms, PF_HAS_POOL_NORMS },
        { s->registers > 1, PF_HAS_MANY_REGISTERS },
        { f->classifier && (s->pool != f->model->feature || (raw && has_norm)), PF_HAS_OTHER_POOL },
        { s->patch_bias, PF_HAS_PATCH_BIAS }, { !s->qkv_bias, PF_HAS_NO_QKV_BIAS },
        { !s->gate && !gelu, PF_HAS_NO_GELU }, { !s->gate && s->act != PK_GELU, PF_HAS_NOT_GELU },
        { s->rope.kind != PF_ROPE_NONE, PF_HAS_ROPE }, { s->rope.kind == PF_ROPE_NONE, PF_HAS_NO_ROPE },
        { !is_dinov3_rope(&s->rope), PF_HAS_OTHER_ROPE }, { s->pos_embed, PF_HAS_POSITIONS },
        { !s->layer_scale, PF_HAS_NO_LAYER_SCALE }, { s->gate == PF_GATE_LAST, PF_HAS_LAST_GATE },
        { !s->class_token, PF_HAS_NO_CLASS_TOKEN }, { !s->pos_embed, PF_HAS_NO_POSITIONS },
        { s->qk_norm || s->attn_norm || s->mlp_norm, PF_HAS_INNER_NORMS }, { !s->proj_bias, PF_HAS_NO_BIASES },
        { s->gate && !pf_vit_is_swiglu(s), PF_HAS_OTHER_GATE }, { !s->gate && !hf_act(s->act), PF_HAS_OTHER_ACT },
        { !s->patch_bias, PF_HAS_NO_PATCH_BIAS }, { s->registers > 0, PF_HAS_REGISTERS },
        { s->gate, PF_HAS_GATED_MLP }, { s->class_token && !s->pos_prefix && !s->registers, PF_HAS_NO_CLASS_ROW },
        { f->classifier, PF_HAS_CLASSIFIER }, { !ratio_of(s), PF_HAS_ODD_MLP } };
    unsigned bits = 0;
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (properties[i].applies) bits |= properties[i].bit;
    for (const pf_lack *l = f->model->lacks; l->what; l++)
        if (l->has & bits)
            return pf_fail(PEFT_E_UNSUPPORTED, "%s: no model of the %s naming has it; expected naming=timm", l->what,
                           f->naming->name);
    return PEFT_OK;
}

/* Fields that are the same for every model, as JSON. */
static const pf_field common_fields[] = {
    { "num_channels", "3" }, { "hidden_dropout_prob", "0.0" }, { "attention_probs_dropout_prob", "0.0" },
    { "initializer_range", "0.02" }, { 0 } };

/* The same for image towers. */
static const pf_field tower_fields[] = { { "num_channels", "3" }, { "attention_dropout", "0.0" }, { 0 } };

/* The functions add_.. that return int return 0, or another value if there was no memory, as jansson does. */
static int add_fields(json_t *o, const pf_field *fields)
{
    int failed = 0;
    for (; fields && fields->key; fields++) failed |= pf_json_set(o, fields->key, fields->json);
    return failed;
}

/* What other model classes state in other fields, or not at all. */
static int add_dinov3_facts(json_t *o, const pf_vit_shape *s, const pf_form *f)
{
    const struct { const char *name; bool value; } flags[] = {
        { "use_gated_mlp", s->gate != PF_GATE_NONE }, { "query_bias", s->qkv_bias },
        { "key_bias", s->qkv_bias && f->k_bias }, { "value_bias", s->qkv_bias }, { "proj_bias", s->proj_bias },
        { "mlp_bias", s->proj_bias } };
    int failed = json_object_set_new(o, "rope_theta", json_real(s->rope.temperature));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        failed |= json_object_set_new(o, flags[i].name, json_boolean(flags[i].value));
    return failed | json_object_set_new(o, "hidden_act", json_string(hf_act(s->act)));
}

/* The sizes of the network. */
static int add_facts(json_t *o, const pf_vit_shape *s, const pf_form *f)
{
    const pf_hf_model *m = f->model;
    const struct { const char *name; int64_t value; } facts[] = {
        { "hidden_size", s->width }, { "num_hidden_layers", s->depth }, { "num_attention_heads", s->heads },
        { "image_size", s->image.h }, { "patch_size", s->patch },
        { m->by_ratio ? "mlp_ratio" : "intermediate_size", m->by_ratio ? ratio_of(s) : s->mlp } };
    const pf_field *common = m->own_fields ? NULL : m->tower ? tower_fields : common_fields;
    int failed = add_fields(o, common) | add_fields(o, m->fields);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        failed |= json_object_set_new(o, facts[i].name, json_integer(facts[i].value));
    if (m->by_ratio) failed |= json_object_set_new(o, "use_swiglu_ffn", json_boolean(s->gate));
    if (s->registers && !m->all_rows)
        failed |= json_object_set_new(o, "num_register_tokens", json_integer(s->registers));
    if (m->may_pool) failed |= json_object_set_new(o, "vision_use_head", json_boolean(s->attn_pool.width > 0));
    failed |= json_object_set_new(o, "layer_norm_eps", json_real(s->eps));
    if (m->own_fields) return failed | add_dinov3_facts(o, s, f);
    if (!m->tower) failed |= json_object_set_new(o, "qkv_bias", json_boolean(s->qkv_bias));
    /* a gated MLP has SiLU whatever hidden_act is; gelu is the default of transformers */
    return failed | json_object_set_new(o, "hidden_act", json_string(s->gate ? "gelu" : hf_act(s->act)));
}

/* problem_type, by which a classifier of Hugging Face chooses its loss. */
static int add_link(json_t *o, const pf_form *f)
{
    if (!*f->link) return 0;
    return json_object_set_new(o, "problem_type", json_string(!strcmp(f->link, "sigmoid")
        ? "multi_label_classification" : "single_label_classification"));
}

/* Element type, model type and model class. */
static int add_kind(json_t *o, const pf_form *f)
{
    const pf_hf_model *m = f->model;
    const char *type = f->classifier && m->classifier_type ? m->classifier_type : m->type;
    return json_object_set_new(o, f->naming->dtype, json_string(f->type->torch))
         | json_object_set_new(o, "model_type", json_string(type))
         | json_object_set_new(o, "architectures", json_pack("[s]", f->classifier ? m->classifier : m->model));
}

/* Adds id2label and label2id. Equal names of two classes are an error if the caller gave them. Names of the backbone's
 * note may be equal, as some of ImageNet are; label2id then has the first class. */
static peft_status add_labels(json_t *o, const pf_vit_shape *s, const pf_form *f)
{
    const char *names = f->class_names;
    json_t *id2label = json_object(), *label2id = json_object();
    int failed = json_object_set_new(o, "id2label", id2label) | json_object_set_new(o, "label2id", label2id);
    for (int64_t c = 0; c < s->classes && !failed; c++) {
        char key[24], placeholder[32];
        const size_t n = strcspn(names, "\n");
        snprintf(key, sizeof key, "%lld", (long long)c);
        snprintf(placeholder, sizeof placeholder, "LABEL_%s", key);
        const bool utf8 = pf_is_utf8(f->class_names);
        json_t *text = !utf8 ? NULL : *f->class_names ? json_stringn(names, n) : json_string(placeholder);
        if (utf8 && !text) return pf_nomem("config.json", n);
        const bool repeated = text && json_object_get(label2id, json_string_value(text));
        if (!text || (*f->class_names && !n) || (repeated && (f->names_given || !*f->class_names))) {
            json_decref(text);
            return pf_fail(PEFT_E_OPTION, "class_names: expected %lld different names in UTF-8, one a line; name %lld "
                           "is missing, repeated or not UTF-8", (long long)s->classes, (long long)c + 1);
        }
        if (!repeated) failed |= json_object_set_new(label2id, json_string_value(text), json_integer(c));
        failed |= json_object_set_new(id2label, key, text);
        names += n + (names[n] == '\n');                                  /* to the next line */
    }
    if (!failed && *names)
        return pf_fail(PEFT_E_OPTION, "class_names: expected %lld names, one a line, and there are more",
                       (long long)s->classes);
    return failed ? pf_nomem("config.json", 0) : PEFT_OK;
}

/* Makes the labels of config.json and drops them. */
peft_status pf_save_check_names(const pf_vit_shape *s, const pf_form *f)
{
    json_t *o = json_object();
    peft_status status = *f->class_names ? add_labels(o, s, f) : PEFT_OK;
    json_decref(o);
    return status;
}

/* The number of digits needed to read the same double back; 17 are always enough. */
static int digits_of(double v)
{
    char text[40];
    int n = 1;
    for (; n < 17; n++) {
        snprintf(text, sizeof text, "%.*g", n, v);
        if (strtod(text, NULL) == v) break;
    }
    return n;
}

peft_status pf_save_config(peft_context *ctx, const pf_vit_shape *s, const pf_form *f, char **out)
{
    json_t *o = json_object(), *inner = f->classifier && f->model->tower ? json_object() : NULL;
    int failed = inner ? json_object_set_new(o, "vision_config", inner) : 0;
    failed |= inner ? json_object_set_new(inner, "model_type", json_string(f->model->type)) : 0;
    peft_status status = failed | add_facts(inner ? inner : o, s, f) | add_kind(o, f)
                         ? pf_nomem("config.json", 0) : PEFT_OK;
    if (!status && f->classifier) status = add_link(o, f) ? pf_nomem("config.json", 0) : add_labels(o, s, f);
    const int of_eps = digits_of(s->eps), of_theta = f->model->own_fields ? digits_of(s->rope.temperature) : 0;
    const size_t precision = JSON_REAL_PRECISION(of_eps > of_theta ? of_eps : of_theta);
    if (!status) status = pf_json_write(ctx, o, JSON_INDENT(2) | JSON_SORT_KEYS | precision, out);
    json_decref(o);
    return status;
}
