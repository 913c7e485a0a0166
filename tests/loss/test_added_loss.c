/* SPDX-License-Identifier: Apache-2.0
 * test_added_loss.c -- losses that a method adds to that of the labels (peft_sys_add_loss), in a trainer: beside an own
 * loss function or gradients of the logits they act as beside a built-in loss, with and without the feature cache, for
 * any number of threads and any division into batches. */
#include <math.h>
#include <peft/sys/method.h>
#include "loss_rows.h"
#include "tiny_bits.h"

enum { N = 4, STEPS = 3, WIDTH = 48 };

/* A method that multiplies the pooled feature with trained factors and adds losses, those that the options choose. */
static const peft_option options[] = {
    { "c", 'f', "0", -1e6, 1e6, "weight of the trained number c, which is no more than a loss" },
    { "entropy", 'f', "0", 0, 1e6, "weight of the entropy of the feature times a trained matrix" },
    { "discrepancy", 'f', "0", 0, 1e6, "weight of the feature's distance from the statistics 1 and 2" },
    { "frozen", 'f', "0", 0, 1e6, "weight of the entropy of the class token that enters block 0" },
    { "mean", 'f', "0", 0, 1e6, "weight of the mean square of the pooled feature" },
    { "sum", 'f', "0", 0, 1e6, "weight of the sum of the squares of the factors" },
    { "wrong", 'i', "0", 0, 3, "a loss that is refused: a feature, a number that is none, no value" }, { 0 } };
enum { LOSSES = 6 };
typedef struct { peft_param *c, *factors, *matrix; double weight[LOSSES]; int64_t wrong; } added;

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    added *m = peft_sys_state(a);
    m->c = peft_sys_declare(a, PEFT_DIMS(1), "one", "added.c");
    m->factors = peft_sys_declare(a, PEFT_DIMS(v->width), "one", "added.factors");
    m->matrix = peft_sys_declare(a, PEFT_DIMS(5, v->width), "normal:0.3", "added.matrix");
    for (int i = 0; i < LOSSES; i++) m->weight[i] = peft_sys_opt_float(a, options[i].name);
    m->wrong = peft_sys_opt_int(a, "wrong");
    return peft_sys_init_status(a);
}

static void fill(void *user, peft_real *data, int64_t count)
{
    for (int64_t i = 0; i < count; i++) data[i] = *(const peft_real *)user;
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const added *m = state;
    peft_real one = 1, two = 2;
    if (s->where == PEFT_TOKENS) {
        if (m->weight[3] > 0)
            peft_sys_add_loss(b, peft_sys_entropy(b, peft_sys_take_rows(b, s->out, 0, 1)), m->weight[3]);
        return;
    }
    s->out = peft_sys_affine(b, s->out, peft_sys_param(b, m->factors), PEFT_NONE);
    if (m->weight[0] != 0) peft_sys_add_loss(b, peft_sys_param(b, m->c), m->weight[0]);
    if (m->weight[1] > 0)
        peft_sys_add_loss(b, peft_sys_entropy(b, peft_sys_linear(b, s->out, peft_sys_param(b, m->matrix), PEFT_NONE)),
                          m->weight[1]);
    if (m->weight[2] > 0)
        peft_sys_add_loss(b, peft_sys_discrepancy(b, s->out, peft_sys_constant(b, PEFT_DIMS(WIDTH), fill, &one, "one"),
                                                  peft_sys_constant(b, PEFT_DIMS(WIDTH), fill, &two, "two"), "squared"),
                          m->weight[2]);
    const peft_val factors = peft_sys_param(b, m->factors);
    if (m->weight[4] > 0) peft_sys_add_loss(b, peft_sys_mean(b, peft_sys_mul(b, s->out, s->out)), m->weight[4]);
    if (m->weight[5] > 0) peft_sys_add_loss(b, peft_sys_sum(b, peft_sys_mul(b, factors, factors)), m->weight[5]);
    if (m->wrong == 1) peft_sys_add_loss(b, s->out, 1);
    if (m->wrong == 2) peft_sys_add_loss(b, peft_sys_param(b, m->c), NAN);
    if (m->wrong == 3) peft_sys_add_loss(b, PEFT_NONE, 1);
}

