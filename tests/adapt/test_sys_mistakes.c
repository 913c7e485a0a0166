/* SPDX-License-Identifier: Apache-2.0
 * test_sys_mistakes.c -- what a method of one's own may do wrong, in init and with every word, ends in a status. */
#include "tiny.h"

static int mistake;                      /* which of them is made */
static peft_param *some;                 /* [2, 48], the width of TINY_BACKBONE */

static peft_status clumsy_init(peft_adapter *a, const peft_vit *v)
{
    some = peft_sys_declare(a, PEFT_DIMS(2, v->width), "one", "some");
    switch (mistake) {
    case 0: peft_sys_declare(a, PEFT_DIMS(3), "one", "some"); break;
    case 1: peft_sys_declare(a, PEFT_DIMS(0), "one", "other"); break;
    case 2: peft_sys_declare(a, PEFT_DIMS(-3), "one", "other"); break;
    case 3: peft_sys_declare(a, PEFT_DIMS(INT64_MAX, 8), "one", "other"); break;
    case 4: peft_sys_declare(a, PEFT_DIMS(3), "two", "other"); break;
    case 5: peft_sys_opt_int(a, "size"); break;
    case 6: peft_sys_declare(a, PEFT_DIMS(3), "one", "%0150d", 1); break;
    case 7: peft_sys_declare_buffer(a, PEFT_DIMS(3), "one", "%0150d", 1); break;
    }
    return PEFT_OK;                      /* instead of peft_sys_init_status */
}
enum { INIT_MISTAKES = 8 };

typedef peft_val (*slip)(peft_build *b, const peft_site *s);
#define SLIP(name, value) static peft_val name(peft_build *b, const peft_site *s) { (void)b, (void)s; return value; }
#define NOWHERE ((peft_val){ 1u << 30 })
SLIP(none, PEFT_NONE)
SLIP(nowhere, NOWHERE)
SLIP(use_null, peft_sys_param(b, NULL))
SLIP(slice_beyond, peft_sys_slice(b, peft_sys_param(b, some), 1, INT64_MAX))
SLIP(slice_computed, peft_sys_slice(b, peft_sys_scale(b, s->out, 2), 0, 1))
SLIP(slice_nowhere, peft_sys_slice(b, NOWHERE, 0, 1))
SLIP(at_negative, peft_sys_select(b, peft_sys_param(b, some), -1))
SLIP(add_wider, peft_sys_add(b, peft_sys_param(b, some), s->out))
SLIP(add_nowhere, peft_sys_add(b, s->out, NOWHERE))
SLIP(mul_none, peft_sys_mul(b, s->out, PEFT_NONE))
SLIP(scale_none, peft_sys_scale(b, PEFT_NONE, 2))
SLIP(affine_wrong, peft_sys_affine(b, s->out, peft_sys_param(b, some), PEFT_NONE))
SLIP(linear_none, peft_sys_linear(b, s->out, PEFT_NONE, PEFT_NONE))
SLIP(linear_bias, peft_sys_linear(b, s->out, peft_sys_param(b, some), peft_sys_param(b, some)))
SLIP(linear_narrow, peft_sys_linear(b, s->out, peft_sys_param(b, some), PEFT_NONE))
SLIP(linear_scalar, peft_sys_linear(b, peft_sys_select(b, peft_sys_select(b, peft_sys_param(b, some), 0), 0),
                                    peft_sys_param(b, some), PEFT_NONE))
