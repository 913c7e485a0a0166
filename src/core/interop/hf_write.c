/* SPDX-License-Identifier: Apache-2.0
 * hf_write.c -- saves an adapter, or a model with its classifier, as a PEFT directory. */
#include <string.h>
#include "core/format/folder.h"
#include "core/base/json_text.h"
#include "core/interop/hf_dir.h"
#include "core/model/locks.h"
#include "core/store/state.h"
#include "core/weights/save/save.h"

static const pf_opt options[] = {
    { "naming", 's', "auto", 0, 0, "names of the modules: hf5 (transformers since version 5), hf (before), timm, "
      "hf-clip (transformers' CLIP and SigLIP), timm-unfused (timm's Eva with q_proj, k_proj and v_proj), clip "
      "(open_clip), hf-dinov3 (transformers' DINOv3), or auto: hf5 for a network of transformers' ViT or DINOv2, else "
      "the names of the file that the backbone came from" },
    { "prefix", 's', "auto", 0, 0, "text in front of the names of the backbone's modules; auto: vit., deit., "
      "ijepa., dinov2. or dinov2_with_registers., by the kind of network; with naming=hf-clip vision_model., with clip "
      "visual., with hf-dinov3 model., with timm and timm-unfused no text" },
    { "gated_mlp", 's', "auto", 0, 0, "with naming=timm and timm-unfused the first layer of a gated MLP: fc1 "
      "(SwiGLUPacked), fc1_g (SwiGLU, where it is fc1_g and fc1_x), w12 (DINOv2's code), or auto: fc1_g if mlp.fc1_g "
      "or mlp.fc1_x is adapted, else fc1" },
    { 0 } };

const peft_option *peft_save_hf_option(size_t i) { return pf_option_at(options, i); }

/* Sets the names of the layers of a gated MLP, of which timm has three kinds. */
static peft_status choose_mlp(const peft_adapter *a, const peft_options *o, pf_peft_names *n)
{
    static const char *const names[PF_MLPS] = { [PF_MLP_FC1] = "fc1", [PF_MLP_HALVES] = "fc1_g", [PF_MLP_W12] = "w12" };
    const char *mlp = pf_options_string(o, options, "gated_mlp");
    int k = 0;
    while (k < PF_MLPS && strcmp(names[k], mlp)) k++;
    if (k == PF_MLPS && strcmp(mlp, "auto"))
        return pf_fail(PEFT_E_OPTION, "gated_mlp: given '%s', expected auto, fc1, fc1_g or w12", mlp);
    if (k < PF_MLPS) n->mlp = (pf_peft_mlp)k;
    for (size_t i = 0; k == PF_MLPS && i < a->params.count; i++)        /* the adapter has a half: so has the model */
        if (strstr(a->params.item[i]->name, ".mlp.fc1_")) n->mlp = PF_MLP_HALVES;
    return PEFT_OK;
}

/* What is written: the adapter and the parameters of a head (NULL: none). */
typedef struct {
    const peft_adapter *adapter;
    const pf_params *head;
    pf_vit_shape shape;                                      /* of the backbone, with the model's pooling */
    bool classifier;                                         /* the model has one, in head or in the backbone */
} saved;

/* The naming of the file that the backbone came from; for files of other libraries, and for none, timm's. */
static pf_peft_naming naming_of_file(const peft_backbone *b)
{
    for (int k = 0; k < PF_PEFT_NAMINGS; k++)
        if (b->naming && b->naming == pf_peft_naming_of((pf_peft_naming)k)) return (pf_peft_naming)k;
    return PF_PEFT_TIMM;
}

/* Chooses the naming by the option; *model: the class that the folder is for, NULL: one of timm's. auto: transformers 5
 * for a network of its ViT or DINOv2, whatever names the file has; else the names of the file. */
