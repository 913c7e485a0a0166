/* SPDX-License-Identifier: Apache-2.0
 * test_prune.c -- importance of masks, and what peft_adapter_prune leaves out, where all gradients are known. */
#include <math.h>
#include "tiny.h"

/* --- a method whose masks have known gradients -------------------------------------------------------------------- */
/* The feature is v a b, element by element, whatever the image: a [48] and b [2,1,24] are masks. The loss function's
 * gradient with respect to the only logit's feature is `slope` for each element, so that the derivative with respect to
 * an element of a mask of ones is slope v. */
enum { WIDTH = 48, ROW = 24, KEEP_A = 3, KEEP_B = 5 };
static double planted[WIDTH], slope;
typedef struct planted_state { peft_param *a, *b; } planted_state;

static const peft_option planted_options[] = { { "mask_a", 's', "trained", 0, 0, "a" },
                                               { "mask_b", 's', "trained", 0, 0, "b" }, { 0 } };
static peft_status planted_init(peft_adapter *a, const peft_vit *v)
{
    planted_state *m = peft_sys_state(a);
    (void)v;
    m->a = peft_sys_declare_mask(a, PEFT_DIMS(WIDTH), KEEP_A, "mask_a", "a");
    m->b = peft_sys_declare_mask(a, PEFT_DIMS(2, 1, ROW), KEEP_B, "mask_b", "b");
    return peft_sys_init_status(a);
}
static void fill_planted(void *user, peft_real *data, int64_t count)
{
    (void)user;
    for (int64_t i = 0; i < count; i++) data[i] = (peft_real)planted[i];
}
static void planted_emit(const void *state, peft_build *b, peft_site *s)
{
    const planted_state *m = state;
    peft_val x = peft_sys_constant(b, PEFT_DIMS(1, WIDTH), fill_planted, NULL, "v");
    if (m->a) x = peft_sys_mul(b, x, peft_sys_param(b, m->a));
    if (m->b) x = peft_sys_mul(b, x, peft_sys_merge_heads(b, peft_sys_param(b, m->b)));
    s->out = peft_sys_add(b, peft_sys_scale(b, s->out, 0), x);
}
static const peft_method planted_method = { .name = "planted", .opts = planted_options, .sites = PEFT_AT(PEFT_POOL),
    .state_size = sizeof(planted_state), .init = planted_init, .emit = planted_emit };

static int constant_slope(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                          void *user)
{
    const int64_t n = logits->dim[0];
    (void)labels, (void)user;
    for (int64_t i = 0; i < n; i++) ((float *)gradient->data)[i] = (float)(slope / (double)n);
    *loss = 1;
    return 0;
}

typedef struct planted_run { tiny t; peft_trainer *trainer; peft_importance *i; } planted_run;

/* Importance over batches with these slopes; a slope of 0 ends them. */
static planted_run gather(const char *options, const double *slopes)
{
    planted_run r = { .t = { .ctx = tiny_plain_context() } };
    OK(peft_sys_register_method(r.t.ctx, &planted_method, PEFT_METHOD_ABI));
    r.t.backbone = tiny_default_backbone(r.t.ctx);
    r.t.model = tiny_model(r.t.backbone, "classes=1,head_init=one");
    peft_options *o = tiny_options(r.t.ctx, "%s", options);
    OK(peft_adapter_create(r.t.backbone, "planted", o, &r.t.adapter));
    peft_options_free(o);
    OK(peft_model_attach(r.t.model, r.t.adapter));
    r.trainer = tiny_trainer(r.t.model, "batch=4,loss=bce");
    OK(peft_trainer_set_loss(r.trainer, constant_slope, NULL));
    OK(peft_importance_create(r.t.adapter, &r.i));
    tiny_batch b = tiny_batch_make(r.t.model, 4, 0);
    for (; *slopes; slopes++) {
        slope = *slopes;
        OK(peft_importance_add(r.i, r.trainer, b.images, NULL, NULL));
    }
    tiny_batch_free(&b);
    return r;
}

static void planted_free(planted_run *r)
{
    peft_importance_free(r->i);
    peft_trainer_free(r->trainer);
    tiny_free(&r->t);
}