static const peft_method method = { .name = "added", .opts = options, .state_size = sizeof(added), .init = init,
    .sites = PEFT_AT(PEFT_TOKENS) | PEFT_AT(PEFT_POOL), .emit = emit };

/* A model with these losses. */
static tiny make(const char *losses)
{
    tiny t = { .ctx = tiny_plain_context() };
    OK(peft_sys_register_method(t.ctx, &method, PEFT_METHOD_ABI));
    t.backbone = tiny_default_backbone(t.ctx);
    t.model = tiny_model(t.backbone, "classes=3,head_init=normal:0.3");
    peft_options *o = tiny_options(t.ctx, "%s", losses);
    OK(peft_adapter_create(t.backbone, "added", o, &t.adapter));
    peft_options_free(o);
    OK(peft_model_attach(t.model, t.adapter));
    return t;
}

/* --- ways to give the loss of the labels ------------------------------------------------------------------------- */
typedef enum way { BUILT_IN, BY_FUNCTION, BY_GRADIENT, WAYS } way;

static int cross_entropy(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                         void *user)
{
    const pf_loss *built_in = user;
    const int64_t classes = logits->dim[1];
    const pf_loss_rows rows = { .logits = logits->data, .ld = classes, .rows = logits->dim[0],
                                .samples = logits->dim[0], .classes = classes, .labels = labels->data };
    *loss = (double)(pk_real)loss_of(built_in->kind, built_in, rows, gradient->data);
    return 0;
}

static void step(peft_trainer *x, way how, const tiny_batch *b)
{
    if (how == BY_FUNCTION) OK(peft_trainer_set_loss(x, cross_entropy, &x->loss));
    if (how != BY_GRADIENT) {
        OK(peft_trainer_step(x, b->images, b->labels, b->ids));
        return;
    }
    peft_tensor *gradient;
    double loss;
    OK(peft_trainer_forward(x, b->images, b->ids));
    const peft_tensor *logits = peft_trainer_logits(x);
    OK(peft_tensor_create(x->ctx, PEFT_F32, 2, logits->dim, &gradient));
    cross_entropy(logits, b->labels, gradient, &loss, &x->loss);
    OK(peft_trainer_backward_logits(x, gradient, loss));
    peft_tensor_free(gradient);
    if (pf_pending_count(x) >= x->accumulate) OK(peft_trainer_update(x));
}

/* The state after STEPS steps, the last two on the same samples, and the mean of their losses in *mean. */
static tiny_bits train(const char *losses, way how, const char *more, double *mean)
{
    tiny_bits bits = { 0 };
    tiny t = make(losses);
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=0.05,clip_norm=1%s", N, more);
    *mean = 0;
    for (int i = 0; i < STEPS; i++) {
        tiny_batch b = tiny_batch_make(t.model, i == 1 ? 3 : N, i ? N : 0);
        step(x, how, &b);
        *mean += x->last_loss / STEPS;
        tiny_batch_free(&b);
    }
    if (strstr(more, "cache"))
        ck_assert_msg(peft_trainer_get(x, "cache_hits") > 0, "%s %s: no sample was cached", losses, more);
    tiny_bits_training(&bits, x);
    peft_trainer_free(x);
    tiny_free(&t);
    return bits;
}

static const char *const all_losses[] = { "c=0.25", "entropy=0.7", "discrepancy=0.4", "frozen=0.3",
                                          "mean=0.2,sum=0.01", "c=-0.5,entropy=0.7,discrepancy=0.4,frozen=0.3" };
#define FOR_LOSSES(losses) for (size_t l_ = 0; l_ < sizeof all_losses / sizeof *all_losses; l_++) \
    for (const char *losses = all_losses[l_]; losses; losses = NULL)