static peft_status choose_naming(const saved *x, const char *text, pf_peft_naming *out, const pf_hf_model **model)
{
    const peft_backbone *b = x->adapter->backbone;
    const pf_naming *hf5 = pf_peft_naming_of(PF_PEFT_HF5);
    int k = 0;
    while (k < PF_PEFT_NAMINGS && strcmp(pf_peft_naming_name[k], text)) k++;
    if (k == PF_PEFT_NAMINGS && strcmp(text, "auto"))
        return pf_fail(PEFT_E_OPTION, "naming: given '%s', expected auto, " PF_PEFT_NAMING_LIST, text);
    *out = k < PF_PEFT_NAMINGS ? (pf_peft_naming)k : naming_of_file(b);
    const bool hf = *out == PF_PEFT_HF, either = k == PF_PEFT_NAMINGS && (hf || *out == PF_PEFT_TIMM);
    if (either && (hf || !pf_save_class(b, &x->shape, hf5, x->classifier, model))) *out = PF_PEFT_HF5;
    const peft_status s = pf_save_class(b, &x->shape, pf_peft_naming_of(*out), x->classifier, model);
    return s ? pf_prefix_error(s, "naming=%s", pf_peft_naming_name[*out]) : PEFT_OK;
}

/* The name, with a dot, that the class gives its backbone. */
static const char *usual_prefix(pf_peft_naming naming, const pf_hf_model *m)
{
    static const char *const names[] = { "vit.", "deit.", "ijepa.", "dinov2.", "dinov2_with_registers." };
    if (pf_is_timm(naming)) return "";
    if (naming == PF_PEFT_HF_CLIP) return "vision_model.";
    if (naming == PF_PEFT_CLIP) return "visual.";
    if (naming == PF_PEFT_DINOV3) return "model.";
    for (size_t i = 0; m && i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == strlen(m->type) + 1 && !strncmp(names[i], m->type, strlen(m->type))) return names[i];
    return "vit.";
}

/* Sets naming, prefix and names of the MLP by the options. */
static peft_status choose_names(const saved *x, const peft_options *o, pf_peft_names *out)
{
    pf_peft_naming naming = PF_PEFT_HF5;
    const pf_hf_model *model = NULL;
    PF_TRY(pf_options_check(o, options, "saving in PEFT's form"));
    const char *prefix = pf_options_string(o, options, "prefix");
    PF_TRY(choose_naming(x, pf_options_string(o, options, "naming"), &naming, &model));
    pf_peft_names n = pf_peft_names_of(x->adapter->backbone, naming);
    PF_TRY(choose_mlp(x->adapter, o, &n));
    if (!strcmp(prefix, "auto")) prefix = usual_prefix(n.naming, model);
    size_t length = strlen(prefix);
    bool plain = strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == length;
    if (!plain || length >= PF_NAME_MAX / 2 || (length && (*prefix == '.' || prefix[length - 1] != '.')))
        return pf_fail(PEFT_E_OPTION,
                       "prefix: given '%s', expected nothing, or names with a dot after each, such as vit.", prefix);
    memcpy(n.prefix, prefix, length + 1);
    *out = n;
    return PEFT_OK;
}

/* --- what goes into the files ------------------------------------------------------------------------------------ */
/* Adds the parameters under their keys; one with NaN or Inf is refused. */
static peft_status add_tensors(const pf_peft_entries *e, pf_st_out *o)
{
    PF_TRY(pf_st_out_meta(o, "format", "pt"));
    for (size_t i = 0; i < e->count; i++) {
        const pf_peft_entry *x = &e->item[i];
        const peft_tensor *v = &x->param->value;
        if (!pf_finite(v->data, peft_tensor_count(v)))
            return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: not saved", x->param->name);
        PF_TRY(pf_st_out_tensor(o, x->key, PF_REAL, x->ndim, x->dim,
                                x->made ? x->made : (const pk_real *)v->data + x->first));
    }
    return PEFT_OK;
}

/* Makes the text of adapter_config.json. m: the marked modules. */
static peft_status config_text(const peft_adapter *a, pf_peft_type type, const pf_peft_names *n, const pf_modules *m,
                               char **out)
{
    json_t *root;
    PF_TRY(pf_peft_config_make(a, type, n, m, &root));
    peft_status s = pf_json_write(a->backbone->ctx, root, JSON_INDENT(2) | JSON_SORT_KEYS, out);
    json_decref(root);
    return s;
}

