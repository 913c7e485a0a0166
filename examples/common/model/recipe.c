/* SPDX-License-Identifier: Apache-2.0
 * recipe.c -- makes backbone, adapter, model, loader and trainer from the training flags (recipe.h). */
#include "recipe.h"
#include "common/balance/balance.h"
#include "common/data/data.h"
#include "common/data/preprocess.h"
#include "common/program/errors.h"
#include "common/ranks/ranks.h"
#include "common/program/threads.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/program/verbose.h"
#include "common/segment/mask_sets.h"
#include "loaded_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Gives f the value that --trainer lists for it, unless f itself was given at a more specific place. */
static void override_flag(flag *f, const flag *trainer, const char *value)
{
    if (f->source && f->source == trainer->source)
        fail("%s is given twice: by its flag (%s) and by --trainer (%s); give it once", f->name, f->value, value);
    if (f->source > trainer->source) return;
    f->value = value;
    f->source = trainer->source;
}

void check_recipe_numbers(const flag *recipe)
{
    (void)flag_whole(&recipe[recipe_epochs], 1, INT64_MAX);
    (void)flag_whole(&recipe[recipe_batch], 1, INT64_MAX);
    if (recipe[recipe_warmup].value) (void)flag_integer(&recipe[recipe_warmup]);
}

/* Moves options of --trainer to their flags, and leaves in --trainer those without a flag. */
void resolve_recipe(flag *recipe)
{
    const flag *trainer = &recipe[recipe_trainer];
    settings listed = read_settings(trainer->value, "--trainer"), others = { 0 };     /* others: without a flag */
    for (int i = 0; i < listed.count; i++) {
        int k = recipe_batch;
        while (k <= recipe_clip_norm && strcmp(recipe[k].name, listed.item[i].name)) k++;
        if (k <= recipe_clip_norm) override_flag(&recipe[k], trainer, listed.item[i].value);
        else set_setting(&others, listed.item[i].name, listed.item[i].value);
    }
    for (int k = 0; k < recipe_flags; k++)
        if (recipe[k].value) recipe[k].value = check_alloc(strdup(recipe[k].value));
    if (trainer->value) {
        free((char *)(uintptr_t)trainer->value);              /* the copy made above */
        recipe[recipe_trainer].value = others.count ? settings_text(&others) : NULL;
    }
    free_settings(&listed);
    free_settings(&others);
    check_recipe_numbers(recipe);
}

/* Bytes of slices that the loader keeps. Larger than its default of 256 MiB, as a slice outside the cache costs reading
 * its whole volume. */
enum { cache_of_slices = 1 << 30 };

peft_loader *training_loader(const training_run *t, const flag *recipe, peft_dataset *train)
{
    char text[200];
    peft_loader *loader;
    snprintf(text, sizeof text, "batch=%.32s,seed=%llu,shuffle=true,balanced=%s,train=true,threads=%d",
             recipe[recipe_batch].value, (unsigned long long)t->seed,
             draws_balanced(&recipe[recipe_balance], train) ? "true" : "false", t->loader_threads);
    if (has_slices(train)) {
        const size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, ",cache=%lld", (long long)cache_of_slices);
    }
    must(peft_loader_create(train, t->transform, text, &loader));
    return loader;
}

/* Makes transform and loader. earlier: text of the transform of the training before, or NULL. */
static void prepare_images(training_run *t, const flag *recipe, const char *earlier)
{
    const char *changes = recipe[recipe_preprocess].value;
    if (earlier) {
        t->transform = continued_transform(t->io_ctx, earlier, backbone_sides(t->vit), changes);
        t->transform_origin = "as --model was trained";
    } else {
        char *whole = peft_dataset_has_masks(t->train) ? whole_image(changes) : NULL;
        t->transform = training_transform(t->io_ctx, t->vit, whole ? whole : changes, &t->transform_origin);
        free(whole);
    }
    t->loader = training_loader(t, recipe, t->train);
}

