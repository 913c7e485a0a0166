/* SPDX-License-Identifier: Apache-2.0
 * recipe.c -- see recipe.h. */
#include "recipe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void load_backbone(trial *t, const flag *recipe)
{
    peft_options *o = options_from(t->ctx, NULL);
    if (recipe[recipe_image_size].value)
        must(peft_options_set_int(o, "image_size", flag_count(&recipe[recipe_image_size])));
    must(peft_backbone_load(t->ctx, t->backbone, o, &t->vit));
    peft_options_free(o);
}

static void prepare_images(trial *t, const flag *recipe)
{
    char text[512];
    snprintf(text, sizeof text, "size=%lld,%s", (long long)peft_backbone_get(t->vit, "image_size"),
             recipe[recipe_preprocess].value);
    must(peft_transform_parse(text, &t->transform));
    snprintf(text, sizeof text, "batch=%s,seed=%llu,shuffle=true,train=true,threads=%d", recipe[recipe_batch].value,
             (unsigned long long)t->seed, t->loader_threads);
    must(peft_loader_create(t->train, t->transform, text, &t->loader));
}

static peft_adapter *make_adapter(trial *t, const flag *recipe)
{
    const char *method = recipe[recipe_method].value, *name;
    peft_adapter *adapter;
    peft_options *o = options_from(t->ctx, NULL);
    for (size_t i = 0; i < peft_method_option_count(method); i++) {
        must(peft_method_option(method, i, &name, NULL, NULL, NULL));
        if (!strcmp(name, "classes")) must(peft_options_set_int(o, name, peft_dataset_classes(t->train)));
    }
    if (recipe[recipe_options].value) must(peft_options_parse(o, recipe[recipe_options].value));
    must(peft_adapter_create(t->vit, method, o, &adapter));
    peft_options_free(o);
    return adapter;
}

static void make_model(trial *t, const flag *recipe)
{
    peft_adapter *adapter = make_adapter(t, recipe);
    const char *head = peft_method_head(recipe[recipe_method].value);
    peft_options *o = options_from(t->ctx, NULL);
    if (head && *head) must(peft_options_set_string(o, "head", head));
    if (recipe[recipe_head].value) must(peft_options_parse(o, recipe[recipe_head].value));
    must(peft_options_set_int(o, "classes", peft_dataset_classes(t->train)));
    must(peft_model_create(t->vit, o, &t->model));
    peft_options_free(o);
    must(peft_model_attach(t->model, adapter));
    peft_adapter_free(adapter);
}

static void make_trainer(trial *t, const flag *recipe)
{
    peft_options *o = options_from(t->ctx, recipe[recipe_trainer].value);
    must(peft_options_set_string(o, "loss", peft_dataset_multilabel(t->train) ? "bce" : "ce"));
    for (int i = recipe_batch; i <= recipe_clip_norm; i++)
        if (recipe[i].value) must(peft_options_set_string(o, recipe[i].name, recipe[i].value));
    t->epochs = flag_count(&recipe[recipe_epochs]);
    must(peft_options_set_int(o, "steps", t->epochs * peft_loader_batches(t->loader)));
    t->planned = (double)peft_context_memory_used(t->ctx);
    must(peft_trainer_create(t->model, o, &t->trainer));
    t->planned += peft_trainer_get(t->trainer, "planned_bytes");
    peft_options_free(o);
}

void build_trial(trial *t, const flag *recipe)
{
    must(peft_context_create(NULL, NULL, NULL, &t->ctx));
    must(peft_context_set_threads(t->ctx, t->threads));
    must(peft_context_set_seed(t->ctx, t->seed));
    load_backbone(t, recipe);
    prepare_images(t, recipe);
    make_model(t, recipe);
    make_trainer(t, recipe);
}

void free_trial(trial *t)
{
    peft_trainer_free(t->trainer);
    peft_model_free(t->model);
    peft_backbone_free(t->vit);
    peft_loader_free(t->loader);
    peft_transform_free(t->transform);
    peft_context_free(t->ctx);
}