/* Writes tensors and configuration (text) as one folder. */
static peft_status write_files(const peft_adapter *a, const pf_peft_entries *e, const char *dir, const char *text)
{
    pf_st_out *o;
    PF_TRY(pf_st_out_create(a->backbone->ctx, &o));
    peft_status s = add_tensors(e, o);
    if (!s) s = pf_folder_write(a->backbone->ctx, dir, PF_PEFT_TENSORS, o, PF_PEFT_CONFIG, text);
    pf_st_out_free(o);
    return s;
}

static peft_status save(const saved *x, const char *dir, const peft_options *o)
{
    const peft_adapter *a = x->adapter;
    pf_peft_names n;
    pf_modules m;
    pf_peft_entries e;
    pf_peft_type type = 0;
    char *text = NULL;
    while (type < PF_PEFT_TYPES && strcmp(pf_peft_kinds[type].method, a->method->name)) type++;
    if (type == PF_PEFT_TYPES)
        return pf_fail(PEFT_E_UNSUPPORTED, "method '%s' has no form in PEFT: expected " PF_PEFT_METHOD_LIST,
                       a->method->name);
    PF_TRY(choose_names(x, o, &n));
    PF_TRY(pf_modules_make(a->backbone, &n, &m));
    pf_peft_mark(a, type, x->head != NULL, &n, &m);
    pf_peft_warn_bypassed(a->backbone, &n, &m);
    peft_status s = pf_peft_entries_make(a, x->head, &n, &m, &e);
    if (!s) {
        s = config_text(a, type, &n, &m, &text);
        if (!s) s = write_files(a, &e, dir, text);
        pf_free(a->backbone->ctx, text);
        pf_peft_entries_free(&e);
    }
    pf_modules_free(&m);
    return s;
}

peft_status peft_adapter_save_hf(const peft_adapter *a, const char *dir, const peft_options *o)
{
    PK_FLOAT_SCOPE;
    if (!a || !dir) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "dir" : "adapter");
    pf_rwlock *lock = (pf_rwlock *)(uintptr_t)&a->lock;
    pf_rwlock_read(lock);
    const saved x = { .adapter = a, .shape = a->backbone->shape };
    const peft_status s = save(&x, dir, o);
    pf_rwlock_unlock(lock);
    return s ? pf_prefix_error(s, "%s", dir) : PEFT_OK;
}

/* Saves the model's one adapter with its head. PEFT_E_UNSUPPORTED: PEFT has no form for the model. */
static peft_status save_model(const peft_model *m, const char *dir, const peft_options *o)
{
    if (m->adapters != 1)
        return pf_fail(PEFT_E_UNSUPPORTED, "the model has %zu adapters: a PEFT directory holds exactly one",
                       m->adapters);
    if (!m->head->merge)
        return pf_fail(PEFT_E_UNSUPPORTED, "head '%s' has no form in PEFT: expected linear, or the backbone's own",
                       m->head->name);
    if (m->pool != m->backbone->shape.pool)
        return pf_fail(PEFT_E_UNSUPPORTED,
                       "the model pools by %s and its backbone does not: a PEFT directory has no field for that; "
                       "expected a model that was trained on the backbone loaded with pool=%s",
                       pf_feature_name(m->pool), pf_feature_name(m->pool));
    const saved x = { .adapter = m->adapter[0], .head = m->params.count ? &m->params : NULL,
                      .shape = pf_vit_with_pool(&m->backbone->shape, m->pool), .classifier = m->classes > 0 };
    const peft_status s = save(&x, dir, o);
    if (s) return pf_prefix_error(s, "%s", dir);
    if (pf_source_any(m->source))
        pf_warn(m->backbone->ctx, "%s: a PEFT directory has no place for the statistics of training images that are "
                "stored in the model, which were left out; peft_model_save writes them", dir);
    return PEFT_OK;
}

peft_status peft_model_save_hf(const peft_model *m, const char *dir, const peft_options *o)
{
    PK_FLOAT_SCOPE;
    if (!m || !dir) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "dir" : "model");
    pf_model_lock_read(m);
    const peft_status s = save_model(m, dir, o);
    pf_model_unlock(m);
    return s;
}
