/* SPDX-License-Identifier: Apache-2.0
 * test_executors.c -- the planned executor, whose values share memory, gives bit for bit the losses, gradients,
 * parameters, buffers, logits and taps of the naive executor, in which each value has its own memory and is NaN after
 * its last use. */
#include "method_model.h"
#include "tested_isas.h"
#include "tiny_bits.h"

static const char *const heads[] = { "classes=3", "classes=3,head=bn_linear", "classes=3,head=mlp,head_layers=2",
    "classes=0" };
static const char *const ept_forms[] = { "insert=add,length=100", "insert=multiply,length=100",
    "insert=multiply_concat,length=3" };
static const char *const pools[] = { "cls", "mean" };
enum { HEADS = 4, POOLS = 2 };

/* Trains on batches of 4 down to 1 images (2 for models with buffers: a batch of one has no variance) and records all
 * results of each step. bce: the loss takes targets, not labels. */
static void record_steps(const tiny *t, const char *options, const char *executor, bool bce, tiny_bits *bits)
{
    peft_trainer *r = tiny_trainer(t->model, "batch=4,lr=1e-2,weight_decay=0.01,clip_norm=1,executor=%s%s", executor,
        options);
    const bool has_buffers = peft_model_buffer_count(t->model) > 0;          /* as batch normalisation has */
    for (int n = 4, first = 0; n >= (has_buffers ? 2 : 1); first += n, n--) {
        tiny_batch b = tiny_batch_make(t->model, n, first % 8);
        OK(peft_trainer_backward(r, b.images, bce ? b.targets : b.labels, b.ids));
        tiny_bits_add(bits, "loss", &r->last_loss, sizeof r->last_loss);
        tiny_bits_tensor(bits, "training logits", peft_trainer_logits(r));
        tiny_bits_grads(bits, t->model);
        OK(peft_trainer_update(r));
        tiny_batch_free(&b);
    }
    tiny_bits_training(bits, r);
    peft_trainer_free(r);
}

/* Records logits and taps of batches of 1 to 3 images. */
static void record_session(const tiny *t, const char *executor, tiny_bits *bits)
{
    static const char *const taps[] = { "embed", "block.0", "feature" };
    const bool tapped = tiny_has_taps(t->adapter);
    peft_session *s = tiny_session(t->model, "batch=3,executor=%s%s", executor,
        tapped ? ",taps=\"embed,block.0,feature\"" : "");
    for (int n = 1; n <= 3; n++) {
        tiny_batch b = tiny_batch_make(t->model, n, n);
        peft_tensor *logits = tiny_logits(t->model, n);
        OK(peft_session_predict(s, b.images, logits));
        tiny_finite(logits, "logits");
        tiny_bits_tensor(bits, "logits", logits);
        for (size_t i = 0; tapped && i < sizeof taps / sizeof *taps; i++)
            tiny_bits_tensor_named(bits, "tap ", taps[i], tiny_tap(s, taps[i]));
        peft_tensor_free(logits);
        tiny_batch_free(&b);
    }
    peft_session_free(s);
}

/* Attaches a second adapter. false: the two cannot be combined (they train one tensor, one changes the number of tokens
 * that the other needs, or one has a side network). */
static bool attach_second(const tiny *t, peft_adapter *more)
{
    peft_trainer *r;
    if (peft_model_attach(t->model, more) == PEFT_E_STATE) return false;
    peft_status s = peft_trainer_create(t->model, NULL, &r);
    if (s == PEFT_E_SHAPE || s == PEFT_E_STATE) return false;
    OK(s);
    peft_trainer_free(r);
    tiny_perturb(t->model);
    return true;
}

/* Trains and predicts with both executors. second: the method of a second adapter, or NULL; options: of the trainer. */
static void compare(const tiny_spec *spec, const char *second, const char *options)
{
    char who[256];
    tiny_bits bits[2] = { { 0 } };
    for (int i = 0; i < 2; i++) {
        const char *executor = i ? "planned" : "naive";
        tiny t = tiny_make(spec);
        peft_adapter *more = second ? tiny_adapter(t.backbone, second, NULL) : NULL;
        if (!more || attach_second(&t, more)) {
            if (peft_model_param_count(t.model)) record_steps(&t, options, executor, strstr(options, "bce"), &bits[i]);
            record_session(&t, executor, &bits[i]);
        }
        peft_adapter_free(more);
        tiny_free(&t);
    }
    snprintf(who, sizeof who, "%s(%s)%s%s, %s, %s%s, %s", spec->method, spec->adapter ? spec->adapter : "",
             second ? " + " : "", second ? second : "", spec->isa ? spec->isa : "auto", spec->model, options,
             spec->more ? spec->more : "");
    tiny_same(&bits[0], &bits[1], who);
    tiny_bits_free(&bits[0]);
}