/* A method with an option "classes" gets the data set's number of classes, unless --options sets it. */
static peft_adapter *make_adapter(training_run *t, const flag *recipe)
{
    const char *method = recipe[recipe_method].value;
    const peft_option *option;
    peft_adapter *adapter;
    peft_options *o = empty_options(t->ctx);
    for (size_t i = 0; (option = peft_method_option(method, i)); i++)
        if (!strcmp(peft_option_name(option), "classes"))
            must(peft_options_set_int(o, "classes", label_classes(t->train)));
    if (recipe[recipe_options].value) must(peft_options_parse(o, recipe[recipe_options].value));
    must(peft_adapter_create(t->vit, method, o, &adapter));
    peft_options_free(o);
    return adapter;
}

/* The head must give what the data set labels: the image, or with masks each pixel of the network's input. list:
 * --head; NULL: the head is that of --model. */
static void check_head(const training_run *t, const char *list)
{
    int64_t dims[PEFT_MAX_DIMS];
    const bool map = peft_model_output(t->model, dims) > 1;
    const bool pixels = map && same_sides((image_sides){ dims[0], dims[1] }, transform_sides(t->transform));
    if (peft_dataset_has_masks(t->train)) {
        if (pixels) return;
        fail("--head: with --masks the head must give a class for each pixel, and it gives one for %s; give --head "
             "head=seg_linear, setr_naive, setr_pup or seg_mla", map ? "each patch" : "the image");
    }
    if (!map) return;
    const char *part = pixels ? "pixel" : "patch";
    const long long rows = dims[0], columns = dims[1];
    if (!list)
        fail("--model %s: its head predicts a class for each %s (%lldx%lld, height x width, of an image), and the "
             "labels are one class for each image; give a model with a head such as head=linear, or masks by "
             "finetune --masks", t->start, part, rows, columns);
    settings s = read_settings(list, "--head");
    fail("--head: head=%s predicts a class for each %s (%lldx%lld, height x width, of an image), and the labels are "
         "one class for each image; leave it out, or %s", find_setting(&s, "head"), part, rows, columns,
         pixels ? "give masks by finetune --masks" : "call peft_trainer_step (trainer.h) with patch labels");
}

/* Makes the model with the adapter, which the model keeps. */
static void make_model(training_run *t, const flag *recipe, peft_adapter *adapter)
{
    const char *head = peft_method_head(recipe[recipe_method].value);
    peft_options *o = empty_options(t->ctx);
    if (head && *head) must(peft_options_set_string(o, "head", head));
    if (peft_dataset_has_masks(t->train)) must(peft_options_set_string(o, "head", "seg_linear"));
    if (recipe[recipe_head].value) must(peft_options_parse(o, recipe[recipe_head].value));
    must(peft_options_set_int(o, "classes", label_classes(t->train)));
    must(peft_model_create(t->vit, o, &t->model));
    peft_options_free(o);
    check_head(t, recipe[recipe_head].value);
    must(peft_model_attach(t->model, adapter));
}

/* Has the model a classifier for the classes of the data set? A model that names its classes must have the same names
 * in the same order. */
static bool same_classes(const peft_model *m, const peft_dataset *d)
{
    const char *stored = peft_model_note(m, "class_names");
    char *names = class_name_lines(d);
    const bool same = peft_model_classes(m) == label_classes(d) && (!stored || !strcmp(stored, names));
    free(names);
    return same;
}

static void check_method(const training_run *t, const flag *recipe, const peft_adapter *a)
{
    const flag *f = &recipe[recipe_method];
    if (f->source != FROM_DEFAULT && strcmp(f->value, peft_adapter_method(a)))
        fail("--method %s: the adapter of --model %s is of the method %s; leave --method out, or leave --model out to "
             "train a new adapter", f->value, t->start, peft_adapter_method(a));
}