static void check_scores(const planted_run *r, const char *options, double (*expected)(int))
{
    peft_options *o = tiny_options(r->t.ctx, "%s", options);
    peft_tensor *a = tiny_tensor(r->t.ctx, PEFT_F32, 1, WIDTH), *b = tiny_tensor(r->t.ctx, PEFT_F32, 3, 2, 1, ROW);
    OK(peft_importance_scores(r->i, "mask_a", o, a));
    OK(peft_importance_scores(r->i, "mask_b", o, b));
    for (int e = 0; e < WIDTH; e++) {
        ck_assert_double_le(fabs((double)((float *)a->data)[e] - expected(e)), 1e-5 * fabs(expected(e)));
        ck_assert_double_le(fabs((double)((float *)b->data)[e] - expected(e)), 1e-5 * fabs(expected(e)));
    }
    peft_tensor_free(a);
    peft_tensor_free(b);
    peft_options_free(o);
}

/* Prunes and compares the masks of the new adapter, as lists, with 1 where keep(element) is not 0. */
static void check_pruned(const planted_run *r, const char *options, int (*keep_a)(int), int (*keep_b)(int))
{
    peft_options *o = tiny_options(r->t.ctx, "%s", options);
    peft_adapter *pruned;
    OK(peft_adapter_prune(r->i, o, &pruned));
    const float *a = peft_tensor_cdata(peft_adapter_find_buffer(pruned, "a")),
                *b = peft_tensor_cdata(peft_adapter_find_buffer(pruned, "b"));
    for (int e = 0; e < WIDTH; e++) {
        ck_assert_msg(a[e] == (float)keep_a(e), "%s: a[%d] is %g", options, e, (double)a[e]);
        ck_assert_msg(b[e] == (float)keep_b(e), "%s: b[%d] is %g", options, e, (double)b[e]);
    }
    ck_assert_uint_eq(peft_adapter_param_count(pruned), 0);
    peft_adapter_free(pruned);
    peft_options_free(o);
}

/* Values -20.3, -19.3, .., 26.7 in a mixed order: rank(e) is the position of element e, lowest first. */
static int rank(int e) { return e * 29 % WIDTH; }
static int rank_in_row(int e)
{
    int lower = 0;
    for (int k = e / ROW * ROW; k < e / ROW * ROW + ROW; k++) lower += planted[k] < planted[e];
    return lower;
}
static int rank_of_magnitude(int e)
{
    int lower = 0;
    for (int k = 0; k < WIDTH; k++) lower += fabs(planted[k]) < fabs(planted[e]);
    return lower;
}
static int all(int e) { (void)e; return 1; }
static int above_quarter(int e) { return rank(e) >= 12; }
static int magnitude_above_quarter(int e) { return rank_of_magnitude(e) >= 12; }
static int row_above_half(int e) { return rank_in_row(e) >= 12; }
static int last_three(int e) { return rank(e) >= WIDTH - KEEP_A; }
static int last_five_of_row(int e) { return rank_in_row(e) >= ROW - KEEP_B; }
static int above_half(int e) { return rank(e) >= 24; }

static double half_of_value(int e) { return 0.5 * planted[e]; }
static double magnitude(int e) { return 1.5 * fabs(planted[e]); }

/* Slopes 2 and -1: the signed mean is 0.5 v, that of the absolute values 1.5 |v|. */
START_TEST(scores_and_pruned_elements_are_those_of_known_gradients)
{
    for (int e = 0; e < WIDTH; e++) planted[e] = rank(e) - 20.3;
    planted_run r = gather("", (const double[]){ 2, -1, 0 });
    ck_assert_int_eq(peft_importance_batches(r.i), 2);
    check_scores(&r, "", half_of_value);
    check_scores(&r, "score=signed", half_of_value);
    check_scores(&r, "score=absolute", magnitude);
    check_pruned(&r, "", all, all);
    check_pruned(&r, "mask_a=25", above_quarter, all);
    check_pruned(&r, "mask_a=27", above_quarter, all);                       /* 12.96 elements */
    check_pruned(&r, "mask_a=25,score=absolute", magnitude_above_quarter, all);
    check_pruned(&r, "mask_b=50", all, row_above_half);
    check_pruned(&r, "mask_b=50,across=true", all, above_half);
    check_pruned(&r, "mask_a=100,mask_b=100", last_three, last_five_of_row);
    check_pruned(&r, "mask_a=95,mask_b=99.9", last_three, last_five_of_row);
    planted_free(&r);
    r = gather("", (const double[]){ 1, -3, 0 });                            /* the mean is -v: the order is reversed */
    peft_adapter *pruned;
    peft_options *o = tiny_options(r.t.ctx, "mask_a=50");
    OK(peft_adapter_prune(r.i, o, &pruned));
    const float *a = peft_tensor_cdata(peft_adapter_find_buffer(pruned, "a"));
    for (int e = 0; e < WIDTH; e++) ck_assert(a[e] == (float)!above_half(e));
    peft_adapter_free(pruned);
    peft_options_free(o);
    planted_free(&r);
}
END_TEST

