/* SPDX-License-Identifier: Apache-2.0
 * test_adaptor_files.c -- files of adaptors: a restored adaptor goes on with the same bits, a file that does not fit is
 * refused and changes nothing, and statistics of training images are stored with a model. */
#include <math.h>
#include "adaptors.h"

/* Asserts that two files have the same bytes. */
static void same_files(const char *x, const char *y)
{
    static char bytes[2][1 << 20];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(i ? y : x, "rb");
        ck_assert_ptr_nonnull(f);
        size[i] = fread(bytes[i], 1, sizeof bytes[i], f);
        fclose(f);
    }
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_uint_lt(size[0], sizeof bytes[0]);
    ck_assert(!memcmp(bytes[0], bytes[1], size[0]));
}

START_TEST(a_restored_adaptor_goes_on_with_the_same_bits)
{
    FOR_KINDS(kind) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
        peft_adaptor *a = ready_adaptor(t.model, kind, ""), *b = adaptor_make(t.model, "kind=%s,batch=%d,threads=2%s",
                                                                              kind, ADAPT_BATCH, quick(kind));
        for (int i = 0; i < 3; i++) peft_tensor_free(adapt_on(a, ADAPT_BATCH, 100 * i));
        OK(peft_adaptor_save(a, tiny_path("state")));
        OK(peft_adaptor_restore(b, tiny_path("state")));
        static const char *const counts[] = { "batches", "images", "updates", "source_images" };
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            ck_assert_double_eq(figure(a, counts[i]), figure(b, counts[i]));
        give_source(a, 4, 50);
        give_source(b, 4, 50);
        same_adaptation(a, b, 0, kind);
        OK(peft_adaptor_save(a, tiny_path("a")));
        OK(peft_adaptor_save(b, tiny_path("b")));
        same_files(tiny_path("a"), tiny_path("b"));
        peft_adaptor_free(a);
        peft_adaptor_free(b);
        tiny_free(&t);
        tiny_clean();
    }
}
END_TEST

START_TEST(a_state_that_does_not_fit_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" }), other = tiny_make(&(tiny_spec){ .method = "vpt" });
    peft_adaptor *a = adaptor_make(t.model, "batch=%d,lr=0.05", ADAPT_BATCH);
    peft_adaptor *b = adaptor_make(t.model, "batch=%d,lr=0.06", ADAPT_BATCH);
    peft_adaptor *c = adaptor_make(other.model, "batch=%d,lr=0.05", ADAPT_BATCH);
    peft_adaptor *fresh = adaptor_make(t.model, "batch=%d,lr=0.06", ADAPT_BATCH);
    peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
    OK(peft_adaptor_save(a, tiny_path("state")));
    OK(peft_model_save(t.model, tiny_path("model")));
    FAILS(PEFT_E_MISMATCH, "saved with lr=0.05, the adaptor has lr=0.06", peft_adaptor_restore(b, tiny_path("state")));
    FAILS(PEFT_E_MISMATCH, "other values of its parameters", peft_adaptor_restore(c, tiny_path("state")));
    FAILS(PEFT_E_FORMAT, "the file holds a model, expected an adaptor", peft_adaptor_restore(b, tiny_path("model")));
    FAILS(PEFT_E_IO, "nothing", peft_adaptor_restore(b, tiny_path("nothing")));
    FAILS(PEFT_E_INVALID, "path is NULL", peft_adaptor_restore(b, NULL));
    FAILS(PEFT_E_INVALID, "path is NULL", peft_adaptor_save(b, NULL));
    FAILS(PEFT_E_INVALID, "adaptor is NULL", peft_adaptor_save(NULL, "x"));
    FAILS(PEFT_E_INVALID, "adaptor is NULL", peft_adaptor_restore(NULL, "x"));
    same_adaptation(b, fresh, 0, "after files that were refused");
    ((float *)a->params.item[0]->value.data)[3] = NAN;
    FAILS(PEFT_E_NONFINITE, "holds NaN or Inf", peft_adaptor_save(a, tiny_path("state")));
    OK(peft_adaptor_restore(a, tiny_path("state")));
    tiny_finite(&a->params.item[0]->value, "restored");
    peft_adaptor_free(a);
    peft_adaptor_free(b);
    peft_adaptor_free(c);
    peft_adaptor_free(fresh);
    tiny_free(&t);
    tiny_free(&other);
    tiny_clean();
}
END_TEST