/* Makes the model from the trained one at t->start; kind: its kind (trained_kind). */
static void continue_model(training_run *t, const flag *recipe, const char *kind)
{
    flag same[recipe_flags];
    peft_model *m = NULL;
    peft_adapter *a = NULL;
    if (kind && !strcmp(kind, "adapter")) must(peft_adapter_load(t->vit, t->start, &a));
    else m = load_trained(t->vit, t->start, kind);
    if (m && peft_model_adapter_count(m) != 1)
        fail("--model %s: has %zu adapters; a training begins with one", t->start, peft_model_adapter_count(m));
    peft_adapter *adapter = m ? peft_model_adapter(m, 0) : a;
    check_method(t, recipe, adapter);
    const bool keep = m && same_classes(m, t->train);
    printf("beginning with %s: %s%s\n", t->start, peft_adapter_method(adapter),
           keep ? " and its classifier" : "; the classifier is new, because the classes are others or it has none");
    if (keep) {
        t->model = m;
        check_head(t, NULL);
        return;
    }
    memcpy(same, recipe, sizeof same);
    same[recipe_method].value = peft_adapter_method(adapter);
    make_model(t, same, adapter);
    peft_model_free(m);
    peft_adapter_free(a);
}

/* Sets the length of the learning rate's schedule, the option "steps" in o, to the number of updates: one for every
 * "accumulate" batches. accumulate=0 is refused later, by peft_trainer_create. */
static void set_schedule_length(training_run *t, const settings *s, peft_options *o)
{
    const char *accumulate = find_setting(s, "accumulate"), *steps = find_setting(s, "steps");
    const int64_t n = accumulate ? flag_integer(&(flag){ .name = "trainer accumulate", .value = accumulate }) : 1;
    const int64_t updates_per_epoch = (peft_loader_batches(t->loader) + n - 1) / (n ? n : 1);    /* rounded up */
    const int64_t updates = t->epochs * updates_per_epoch;
    if (!steps) must(peft_options_set_int(o, "steps", updates));
    else if (flag_integer(&(flag){ .name = "trainer steps", .value = steps }) < updates)
        warn("--trainer steps=%s: the schedule ends before the %lld updates of %lld epochs; updates after its end use "
             "its last learning rate", steps, (long long)updates, (long long)t->epochs);
}

static void make_trainer(training_run *t, const flag *recipe)
{
    settings s = read_settings(recipe[recipe_trainer].value, "--trainer");
    balance_weights(&s, &recipe[recipe_balance], t->train, t->pixels);
    peft_options *o = options_from_settings(t->ctx, &s);
    /* defaults, which --loss (a flag from batch to clip_norm) and --trainer decay_on=.. replace */
    const bool masks = peft_dataset_has_masks(t->train), several = has_several_labels(t->train);
    check_loss_of_masks(recipe[recipe_loss].value ? recipe[recipe_loss].value : find_setting(&s, "loss"), t->train);
    const char *const loss[2][2] = { { "ce", "bce" }, { "ce_dice", "bce_dice" } };
    must(peft_options_set_string(o, "loss", loss[masks][several]));
    if (masks && !several && !find_setting(&s, "ignore_index"))
        must(peft_options_set_int(o, "ignore_index", PEFT_MASK_IGNORED));
    if (!find_setting(&s, "decay_on")) must(peft_options_set_string(o, "decay_on", "matrices"));
    for (int i = recipe_batch; i <= recipe_clip_norm; i++)
        if (recipe[i].value) must(peft_options_set_string(o, recipe[i].name, recipe[i].value));
    if (!find_setting(&s, "samples")) must(peft_options_set_int(o, "samples", peft_dataset_count(t->train)));
    t->epochs = flag_whole(&recipe[recipe_epochs], 1, INT64_MAX);
    set_schedule_length(t, &s, o);
    t->planned_bytes = (double)peft_context_memory_used(t->ctx);
    must(peft_trainer_create(t->model, o, &t->trainer));
    if (ranks.share) ranks.share(t->trainer);
    t->planned_bytes += peft_trainer_get(t->trainer, "planned_bytes");
    peft_options_free(o);
    free_settings(&s);
}

