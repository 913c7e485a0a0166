/* SPDX-License-Identifier: Apache-2.0
 * test_nonfinite.c -- files of backbones, adapters, models and training states that hold NaN or Inf are refused; a
 * prediction that is NaN or Inf is an error; the drift of merging is infinite where an output is NaN. */
#include <math.h>
#include "tiny_files.h"

/* Writes a copy of a file in which the last element of a tensor is `value`, in the tensor's own type. */
static void copy_with_value(const char *from, const char *to, const char *tensor, double value)
{
    static _Alignas(8) char data[1 << 20];
    peft_context *ctx = tiny_plain_context();
    pf_st *st;
    FILE *f = fopen(from, "rb");
    ck_assert_ptr_nonnull(f);
    const size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    OK(pf_st_open_memory(ctx, data, n, &st));
    const pf_st_tensor *t = pf_st_find(st, tensor);
    ck_assert_msg(t != NULL, "%s has no tensor '%s'", from, tensor);
    const pk_real x = (pk_real)value;
    const size_t element = t->bytes / (size_t)pf_dims_count(t->ndim, t->dim);
    ck_assert(pf_from_real((char *)(uintptr_t)t->data + t->bytes - element, t->type, &x, 1));
    pf_st_close(st);
    peft_context_free(ctx);
    f = fopen(to, "wb");
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    fclose(f);
}

static const double bad[] = { NAN, INFINITY, -INFINITY };

START_TEST(adapter_and_model_files_with_nan_are_refused)
{
    static const char *const tensors[] = { "prompt", "head.1.weight", "head.1.bias", "head.0.running_var" };
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .model = "classes=3,head=bn_linear" });
    peft_adapter *a = NULL;
    peft_model *m = NULL;
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    OK(peft_model_save(t.model, tiny_path("model")));
    for (int k = 0; k < 3; k++) {
        copy_with_value(tiny_path("adapter"), tiny_path("bad"), "prompt", bad[k]);
        FAILS(PEFT_E_NONFINITE, "'prompt' holds NaN or Inf", peft_adapter_load(t.backbone, tiny_path("bad"), &a));
        for (int i = 0; i < 4; i++) {
            copy_with_value(tiny_path("model"), tiny_path("bad"), tensors[i], bad[k]);
            FAILS(PEFT_E_NONFINITE, tensors[i], peft_model_load(t.backbone, tiny_path("bad"), &m));
        }
    }
    ck_assert(!a && !m);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(training_states_with_nan_are_refused)
{
    static const char *const tensors[] = { "param.head.weight", "moment1.prompt", "moment2.head.bias" };
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .model = "classes=3" });
    tiny_bits before = { 0 }, after = { 0 };
    peft_trainer *r = tiny_trainer(t.model, "batch=3,lr=1e-2");
    tiny_step(r, 3, 0);
    OK(peft_trainer_save(r, tiny_path("state")));
    tiny_step(r, 3, 3);
    tiny_bits_training(&before, r);
    for (int i = 0; i < 3; i++) {
        copy_with_value(tiny_path("state"), tiny_path("bad"), tensors[i], NAN);
        FAILS(PEFT_E_NONFINITE, tensors[i], peft_trainer_restore(r, tiny_path("bad")));
    }
    tiny_bits_training(&after, r);
    tiny_same(&before, &after, "state after refused restores");                       /* frees after */
    tiny_bits_free(&before);
    peft_trainer_free(r);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A state with NaN, which could not be restored, does not overwrite the last good file. */
