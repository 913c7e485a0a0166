/* SPDX-License-Identifier: Apache-2.0
 * test_ept.c -- EPT's options: which are refused because they would have no effect, which tensors the forms of
 * insertion have; that another method which changes the same attention is refused; that predictions agree between the
 * instruction sets. */
#include "tiny.h"

static peft_status create(const tiny *t, const char *options, peft_adapter **out)
{
    peft_options *o = tiny_options(t->ctx, "%s", options);
    const peft_status s = peft_adapter_create(t->backbone, "ept", o, out);
    peft_options_free(o);
    return s;
}

START_TEST(options_without_effect_are_refused)
{
    static const char *const bad[][2] = {                    /* options, and a word of the error */
        { "insert=append", "multiply_concat" }, { "init=gaussian", "published" }, { "init=zero,mass=0.1", "init=mass" },
        { "init=published,mass=0.1", "init=mass" }, { "insert=add,mass=0.1", "insert=concat" },
        { "insert=add,init=mass", "insert=concat" }, { "insert=multiply_concat,init=mass", "insert=concat" },
        { "insert=add,length=7", "scores' size" }, { "insert=multiply,length=7", "scores' size" },
        { "mass=0", "mass" }, { "mass=1", "mass" } };
    static const char *const good[] = { "", "mass=0.1", "init=mass,mass=0.1,length=2", "init=zero,mass=0.3367",
        "insert=add,init=uniform", "insert=multiply,init=normal", "insert=multiply_concat,length=7,init=published" };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adapter *a = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FAILS(PEFT_E_OPTION, bad[i][1], create(&t, bad[i][0], &a));
        ck_assert_ptr_null(a);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(create(&t, good[i], &a));
        peft_adapter_free(a);
    }
    tiny_free(&t);
}
END_TEST

/* add and multiply have a prompt for each score: 17 tokens, 3 layers. */
START_TEST(forms_of_insertion_have_their_tensors)
{
    static const struct { const char *options; int64_t dim[3]; } rows[] = {
        { "length=7", { 3, 17, 7 } }, { "insert=add", { 3, 17, 17 } }, { "insert=multiply,layers=1-2", { 2, 17, 17 } },
        { "insert=multiply_concat,length=7", { 3, 17, 7 } } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_adapter *a;
        OK(create(&t, rows[i].options, &a));
        ck_assert_uint_eq(a->params.count, 1);
        const peft_tensor *p = &a->params.item[0]->value;
        ck_assert_str_eq(a->params.item[0]->name, "prompt");
        ck_assert_int_eq(p->ndim, 3);
        for (int k = 0; k < 3; k++) ck_assert_int_eq(p->dim[k], rows[i].dim[k]);
        peft_adapter_free(a);
    }
    tiny_free(&t);
}
END_TEST

/* prefix gives attention further keys, ept a sink, ia3 other keys and values, each before or after the form. */
START_TEST(a_second_method_at_the_same_attention_is_refused)
{
    static const char *const others[] = { "prefix", "ept", "attnscale_dra" };
    static const char *const forms[] = { "insert=add,length=100", "insert=multiply,length=100",
                                         "insert=multiply_concat,length=3" };
    for (int f = 0; f < 3; f++)
        for (int k = 0; k < 6; k++) {
            tiny t = tiny_make(&(tiny_spec){ 0 });
            peft_adapter *form = tiny_adapter(t.backbone, "ept", forms[f]),
                         *other = tiny_adapter(t.backbone, others[k / 2], k / 2 == 1 ? "length=2" : NULL);
            peft_trainer *r = NULL;
            peft_status s = peft_model_attach(t.model, k % 2 ? form : other);
            ck_assert_int_eq(s, PEFT_OK);
            s = peft_model_attach(t.model, k % 2 ? other : form);
            if (!s) s = peft_trainer_create(t.model, NULL, &r);
            ck_assert_msg(s == PEFT_E_STATE, "%s with %s, order %d: status %d", forms[f], others[k / 2], k % 2, (int)s);
            ck_assert_ptr_null(r);
            peft_adapter_free(form);
            peft_adapter_free(other);
            tiny_free(&t);
        }
}
END_TEST

/* Logits of each instruction set beside those of the plain C kernels. */
START_TEST(instruction_sets_agree)
{
    static const char *const options[] = { "length=100", "insert=add,length=100", "insert=multiply,length=100",
                                           "insert=multiply_concat,length=3" };
    for (int f = 0; f < 4; f++) {
        double reference[12] = { 0 };
        for (int pass = 0; pass < 2; pass++)
            for (const char *const *isa = pk_isas(); *isa; isa++) {
                if (strcmp(*isa, "ref") == 0 ? pass == 1 : pass == 0) continue;            /* ref first */
                tiny t = tiny_make(&(tiny_spec){ .isa = *isa, .method = "ept", .adapter = options[f] });
                tiny_batch b = tiny_first_batch(t.model, 4);
                peft_session *s = tiny_session(t.model, "batch=4");
                peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 4, 3);
                OK(peft_session_predict(s, b.images, logits));
                const float *x = peft_tensor_cdata(logits);
                for (int i = 0; i < 12; i++) {
                    if (pass == 0) reference[i] = (double)x[i];
                    ck_assert_msg(fabs((double)x[i] - reference[i]) <= 1e-5 * (1 + fabs(reference[i])),
                                  "ept(%s), %s: logit %d is %g, by ref %g", options[f], *isa, i, (double)x[i],
                                  reference[i]);
                }
                peft_tensor_free(logits);
                peft_session_free(s);
                tiny_batch_free(&b);
                tiny_free(&t);
            }
    }
}
END_TEST

SUITE_MAIN("ept", options_without_effect_are_refused, forms_of_insertion_have_their_tensors,
           a_second_method_at_the_same_attention_is_refused, instruction_sets_agree)