static double row_norm(int row)
{
    double squares = 0;
    for (int k = row * ROW; k < row * ROW + ROW; k++) squares += planted[k] * planted[k];
    return sqrt(squares);
}
static int above_half_of_normed(int e)
{
    int lower = 0;
    for (int k = 0; k < WIDTH; k++) lower += planted[k] / row_norm(k / ROW) < planted[e] / row_norm(e / ROW);
    return lower >= 24;
}
static int second_row_and_five(int e) { return e >= ROW || rank_in_row(e) >= ROW - KEEP_B; }

/* Row 1 has values a hundred times those of row 0: across rows, row 0's positive values are lower, unless each row is
 * divided by its norm. */
START_TEST(norm_makes_rows_comparable)
{
    for (int e = 0; e < WIDTH; e++) planted[e] = (e * 7 % ROW + 1 + (e >= ROW) * 0.3) * (e < ROW ? 1 : 100);
    planted_run r = gather("", (const double[]){ 1, 0 });
    check_pruned(&r, "mask_b=40,across=true", all, second_row_and_five);     /* 19 of 24 in row 0 */
    check_pruned(&r, "mask_b=50,across=true,norm=true", all, above_half_of_normed);
    peft_tensor *b = tiny_tensor(r.t.ctx, PEFT_F32, 3, 2, 1, ROW);
    peft_options *o = tiny_options(r.t.ctx, "norm=true");
    OK(peft_importance_scores(r.i, "mask_b", o, b));
    for (int e = 0; e < WIDTH; e++)
        ck_assert_double_le(fabs((double)((float *)b->data)[e] - planted[e] / row_norm(e / ROW)), 1e-6);
    peft_tensor_free(b);
    peft_options_free(o);
    planted_free(&r);
}
END_TEST

static int from_twelve(int e) { return e >= 12; }

/* Equal scores, of zeros too: the first elements are pruned first; a mask that is not trained stays as it is. */
START_TEST(ties_and_fixed_masks)
{
    for (int e = 0; e < WIDTH; e++) planted[e] = 0;
    planted_run r = gather("mask_b=none", (const double[]){ 1, 0 });
    peft_options *o = tiny_options(r.t.ctx, "mask_a=25");
    peft_adapter *pruned;
    OK(peft_adapter_prune(r.i, o, &pruned));
    const float *a = peft_tensor_cdata(peft_adapter_find_buffer(pruned, "a"));
    for (int e = 0; e < WIDTH; e++) ck_assert(a[e] == (float)from_twelve(e));
    ck_assert_str_eq(peft_adapter_option_value(pruned, "mask_b"), "none");
    ck_assert_int_eq(strlen(peft_adapter_option_value(pruned, "mask_a")), 2 * WIDTH + 1);
    ck_assert_int_eq(strncmp(peft_adapter_option_value(pruned, "mask_a"), "[0,0,", 5), 0);
    ck_assert_str_eq(peft_option_name(peft_importance_option(r.i, 3)), "mask_a");
    ck_assert_ptr_null(peft_importance_option(r.i, 4));
    peft_adapter_free(pruned);
    peft_options_free(o);
    planted_free(&r);
}
END_TEST

SUITE_MAIN("prune", scores_and_pruned_elements_are_those_of_known_gradients, norm_makes_rows_comparable,
           ties_and_fixed_masks)
