/* SPDX-License-Identifier: Apache-2.0
 * test_classifier_digest.c -- files of a model with classes=0 hold a digest of the backbone's classifier: they are
 * refused on a backbone with equal weights and another classifier. */
#include "tiny_files.h"

/* The same backbone with the first two rows of its classifier exchanged. */
static peft_backbone *permute_classifier(const peft_backbone *b)
{
    peft_backbone *other = tiny_load(b->ctx, tiny_path("backbone"), "");
    pk_real *w = pf_backbone_find(other, "head.weight")->data;
    for (int64_t i = 0; i < b->shape.width; i++) {
        const pk_real x = w[i];
        w[i] = w[b->shape.width + i];
        w[b->shape.width + i] = x;
    }
    return other;
}

START_TEST(another_classifier_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .more = "classes=3", .model = "classes=0" });
    /* Weights of f32 stay in the mapped file, which is read-only. Those of f64 are converted when they are loaded, so
     * that permute_classifier can change them in memory. */
    tiny_save_backbone(t.backbone, &(tiny_save){ .type = PEFT_F64 }, tiny_path("backbone"));
    peft_backbone *plain = tiny_load(t.ctx, tiny_path("backbone"), ""), *other = permute_classifier(t.backbone);
    peft_model *m, *loaded = NULL;
    peft_adapter *a = tiny_adapter(plain, "ept", NULL);
    peft_trainer *r, *s;
    ck_assert_str_eq(peft_backbone_fingerprint(plain), peft_backbone_fingerprint(other));
    m = tiny_model(plain, "classes=0");
    OK(peft_model_attach(m, a));
    OK(peft_model_save(m, tiny_path("model")));
    OK(peft_adapter_save(a, tiny_path("adapter")));
    r = tiny_trainer(m, "batch=2");
    OK(peft_trainer_save(r, tiny_path("state")));
    FAILS(PEFT_E_MISMATCH, "classifier", peft_model_load(other, tiny_path("model"), &loaded));
    ck_assert_ptr_null(loaded);
    OK(peft_model_load(plain, tiny_path("model"), &loaded));
    peft_model_free(loaded);
    peft_adapter_free(a);
    OK(peft_adapter_load(other, tiny_path("adapter"), &a));      /* files of adapters hold no digest */
    loaded = tiny_model(other, "classes=0");
    OK(peft_model_attach(loaded, a));
    s = tiny_trainer(loaded, "batch=2");
    FAILS(PEFT_E_MISMATCH, "classifier", peft_trainer_restore(s, tiny_path("state")));
    OK(peft_trainer_restore(r, tiny_path("state")));
    peft_trainer_free(r);
    peft_trainer_free(s);
    peft_model_free(loaded);
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(plain);
    peft_backbone_free(other);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A model with its own head does not use the classifier, and accepts any. */
START_TEST(a_model_with_a_head_accepts_any_classifier)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .more = "classes=3", .model = "classes=3" });
    tiny_save_backbone(t.backbone, &(tiny_save){ .type = PEFT_F64 }, tiny_path("backbone"));
    peft_backbone *plain = tiny_load(t.ctx, tiny_path("backbone"), ""), *other = permute_classifier(t.backbone);
    peft_model *m = tiny_model(plain, "classes=3"), *loaded;
    OK(peft_model_save(m, tiny_path("model")));
    OK(peft_model_load(other, tiny_path("model"), &loaded));
    peft_model_free(loaded);
    peft_model_free(m);
    peft_backbone_free(plain);
    peft_backbone_free(other);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

static void count_warnings(int level, const char *text, void *user)
{
    if (level <= 1 && strstr(text, "classifier")) ++*(int *)user;
}

/* Files of earlier versions have no digest: they load with a warning. */
START_TEST(files_without_a_digest_warn)
{
    int warnings = 0;
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .more = "classes=3", .model = "classes=0" });
    peft_model *m;
    OK(peft_model_save(t.model, tiny_path("model")));
    tiny_edit(tiny_path("model"), tiny_path("old"), &(tiny_change){ DROP_META, "libpeft.backbone.classifier", NULL });
    OK(peft_context_set_log(t.ctx, count_warnings, &warnings, 1));
    OK(peft_model_load(t.backbone, tiny_path("model"), &m));
    ck_assert_int_eq(warnings, 0);
    peft_model_free(m);
    OK(peft_model_load(t.backbone, tiny_path("old"), &m));
    ck_assert_int_eq(warnings, 1);
    peft_model_free(m);
    OK(peft_context_set_log(t.ctx, NULL, NULL, 0));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("classifier_digest", another_classifier_is_refused, a_model_with_a_head_accepts_any_classifier,
           files_without_a_digest_warn)
