/* SPDX-License-Identifier: Apache-2.0
 * hf_write.c -- saves an adapter, or a model with its classifier, as a PEFT directory. */
#include <string.h>
#include "core/format/folder.h"
#include "core/base/json_text.h"
#include "core/interop/hf_dir.h"
#include "core/model/locks.h"
#include "core/store/state.h"

static const pf_opt options[] = {
    { "naming", 's', "hf5", 0, 0, "names of the modules: hf5 (transformers since version 5), hf (before), timm, "
      "hf-clip (transformers' CLIP and SigLIP), timm-unfused (timm's Eva with q_proj, k_proj and v_proj), clip "
      "(open_clip), or hf-dinov3 (transformers' DINOv3)" },
    { "prefix", 's', "auto", 0, 0, "text in front of the names of the backbone's modules; auto: vit., dinov2. or "
      "dinov2_with_registers., by the kind of network; with naming=hf-clip vision_model., with clip visual., with "
      "hf-dinov3 model., with timm and timm-unfused no text" },
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

/* Sets naming, prefix and names of the MLP by the options. */
static peft_status choose_names(const peft_adapter *a, const peft_options *o, pf_peft_names *out)
{
    const peft_backbone *b = a->backbone;
    PF_TRY(pf_options_check(o, options, "saving in PEFT's form"));
    const char *naming = pf_options_string(o, options, "naming"), *prefix = pf_options_string(o, options, "prefix");
    int k = 0;
    while (k < PF_PEFT_NAMINGS && strcmp(pf_peft_naming_name[k], naming)) k++;
    if (k == PF_PEFT_NAMINGS)
        return pf_fail(PEFT_E_OPTION, "naming: given '%s', expected " PF_PEFT_NAMING_LIST, naming);
    pf_peft_names n = pf_peft_names_of(b, (pf_peft_naming)k);
    PF_TRY(choose_mlp(a, o, &n));
    if (!strcmp(prefix, "auto"))
        prefix = pf_is_timm(n.naming) ? "" : n.naming == PF_PEFT_HF_CLIP ? "vision_model."
               : n.naming == PF_PEFT_CLIP ? "visual." : n.naming == PF_PEFT_DINOV3 ? "model."
               : !n.shape->layer_scale ? "vit."
               : n.shape->registers ? "dinov2_with_registers." : "dinov2.";
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

/* Saves the adapter and the parameters of the head (NULL: none). */
static peft_status save(const peft_adapter *a, const pf_params *head, const char *dir, const peft_options *o)
{
    pf_peft_names n;
    pf_modules m;
    pf_peft_entries e;
    pf_peft_type type = 0;
    char *text = NULL;
    while (type < PF_PEFT_TYPES && strcmp(pf_peft_kinds[type].method, a->method->name)) type++;
    if (type == PF_PEFT_TYPES)
        return pf_fail(PEFT_E_UNSUPPORTED, "method '%s' has no form in PEFT: expected " PF_PEFT_METHOD_LIST,
                       a->method->name);
    PF_TRY(choose_names(a, o, &n));
    PF_TRY(pf_modules_make(a->backbone, &n, &m));
    pf_peft_mark(a, type, head != NULL, &n, &m);
    peft_status s = pf_peft_entries_make(a, head, &n, &m, &e);
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
    const pf_params *no_head = NULL;
    const peft_status s = save(a, no_head, dir, o);
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
                       "the model pools by %s and its backbone does not: a PEFT directory has no field for that",
                       pf_feature_name(m->pool));
    const peft_status s = save(m->adapter[0], m->params.count ? &m->params : NULL, dir, o);
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
