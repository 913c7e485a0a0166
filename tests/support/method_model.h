/* SPDX-License-Identifier: Apache-2.0
 * method_model.h -- a small model with any method attached. Random values are added to all weights and parameters: an
 * initial zero (such as LoRA's B) would hide errors in what it is multiplied with. */
#ifndef METHOD_MODEL_H
#define METHOD_MODEL_H
#include "tiny.h"

/* tiny_method_options (tiny.h), with the options `classes` and `side_image` set for the model where the method has
 * them. */
static inline peft_options *method_options(peft_context *ctx, const char *method, int classes, const char *more)
{
    peft_options *o = tiny_method_options(ctx, method, more);
    const peft_option *row;
    for (size_t i = 0; (row = tiny_method_option(method, i)); i++) {
        if (!strcmp(row->name, "classes")) OK(peft_options_set_int(o, row->name, classes));
        if (!strcmp(row->name, "side_image")) OK(peft_options_set_int(o, row->name, 8));
    }
    return o;
}

/* Is the method none that trains the class token of a backbone without one, and none with a side network for square
 * images where the backbone's are not square? */
static inline bool method_fits(const char *backbone, const char *method)
{
    const char *no_class_token = strstr(backbone, "class_token=false"), *sides = strstr(backbone, "image_size=");
    if (!strcmp(method, "cls_tune")) return !no_class_token;
    return strcmp(method, "fpt") || !sides || sides[11 + strspn(sides + 11, "0123456789")] != 'x';
}

/* `backbone`: options of the backbone besides width, mlp and heads; `more`: options of the method, or NULL; `model`:
 * options of the model besides classes, may be "". A method with a side network gets the head side_encoder. In the
 * result, model is NULL if the method refuses its options. */
static inline tiny method_model(peft_context *ctx, const char *backbone, const char *method, const char *more,
                                int classes, const char *model)
{
    tiny t = { .ctx = ctx, .backbone = tiny_backbone(ctx, "width=24,mlp=40,heads=3", backbone) };
    char text[160];
    for (size_t i = 0; i < t.backbone->weights; i++)
        tiny_perturb_tensor(&t.backbone->weight[i].tensor, t.backbone->weight[i].name, 0.3);
    OK(pf_backbone_make_rope(t.backbone));
    peft_options *o = method_options(ctx, method, classes, more);
    peft_status s = peft_adapter_create(t.backbone, method, o, &t.adapter);
    peft_options_free(o);
    if (s) return t;
    if (tiny_method_named(method)->network) snprintf(text, sizeof text, "classes=%d,head=side_encoder", classes);
    else snprintf(text, sizeof text, "classes=%d%s%s", classes, *model ? "," : "", model);
    t.model = tiny_model(t.backbone, text);
    OK(peft_model_attach(t.model, t.adapter));
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        peft_param *p = peft_model_param(t.model, i);
        tiny_perturb_tensor(peft_param_value(p), peft_param_name(p), 0.6);
    }
    return t;
}

/* Frees all but the context. */
static inline void method_model_free(tiny *t)
{
    peft_adapter_free(t->adapter);
    peft_model_free(t->model);
    peft_backbone_free(t->backbone);
}
#endif
