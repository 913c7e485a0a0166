/* SPDX-License-Identifier: Apache-2.0
 * test_loss_table.c -- the rows of losses.def: which options each loss reads, which types and shapes of labels it
 * accepts. */
#include "tiny.h"

/* A value other than the default for an option of losses: a number within its bounds, the word "batch", a label, or a
 * list with a number for each class. */
static const char *other_value(const pf_opt *row, char *text, size_t size)
{
    if (!strcmp(row->name, "weight_reduction")) return "batch";
    if (!strcmp(row->name, "ignore_index")) return "-1";
    if (row->type == 'b') return strcmp(row->fallback, "true") ? "true" : "false";
    if (row->type != 'f') return "1,2,3";
    double v = row->lo + (row->hi - row->lo) / 4;
    if (v == strtod(row->fallback, NULL)) v = row->lo + (row->hi - row->lo) / 2;
    snprintf(text, size, "%.17g", v);
    return text;
}

/* A trainer accepts an option of losses exactly if the row of its loss names it. */
START_TEST(a_trainer_accepts_the_options_of_its_loss_only)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "bitfit" });
    int accepted = 0, refused = 0;
    for (size_t i = 0; pf_losses[i]; i++) {
        ck_assert_ptr_eq(pf_loss_named(pf_losses[i]->name), pf_losses[i]);
        for (const pf_opt *row = pf_trainer_options; row->name; row++) {
            char text[160], value[32];
            peft_trainer *x;
            if (!pf_loss_option(row->name)) continue;
            snprintf(text, sizeof text, "loss=%s,%s=\"%s\"", pf_losses[i]->name, row->name,
                     other_value(row, value, sizeof value));
            peft_options *o = tiny_options(t.ctx, "%s", text);
            if (pf_loss_reads(pf_losses[i], row->name)) {
                OK(peft_trainer_create(t.model, o, &x));
                peft_trainer_free(x);
                accepted++;
            } else {
                FAILS(PEFT_E_OPTION, row->name, peft_trainer_create(t.model, o, &x));
                refused++;
            }
            peft_options_free(o);
        }
    }
    ck_assert_int_gt(accepted, 6);
    ck_assert_int_gt(refused, 3);
    tiny_free(&t);
}
END_TEST

/* Every word of a row's options is an option of losses; a part of an option's name is not. */
START_TEST(every_option_of_a_row_exists)
{
    for (size_t i = 0; pf_losses[i]; i++) {
        char words[160];
        snprintf(words, sizeof words, "%s", pf_losses[i]->options);
        for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
            ck_assert_msg(pf_loss_option(w) && pf_loss_reads(pf_losses[i], w), "loss %s: '%s' is no option of losses",
                          pf_losses[i]->name, w);
        ck_assert(!pf_loss_reads(pf_losses[i], "weight") && !pf_loss_reads(pf_losses[i], "smoothing"));
        ck_assert_int_ge(pf_losses[i]->min_classes, 1);
    }
    char names[160];
    const char *separator = " ", *last_separator = " ";
    ck_assert_str_eq(pf_loss_names("pos_weight", separator, last_separator, names, sizeof names),
                     "bce bce_sum focal_bce bce_dice");
    ck_assert_ptr_null(pf_loss_named("nothing"));
}
END_TEST

static peft_tensor labels_of(peft_dtype type, const void *data, int ndim, const int64_t *dims)
{
    peft_tensor t = { .type = type, .ndim = ndim, .data = (void *)(uintptr_t)data };
    memcpy(t.dim, dims, sizeof *dims * (size_t)ndim);
    return t;
}
/* A tensor with the extents that follow the data. */
#define LABELS(type, data, ...) labels_of(type, data, (int)(sizeof(int64_t[]){ __VA_ARGS__ } / sizeof(int64_t)), \
                                          (const int64_t[]){ __VA_ARGS__ })

/* For one row of logits per sample, class labels are [b] and targets [b, classes]; for a map of h x w rows of logits
 * they are [b, h, w] and [b, h, w, classes]. */
