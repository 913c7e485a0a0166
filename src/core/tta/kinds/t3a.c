/* SPDX-License-Identifier: Apache-2.0
 * t3a.c -- T3A (Iwasawa and Matsuo, NeurIPS 2021): a classifier that is adjusted without gradients. Each class has
 * supports, which are features of unit length: at first the rows of the linear classifier, later the features of test
 * images, each in the class that the model predicts for it. Of every class those `filter` supports stay whose
 * predictions have the lowest entropy. The sum of a class's supports, at unit length, is its prototype; the logits are
 * the products of the features with the prototypes. All arithmetic after the forward pass is in double, one image after
 * the other. */
#include <math.h>
#include <string.h>
#include "core/bits/finite.h"
#include "core/model/heads/head.h"
#include "core/model/locks.h"
#include "core/tta/adaptor.h"

typedef struct {
    int64_t classes, width, filter;
    double *weight, *bias;               /* [classes, width], [classes]: the model's classifier, since the last reset */
    double *support;                     /* [classes, filter, width], unit length */
    double *entropy;                     /* [classes, filter], of the prediction for each support */
    int64_t *count;                      /* [classes]: supports of each class, at most filter */
    double *prototype, *scores, *feature; /* [classes, width], [classes], [width]: scratch memory of a call */
} t3a;

static const pf_opt options[] = {
    { "filter", 'i', "20", 1, 100000, "supports that each class keeps, those of lowest entropy" }, { 0 } };

static peft_status create(peft_adaptor *a)
{
    t3a *t = a->state;
    const peft_model *m = a->model;
    if (m->head->reads != PF_READS_FEATURE || !m->head->merge)
        return pf_fail(PEFT_E_UNSUPPORTED, "kind=t3a: the model's head is '%s'; expected a linear classifier of the "
                       "pooled feature (head=linear)", m->head->name);
    t->classes = m->classes;
    t->width = pf_feature_width(m);
    t->filter = pf_tta_int(a, "filter");
    const size_t width = (size_t)t->width, classes = (size_t)t->classes, supports = classes * (size_t)t->filter;
    const struct { double **to; const char *what; size_t numbers; } memory[] = {
        { &t->weight, "classifier", classes * width }, { &t->bias, "classifier", classes },
        { &t->support, "supports", supports * width }, { &t->entropy, "entropies of supports", supports },
        { &t->prototype, "prototypes", classes * width }, { &t->scores, "scores", classes },
        { &t->feature, "feature", width } };
    peft_status s = PEFT_OK;
    for (size_t i = 0; i < sizeof memory / sizeof *memory && !s; i++)
        *memory[i].to = pf_tta_memory(a, memory[i].what, memory[i].numbers * sizeof(double), &s);
    if (!s) t->count = pf_tta_memory(a, "counts of supports", classes * sizeof *t->count, &s);
    return s;
}

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* Sets out to x [n] at unit length; zeros stay zeros. */
static void unit_length(const double *x, int64_t n, double *out)
{
    const double length = sqrt(dot(x, x, n));
    for (int64_t i = 0; i < n; i++) out[i] = length > 0 ? x[i] / length : 0;
}

/* Adds feature x [width] to the supports of the class that the model predicts for it; of a class that has enough, it
 * takes the place of the support of highest entropy if its own is lower. */
static void add_support(t3a *t, const double *x)
{
    int64_t class = 0, slot;
    double sum = 0, entropy = 0;
    for (int64_t c = 0; c < t->classes; c++) {
        t->scores[c] = dot(t->weight + c * t->width, x, t->width) + t->bias[c];
        if (t->scores[c] > t->scores[class]) class = c;
    }
    for (int64_t c = 0; c < t->classes; c++) sum += exp(t->scores[c] - t->scores[class]);
    for (int64_t c = 0; c < t->classes; c++) {
        const double log_p = t->scores[c] - t->scores[class] - log(sum);
        entropy -= exp(log_p) * (exp(log_p) > 0 ? log_p : 0);
    }
    double *kept = t->entropy + class * t->filter;
    if (t->count[class] < t->filter) slot = t->count[class]++;
    else {
        slot = 0;
        for (int64_t i = 1; i < t->filter; i++) if (kept[i] > kept[slot]) slot = i;
        if (!(entropy < kept[slot])) return;
    }
    kept[slot] = entropy;
    unit_length(x, t->width, t->support + (class * t->filter + slot) * t->width);
}

