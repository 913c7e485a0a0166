/* SPDX-License-Identifier: Apache-2.0
 * test_model_files.c -- adapter and model files: loading restores every bit, in another context and another process;
 * files for another backbone, changed files and values that are not finite are refused by the name of what is wrong. */
#include <math.h>
#include <sys/wait.h>
#include "tiny_files.h"

static const char *const heads[] = { "classes=3", "classes=3,head=bn_linear,pool=mean",
    "classes=3,head=mlp,head_layers=2" };
static const char note[] = "a \"quoted\" text, with = signs,\n two lines and \xc3\xa4\xc3\xb6";

/* A model after three training steps, with two notes; its state and logits are appended to bits (NULL: not wanted). */
static tiny trained(const tiny_spec *spec, tiny_bits *bits)
{
    tiny t = tiny_make(spec);
    peft_trainer *x = tiny_trainer(t.model, "batch=3,lr=1e-2");
    for (int i = 0; i < 3; i++) tiny_step(x, 3, 3 * i);
    peft_trainer_free(x);
    OK(peft_model_set_note(t.model, "preprocess", note));
    OK(peft_model_set_note(t.model, "class_names", "a,b,c"));
    if (bits) {
        tiny_bits_model(bits, t.model);
        tiny_bits_logits(bits, t.model);
    }
    return t;
}

/* The same backbone created again in a new context, whose seed differs. */
static peft_backbone *fresh_backbone(const char *more)
{
    peft_context *ctx = tiny_context(NULL, 2);
    peft_backbone *b = tiny_backbone(ctx, NULL, more);
    OK(peft_context_set_seed(ctx, 1234));
    peft_context_free(ctx);
    return b;
}

/* Two files hold the same bytes. */
static void same_file(const char *a, const char *b)
{
    static char data[2][1 << 20];
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(i ? b : a, "rb");
        ck_assert_ptr_nonnull(f);
        n[i] = fread(data[i], 1, sizeof data[i], f);
        fclose(f);
    }
    ck_assert_uint_eq(n[0], n[1]);
    ck_assert_mem_eq(data[0], data[1], n[0]);
}

/* The model file holds the expected state, predicts the expected logits, and saves to the same bytes again. */
static void check_loaded(const tiny_bits *expected, const char *path, const char *who)
{
    tiny_bits got = { 0 };
    peft_backbone *b = fresh_backbone(NULL);
    peft_model *m;
    OK(peft_model_load(b, path, &m));
    tiny_bits_model(&got, m);
    tiny_bits_logits(&got, m);
    tiny_same(expected, &got, who);
    ck_assert_str_eq(peft_model_note(m, "preprocess"), note);
    ck_assert_str_eq(peft_model_note(m, "class_names"), "a,b,c");
    ck_assert_ptr_null(peft_model_note(m, "libpeft.kind"));
    OK(peft_model_save(m, tiny_path("again")));
    same_file(path, tiny_path("again"));
    peft_model_free(m);
    peft_backbone_free(b);
}

START_TEST(models_are_the_same_after_save_and_load)
{
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (int h = 0; h < 3; h++) {
            tiny_bits bits = { 0 };
            tiny t = trained(&(tiny_spec){ .method = tiny_method_name(i), .model = heads[h] }, &bits);
            OK(peft_model_save(t.model, tiny_path("model")));
            tiny_free(&t);
            check_loaded(&bits, tiny_path("model"), tiny_method_name(i));
            tiny_bits_free(&bits);
        }
    tiny_clean();
}
END_TEST

