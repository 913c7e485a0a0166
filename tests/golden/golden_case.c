/* SPDX-License-Identifier: Apache-2.0
 * golden_case.c -- makes backbone, model and trainer of an inference or training case from the metadata of its file:
 * method, options, head, loss, optimiser, initial values. */
#include <jansson.h>
#include <math.h>
#include <peft/peft.h>
#include <stdlib.h>
#include "golden_case.h"

#define RETURN_ON(call) do { peft_status s_ = (call); if (s_) return s_; } while (0)

/* Sets an option from a JSON value; a list becomes text in brackets. null sets nothing. */
static peft_status set_json(peft_options *o, const char *name, const json_t *v)
{
    if (json_is_null(v)) return PEFT_OK;
    if (json_is_integer(v)) return peft_options_set_int(o, name, json_integer_value(v));
    if (json_is_real(v)) return peft_options_set_float(o, name, json_real_value(v));
    if (json_is_boolean(v)) return peft_options_set_int(o, name, json_is_true(v));
    if (json_is_string(v)) return peft_options_set_string(o, name, json_string_value(v));
    char *text = json_dumps(v, JSON_COMPACT);
    if (!text) return PEFT_E_NOMEM;
    char *to = text;                                     /* without quotes: ["attn.q","attn.v"] -> [attn.q,attn.v] */
    for (const char *c = text; *c; c++) if (*c != '"') *to++ = *c;
    *to = 0;
    peft_status s = peft_options_set_string(o, name, text);
    free(text);
    return s;
}

/* Options from a JSON object. */
static peft_status options_of(peft_context *ctx, json_t *object, peft_options **out)
{
    const char *key;
    json_t *v;
    RETURN_ON(peft_options_create(ctx, out));
    json_object_foreach(object, key, v) RETURN_ON(set_json(*out, key, v));
    return PEFT_OK;
}

/* A text of the file's metadata; "" if there is none. */
static const char *meta(const golden_case *c, const char *key)
{
    const char *s = pf_st_meta(c->file, key);
    return s ? s : "";
}

/* Loads the backbone file, which lies in the case's folder, with the options of the case's metadata. */
static peft_status open_backbone(golden_case *c, const char *key)
{
    char path[1024];
    const char *slash = strrchr(c->path, '/');
    peft_options *o;
    json_t *config = json_loads(meta(c, "backbone_config"), 0, NULL);
    /* A side network's case has large images (images_fine) for the backbone and small ones (images) for itself. */
    const pf_st_tensor *images = pf_st_find(c->file, "input.images"), *fine = pf_st_find(c->file, "input.images_fine");
    if (!config || !images) return peft_set_error(PEFT_E_FORMAT, "backbone_config or input.images is missing");
    if (slash) snprintf(path, sizeof path, "%.*s/%s", (int)(slash - c->path), c->path, meta(c, key));
    else snprintf(path, sizeof path, "%s", meta(c, key));
    RETURN_ON(peft_options_create(c->ctx, &o));
    static const char *const settings[] = { "heads", "eps", "act", "pool", "patch" };
    for (size_t i = 0; i < 5; i++) RETURN_ON(set_json(o, settings[i], json_object_get(config, settings[i])));
    RETURN_ON(peft_options_set_int(o, "image_size", (fine ? fine : images)->dim[3]));
    if (fine) RETURN_ON(peft_options_set_string(o, "resample", "hf"));       /* the rule for cases of side networks */
    const char *rule = meta(c, "pos_embed_resample");
    if (*rule && strcmp(rule, "none")) RETURN_ON(peft_options_set_string(o, "resample", rule));
    json_decref(config);
    peft_status s = peft_backbone_load(c->ctx, path, o, &c->backbone);
    peft_options_free(o);
    return s;
}

/* A model with the head of the metadata; head "backbone": the backbone's own, or one class if it has none. */
static peft_status make_model(golden_case *c)
{
    const char *head = meta(c, "head"), *classes = meta(c, "classes");
    peft_options *o;
    RETURN_ON(peft_options_create(c->ctx, &o));
    if (strcmp(head, "backbone")) {
        RETURN_ON(peft_options_set_string(o, "head", head));
        RETURN_ON(peft_options_set_string(o, "classes", classes));
    } else if (!peft_backbone_get(c->backbone, "classes")) RETURN_ON(peft_options_set_int(o, "classes", 1));
    peft_status s = peft_model_create(c->backbone, o, &c->model);
    peft_options_free(o);
    return s;
}

/* The references were computed without dropout, unless a case says otherwise. */
static peft_status without_dropout(peft_options *o, const char *method, json_t *given)
{
    const peft_option *row;
    for (size_t i = 0; (row = peft_method_option(method, i)); i++)
        if (!strcmp(peft_option_name(row), "dropout") && !json_object_get(given, "dropout"))
            return peft_options_set_int(o, "dropout", 0);
    return PEFT_OK;
}

/* Sets the options of masks to "trained": the values come from the file (golden_set_start). */
static peft_status train_masks(peft_options *o)
{
    RETURN_ON(peft_options_set_string(o, "mask_tokens", "trained"));
    return peft_options_set_string(o, "mask_pieces", "trained");
}