START_TEST(every_way_trains_to_the_same_bits)
{
    static const char *const others[] = { ",threads=3", ",executor=naive", ",cache_features=100000",
                                          ",cache_features=100000,threads=3", ",cache_features=7000" };
    FOR_LOSSES(losses) {
        double expected, mean;
        tiny_bits first = train(losses, BUILT_IN, ",threads=1", &expected);
        for (way how = BUILT_IN; how < WAYS; how++)
            for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
                char name[160];
                tiny_bits bits = train(losses, how, others[i], &mean);
                snprintf(name, sizeof name, "%s%s, way %d", losses, others[i], how);
                tiny_same(&first, &bits, name);
                ck_assert_double_eq_tol(mean, expected, 1e-6);      /* built in: summed in single precision */
            }
        tiny_bits_free(&first);
    }
}
END_TEST

/* Batches of four samples give the same bits with batch=4 and batch=7. */
START_TEST(short_batches_train_to_the_same_bits)
{
    FOR_LOSSES(losses) {
        double means[2];
        tiny_bits full = train(losses, BUILT_IN, "", &means[0]), part = train(losses, BUILT_IN, ",batch=7", &means[1]);
        tiny_same(&full, &part, losses);
        ck_assert(means[0] == means[1]);
        tiny_bits_free(&full);
    }
}
END_TEST

/* Two passes of two samples give the update of one pass of four, within rounding, if the added losses are means over
 * samples; a discrepancy is none, as it is of the statistics of a pass's batch. */
START_TEST(accumulation_equals_a_larger_batch)
{
    FOR_LOSSES(losses) {
        if (strstr(losses, "discrepancy")) continue;
        for (way how = BUILT_IN; how < WAYS; how++) {
            tiny t[2] = { make(losses), make(losses) };
            peft_trainer *x[2];
            for (int k = 0; k < 2; k++)
                x[k] = tiny_trainer(t[k].model, "batch=%d,optimizer=sgd,lr=0.1,accumulate=%d", k ? 2 : 4, 1 + k);
            for (int i = 0; i < STEPS; i++) {
                for (int k = 0; k < 3; k++) {                                /* the whole batch, then its two halves */
                    tiny_batch b = tiny_batch_make(t[0].model, k ? 2 : 4, 4 * i + (k == 2 ? 2 : 0));
                    step(x[k > 0], how, &b);
                    tiny_batch_free(&b);
                }
                ck_assert_double_eq_tol(x[0]->last_loss, x[1]->last_loss, 1e-6);
            }
            for (size_t p = 0; p < peft_model_param_count(t[0].model); p++) {
                const peft_tensor *v = peft_param_value(peft_model_param(t[0].model, p)),
                    *w = peft_param_value(peft_model_param(t[1].model, p));
                for (int64_t i = 0; i < peft_tensor_count(v); i++)
                    ck_assert_double_eq_tol(((float *)v->data)[i], ((float *)w->data)[i], 1e-6);
            }
            for (int k = 0; k < 2; k++) {
                peft_trainer_free(x[k]);
                tiny_free(&t[k]);
            }
        }
    }
}
END_TEST

/* With a gradient of zeros for the logits the added losses alone are trained on: the head gets no gradient, c the
 * weight of the loss "weight times c", and a factor the slope of the losses. */