START_TEST(models_of_several_adapters_are_the_same_after_save_and_load)
{
    tiny_bits bits = { 0 };
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "targets=\"attn.q,mlp.fc1\",alpha=3", .model =
        heads[1] });
    static const char *const more[] = { "ept", "ln_tune" };
    for (int i = 0; i < 2; i++) {
        peft_adapter *a = tiny_adapter(t.backbone, more[i], NULL);
        OK(peft_model_attach(t.model, a));
        peft_adapter_free(a);
    }
    tiny_perturb(t.model);
    OK(peft_model_set_note(t.model, "preprocess", note));
    OK(peft_model_set_note(t.model, "class_names", "a"));
    OK(peft_model_set_note(t.model, "class_names", "a,b,c"));
    tiny_bits_model(&bits, t.model);
    tiny_bits_logits(&bits, t.model);
    OK(peft_model_save(t.model, tiny_path("model")));
    check_loaded(&bits, tiny_path("model"), "three adapters");
    tiny_bits_free(&bits);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(a_model_predicts_the_same_in_another_process)
{
    tiny_bits bits = { 0 };
    tiny t = trained(&(tiny_spec){ .method = "ept", .model = heads[1] }, &bits);
    OK(peft_model_save(t.model, tiny_path("model")));
    pid_t child = fork();
    if (!child) {
        check_loaded(&bits, tiny_path("model"), "child");
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    tiny_bits_free(&bits);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Trains an adapter, saves it, loads it, and saves it again. options: NULL: the method's defaults. */
static void save_and_load(const char *method, const char *options)
{
    tiny t = trained(&(tiny_spec){ .method = method, .adapter = options }, NULL);
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    peft_backbone *b = fresh_backbone(NULL);
    peft_adapter *a;
    OK(peft_adapter_load(b, tiny_path("adapter"), &a));
    ck_assert_str_eq(peft_adapter_method(a), method);
    ck_assert_uint_eq(peft_adapter_param_count(a), peft_adapter_param_count(t.adapter));
    for (size_t k = 0; k < peft_adapter_param_count(a); k++) {
        peft_param *p = peft_adapter_param(a, k), *q = peft_adapter_param(t.adapter, k);
        ck_assert_str_eq(peft_param_name(p), peft_param_name(q));
        ck_assert_mem_eq(peft_tensor_cdata(peft_param_value(p)), peft_tensor_cdata(peft_param_value(q)),
                         pf_tensor_bytes(&p->value));
    }
    OK(peft_adapter_save(a, tiny_path("again")));
    same_file(tiny_path("adapter"), tiny_path("again"));
    peft_adapter_free(a);
    peft_backbone_free(b);
    tiny_free(&t);
}

START_TEST(adapters_are_the_same_after_save_and_load)
{
    for (size_t i = 0; i < tiny_method_count(); i++) save_and_load(tiny_method_name(i), NULL);
    save_and_load("vpt", "tokens=4,rank=2,shared=true");
    tiny_clean();
}
END_TEST

/* --- refusals --------------------------------------------------------------------------------- */
START_TEST(files_of_another_backbone_are_refused)
{
    tiny t = trained(&(tiny_spec){ .method = "ept" }, NULL);
    peft_backbone *b = fresh_backbone("seed=1");
    peft_adapter *a = NULL;
    peft_model *m = NULL;
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    OK(peft_model_save(t.model, tiny_path("model")));
    FAILS(PEFT_E_MISMATCH, peft_backbone_fingerprint(b), peft_adapter_load(b, tiny_path("adapter"), &a));
    FAILS(PEFT_E_MISMATCH, peft_backbone_fingerprint(t.backbone), peft_model_load(b, tiny_path("model"), &m));
    FAILS(PEFT_E_MISMATCH, peft_backbone_fingerprint(b), peft_model_load(b, tiny_path("model"), &m));
    peft_backbone_free(b);
    ck_assert(!a && !m);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Loaded at another image size or by another rule of resampling, a backbone keeps its fingerprint but has other
 * position embeddings. */
START_TEST(files_of_another_image_size_or_resampling_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    peft_adapter *a;
    peft_backbone *b[3];
    static const char *const options[] = { "image_size=24", "image_size=32", "image_size=24,resample=bilinear" };
    tiny_save_backbone(t.backbone, &(tiny_save){ 0 }, tiny_path("backbone"));
    for (int i = 0; i < 3; i++) {
        peft_options *o = tiny_options(t.ctx, "%s", options[i]);
        OK(peft_backbone_load(t.ctx, tiny_path("backbone"), o, &b[i]));
        ck_assert_str_eq(peft_backbone_fingerprint(b[i]), peft_backbone_fingerprint(t.backbone));
        peft_options_free(o);
    }
    a = tiny_adapter(b[0], "ept", NULL);
    OK(peft_adapter_save(a, tiny_path("adapter")));
    peft_adapter_free(a);
    FAILS(PEFT_E_MISMATCH, "image_size 24, the backbone was loaded at 32", peft_adapter_load(b[1], tiny_path("adapter"),
        &a));
    FAILS(PEFT_E_MISMATCH, "'timm', the backbone was loaded with 'bilinear'", peft_adapter_load(b[2],
        tiny_path("adapter"), &a));
    FAILS(PEFT_E_MISMATCH, "image_size 24, the backbone was loaded at 16", peft_adapter_load(t.backbone,
        tiny_path("adapter"), &a));
    OK(peft_adapter_load(b[0], tiny_path("adapter"), &a));
    peft_adapter_free(a);
    for (int i = 0; i < 3; i++) peft_backbone_free(b[i]);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A backbone that was loaded at another image size and one that was saved from it are the same to the bit: adapters and
 * models of one fit the other. A merged backbone counts the resampled position embeddings as its own. */
START_TEST(a_resampled_backbone_and_its_saved_copy_take_the_same_files)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    tiny_save_backbone(t.backbone, &(tiny_save){ 0 }, tiny_path("backbone"));
    peft_backbone *large = tiny_load(t.ctx, tiny_path("backbone"), "image_size=24");
    OK(peft_backbone_save(large, tiny_path("large")));
    peft_backbone *saved = tiny_load(t.ctx, tiny_path("large"), "");
    peft_backbone *other = tiny_load(t.ctx, tiny_path("backbone"), "image_size=24,resample=bilinear");
    peft_backbone *const orders[2][2] = { { large, saved }, { saved, large } };
    peft_adapter *a;
    peft_model *m;
    for (int i = 0; i < 2; i++) {
        a = tiny_adapter(orders[i][0], "ept", NULL);
        m = tiny_model(orders[i][0], NULL);
        OK(peft_model_attach(m, a));
        OK(peft_adapter_save(a, tiny_path("adapter")));
        OK(peft_model_save(m, tiny_path("model")));
        peft_adapter_free(a);
        peft_model_free(m);
        for (int k = 0; k < 2; k++) {
            OK(peft_adapter_load(orders[i][k], tiny_path("adapter"), &a));
            OK(peft_model_load(orders[i][k], tiny_path("model"), &m));
            peft_adapter_free(a);
            peft_model_free(m);
        }
        const char *const any_message = "";
        FAILS(PEFT_E_MISMATCH, any_message, peft_adapter_load(other, tiny_path("adapter"), &a));
        FAILS(PEFT_E_MISMATCH, any_message, peft_adapter_load(t.backbone, tiny_path("adapter"), &a));
    }
    m = tiny_model(large, NULL);
    peft_backbone *merged, *again;
    OK(peft_model_merge(m, &merged));
    peft_model_free(m);
    a = tiny_adapter(merged, "lora", NULL);
    OK(peft_adapter_save(a, tiny_path("adapter")));
    peft_adapter_free(a);
    OK(peft_backbone_save(merged, tiny_path("merged")));
    again = tiny_load(t.ctx, tiny_path("merged"), "");
    ck_assert_str_eq(peft_backbone_fingerprint(merged), peft_backbone_fingerprint(again));
    OK(peft_adapter_load(again, tiny_path("adapter"), &a));
    peft_adapter_free(a);
    peft_backbone *const all[] = { large, saved, other, merged, again };
    for (int i = 0; i < 5; i++) peft_backbone_free(all[i]);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

typedef struct refusal { tiny_change change; peft_status status; const char *text; } refusal;
/* The change of a file (tiny_change: what is done, to which tensor or metadata entry, its new value). */
static const refusal in_both[] = {                                          /* changes of adapter and model files */
    { { DROP, "prompt", NULL }, PEFT_E_FORMAT, "tensor 'prompt' is missing" },
    { { FLATTEN, "prompt", NULL }, PEFT_E_FORMAT, "tensor 'prompt': given [153], expected [3, 17, 3]" },
    { { CUT, "prompt", NULL }, PEFT_E_FORMAT, "tensor 'prompt': given [1, 17, 3]" },
    { { RETYPE, "prompt", NULL }, PEFT_E_DTYPE, "tensor 'prompt': given I32" },
    { { ADD, "stranger", NULL }, PEFT_E_FORMAT, "'stranger'" },
    { { DROP_META, "libpeft.kind", NULL }, PEFT_E_FORMAT, "libpeft.kind" },
    { { DROP_META, "libpeft.format", NULL }, PEFT_E_FORMAT, "libpeft.format" },
    { { DROP_META, "libpeft.backbone.fingerprint", NULL }, PEFT_E_FORMAT, "libpeft.backbone.fingerprint" },
    { { DROP_META, "libpeft.backbone.image_size", NULL }, PEFT_E_FORMAT, "libpeft.backbone.image_size" },
    { { DROP_META, "libpeft.backbone.resample", NULL }, PEFT_E_FORMAT, "libpeft.backbone.resample" },
    { { DROP_META, "libpeft.adapter.0.method", NULL }, PEFT_E_FORMAT, "libpeft.adapter.0.method" },
    { { DROP_META, "libpeft.adapter.0.options", NULL }, PEFT_E_FORMAT, "libpeft.adapter.0.options" },
    { { SET_META, "libpeft.kind", "trainer" }, PEFT_E_FORMAT, "holds a trainer" },
    { { SET_META, "libpeft.format", "2" }, PEFT_E_UNSUPPORTED, "format 2" },
    { { SET_META, "libpeft.format", "one" }, PEFT_E_FORMAT, "libpeft.format" },
    { { SET_META, "libpeft.adapter.0.method", "bitfat" }, PEFT_E_NOTFOUND, "did you mean 'bitfit'" },
    { { SET_META, "libpeft.adapter.0.options", "length=4" }, PEFT_E_FORMAT, "expected [3, 17, 4]" },
    { { SET_META, "libpeft.adapter.0.options", "lenght=3" }, PEFT_E_OPTION, "length" },
    { { SET_META, "libpeft.adapter.0.options", "=,=" }, PEFT_E_FORMAT, "libpeft.adapter.0.options" } };
static const refusal in_models[] = {                                        /* changes of model files */
    { { DROP, "head.bias", NULL }, PEFT_E_FORMAT, "'head.bias' is missing" },
    { { FLATTEN, "head.weight", NULL }, PEFT_E_FORMAT, "'head.weight': given [144], expected [3, 48]" },
    { { RETYPE, "head.weight", NULL }, PEFT_E_DTYPE, "'head.weight': given I32" },
    { { DROP_META, "libpeft.adapters", NULL }, PEFT_E_FORMAT, "libpeft.adapters" },
    { { DROP_META, "libpeft.model.options", NULL }, PEFT_E_FORMAT, "libpeft.model.options" },
    { { SET_META, "libpeft.adapters", "2" }, PEFT_E_FORMAT, "libpeft.adapter.1.method" },
    { { SET_META, "libpeft.adapters", "0" }, PEFT_E_FORMAT, "'prompt' is unexpected" },
    { { SET_META, "libpeft.adapters", "-1" }, PEFT_E_FORMAT, "libpeft.adapters" },
    { { SET_META, "libpeft.model.options", "classes=4" }, PEFT_E_FORMAT, "expected [4, 48]" },
    { { SET_META, "libpeft.model.options", "classes=999999999" }, PEFT_E_OPTION, "classes" } };

/* Loading a changed copy of the adapter or model file fails; the message names what is wrong and the file. */
static void check_refusal(peft_backbone *b, const char *kind, const refusal *r)
{
    char path[128];
    peft_adapter *a = NULL;
    peft_model *m = NULL;
    snprintf(path, sizeof path, "%s", tiny_path("edited"));
    tiny_edit(tiny_path(kind), path, &r->change);
    peft_status s = !strcmp(kind, "adapter") ? peft_adapter_load(b, path, &a) : peft_model_load(b, path, &m);
    ck_assert_msg(s == r->status && !a && !m, "%s with %s changed: %s: %s", kind, r->change.what, peft_status_name(s),
        peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), r->text) && strstr(peft_last_error(), path),
                  "%s with %s changed: no '%s' in: %s", kind, r->change.what, r->text, peft_last_error());
}

START_TEST(changed_files_are_refused)
{
    tiny t = trained(&(tiny_spec){ .method = "ept" }, NULL);
    peft_adapter *a;
    peft_model *m;
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    OK(peft_model_save(t.model, tiny_path("model")));
    for (size_t i = 0; i < sizeof in_both / sizeof *in_both; i++) {
        check_refusal(t.backbone, "adapter", &in_both[i]);
        check_refusal(t.backbone, "model", &in_both[i]);
    }
    for (size_t i = 0; i < sizeof in_models / sizeof *in_models; i++) check_refusal(t.backbone, "model", &in_models[i]);
    FAILS(PEFT_E_FORMAT, "holds a model, expected an adapter", peft_adapter_load(t.backbone, tiny_path("model"), &a));
    FAILS(PEFT_E_FORMAT, "holds an adapter, expected a model", peft_model_load(t.backbone, tiny_path("adapter"), &m));
    FAILS(PEFT_E_IO, "nowhere", peft_model_load(t.backbone, tiny_path("nowhere"), &m));
    FAILS(PEFT_E_INVALID, "path", peft_model_load(t.backbone, NULL, &m));
    FAILS(PEFT_E_INVALID, "backbone", peft_adapter_load(NULL, "x", &a));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(values_that_are_not_finite_are_not_saved)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    tiny_bits bits = { 0 };
    tiny t = trained(&(tiny_spec){ .method = "ept", .model = heads[1] }, &bits);
    OK(peft_model_save(t.model, tiny_path("model")));
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    OK(peft_adapter_save(t.adapter, tiny_path("before")));
    peft_tensor *tensors[] = { peft_param_value(peft_model_find_param(t.model, "prompt")),
                              peft_param_value(peft_model_find_param(t.model, "head.1.weight")),
                              peft_model_find_buffer(t.model, "head.0.running_var") };
    static const char *const names[] = { "prompt", "head.1.weight", "head.0.running_var" };
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            float *last = (float *)peft_tensor_data(tensors[i]) + peft_tensor_count(tensors[i]) - 1, good = *last;
            *last = bad[k];
            FAILS(PEFT_E_NONFINITE, names[i], peft_model_save(t.model, tiny_path("model")));
            if (i == 0) FAILS(PEFT_E_NONFINITE, "prompt", peft_adapter_save(t.adapter, tiny_path("adapter")));
            *last = good;
        }
    check_loaded(&bits, tiny_path("model"), "the file before the refused save");
    same_file(tiny_path("adapter"), tiny_path("before"));
    tiny_bits_free(&bits);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("model_files", models_are_the_same_after_save_and_load,
           models_of_several_adapters_are_the_same_after_save_and_load, a_model_predicts_the_same_in_another_process,
           adapters_are_the_same_after_save_and_load, files_of_another_backbone_are_refused,
           files_of_another_image_size_or_resampling_are_refused,
           a_resampled_backbone_and_its_saved_copy_take_the_same_files, changed_files_are_refused,
           values_that_are_not_finite_are_not_saved)