/* The metadata name one method and its options, or several ("ept+lora") with an object of options for each. */
static peft_status attach_methods(golden_case *c)
{
    char names[256], *rest = names;
    json_t *all = json_loads(meta(c, "options"), 0, NULL);
    bool several = strchr(meta(c, "method"), '+') != NULL;
    if (!all) return peft_set_error(PEFT_E_FORMAT, "options: not JSON");
    snprintf(names, sizeof names, "%s", meta(c, "method"));
    for (char *name; (name = strsep(&rest, "+"));) {
        peft_adapter *a;
        peft_options *o;
        json_t *given = several ? json_object_get(all, name) : all;
        RETURN_ON(options_of(c->ctx, given, &o));
        RETURN_ON(without_dropout(o, name, given));
        if (c->train_masks) RETURN_ON(train_masks(o));
        if (pf_st_find(c->file, "input.images_fine")) RETURN_ON(peft_options_set_string(o, "side_input", "given"));
        peft_status s = peft_adapter_create(c->backbone, name, o, &a);
        peft_options_free(o);
        if (s) {
            json_decref(all);
            return s;
        }
        RETURN_ON(peft_model_attach(c->model, a));
        peft_adapter_free(a);
    }
    json_decref(all);
    return PEFT_OK;
}

bool golden_has_methods(const golden_case *c)
{
    char names[256], *rest = names;
    snprintf(names, sizeof names, "%s", meta(c, "method"));
    for (char *name; (name = strsep(&rest, "+"));)
        if (strcmp(name, "none") && !peft_method_summary(name)) return false;
    return true;
}

peft_status golden_open(golden_case *c, const char *backbone_key)
{
    RETURN_ON(open_backbone(c, backbone_key));
    RETURN_ON(make_model(c));
    return strcmp(meta(c, "method"), "none") ? attach_methods(c) : PEFT_OK;
}

void golden_close(golden_case *c)
{
    peft_trainer_free(c->trainer);
    peft_model_free(c->model);
    peft_backbone_free(c->backbone);
    c->trainer = NULL;
    c->model = NULL;
    c->backbone = NULL;
}

/* The tensor of the file that holds the start of a parameter, init.<name>, or of a buffer, init.buffer.<name>. Masks,
 * trained or fixed, are const.<name>. */
static const pf_st_tensor *start_of(const golden_case *c, const char *in_model, bool param)
{
    char name[200];
    snprintf(name, sizeof name, "const.%s", in_model);
    const pf_st_tensor *mask = pf_st_find(c->file, name);
    snprintf(name, sizeof name, "init.%s%s", param ? "" : "buffer.", in_model);
    return mask ? mask : pf_st_find(c->file, name);
}

/* Sets every parameter and every buffer to its start in the file; a fixed mask has its values from the options. A
 * missing or unused tensor is an error. */
peft_status golden_set_start(golden_case *c)
{
    size_t used = 0;
    for (size_t i = 0; i < peft_model_param_count(c->model) + peft_model_buffer_count(c->model); i++) {
        bool param = i < peft_model_param_count(c->model);
        const char *in_model = param ? peft_param_name(peft_model_param(c->model, i))
                                     : peft_model_buffer_name(c->model, i - peft_model_param_count(c->model));
        peft_tensor *t = param ? peft_param_value(peft_model_param(c->model, i))
                               : peft_model_find_buffer(c->model, in_model);
        const pf_st_tensor *from = start_of(c, in_model, param);
        if (!from || from->bytes / sizeof(float) != (size_t)peft_tensor_count(t))
            return pf_fail(PEFT_E_FORMAT, "init.%s: absent or of another size", in_model);
        if (!param && !strncmp(from->name, "const.", 6)) continue;
        pf_to_real(peft_tensor_data(t), from->data, from->type, peft_tensor_count(t));
        used += !strncmp(from->name, "init.", 5);
    }
    size_t in_file = 0;
    for (size_t i = 0; i < pf_st_count(c->file); i++) in_file += !strncmp(pf_st_at(c->file, i)->name, "init.", 5);
    if (used == in_file) return PEFT_OK;
    return peft_set_error(PEFT_E_FORMAT, "the file has init.* tensors the model does not train");
}

peft_status golden_make_trainer(golden_case *c)
{
    /* names in the metadata, and of the trainer's options */
    static const char *const names[][2] = {
        { "name", "optimizer" }, { "clip_grad_norm", "clip_norm" }, { "lr", "lr" },
        { "weight_decay", "weight_decay" }, { "momentum", "momentum" }, { "nesterov", "nesterov" }, { "eps", "eps" } };
    json_t *opt = json_loads(meta(c, "optimizer"), 0, NULL), *betas = json_object_get(opt, "betas");
    peft_options *o;
    RETURN_ON(peft_options_create(c->ctx, &o));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(opt, names[i][0])) RETURN_ON(set_json(o, names[i][1], json_object_get(opt, names[i][0])));
    if (betas) {
        RETURN_ON(set_json(o, "beta1", json_array_get(betas, 0)));
        RETURN_ON(set_json(o, "beta2", json_array_get(betas, 1)));
    }
    json_decref(opt);
    RETURN_ON(peft_options_set_string(o, "loss", meta(c, "loss")));
    RETURN_ON(peft_options_set_int(o, "batch", pf_st_find(c->file, "input.images")->dim[0]));
    peft_status s = peft_trainer_create(c->model, o, &c->trainer);
    peft_options_free(o);
    return s;
}
