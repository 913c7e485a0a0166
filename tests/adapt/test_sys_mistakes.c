/* SPDX-License-Identifier: Apache-2.0
 * test_sys_mistakes.c -- wrong arguments to every function that a method calls, in init and in emit, end in an error
 * status of peft_adapter_create or peft_trainer_create. */
#include "tiny.h"

static int mistake;                      /* the mistake to make: those of init are 0 to 12, then follow those of emit */
static peft_param *some;                 /* [2, 48]: 48 is the width of TINY_BACKBONE */

static peft_status wrong_init(peft_adapter *a, const peft_vit *v)
{
    /* "%0150d" with 1 gives a name of 150 characters, which is too long */
    some = peft_sys_declare(a, PEFT_DIMS(2, v->width), "one", "some");
    switch (mistake) {
    case 0: peft_sys_declare(a, PEFT_DIMS(3), "one", "some"); break;
    case 1: peft_sys_declare(a, PEFT_DIMS(0), "one", "other"); break;
    case 2: peft_sys_declare(a, PEFT_DIMS(-3), "one", "other"); break;
    case 3: peft_sys_declare(a, PEFT_DIMS(INT64_MAX, 8), "one", "other"); break;
    case 4: peft_sys_declare(a, PEFT_DIMS(3), "two", "other"); break;
    case 5: peft_sys_opt_int(a, "size"); break;                          /* there is no such option */
    case 6: peft_sys_declare(a, PEFT_DIMS(3), "one", "%0150d", 1); break;
    case 7: peft_sys_declare_buffer(a, PEFT_DIMS(3), "one", "%0150d", 1); break;
    case 8: peft_sys_declare_mask(a, PEFT_DIMS(3), 1, "size", "mask"); break;
    case 9: peft_sys_declare_mask(a, PEFT_DIMS(3), 1, "mask", "%0150d", 1); break;
    case 10: peft_sys_declare_mask(a, PEFT_DIMS(48), 1, "mask", "some"); break;
    case 11: peft_sys_declare_mask(a, PEFT_DIMS(INT64_MAX, 8), 1, "list", "mask"); break;
    case 12: for (int i = 0; i < 5; i++) peft_sys_declare_mask(a, PEFT_DIMS(3), 1, "mask", "mask%d", i); break;
    }
    return PEFT_OK;                      /* does not return peft_sys_init_status, as it should */
}
enum { INIT_MISTAKES = 13 };

/* A wrong call in emit, at the output of block 1, whose value is s->out [batch, tokens, 48]. */
typedef peft_val (*wrong_call)(peft_build *b, const peft_site *s);
#define CALL(name, value) static peft_val name(peft_build *b, const peft_site *s) { (void)b, (void)s; return value; }
#define NO_SUCH_VALUE ((peft_val){ 1u << 30 })
CALL(none, PEFT_NONE)
CALL(no_such_value, NO_SUCH_VALUE)
CALL(use_null, peft_sys_param(b, NULL))
CALL(slice_beyond, peft_sys_slice(b, peft_sys_param(b, some), 1, INT64_MAX))
CALL(slice_computed, peft_sys_slice(b, peft_sys_scale(b, s->out, 2), 0, 1))
CALL(slice_no_such_value, peft_sys_slice(b, NO_SUCH_VALUE, 0, 1))
CALL(select_negative, peft_sys_select(b, peft_sys_param(b, some), -1))
CALL(add_wider, peft_sys_add(b, peft_sys_param(b, some), s->out))
CALL(add_no_such_value, peft_sys_add(b, s->out, NO_SUCH_VALUE))
CALL(mul_none, peft_sys_mul(b, s->out, PEFT_NONE))
CALL(scale_none, peft_sys_scale(b, PEFT_NONE, 2))
CALL(affine_wrong, peft_sys_affine(b, s->out, peft_sys_param(b, some), PEFT_NONE))
CALL(linear_none, peft_sys_linear(b, s->out, PEFT_NONE, PEFT_NONE))
CALL(linear_bias, peft_sys_linear(b, s->out, peft_sys_param(b, some), peft_sys_param(b, some)))
CALL(linear_narrow, peft_sys_linear(b, s->out, peft_sys_param(b, some), PEFT_NONE))
CALL(linear_scalar, peft_sys_linear(b, peft_sys_select(b, peft_sys_select(b, peft_sys_param(b, some), 0), 0),
                                    peft_sys_param(b, some), PEFT_NONE))