START_TEST(added_losses_alone_are_trained_on)
{
    tiny t = make("c=0.25,entropy=0.7,discrepancy=0.4");
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    peft_tensor *zeros = tiny_tensor(t.ctx, PEFT_F32, 2, N, 3);
    float *factor = (float *)peft_tensor_data(peft_param_value(peft_model_find_param(t.model, "added.factors"))) + 5;
    const float step_size = 1.0f / 64;
    double loss[3], slope = 0;
    for (int k = 0; k < 3; k++) {
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,optimizer=sgd", N);
        *factor = k == 1 ? 1 - step_size : k == 2 ? 1 + step_size : 1;
        OK(peft_trainer_forward(x, b.images, NULL));
        OK(peft_trainer_backward_logits(x, zeros, 0));
        loss[k] = x->last_loss;
        const float *c = peft_tensor_cdata(peft_param_grad(peft_model_find_param(t.model, "added.c"))),
            *head = peft_tensor_cdata(peft_param_grad(peft_model_find_param(t.model, "head.weight")));
        ck_assert(c[0] == 0.25f);
        for (int i = 0; i < 3 * WIDTH; i++) ck_assert(head[i] == 0);
        if (!k) slope = ((const float *)peft_tensor_cdata(peft_param_grad(peft_model_find_param(t.model,
                                                                                            "added.factors"))))[5];
        peft_trainer_free(x);
    }
    const double measured = (loss[2] - loss[1]) / (2 * (double)step_size);
    ck_assert_msg(fabs(slope) > 1e-3, "slope %g", slope);
    ck_assert_double_eq_tol(measured, slope, 1e-4 + 1e-2 * fabs(slope));
    peft_tensor_free(zeros);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

/* The figure "added_loss" is the added part alone: of WIDTH factors that are 1, the weight times WIDTH; 0 without
 * one. */
START_TEST(the_added_part_is_a_figure)
{
    static const struct { const char *losses; double expected; } cases[] = { { "sum=0.25", 0.25 * WIDTH }, { "", 0 } };
    for (size_t i = 0; i < 2; i++) {
        tiny t = make(cases[i].losses), plain = make("");
        tiny_batch b = tiny_batch_make(t.model, N, 0);
        peft_trainer *x = tiny_trainer(t.model, "batch=%d", N), *y = tiny_trainer(plain.model, "batch=%d", N);
        double added_part = -1, loss = -1, of_labels = -1;
        OK(peft_trainer_step(x, b.images, b.labels, NULL));
        OK(peft_trainer_step(y, b.images, b.labels, NULL));
        OK(peft_trainer_get_float(x, "added_loss", &added_part));
        OK(peft_trainer_get_float(x, "loss", &loss));
        OK(peft_trainer_get_float(y, "loss", &of_labels));
        ck_assert(added_part == cases[i].expected);
        ck_assert_double_eq_tol(loss - added_part, of_labels, 1e-5);
        peft_trainer_free(x);
        peft_trainer_free(y);
        tiny_batch_free(&b);
        tiny_free(&t);
        tiny_free(&plain);
    }
}
END_TEST

/* A loss that is no number, or whose weight is none, is an error that says which. */
START_TEST(what_cannot_be_added_is_named)
{
    static const struct { const char *losses, *message; peft_status status; } cases[] = {
        { "wrong=1", "given a value [4, 1, 48], expected one element; peft_sys_mean", PEFT_E_SHAPE },
        { "wrong=2", "given weight nan", PEFT_E_INVALID },
        { "wrong=3", "the value is PEFT_NONE or not of this graph", PEFT_E_INVALID } };
    for (size_t i = 0; i < 3; i++) {
        tiny t = make(cases[i].losses);
        peft_options *o = tiny_options(t.ctx, "batch=4");
        peft_trainer *x = NULL;
        FAILS(cases[i].status, cases[i].message, peft_trainer_create(t.model, o, &x));
        ck_assert_ptr_null(x);
        peft_options_free(o);
        tiny_free(&t);
    }
}
END_TEST

/* Predictions and evaluation do not compute the losses. */
START_TEST(predictions_are_those_without_added_losses)
{
    tiny_bits with = { 0 }, without = { 0 };
    tiny t = make("c=0.25,entropy=0.7,discrepancy=0.4,frozen=0.3"), plain = make("");
    tiny_bits_logits(&with, t.model);
    tiny_bits_logits(&without, plain.model);
    tiny_same(&with, &without, "logits");
    tiny_bits_free(&with);
    tiny_free(&t);
    tiny_free(&plain);
}
END_TEST

SUITE_MAIN("added_loss", every_way_trains_to_the_same_bits, short_batches_train_to_the_same_bits,
           accumulation_equals_a_larger_batch, added_losses_alone_are_trained_on, the_added_part_is_a_figure,
           what_cannot_be_added_is_named, predictions_are_those_without_added_losses)