static void make_training_context(training_run *t)
{
    t->ctx = make_context();
    (void)thread_count(t->threads);                           /* warns of too many */
    must(peft_context_set_threads(t->ctx, t->threads));
    must(peft_context_set_seed(t->ctx, t->seed));
}

/* Loads the backbone and makes transform and loader. earlier: text of the transform of the training before, or NULL. */
static void prepare_backbone(training_run *t, const flag *recipe, const char *earlier)
{
    image_sides sides = requested_size(recipe[recipe_image_size].value, recipe[recipe_preprocess].value);
    if (!sides.height) sides = sides_of_text(t->ctx, earlier);
    t->vit = load_backbone(t->ctx, t->backbone, sides, recipe[recipe_backbone_options].value);
    prepare_images(t, recipe, earlier);
}

void build_backbone(training_run *t, const flag *recipe)
{
    const char *const no_earlier = NULL;
    t->model = NULL;
    t->trainer = NULL;
    make_training_context(t);
    prepare_backbone(t, recipe, no_earlier);
}

void build_training(training_run *t, const flag *recipe)
{
    char *kind = NULL, *earlier = NULL;
    make_training_context(t);
    if (t->start) kind = trained_kind(t->ctx, t->start, &earlier);
    prepare_backbone(t, recipe, earlier);
    if (t->start) continue_model(t, recipe, kind);
    else {
        peft_adapter *adapter = make_adapter(t, recipe);
        make_model(t, recipe, adapter);
        peft_adapter_free(adapter);
    }
    free(kind);
    free(earlier);
    make_trainer(t, recipe);
}

/* A copy of `other`, whose objects it shares, with this data set and loader. */
static training_run share_training(const training_run *other, peft_dataset *train, peft_loader *loader)
{
    training_run t = *other;
    t.train = train;
    t.loader = loader;
    return t;
}

training_run training_beside(const training_run *other, const flag *recipe, peft_dataset *train, peft_adapter *adapter)
{
    training_run t = share_training(other, train, training_loader(other, recipe, train));
    make_model(&t, recipe, adapter);
    make_trainer(&t, recipe);
    return t;
}

training_run training_with(const training_run *other, const flag *recipe, peft_dataset *train, peft_loader *loader)
{
    training_run t = share_training(other, train, loader);
    peft_adapter *adapter = make_adapter(&t, recipe);
    make_model(&t, recipe, adapter);
    peft_adapter_free(adapter);
    make_trainer(&t, recipe);
    return t;
}

training_run training_of_model(const training_run *other, const flag *recipe, peft_dataset *train, peft_loader *loader,
                               peft_model *model)
{
    training_run t = share_training(other, train, loader);
    t.model = model;
    make_trainer(&t, recipe);
    return t;
}

void free_training_beside(training_run *t)
{
    peft_trainer_free(t->trainer);
    peft_model_free(t->model);
    peft_loader_free(t->loader);
}

void check_next_stage(const training_run *t, const flag *recipe, const flag *next)
{
    training_run other = *t;
    peft_adapter *second = make_adapter(&other, next);
    make_model(&other, recipe, peft_model_adapter(t->model, 0));
    must(peft_model_attach(other.model, second));
    peft_adapter_free(second);
    peft_model_free(other.model);
}

void begin_next_stage(training_run *t, const flag *recipe, const char *state)
{
    peft_trainer_free(t->trainer);
    t->trainer = NULL;
    peft_adapter *adapter = make_adapter(t, recipe);
    must(peft_model_attach(t->model, adapter));
    peft_adapter_free(adapter);
    make_trainer(t, recipe);
    must(peft_trainer_warm_start(t->trainer, state, NULL));
}

void free_training(training_run *t)
{
    peft_trainer_free(t->trainer);
    peft_model_free(t->model);
    peft_backbone_free(t->vit);
    peft_loader_free(t->loader);
    peft_transform_free(t->transform);
    peft_context_free(t->ctx);
}