SLIP(activate_unknown, peft_sys_activate(b, s->out, "step"))
SLIP(layernorm_none, peft_sys_layernorm(b, PEFT_NONE, PEFT_NONE, PEFT_NONE, 1e-6))
SLIP(logsumexp_none, peft_sys_logsumexp(b, PEFT_NONE))
SLIP(logaddexp_other, peft_sys_logaddexp(b, s->out, peft_sys_param(b, some)))
SLIP(insert_none, peft_sys_insert_rows(b, s->out, 1, PEFT_NONE))
SLIP(insert_beyond, peft_sys_insert_rows(b, s->out, 1000, peft_sys_param(b, some)))
SLIP(take_beyond, peft_sys_take_rows(b, s->out, 1, INT64_MAX))
SLIP(drop_beyond, peft_sys_drop_rows(b, s->out, INT64_MAX, 1))
SLIP(mean_negative, peft_sys_mean_rows(b, s->out, -1, 1))
SLIP(replace_none, peft_sys_replace_rows(b, s->out, 1, PEFT_NONE))
SLIP(replace_vector, peft_sys_replace_rows(b, s->out, 1, peft_sys_select(b, peft_sys_param(b, some), 0)))
SLIP(repeat_none, peft_sys_repeat_batch(b, PEFT_NONE))
SLIP(dropout_all, peft_sys_dropout(b, s->out, 1))
SLIP(swap_two, peft_sys_merge_heads(b, peft_sys_param(b, some)))
SLIP(frame_none, peft_sys_frame(b, PEFT_NONE, s->out, s->out, s->out))
SLIP(row_scale_wrong, peft_sys_inverse_row_norms(b, peft_sys_param(b, some), peft_sys_param(b, some), s->out, 1))
SLIP(resize_tokens, peft_sys_resize_images(b, s->out, 8))
SLIP(side_negative, peft_sys_side_images(b, -4))
SLIP(input_unnamed, peft_sys_input(b, NULL, PEFT_DIMS(3)))
SLIP(input_without_extents, peft_sys_input(b, "scale", NULL))
SLIP(input_own, peft_sys_input(b, "labels", PEFT_DIMS(3)))
SLIP(input_empty, peft_sys_input(b, "scale", PEFT_DIMS(0)))
SLIP(input_huge, peft_sys_input(b, "scale", PEFT_DIMS(INT64_MAX, 2)))
SLIP(input_deep, peft_sys_input(b, "scale", PEFT_DIMS(1, 1, 1, 1, 1)))
static void fill_none(void *user, peft_real *data, int64_t count) { (void)user, (void)data, (void)count; }
SLIP(weight_unknown, peft_sys_weight(b, "blocks.%d.attn.proj.weigth", 0))
SLIP(constant_without_fill, peft_sys_constant(b, PEFT_DIMS(3), NULL, NULL, "three"))
SLIP(constant_long_name, peft_sys_constant(b, PEFT_DIMS(3), fill_none, NULL, "%0150d", 1))
SLIP(mass_none, peft_sys_attention_mass(b, 3, s, true))
SLIP(top_none, peft_sys_top_rows(b, s->out, s->out, 2))
SLIP(attention_none, peft_sys_attention(b, 3, s))
static peft_val attention_heads(peft_build *b, const peft_site *s)
{
    const peft_site look = { .q = s->out, .k = s->out, .v = s->out };
    return peft_sys_attention(b, 5, &look);
}

static const slip slips[] = {
    none, nowhere, use_null, slice_beyond, slice_computed, slice_nowhere, at_negative, add_wider, add_nowhere, mul_none,
    scale_none, affine_wrong, linear_none, linear_bias, linear_narrow, linear_scalar, activate_unknown, layernorm_none,
    logsumexp_none, logaddexp_other, insert_none, insert_beyond, take_beyond, drop_beyond, mean_negative, replace_none,
    replace_vector, repeat_none, dropout_all, swap_two, frame_none, row_scale_wrong, resize_tokens, side_negative,
    weight_unknown, constant_without_fill, constant_long_name,
    input_unnamed, input_without_extents, input_own, input_empty, input_huge, input_deep,
    mass_none, top_none, attention_none, attention_heads };
enum { SLIPS = sizeof slips / sizeof *slips };

static void clumsy_emit(const void *state, peft_build *b, peft_site *s)
{
    (void)state;
    if (mistake >= INIT_MISTAKES && s->layer == 1) s->out = slips[mistake - INIT_MISTAKES](b, s);
}

START_TEST(mistakes_end_in_a_status)
{
    static const peft_method clumsy = { .name = "clumsy", .sites = PEFT_AT(PEFT_BLOCK_OUT), .init = clumsy_init,
                                        .emit = clumsy_emit };
    peft_context *ctx = tiny_context(NULL, 1);
    OK(peft_sys_register_method(ctx, &clumsy, PEFT_METHOD_ABI));
    peft_backbone *b = tiny_backbone(ctx, NULL, NULL);
    for (mistake = 0; mistake < INIT_MISTAKES + SLIPS; mistake++) {
        peft_adapter *a = NULL;
        peft_trainer *t = NULL;
        peft_status s = peft_adapter_create(b, "clumsy", NULL, &a);
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

SUITE_MAIN("sys_mistakes", mistakes_end_in_a_status)
