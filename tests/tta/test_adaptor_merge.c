/* SPDX-License-Identifier: Apache-2.0
 * test_adaptor_merge.c -- statistics of training images that are stored in a model: models made of the backbone that it
 * is merged into have them, as long as they hold, and a warning says where they are left out. */
#include "adaptors.h"

/* Warnings, one behind another. */
static char warnings[4096];
static void keep_warning(int level, const char *message, void *user)
{
    (void)user;
    if (level == 1) strncat(warnings, message, sizeof warnings - strlen(warnings) - 1);
}

/* Asserts that the last call warned with this text, or with none if text is NULL. */
static void warned(const char *text)
{
    ck_assert_msg(text ? strstr(warnings, text) != NULL : !*warnings, "expected %s, got '%s'", text ? text : "none",
                  warnings);
    *warnings = 0;
}

static const char *const methods[] = { "lora", "ssf", "ln_tune", "ia3" };
static const struct { const char *kind; int source; } kinds[] = {
    { "foa_bp", PF_SOURCE_CLASS_TOKEN }, { "vptta", PF_SOURCE_ALL_TOKENS } };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* A model whose statistics of both kinds are stored. */
static tiny model_with_statistics(const char *method)
{
    tiny t = tiny_make(&(tiny_spec){ .method = method, .model = "classes=3" });
    OK(peft_context_set_log(t.ctx, keep_warning, NULL, 1));
    for (int i = 0; i < KINDS; i++) {
        peft_adaptor *a = ready_adaptor(t.model, kinds[i].kind, "");
        OK(peft_adaptor_store_source(a));
        peft_adaptor_free(a);
    }
    *warnings = 0;
    return t;
}

/* The backbone that t's model is merged into. */
static peft_backbone *merged(const tiny *t)
{
    peft_backbone *b;
    OK(peft_model_merge(t->model, &b));
    return b;
}

/* Whether an adaptor of the model, made without further options, can predict without training images. */
static bool has_statistics(peft_model *m, const char *kind)
{
    peft_adaptor *a = adaptor_make(m, "kind=%s,batch=2", kind);
    tiny_batch b = tiny_batch_make(m, 2, 0);
    peft_tensor *logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, 2, (int)m->classes);
    const peft_status s = peft_adaptor_predict(a, b.images, logits);
    ck_assert(!s || s == PEFT_E_STATE);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    peft_adaptor_free(a);
    return !s;
}

START_TEST(a_merged_model_has_the_statistics)
{
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
        tiny t = model_with_statistics(methods[k]);
        peft_backbone *b = merged(&t);
        peft_model *m = tiny_model(b, ""), *loaded, *again;
        warned(NULL);
        for (int i = 0; i < KINDS; i++) {
            const size_t bytes = 2 * 3 * 48 * sizeof(double);
            ck_assert(!memcmp(m->source[kinds[i].source].mean, t.model->source[kinds[i].source].mean, bytes));
            /* the first batch; later ones follow from updates of norms, which ssf's factors have changed */
            peft_adaptor *x = adaptor_make(t.model, "kind=%s,batch=%d%s", kinds[i].kind, ADAPT_BATCH,
                                           quick(kinds[i].kind));
            peft_adaptor *y = adaptor_make(m, "kind=%s,batch=%d%s", kinds[i].kind, ADAPT_BATCH, quick(kinds[i].kind));
            peft_tensor *p = adapt_on(x, ADAPT_BATCH, 0), *q = adapt_on(y, ADAPT_BATCH, 0);
            for (int64_t e = 0; e < peft_tensor_count(p); e++)
                ck_assert_double_eq_tol(((float *)p->data)[e], ((float *)q->data)[e], 2e-5);
            peft_tensor_free(p);
            peft_tensor_free(q);
            peft_adaptor_free(x);
            peft_adaptor_free(y);
        }
        /* through the file of a model, and through a second merge */
        OK(peft_model_save(m, tiny_path("model")));
        OK(peft_model_load(b, tiny_path("model"), &loaded));
        peft_backbone *twice = merged(&(tiny){ .model = m });
        again = tiny_model(twice, "");
        for (int i = 0; i < KINDS; i++) ck_assert(has_statistics(loaded, kinds[i].kind));
        for (int i = 0; i < KINDS; i++) ck_assert(has_statistics(again, kinds[i].kind));
        warned(NULL);
        peft_model_free(again);
        peft_backbone_free(twice);
        peft_model_free(loaded);
        peft_model_free(m);
        peft_backbone_free(b);
        tiny_free(&t);
        tiny_clean();
    }
}
END_TEST

/* Statistics of other values of the parameters are not merged; those of a merged backbone are not used by a model that
 * computes other features. */
START_TEST(statistics_that_do_not_hold_are_left_out)
{
    tiny t = model_with_statistics("lora");
    peft_backbone *b = merged(&t);
    peft_model *own_head = tiny_model(b, "classes=4"), *mean = tiny_model(b, "classes=4,pool=mean"),
        *lora = tiny_model(b, "");
    peft_adapter *a = tiny_adapter(b, "lora", NULL);
    OK(peft_model_attach(lora, a));
    for (int i = 0; i < KINDS; i++) {
        ck_assert(has_statistics(own_head, kinds[i].kind));
        ck_assert(!has_statistics(mean, kinds[i].kind));
        warned(NULL);
        ck_assert(!has_statistics(lora, kinds[i].kind));
        warned("belong to other values of its parameters");
    }
    ((float *)peft_tensor_data(peft_param_value(peft_adapter_param(t.adapter, 0))))[0] += 1;
    peft_backbone *changed = merged(&t);
    warned("the merged backbone does not get them");
    peft_model *m = tiny_model(changed, "");
    for (int i = 0; i < KINDS; i++) ck_assert(!has_statistics(m, kinds[i].kind));
    peft_model_free(m);
    peft_backbone_free(changed);
    peft_adapter_free(a);
    peft_model_free(lora);
    peft_model_free(mean);
    peft_model_free(own_head);
    peft_backbone_free(b);
    tiny_free(&t);
}
END_TEST

START_TEST(files_without_a_place_for_them_are_warned_of)
{
    tiny t = model_with_statistics("lora");
    peft_backbone *b = merged(&t), *loaded;
    OK(peft_backbone_save(b, tiny_path("weights.safetensors")));
    warned("weights.safetensors: files of weights have no place");
    OK(peft_model_save_hf(t.model, tiny_path("directory"), NULL));
    warned("directory: a PEFT directory has no place");
    OK(peft_model_save(t.model, tiny_path("model")));
    OK(peft_backbone_save(t.backbone, tiny_path("plain.safetensors")));
    OK(peft_adapter_save_hf(t.adapter, tiny_path("adapter"), NULL));
    OK(peft_backbone_load(t.ctx, tiny_path("weights.safetensors"), NULL, &loaded));
    warned(NULL);
    peft_model *m = tiny_model(loaded, "");
    ck_assert(!has_statistics(m, "vptta"));
    peft_model_free(m);
    peft_backbone_free(loaded);
    peft_backbone_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("adaptor_merge", a_merged_model_has_the_statistics, statistics_that_do_not_hold_are_left_out,
           files_without_a_place_for_them_are_warned_of)