CALL(activate_unknown, peft_sys_activate(b, s->out, "step"))
CALL(layernorm_none, peft_sys_layernorm(b, PEFT_NONE, PEFT_NONE, PEFT_NONE, 1e-6))
CALL(logsumexp_none, peft_sys_logsumexp(b, PEFT_NONE))
CALL(logaddexp_other, peft_sys_logaddexp(b, s->out, peft_sys_param(b, some)))
CALL(insert_none, peft_sys_insert_rows(b, s->out, 1, PEFT_NONE))
CALL(insert_beyond, peft_sys_insert_rows(b, s->out, 1000, peft_sys_param(b, some)))
CALL(take_beyond, peft_sys_take_rows(b, s->out, 1, INT64_MAX))
CALL(drop_beyond, peft_sys_drop_rows(b, s->out, INT64_MAX, 1))
CALL(mean_negative, peft_sys_mean_rows(b, s->out, -1, 1))
CALL(replace_none, peft_sys_replace_rows(b, s->out, 1, PEFT_NONE))
CALL(replace_vector, peft_sys_replace_rows(b, s->out, 1, peft_sys_select(b, peft_sys_param(b, some), 0)))
CALL(repeat_none, peft_sys_repeat_batch(b, PEFT_NONE))
CALL(dropout_all, peft_sys_dropout(b, s->out, 1))
CALL(merge_heads_of_matrix, peft_sys_merge_heads(b, peft_sys_param(b, some)))
CALL(transpose_vector, peft_sys_transpose(b, peft_sys_select(b, peft_sys_param(b, some), 0)))
CALL(factors_none, peft_sys_mul_rows(b, s->out, PEFT_NONE))
CALL(factors_wrong, peft_sys_mul_rows(b, s->out, peft_sys_param(b, some)))
CALL(factors_of_scalar, peft_sys_mul_rows(b, peft_sys_select(b, peft_sys_select(b, peft_sys_param(b, some), 0), 0),
                                          peft_sys_param(b, some)))
CALL(random_too_many, peft_sys_random_rows(b, peft_sys_param(b, some), 3))
CALL(random_negative, peft_sys_random_rows(b, s->out, -1))
CALL(row_max_none, peft_sys_row_max(b, PEFT_NONE))
CALL(final_norm_none, peft_sys_final_norm(b, PEFT_NONE))
CALL(insert_wider, peft_sys_insert_rows(b, peft_sys_param(b, some), 0, s->out))
CALL(value_of_no_name, peft_sys_value(b, NULL))
CALL(value_not_set, peft_sys_value(b, "nothing"))
static peft_val set_no_name(peft_build *b, const peft_site *s)
{
    peft_sys_set_value(b, NULL, s->out);
    return s->out;
}
static peft_val set_long_name(peft_build *b, const peft_site *s)
{
    peft_sys_set_value(b, "a name of more than thirty-one characters", s->out);
    return s->out;
}
static peft_val set_many(peft_build *b, const peft_site *s)
{
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        peft_sys_set_value(b, name, s->out);
    }
    return s->out;
}
CALL(frame_none, peft_sys_frame(b, PEFT_NONE, s->out, s->out, s->out))
CALL(row_norms_wrong, peft_sys_inverse_row_norms(b, peft_sys_param(b, some), peft_sys_param(b, some), s->out, 1))
CALL(resize_tokens, peft_sys_resize_images(b, s->out, 8))
CALL(side_negative, peft_sys_side_images(b, -4))
CALL(input_unnamed, peft_sys_input(b, NULL, PEFT_DIMS(3)))
CALL(input_without_extents, peft_sys_input(b, "scale", NULL))
/* "labels" is an input that the library itself declares */
CALL(input_of_the_library, peft_sys_input(b, "labels", PEFT_DIMS(3)))
CALL(input_empty, peft_sys_input(b, "scale", PEFT_DIMS(0)))
CALL(input_huge, peft_sys_input(b, "scale", PEFT_DIMS(INT64_MAX, 2)))
CALL(input_deep, peft_sys_input(b, "scale", PEFT_DIMS(1, 1, 1, 1, 1)))
static void fill_nothing(void *user, peft_real *data, int64_t count) { (void)user, (void)data, (void)count; }
CALL(weight_unknown, peft_sys_weight(b, "blocks.%d.attn.proj.weigth", 0))
CALL(constant_without_fill, peft_sys_constant(b, PEFT_DIMS(3), NULL, NULL, "three"))
CALL(constant_long_name, peft_sys_constant(b, PEFT_DIMS(3), fill_nothing, NULL, "%0150d", 1))
enum { HEADS = 3 };
/* At a block's output the site s has no q, k and v. A mass is [b, heads, t], not [b, t, 48] as s->out. */
CALL(mass_none, peft_sys_attention_mass(b, HEADS, s, true))
static peft_val keys_none(peft_build *b, const peft_site *s)
{
    peft_site site = *s;
    peft_sys_add_keys(b, &site, s->out, PEFT_NONE);
    return s->out;
}
static peft_val keys_of_other_width(peft_build *b, const peft_site *s)
{
    peft_site site = { .xk = s->out, .xv = s->out };
    const peft_val row = peft_sys_select(b, peft_sys_param(b, some), 0);
    peft_sys_add_keys(b, &site, row, row);
    return s->out;
}
CALL(top_wrong_mass, peft_sys_top_rows(b, s->out, s->out, 2))
CALL(attention_none, peft_sys_attention(b, HEADS, s))
static peft_val attention_heads(peft_build *b, const peft_site *s)
{
    const peft_site site = { .q = s->out, .k = s->out, .v = s->out };
    return peft_sys_attention(b, 5, &site);                              /* 48 channels do not divide into 5 heads */
}

