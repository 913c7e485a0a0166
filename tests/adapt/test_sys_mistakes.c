/* SPDX-License-Identifier: Apache-2.0
 * test_sys_mistakes.c -- what a method of one's own may do wrong, in init and with every word, ends in a status. */
#include "tiny.h"

static int mistake;                      /* which of them is made */
static peft_param *some;                 /* [2, 48], the width of TINY_BACKBONE */

static peft_status clumsy_init(peft_adapter *a, const peft_vit *v)
{
    some = peft_declare(a, PEFT_DIMS(2, v->width), "one", "some");
    switch (mistake) {
    case 0: peft_declare(a, PEFT_DIMS(3), "one", "some"); break;
    case 1: peft_declare(a, PEFT_DIMS(0), "one", "other"); break;
    case 2: peft_declare(a, PEFT_DIMS(-3), "one", "other"); break;
    case 3: peft_declare(a, PEFT_DIMS(INT64_MAX, 8), "one", "other"); break;
    case 4: peft_declare(a, PEFT_DIMS(3), "two", "other"); break;
    case 5: peft_opt_int(a, "size"); break;
    case 6: peft_declare(a, PEFT_DIMS(3), "one", "%0150d", 1); break;
    case 7: peft_declare_buffer(a, PEFT_DIMS(3), "one", "%0150d", 1); break;
    }
    return PEFT_OK;                      /* instead of peft_done */
}
enum { INIT_MISTAKES = 8 };

typedef peft_val (*slip)(peft_build *b, const peft_site *s);
#define SLIP(name, value) static peft_val name(peft_build *b, const peft_site *s) { (void)b, (void)s; return value; }
#define NOWHERE ((peft_val){ 1u << 30 })
SLIP(none, PEFT_NONE)
SLIP(nowhere, NOWHERE)
SLIP(use_null, peft_use(b, NULL))
SLIP(slice_beyond, peft_slice(b, peft_use(b, some), 1, INT64_MAX))
SLIP(slice_computed, peft_slice(b, peft_scale(b, s->out, 2), 0, 1))
SLIP(slice_nowhere, peft_slice(b, NOWHERE, 0, 1))
SLIP(at_negative, peft_at(b, peft_use(b, some), -1))
SLIP(add_wider, peft_add(b, peft_use(b, some), s->out))
SLIP(add_nowhere, peft_add(b, s->out, NOWHERE))
SLIP(mul_none, peft_mul(b, s->out, PEFT_NONE))
SLIP(scale_none, peft_scale(b, PEFT_NONE, 2))
SLIP(affine_wrong, peft_affine(b, s->out, peft_use(b, some), PEFT_NONE))
SLIP(linear_none, peft_linear(b, s->out, PEFT_NONE, PEFT_NONE))
SLIP(linear_bias, peft_linear(b, s->out, peft_use(b, some), peft_use(b, some)))
SLIP(linear_narrow, peft_linear(b, s->out, peft_use(b, some), PEFT_NONE))
SLIP(linear_scalar, peft_linear(b, peft_at(b, peft_at(b, peft_use(b, some), 0), 0), peft_use(b, some), PEFT_NONE))
SLIP(activate_unknown, peft_activate(b, s->out, "step"))
SLIP(layernorm_none, peft_layernorm(b, PEFT_NONE, PEFT_NONE, PEFT_NONE, 1e-6))
SLIP(logsumexp_none, peft_logsumexp(b, PEFT_NONE))
SLIP(logaddexp_other, peft_logaddexp(b, s->out, peft_use(b, some)))
SLIP(insert_none, peft_insert_rows(b, s->out, 1, PEFT_NONE))
SLIP(insert_beyond, peft_insert_rows(b, s->out, 1000, peft_use(b, some)))
SLIP(take_beyond, peft_take_rows(b, s->out, 1, INT64_MAX))
SLIP(drop_beyond, peft_drop_rows(b, s->out, INT64_MAX, 1))
SLIP(mean_negative, peft_mean_rows(b, s->out, -1, 1))
SLIP(replace_none, peft_replace_rows(b, s->out, 1, PEFT_NONE))
SLIP(replace_vector, peft_replace_rows(b, s->out, 1, peft_at(b, peft_use(b, some), 0)))
SLIP(repeat_none, peft_repeat(b, PEFT_NONE))
SLIP(dropout_all, peft_dropout(b, s->out, 1))
SLIP(swap_two, peft_swap(b, peft_use(b, some)))
SLIP(frame_none, peft_frame(b, PEFT_NONE, s->out, s->out, s->out))
SLIP(row_scale_wrong, peft_row_scale(b, peft_use(b, some), peft_use(b, some), s->out, 1))
SLIP(resize_tokens, peft_resize(b, s->out, 8))
SLIP(side_negative, peft_side_images(b, -4))
SLIP(input_unnamed, peft_input(b, NULL, PEFT_DIMS(3)))
SLIP(input_without_extents, peft_input(b, "scale", NULL))
SLIP(input_own, peft_input(b, "labels", PEFT_DIMS(3)))
SLIP(input_empty, peft_input(b, "scale", PEFT_DIMS(0)))
SLIP(input_huge, peft_input(b, "scale", PEFT_DIMS(INT64_MAX, 2)))
SLIP(input_deep, peft_input(b, "scale", PEFT_DIMS(1, 1, 1, 1, 1)))
static void fill_none(void *user, peft_real *data, int64_t count) { (void)user, (void)data, (void)count; }
SLIP(weight_unknown, peft_weight(b, "blocks.%d.attn.proj.weigth", 0))
SLIP(constant_without_fill, peft_constant(b, PEFT_DIMS(3), NULL, NULL, "three"))
SLIP(constant_long_name, peft_constant(b, PEFT_DIMS(3), fill_none, NULL, "%0150d", 1))
SLIP(mass_none, peft_attention_mass(b, 3, s, true))
SLIP(top_none, peft_top_rows(b, s->out, s->out, 2))
SLIP(attention_none, peft_attention(b, 3, s))
static peft_val attention_heads(peft_build *b, const peft_site *s)
{
    const peft_site look = { .q = s->out, .k = s->out, .v = s->out };
    return peft_attention(b, 5, &look);
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
    OK(peft_context_register_method(ctx, &clumsy, PEFT_METHOD_ABI));
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