START_TEST(labels_must_have_the_shape_of_the_logits)
{
    static const int64_t number[24];
    static const float target[72];
    const pf_shape one = pf_shape_of(1, (int64_t)3), map = pf_shape_of(3, (int64_t)2, (int64_t)4, (int64_t)3);
    /* out: shape of the logits of a sample; rows: of logits in the batch of three */
    const struct { pf_label_kind kind; const pf_shape *out; peft_tensor labels; int64_t rows;
                   peft_status status; const char *wrong; } cases[] = {
        { PF_LABEL_CLASS, &one, LABELS(PEFT_I64, number, 3), 3, PEFT_OK, NULL },
        { PF_LABEL_CLASS, &map, LABELS(PEFT_I64, number, 3, 2, 4), 24, PEFT_OK, NULL },
        { PF_LABEL_TARGETS, &one, LABELS(PEFT_F32, target, 3, 3), 3, PEFT_OK, NULL },
        { PF_LABEL_TARGETS, &map, LABELS(PEFT_F32, target, 3, 2, 4, 3), 24, PEFT_OK, NULL },
        { PF_LABEL_CLASS, &one, LABELS(PEFT_I64, number, 3, 2, 4), 0, PEFT_E_SHAPE,
          "given [3, 2, 4], expected [3]" },
        { PF_LABEL_CLASS, &map, LABELS(PEFT_I64, number, 3), 0, PEFT_E_SHAPE,
          "given [3], expected [3, 2, 4] (the" },
        { PF_LABEL_CLASS, &map, LABELS(PEFT_I64, number, 3, 4, 2), 0, PEFT_E_SHAPE,
          "given [3, 4, 2], expected [3, 2, 4]" },
        { PF_LABEL_TARGETS, &map, LABELS(PEFT_F32, target, 3, 3), 0, PEFT_E_SHAPE,
          "given [3, 3], expected [3, 2, 4, 3]" },
        { PF_LABEL_TARGETS, &map, LABELS(PEFT_I64, number, 3, 2, 4), 0, PEFT_E_DTYPE,
          "given i64 [3, 2, 4], expected f32 or f64 [3, 2, 4, 3], values for each class; class numbers are for "
          "loss=ce, focal, dice or ce_dice" },
        { PF_LABEL_CLASS, &map, LABELS(PEFT_F32, target, 3, 2, 4, 3), 0, PEFT_E_DTYPE,
          "given f32 [3, 2, 4, 3], expected i64 [3, 2, 4], class numbers; values for each class are for "
          "loss=soft_ce, bce, bce_sum, focal_bce, dice_multilabel or bce_dice" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pf_labels l;
        const peft_status s = pf_labels_fit(&l, cases[i].kind, &cases[i].labels, 3, cases[i].out);
        if (cases[i].status) FAILS(cases[i].status, cases[i].wrong, s);
        else {
            OK(s);
            ck_assert_int_eq(l.rows, cases[i].rows);
            ck_assert_int_eq(l.classes, 3);
        }
    }
}
END_TEST

/* An error names a bad label by its indices. */
START_TEST(errors_give_the_indices_of_a_bad_label)
{
    int64_t number[24] = { 0 };
    float target[72] = { 0 };
    const pf_shape map = pf_shape_of(3, (int64_t)2, (int64_t)4, (int64_t)3);
    const peft_tensor numbers = LABELS(PEFT_I64, number, 3, 2, 4),
        targets = LABELS(PEFT_F32, target, 3, 2, 4, 3);
    pf_labels l;
    pf_loss loss = { 0 };
    number[14] = 7;                          /* sample 1, row 1, column 2 */
    OK(pf_labels_fit(&l, PF_LABEL_CLASS, &numbers, 3, &map));
    FAILS(PEFT_E_INVALID, "option ignore_index names a label that is left out", pf_loss_ce.check(&loss, &l));
    loss.ignores = true;
    loss.ignore_index = 255;
    FAILS(PEFT_E_INVALID, "labels[1][1][2]: given 7, expected 0 to 2, or 255 (ignore_index)",
          pf_loss_ce.check(&loss, &l));
    loss.ignore_index = 7;
    OK(pf_loss_ce.check(&loss, &l));
    loss.ignores = false;
    FAILS(PEFT_E_INVALID, "labels[1][1][2]: given 7, expected 0 to 2", pf_loss_ce.check(&loss, &l));
    target[(8 + 4 + 3) * 3 + 1] = 2;         /* sample 1, row 1, column 3, class 1 */
    OK(pf_labels_fit(&l, PF_LABEL_TARGETS, &targets, 3, &map));
    FAILS(PEFT_E_INVALID, "labels[1][1][3][1]: given 2, expected 0 to 1", pf_loss_bce.check(&loss, &l));
    FAILS(PEFT_E_INVALID, "labels[0][0][0]: its entries add up to 0", pf_loss_soft_ce.check(&loss, &l));
}
END_TEST

SUITE_MAIN("loss table", a_trainer_accepts_the_options_of_its_loss_only, every_option_of_a_row_exists,
           labels_must_have_the_shape_of_the_logits, errors_give_the_indices_of_a_bad_label)