CALL(scores_none, peft_sys_attention_scores(b, HEADS, s->out, PEFT_NONE))
CALL(scores_heads, peft_sys_attention_scores(b, 0, s->out, s->out))
CALL(scores_no_such_value, peft_sys_attention_scores(b, HEADS, NO_SUCH_VALUE, s->out))
CALL(scores_of_matrix, peft_sys_attention_scores(b, 1, peft_sys_param(b, some), peft_sys_param(b, some)))
CALL(softmax_none, peft_sys_softmax(b, PEFT_NONE, PEFT_NONE))
CALL(softmax_sink, peft_sys_softmax(b, s->out, peft_sys_param(b, some)))
CALL(apply_tokens, peft_sys_attention_apply(b, s->out, s->out))
CALL(apply_none, peft_sys_attention_apply(b, PEFT_NONE, s->out))
CALL(apply_other, peft_sys_attention_apply(b, peft_sys_attention_scores(b, HEADS, s->out, s->out),
                                           peft_sys_param(b, some)))
CALL(range_of_vector, peft_sys_row_range(b, peft_sys_select(b, peft_sys_param(b, some), 0)))
CALL(scaled_other, peft_sys_scaled_logsumexp(b, s->out, s->out))
CALL(scaled_none, peft_sys_scaled_logsumexp(b, peft_sys_param(b, some), PEFT_NONE))
CALL(mean_of_none, peft_sys_mean(b, PEFT_NONE))
CALL(sum_no_such_value, peft_sys_sum(b, NO_SUCH_VALUE))
static peft_val loss_of_tokens(peft_build *b, const peft_site *s)
{
    peft_sys_add_loss(b, s->out, 1);
    return s->out;
}

static const wrong_call wrong_calls[] = {
    none, no_such_value, use_null, slice_beyond, slice_computed, slice_no_such_value, select_negative, add_wider,
    add_no_such_value, mul_none, scale_none, affine_wrong, linear_none, linear_bias, linear_narrow, linear_scalar,
    activate_unknown, layernorm_none,
    logsumexp_none, logaddexp_other, insert_none, insert_beyond, take_beyond, drop_beyond, mean_negative, replace_none,
    replace_vector, repeat_none, dropout_all, merge_heads_of_matrix,
    transpose_vector, factors_none, factors_wrong, factors_of_scalar, random_too_many, random_negative, row_max_none,
    final_norm_none, insert_wider, value_of_no_name, value_not_set, set_no_name, set_long_name, set_many, frame_none,
    row_norms_wrong, resize_tokens,
    side_negative, weight_unknown, constant_without_fill, constant_long_name,
    input_unnamed, input_without_extents, input_of_the_library, input_empty, input_huge, input_deep,
    mass_none, keys_none, keys_of_other_width, top_wrong_mass, attention_none, attention_heads,
    scores_none, scores_heads, scores_no_such_value, scores_of_matrix, softmax_none, softmax_sink, apply_tokens,
    apply_none, apply_other, range_of_vector, scaled_other, scaled_none, mean_of_none, sum_no_such_value,
    loss_of_tokens };
enum { EMIT_MISTAKES = sizeof wrong_calls / sizeof *wrong_calls };

static void wrong_emit(const void *state, peft_build *b, peft_site *s)
{
    (void)state;
    if (mistake >= INIT_MISTAKES && s->layer == 1) s->out = wrong_calls[mistake - INIT_MISTAKES](b, s);
}

START_TEST(wrong_calls_of_a_method_end_in_an_error_status)
{
    static const peft_option options[] = { { "mask", 's', "trained", 0, 0, "a mask" },
                                            { "list", 's', "[1,0]", 0, 0, "another mask" }, { 0 } };
    static const peft_method wrong = { .name = "wrong", .opts = options, .sites = PEFT_AT(PEFT_BLOCK_OUT),
                                       .init = wrong_init, .emit = wrong_emit };
    peft_context *ctx = tiny_plain_context();
    OK(peft_sys_register_method(ctx, &wrong, PEFT_METHOD_ABI));
    peft_backbone *b = tiny_default_backbone(ctx);
    for (mistake = 0; mistake < INIT_MISTAKES + EMIT_MISTAKES; mistake++) {
        peft_adapter *a = NULL;
        peft_trainer *t = NULL;
        peft_status s = peft_adapter_create(b, "wrong", NULL, &a);
        ck_assert_msg(!s == (mistake >= INIT_MISTAKES), "mistake %d: %s", mistake, peft_last_error());
        if (!s) {
            peft_model *m = tiny_model(b, NULL);
            OK(peft_model_attach(m, a));
            s = peft_trainer_create(m, NULL, &t);
            peft_model_free(m);
        }
        ck_assert_msg(s == PEFT_E_INVALID || s == PEFT_E_SHAPE || s == PEFT_E_OPTION || s == PEFT_E_NOTFOUND,
                      "mistake %d: %s: %s", mistake, peft_status_name(s), peft_last_error());
        ck_assert_ptr_null(t);
        peft_adapter_free(a);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("sys_mistakes", wrong_calls_of_a_method_end_in_an_error_status)