static void keep_warning(int level, const char *message, void *user)
{
    (void)level;
    snprintf(user, 400, "%s", message);
}

static void train(const tiny *t)
{
    tiny_batch b = tiny_batch_make(t->model, ADAPT_BATCH, 0);
    peft_trainer *trainer = tiny_trainer(t->model, "batch=%d,lr=0.1", ADAPT_BATCH);
    OK(peft_trainer_step(trainer, b.images, b.labels, NULL));
    peft_trainer_free(trainer);
    tiny_batch_free(&b);
}

/* After training neither the state nor the statistics of earlier values of the parameters are saved as if they belonged
 * to the new values. New training images take the place of the earlier ones, and give what a new adaptor gets. */
START_TEST(a_trained_model_does_not_get_earlier_statistics)
{
    FOR_KINDS(kind) {
        char warning[400] = "";
        tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
        OK(peft_context_set_log(t.ctx, keep_warning, warning, 1));
        peft_adaptor *a = ready_adaptor(t.model, kind, "");
        OK(peft_adaptor_save(a, tiny_path("state")));
        train(&t);
        FAILS(PEFT_E_STATE, "the model has been trained since", peft_adaptor_save(a, tiny_path("other")));
        if (a->taps) {
            FAILS(PEFT_E_STATE, "give the images again by peft_adaptor_source", peft_adaptor_store_source(a));
            OK(peft_adaptor_reset(a));
            ck_assert_ptr_nonnull(strstr(warning, "give the images again"));
            FAILS(PEFT_E_STATE, "give the images again", peft_adaptor_save(a, tiny_path("other")));
            give_source(a, ADAPT_BATCH, 0);
            ck_assert_ptr_nonnull(strstr(warning, "statistics of 6 training images"));
            OK(peft_adaptor_store_source(a));
        } else OK(peft_adaptor_reset(a));
        peft_adaptor *fresh = adaptor_make(t.model, "kind=%s,batch=%d%s", kind, ADAPT_BATCH, quick(kind));
        same_adaptation(a, fresh, 0, kind);
        OK(peft_adaptor_save(a, tiny_path("state")));
        OK(peft_adaptor_restore(fresh, tiny_path("state")));
        OK(peft_adaptor_save(fresh, tiny_path("other")));
        same_files(tiny_path("state"), tiny_path("other"));
        peft_adaptor_free(a);
        peft_adaptor_free(fresh);
        tiny_free(&t);
        tiny_clean();
    }
}
END_TEST

/* Option batch is only the most images of a call: a state goes on in an adaptor of another one with the same bits. */
START_TEST(batch_may_differ)
{
    FOR_KINDS(kind) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
        peft_adaptor *a = ready_adaptor(t.model, kind, ""), *b = ready_adaptor(t.model, kind, ",batch=9");
        peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
        OK(peft_adaptor_save(a, tiny_path("state")));
        OK(peft_adaptor_restore(b, tiny_path("state")));
        same_adaptation(a, b, 10, kind);
        peft_adaptor_free(a);
        peft_adaptor_free(b);
        tiny_free(&t);
        tiny_clean();
    }
}
END_TEST

SUITE_MAIN("adaptor files", a_restored_adaptor_goes_on_with_the_same_bits, a_state_that_does_not_fit_is_refused,
           a_trained_model_does_not_get_earlier_statistics, batch_may_differ)
