/* SPDX-License-Identifier: Apache-2.0
 * foa_bp.c -- FOA-BP (Niu et al., ICML 2024): the loss of FOA, minimised by back-propagation. Each batch makes one step
 * of SGD with momentum on the scale and shift of every LayerNorm, down the gradient of
 *
 *     mean entropy + lambda * (mean (m - M)^2 + mean (s - S)^2)
 *
 * with m and s the mean and deviation of the batch's class tokens over all blocks, M and S those of training images.
 * Predictions are those before the step, of features that are moved towards the training images (eq. 8 and 9 of the
 * paper): by M minus h in the last layer, where h is a moving average of the means of earlier batches. */
#include <math.h>
#include <string.h>
#include "core/graph/loss/loss.h"
#include "core/tta/adaptor.h"

static const double average_decay = 0.9;             /* of the moving average h */

typedef struct {
    bool shifts;
    int64_t averaged;                    /* batches in h; 0: nothing is moved yet */
    double *average;                     /* h [width] */
    pk_real *shift;                      /* M - h [width], which the graph reads */
    double lambda;
    pf_val shifted, entropy;             /* logits of the moved features; a part of the loss */
    double last_entropy;
} foa_bp;

static const pf_opt options[] = {
    { "lr", 'f', "0.005", 0, 1e6, "learning rate of the norms' scale and shift" },
    { "momentum", 'f', "0.9", 0, 1, "factor of the last update's direction" },
    { "lambda", 'f', "30", 0, 1e9, "weight of the discrepancy from the statistics of training images" },
    { "shift", 'b', "true", 0, 0, "predictions of features that are moved towards the training images" },
    { 0 } };

static peft_status create(peft_adaptor *a)
{
    foa_bp *f = a->state;
    const size_t width = (size_t)a->model->backbone->shape.width;
    peft_status s;
    f->shifts = pf_tta_int(a, "shift");
    f->lambda = pf_tta_float(a, "lambda");
    f->average = pf_tta_memory(a, "average of features", width * sizeof(double), &s);
    if (f->average) f->shift = pf_tta_memory(a, "shift of features", width * sizeof(pk_real), &s);
    if (!f->shift) return s;
    a->optimizer = (pf_optimizer){ .momentum = pf_tta_float(a, "momentum") };
    a->lr = pf_tta_float(a, "lr");
    return pf_tta_norms(a);
}

static void finish(peft_adaptor *a, pf_graph *g, pf_val logits)
{
    foa_bp *f = a->state;
    const int64_t width = a->model->backbone->shape.width;
    const pf_val feature = a->tap[a->model->backbone->shape.depth - 1];
    const pf_val moved = peft_sys_add(g, feature, pf_tta_constant(g, f->shift, width));
    f->shifted = a->model->head->emit(a->model, g, &moved);
    pf_tta_keep(g, f->shifted);
    f->entropy = peft_sys_entropy(g, logits);
    pf_tta_keep(g, f->entropy);
    pf_loss_add(g, f->entropy, 1);
    pf_tta_add_discrepancy(a, g, f->lambda, "squared");
}

static void set_shift(peft_adaptor *a)
{
    const foa_bp *f = a->state;
    const int64_t width = a->model->backbone->shape.width;
    const double *mean = a->statistics.mean + pf_tta_features(a) - width;            /* of the last tap */
    for (int64_t c = 0; c < width; c++)
        f->shift[c] = f->shifts && f->averaged ? (pk_real)(mean[c] - f->average[c]) : 0;
}

static void reset(peft_adaptor *a)
{
    foa_bp *f = a->state;
    f->averaged = 0;
    memset(f->average, 0, (size_t)a->model->backbone->shape.width * sizeof *f->average);
    f->last_entropy = NAN;
}

/* Adds the mean of this batch's features of the last tap to the moving average. They are pooled features, or those of
 * all patches if the model's head reads patches. */
static void add_average(peft_adaptor *a)
{
    foa_bp *f = a->state;
    const pf_mat x = pf_matrix(&a->net.exec.run, a->tap[a->model->backbone->shape.depth - 1]);
    const double keep = f->averaged ? average_decay : 0;
    for (int64_t c = 0; c < x.cols; c++) {
        double sum = 0;
        for (int64_t i = 0; i < x.rows; i++) sum += (double)x.p[i * x.ld + c];
        f->average[c] = keep * f->average[c] + (1 - keep) * sum / (double)x.rows;
    }
    f->averaged++;
}

static peft_status predict(peft_adaptor *a, int64_t n, pk_real *logits)
{
    foa_bp *f = a->state;
    set_shift(a);
    pf_tta_forward(a);
    pf_tta_copy_from(a, f->shifted, n, logits);
    PF_TRY(pf_tta_read_loss(a));
    const double entropy = (double)pf_exec_data(&a->net.exec, f->entropy)[0];
    pf_tta_backward(a);
    PF_TRY(pf_tta_update(a));
    add_average(a);
    f->last_entropy = entropy;
    return PEFT_OK;
}

static peft_status each(peft_adaptor *a, pf_tta_visit visit, void *user)
{
    foa_bp *f = a->state;
    PF_TRY(visit(user, &(pf_tta_part){ .name = "shift.average", .type = PEFT_F64, .ndim = 1,
                                       .dim = { a->model->backbone->shape.width }, .data = f->average }));
    return visit(user, &(pf_tta_part){ .name = "shift.batches", .type = PEFT_I64, .ndim = 1, .dim = { 1 },
                                       .data = &f->averaged, .low = 0, .high = PF_TTA_MAX_COUNT });
}

static void figures(const peft_adaptor *a, pf_figures *f)
{
    const foa_bp *s = a->state;
    f->row[f->rows++] = (pf_figure)PF_NUMBER("entropy", s->last_entropy,
                                             "no batch since the adaptor was made or reset");
}

const pf_tta_kind pf_tta_foa_bp = { .name = "foa_bp",
    .summary = "entropy of the predictions and discrepancy of feature statistics, minimised over the norms",
    .paper = "arXiv:2404.01650", .options = options, .softmax = true, .taps = PF_TTA_CLASS_TOKEN, .trains = true,
    .state_size = sizeof(foa_bp), .create = create, .finish = finish, .reset = reset, .predict = predict, .each = each,
    .figures = figures };