START_TEST(training_states_with_nan_are_not_saved)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .model = "classes=3" });
    peft_trainer *r = tiny_trainer(t.model, "batch=3,lr=1e-2");
    tiny_step(r, 3, 0);
    OK(peft_trainer_save(r, tiny_path("state")));
    const double huge_lr_scale = 1e300, no_decay = 0;
    OK(peft_trainer_group(r, "head.weight", huge_lr_scale, no_decay));
    tiny_batch b = tiny_first_batch(t.model, 3);
    FAILS(PEFT_E_NONFINITE, "head.weight", peft_trainer_step(r, b.images, b.labels, b.ids));
    tiny_batch_free(&b);
    FAILS(PEFT_E_NONFINITE, "param.head.weight", peft_trainer_save(r, tiny_path("state")));
    peft_trainer_free(r);
    r = tiny_trainer(t.model, "batch=3,lr=1e-2");
    OK(peft_trainer_restore(r, tiny_path("state")));
    tiny_step(r, 3, 0);
    peft_trainer_free(r);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(backbone_files_with_nan_are_refused)
{
    static const peft_dtype types[] = { PEFT_F32, PEFT_F16, PEFT_BF16, PEFT_F64 };
    static const char *const tensors[] = { "blocks.1.attn.qkv.weight", "head.weight", "pos_embed", "norm.bias" };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, NULL, "classes=3"), *loaded = NULL;
    for (int k = 0; k < 4; k++) {
        tiny_save_backbone(b, &(tiny_save){ .type = types[k] }, tiny_path("backbone"));
        for (int i = 0; i < 4; i++) {
            peft_options *resized = tiny_options(ctx, "image_size=24");
            copy_with_value(tiny_path("backbone"), tiny_path("bad"), tensors[i], bad[(i + k) % 3]);
            FAILS(PEFT_E_NONFINITE, tensors[i], peft_backbone_load(ctx, tiny_path("bad"), NULL, &loaded));
            FAILS(PEFT_E_NONFINITE, tensors[i], peft_backbone_load(ctx, tiny_path("bad"), resized, &loaded));
            peft_options_free(resized);
        }
    }
    ck_assert_ptr_null(loaded);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* The message names the image; the logits of the other images are valid. */
START_TEST(predictions_with_nan_are_an_error_that_names_the_image)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .model = "classes=3" });
    tiny_batch b = tiny_first_batch(t.model, 4);
    peft_tensor *y = tiny_tensor(t.ctx, PEFT_F32, 2, 4, 3), *good = tiny_tensor(t.ctx, PEFT_F32, 2, 4, 3);
    peft_session *s = tiny_session(t.model, "batch=4");
    const float *got = peft_tensor_cdata(y), *want = peft_tensor_cdata(good);
    OK(peft_session_predict(s, b.images, good));
    float *pixel = (float *)peft_tensor_data(b.images) + 2 * peft_tensor_count(b.images) / 4 + 5;   /* of image 2 */
    const int softmax = 0, multi_label = 1;
    *pixel = NAN;
    FAILS(PEFT_E_NONFINITE, "image 2", peft_session_predict(s, b.images, y));
    for (int i = 0; i < 12; i++) ck_assert(i / 3 == 2 ? !isfinite(got[i]) : got[i] == want[i]);
    FAILS(PEFT_E_NONFINITE, "image 2", peft_session_probabilities(s, b.images, softmax, y));
    FAILS(PEFT_E_NONFINITE, "image 2", peft_session_probabilities(s, b.images, multi_label, y));
    *pixel = 0;
    ((float *)peft_tensor_data(peft_param_value(peft_model_find_param(t.model, "head.bias"))))[0] = INFINITY;
    /* sigmoid(Inf) is 1: the infinite logit is found all the same */
    FAILS(PEFT_E_NONFINITE, "image 0", peft_session_probabilities(s, b.images, multi_label, y));
    peft_session_free(s);
    peft_tensor_free(y);
    peft_tensor_free(good);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

/* With NaN in the model's head alone, or in the merged head too. */
START_TEST(drift_is_infinite_where_a_network_gives_nan)
{
    for (int both = 0; both < 2; both++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = "classes=3" });
        peft_backbone *merged;
        double absolute = 0, relative = 0;
        float *bias = peft_tensor_data(peft_param_value(peft_model_find_param(t.model, "head.bias")));
        if (both) bias[1] = NAN;
        OK(peft_model_merge(t.model, &merged));
        if (!both) bias[1] = NAN;
        peft_tensor *const random_images = NULL;
        OK(peft_model_merge_drift(t.model, merged, random_images, &absolute, &relative));
        ck_assert(isinf(absolute) && isinf(relative));
        peft_backbone_free(merged);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("nonfinite", adapter_and_model_files_with_nan_are_refused, training_states_with_nan_are_refused,
           training_states_with_nan_are_not_saved, backbone_files_with_nan_are_refused,
           predictions_with_nan_are_an_error_that_names_the_image, drift_is_infinite_where_a_network_gives_nan)