static void read_classifier(const peft_model *m, const char *name, double *out, int64_t n)
{
    const peft_tensor *x = m->head->merge(m, name);
    const size_t element = x ? pf_tensor_bytes(x) / (size_t)n : 0;
    for (int64_t i = 0; i < n; i++) {
        pk_real v = 0;                                        /* a bias that the classifier lacks is 0 */
        if (x) pf_to_real(&v, (const char *)x->data + (size_t)i * element, x->type, 1);
        out[i] = (double)v;
    }
}

static void reset(peft_adaptor *a)
{
    t3a *t = a->state;
    pf_model_lock_read(a->model);
    read_classifier(a->model, "head.weight", t->weight, t->classes * t->width);
    read_classifier(a->model, "head.bias", t->bias, t->classes);
    pf_model_unlock(a->model);
    memset(t->count, 0, (size_t)t->classes * sizeof *t->count);
    memset(t->support, 0, (size_t)(t->classes * t->filter * t->width) * sizeof *t->support);
    memset(t->entropy, 0, (size_t)(t->classes * t->filter) * sizeof *t->entropy);
    for (int64_t c = 0; c < t->classes; c++) add_support(t, t->weight + c * t->width);
}

static void make_prototypes(t3a *t)
{
    for (int64_t c = 0; c < t->classes; c++) {
        double *sum = t->prototype + c * t->width;
        memset(sum, 0, (size_t)t->width * sizeof *sum);
        for (int64_t i = 0; i < t->count[c]; i++)
            for (int64_t k = 0; k < t->width; k++) sum[k] += t->support[(c * t->filter + i) * t->width + k];
        unit_length(sum, t->width, sum);
    }
}

/* PEFT_E_NONFINITE: the classifier of the last reset has NaN or Inf. */
static peft_status check_classifier(const t3a *t)
{
    for (int64_t i = 0; i < t->classes * t->width; i++)
        if (!isfinite(t->weight[i]) || !isfinite(t->bias[i / t->width]))
            return pf_fail(PEFT_E_NONFINITE, "the classifier's row of class %lld held NaN or Inf when the adaptor was "
                           "made or reset: nothing was learned; correct the model's head, then reset the adaptor",
                           (long long)(i / t->width));
    return PEFT_OK;
}

static peft_status predict(peft_adaptor *a, int64_t n, pk_real *logits)
{
    t3a *t = a->state;
    pf_tta_forward(a);
    const peft_status s = check_classifier(t);
    if (s) {
        pf_tta_copy_logits(a, n, logits);
        return s;
    }
    const pf_mat x = pf_matrix(&a->net.exec.run, a->net.feature);
    for (int64_t i = 0; i < n; i++)
        if (!pf_finite(x.p + i * x.ld, t->width)) {
            pf_tta_copy_logits(a, n, logits);
            return pf_fail(PEFT_E_NONFINITE, "the feature of image %lld is NaN or Inf: nothing was learned; look for "
                           "them in the model's parameters", (long long)i);
        }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < t->width; k++) t->feature[k] = (double)x.p[i * x.ld + k];
        add_support(t, t->feature);
    }
    make_prototypes(t);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < t->width; k++) t->feature[k] = (double)x.p[i * x.ld + k];
        for (int64_t c = 0; c < t->classes; c++)
            logits[i * t->classes + c] = (pk_real)dot(t->feature, t->prototype + c * t->width, t->width);
    }
    a->updates++;
    return PEFT_OK;
}

static peft_status each(peft_adaptor *a, pf_tta_visit visit, void *user)
{
    t3a *t = a->state;
    const pf_tta_part parts[] = {
        { .name = "supports", .type = PEFT_F64, .ndim = 3, .dim = { t->classes, t->filter, t->width },
          .data = t->support },
        { .name = "supports.entropy", .type = PEFT_F64, .ndim = 2, .dim = { t->classes, t->filter },
          .data = t->entropy },
        { .name = "supports.count", .type = PEFT_I64, .ndim = 1, .dim = { t->classes }, .data = t->count,
          .high = t->filter } };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) PF_TRY(visit(user, &parts[i]));
    return PEFT_OK;
}

static void figures(const peft_adaptor *a, pf_figures *f)
{
    const t3a *t = a->state;
    int64_t supports = 0;
    for (int64_t c = 0; c < t->classes; c++) supports += t->count[c];
    f->row[f->rows++] = (pf_figure)PF_COUNT("supports", supports);
}

const pf_tta_kind pf_tta_t3a = { .name = "t3a", .summary = "prototypes of the features whose predictions are surest",
    .paper = "NeurIPS 2021, Iwasawa and Matsuo", .options = options, .softmax = true, .state_size = sizeof(t3a),
    .create = create, .reset = reset, .predict = predict, .each = each, .figures = figures };