START_TEST(executors_agree_for_every_method_head_and_pooling)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (size_t i = 0; i < tiny_method_count(); i++)
            for (int h = 0; h < HEADS; h++)
                for (int p = PARTIAL ? (int)i % POOLS : 0; p < POOLS; p += partial_step(POOLS)) {
                    char model[96];
                    /* beside the first instruction set only one head and pooling for each method */
                    if (isa != pk_isas() && (size_t)(h + HEADS * p) != i % (HEADS * POOLS)) continue;
                    snprintf(model, sizeof model, "%s,pool=%s", heads[h], pools[p]);
                    compare(&(tiny_spec){ .isa = *isa, .method = tiny_method_name(i), .model = model }, NULL, "");
                }
}
END_TEST

START_TEST(executors_agree_for_every_kind_of_backbone)
{
    static const char *const kinds[] = { "registers=2", "layer_scale=1,norm_pre=1", "qkv_bias=0,act=quickgelu",
                                         "pool=mean,depth=1", "heads=1,mlp=50", "width=34,heads=2,image_size=12",
                                         "class_token=false,pool=mean,final_norm=before,gate=last,mlp_norm=1",
                                         "qk_norm=1,attn_norm=1,final_norm=both,act=gelu_tanh",
                                         "rope=axial,pos_embed=0,registers=1", "rope=mixed,layer_scale=1",
                                         "image_size=16x8", "image_size=8x24,rope=mixed,registers=1" };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < tiny_method_count(); i++)
            if (method_fits(kinds[k], tiny_method_name(i)))
                compare(&(tiny_spec){ .more = kinds[k], .method = tiny_method_name(i), .model = "classes=3" }, NULL,
                        "");
}
END_TEST

START_TEST(executors_agree_for_every_loss_and_the_feature_cache)
{
    static const char *const options[] = { ",loss=bce", ",loss=bce_sum,class_weights=\"1,2,0.5\"",
        ",optimizer=sgd,nesterov=1",
        ",label_smoothing=0.1,class_weights=\"1,2,0.5\",weight_reduction=batch", ",cache_features=1000000",
        ",accumulate=2" };
    for (size_t k = 0; k < sizeof options / sizeof *options; k++)
        for (size_t i = 0; i < tiny_method_count(); i++)
            compare(&(tiny_spec){ .method = tiny_method_name(i), .model = heads[k % 3] }, NULL, options[k]);
}
END_TEST

START_TEST(executors_agree_for_the_forms_of_ept)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (size_t f = 0; f < sizeof ept_forms / sizeof *ept_forms; f++)
            for (int p = 0; p < POOLS; p++)
                compare(&(tiny_spec){ .isa = *isa, .more = p ? "pool=mean" : "registers=2", .method = "ept",
                                      .adapter = ept_forms[f], .model = "classes=3" }, p ? NULL : "lora", "");
}
END_TEST

/* Each boolean option of each method set to the opposite of its default, and each dropout set to 0.3. */
START_TEST(executors_agree_for_boolean_options_and_dropout)
{
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (const peft_option *o = tiny_method(i)->opts; o && o->name; o++) {
            char text[64];
            if (o->type == 'b') snprintf(text, sizeof text, "%s=%d", o->name, !strcmp(o->fallback, "false"));
            else if (strstr(o->name, "dropout")) snprintf(text, sizeof text, "%s=0.3", o->name);
            else continue;
            compare(&(tiny_spec){ .more = "registers=2", .method = tiny_method_name(i), .adapter = text,
                                  .model = "classes=3" }, NULL, "");
        }
}
END_TEST

START_TEST(executors_agree_for_other_options)
{
    static const char *const others[][2] = { { "vpt", "tokens=4,rank=2" }, { "vpt", "tokens=4,rank=2,dropout=0.3" },
                                             { "vpt", "tokens=4,rank=2,deep=false,project=7" },
                                             { "partial", "part=attention,layers=random:2:3" } };
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            compare(&(tiny_spec){ .isa = *isa, .method = others[i][0], .adapter = others[i][1], .model = "classes=3" },
                    NULL, "");
}
END_TEST

START_TEST(executors_agree_for_two_methods_on_one_model)
{
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (size_t k = i + 1; k <= i + 3; k++)
            compare(&(tiny_spec){ .method = tiny_method_name(i), .model = "classes=3" },
                    tiny_method_name(k % tiny_method_count()), "");
}
END_TEST

SUITE_MAIN("executors", executors_agree_for_every_method_head_and_pooling, executors_agree_for_every_kind_of_backbone,
           executors_agree_for_every_loss_and_the_feature_cache, executors_agree_for_boolean_options_and_dropout,
           executors_agree_for_other_options,
           executors_agree_for_the_forms_of_ept, executors_agree_for_two_methods_on_one_model)
